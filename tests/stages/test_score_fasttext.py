import hashlib
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fasttext
import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline.fasttext_trainer import train_fasttext
from pipeline.specimens import TEXTS
from schemas.errors import InputError
from stages.score_fasttext import ScoreFasttext


def _words(text: str) -> list[str]:
    return text.split()


GOOD = _words("the river rises in the hills and the people of the town have built mills along it for many years")
BAD = _words("click here buy now free offer login share menu home about contact best price cheap deals subscribe")
DEALS = _words("casino bonus slots spin jackpot poker bet win cash")
ODD = ["", None, "\n", "\0", "\0\n\r\n\t", "the\0river\nrises", "\u2028", "🙂" * 1000, "</s>", "__label__hq", "x" * 100_000]

Train = Callable[..., Path]


def sentences(words: list[str], count: int, seed: int) -> list[str]:
    choice = random.Random(seed)
    made = []
    for _ in range(count):
        rare = [f"w{choice.randint(0, 400)}" for _ in range(6)]
        made.append(" ".join(choice.choices([*words, *rare, "a", "of", "naïve", "中文"], k=choice.randint(3, 40))))
    return made


BATCH = [*sentences(GOOD, 30, 1), *sentences(BAD, 30, 2), *sentences(DEALS, 30, 3), "the", "zzz", ""]
BATCH += sentences([*GOOD, *BAD, *DEALS, "unheard", "of" * 9], 40, 4)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """A model by the fastText library of a few hundred sentences."""
    folder = tmp_path_factory.mktemp("models")

    def made(labels: tuple[str, ...] = ("hq", "cc"), quantised: bool = False, **options: Any) -> Path:
        path = folder / f"{'-'.join(labels)}-{options}-{quantised}.{'ftz' if quantised else 'bin'}".replace("'", "")
        if not path.exists():
            lines = []
            for seed, (label, words) in enumerate(zip(labels, (GOOD, BAD, DEALS), strict=False)):
                lines += [f"__label__{label} {line}\n" for line in sentences(words, 300, seed + 10)]
            random.Random(1).shuffle(lines)
            text = folder / "train.txt"
            text.write_text("".join(lines))
            settings = {"dim": 12, "bucket": 500, "epoch": 3, "lr": 0.5, "seed": 1, **options}
            assert train_fasttext(text, path, settings, cutoff=300 if quantised else None) is None
        return path

    return made


def scored(texts: list[str | None], **keys: Any) -> pa.Table:
    return ScoreFasttext(**keys).open()(pa.table({"text": pa.array(texts, pa.large_string())}))


def by_library(path: Path, texts: list[str], label: str) -> list[float]:
    labels, scores = fasttext.load_model(str(path)).predict([text.replace("\n", " ") for text in texts], k=-1)
    return [dict(zip(*pair, strict=True)).get(f"__label__{label}", 0.0) for pair in zip(labels, scores, strict=True)]


@pytest.mark.parametrize("quantised", [False, True], ids=["bin", "ftz"])
@pytest.mark.parametrize(
    "options",
    [
        {"wordNgrams": 2},
        {"wordNgrams": 1},
        {"wordNgrams": 3, "minn": 2, "maxn": 4},
        {"loss": "hs", "wordNgrams": 2},
        {"loss": "ova", "wordNgrams": 2},
        {"loss": "ns", "minn": 3, "maxn": 3},
    ],
    ids=str,
)
def test_scores_are_the_library_s(train: Train, options: dict[str, Any], quantised: bool) -> None:
    for labels in (("hq", "cc"), ("hq", "cc", "spam")):
        path = train(labels, quantised, **options)
        for label in labels:
            found = scored([*BATCH], model=str(path), label=label)["quality_score"].to_pylist()
            assert found == pytest.approx(by_library(path, BATCH, label), abs=1e-5)
            assert max(found) - min(found) > 0.2


def test_odd_texts_have_the_library_s_scores(train: Train) -> None:
    path = train(wordNgrams=2)
    found = scored(ODD, model=str(path))["quality_score"].to_pylist()
    assert found == pytest.approx(by_library(path, [text or "" for text in ODD], "hq"), abs=1e-5)


def test_a_score_does_not_depend_on_the_batch(train: Train) -> None:
    keys = {"model": str(train(wordNgrams=2, minn=2, maxn=3))}
    whole = scored([*BATCH, *ODD], **keys)["quality_score"].to_pylist()
    for start, size in [(0, 1), (17, 60), (119, 1), (100, 44)]:
        assert scored([*BATCH, *ODD][start : start + size], **keys)["quality_score"].to_pylist() == whole[start : start + size]
    assert scored([], **keys).num_rows == 0


def test_line_breaks_are_spaces(train: Train) -> None:
    keys = {"model": str(train(wordNgrams=2))}
    (one, two) = scored(["the river\nrises\r\nhere", "the river rises here"], **keys)["quality_score"].to_pylist()
    assert one == two


def test_the_label_of_two_that_is_not_negative_is_the_default(train: Train) -> None:
    path = str(train(wordNgrams=2))
    default = scored([*BATCH], model=path)
    assert default.equals(scored([*BATCH], model=path, label="__label__hq"))
    assert default.equals(scored([*BATCH], model=path, label="hq"))
    toxic = str(train(("toxic", "non_toxic")))
    assert scored([*BATCH], model=toxic).equals(scored([*BATCH], model=toxic, label="toxic"))


def test_where_no_label_can_be_chosen_the_labels_are_told(train: Train) -> None:
    for labels in (("news", "code"), ("hq", "cc", "spam"), ("bad", "junk")):
        with pytest.raises(InputError, match=rf"cannot be told from the model's labels, .*'{labels[1]}'"):
            ScoreFasttext(model=str(train(labels))).open()


def test_an_unknown_label_is_refused_with_the_nearest_one(train: Train) -> None:
    with pytest.raises(InputError, match=r"no label 'hgq'; did you mean 'hq'\? its labels are '(hq|cc)', '(hq|cc)'"):
        ScoreFasttext(model=str(train()), label="__label__hgq").open()


def test_the_best_label_and_its_score(train: Train) -> None:
    for labels, loss in ((("hq", "cc", "spam"), "softmax"), (("hq", "cc", "spam"), "hs"), (("hq", "cc"), "ova")):
        path = train(labels, loss=loss, wordNgrams=2)
        table = scored([*BATCH], model=str(path), label_column="kind", column="kind_score")
        best, scores = fasttext.load_model(str(path)).predict(BATCH, k=1)
        assert table["kind"].to_pylist() == [name.removeprefix("__label__") for (name,) in best]
        assert table["kind_score"].to_pylist() == pytest.approx([score for (score,) in scores], abs=1e-5)


def test_columns_are_added_or_replaced_without_nulls(train: Train) -> None:
    table = pa.table({"toxicity": [None, 1.0], "text": ["the river", None], "extra": ["1", "2"]})
    stage = ScoreFasttext(model=str(train()), column="toxicity", label="cc")
    after = stage.apply(table)
    assert after.column_names == ["toxicity", "text", "extra"]
    assert not after.schema.field("toxicity").nullable
    assert {"toxicity": after.schema.field("toxicity").type} == stage.columns_written()


def test_a_missing_or_damaged_model_is_said(tmp_path: Path, train: Train) -> None:
    with pytest.raises(InputError, match=r"score_fasttext: the model .*gone\.bin cannot be read: No such file"):
        ScoreFasttext(model=str(tmp_path / "gone.bin")).open()
    damaged = tmp_path / "damaged.bin"
    damaged.write_bytes(train().read_bytes()[:500])
    with pytest.raises(InputError, match=r"score_fasttext: .*damaged\.bin: the file ends"):
        ScoreFasttext(model=str(damaged)).open()


def test_a_changed_file_is_read_again(tmp_path: Path, train: Train) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(train().read_bytes())
    before = scored([*BATCH], model=str(path))
    path.write_bytes(train(wordNgrams=2, epoch=1).read_bytes())
    assert scored([*BATCH], model=str(path)).equals(scored([*BATCH], model=str(train(wordNgrams=2, epoch=1))))
    assert not before.equals(scored([*BATCH], model=str(path)))


def test_the_model_enters_the_fingerprint() -> None:
    assert ScoreFasttext(model="/models/mine.bin").files() == ("/models/mine.bin",)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"label": "hq", "label_column": "kind"}, "expected one of them"),
        ({"column": "text"}, "column is 'text', expected a name that is no column of every document"),
        ({"label_column": ""}, "label_column is ''"),
        ({"label_column": "kind", "column": "kind"}, "both 'kind'"),
    ],
)
def test_columns_that_make_no_sense_are_refused(keys: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ScoreFasttext(**keys)  # type: ignore[arg-type]


def test_a_stage_survives_pickling(train: Train) -> None:
    stage = ScoreFasttext(model=str(train()), label="hq")
    assert pickle.loads(pickle.dumps(stage)).apply(pa.table({"text": ["the river"]})).num_rows == 1


PROSE = """The river rises in the hills to the north of the town, and the people who live along it have built mills there for as
long as anyone can remember. Most of them are gone now, but the weirs are still to be seen when the water is low."""
JUNK = [
    "Home | About us | Contact | Login | Register | Privacy policy | Terms of use | Share on Facebook | Tweet",
    "Buy now! Free shipping, best price, order today. Click here to subscribe. Add to cart $19.99 in stock",
    "def f(x):\n    return [y for y in x if y is not None]\n\nimport os, sys\nclass A(object):\n    pass",
]


def test_the_shipped_model_tells_prose_from_page_furniture() -> None:
    prose, *junk = scored([PROSE, *JUNK])["quality_score"].to_pylist()
    assert prose > 0.9
    assert max(junk) < 0.1


def test_the_shipped_model_is_small_and_the_one_of_its_card() -> None:
    (path,) = map(Path, ScoreFasttext().files())
    card = json.loads(path.with_suffix(".json").read_text())
    assert path.stat().st_size < 3_000_000
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card["model"]["sha256"]
    assert card["model"]["sha256"] in path.with_suffix(".md").read_text()


def test_scores_of_the_shipped_model_are_the_library_s() -> None:
    (path,) = map(Path, ScoreFasttext().files())
    texts = [PROSE, *JUNK, *BATCH, *(text for text in TEXTS if "\0" not in text)]
    assert scored([*texts])["quality_score"].to_pylist() == pytest.approx(by_library(path, texts, "hq"), abs=1e-5)
