"""What lines say of a page in more than one language, and what models with other labels say."""

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fasttext_files import write_model
from pydantic import ValidationError

from schemas.languages import iso_of, labels
from stages.core.language_lines import LineVotes
from stages.detect_language import DetectLanguage, packaged_model
from stages.kernels.fasttext_model import read_model
from stages.kernels.fasttext_predict import predict, predict_top
from stages.kernels.text import text_of

ENGLISH = "The committee will meet on Tuesday to talk about the new library."
GERMAN = "Der Ausschuss trifft sich am Dienstag, um über die neue Bibliothek zu sprechen."
MENU = "English\nDeutsch\nFrançais\nEspañol\n日本語\nРусский\nYorùbá\nTürkçe\nPolski"


def rows(texts: list[str], **keys: Any) -> list[dict[str, Any]]:
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    return DetectLanguage(**keys).open()(table).drop(["text"]).to_pylist()


def test_a_menu_of_languages_has_no_vote() -> None:
    page = f"{MENU}\n{ENGLISH}\n{ENGLISH}\n{GERMAN}"
    (found,) = rows([page], vote="lines")
    english, german = 2 * len(ENGLISH) + 2, len(GERMAN.encode())
    assert found["language"] == "en"
    assert found["language_fraction"] == pytest.approx(english / (english + german))
    assert json.loads(found["language_mix"]) == {
        "en": round(english / (english + german), 4),
        "de": round(german / (english + german), 4),
    }


def test_the_score_of_a_vote_is_the_mean_of_its_lines() -> None:
    first, second = "This is the first of two lines.", "And the second one, which is longer, stands below it."
    (one,), (two,) = rows([first]), rows([second])
    (both,) = rows([f"{first}\n{second}"], vote="lines")
    weights = len(first) + 1, len(second)
    expected = np.average([one["language_score"], two["language_score"]], weights=weights)
    # the line break belongs to the first line and changes nothing of its score
    assert both["language_score"] == pytest.approx(expected, abs=1e-12)


def test_the_share_is_that_of_the_language_that_was_told() -> None:
    (found,) = rows([f"{ENGLISH}\n{GERMAN}"], lines=True)
    assert found["language"] == "de"
    german, english = len(GERMAN.encode()), len(ENGLISH) + 1
    assert found["language_fraction"] == german / (german + english)
    assert json.loads(found["language_mix"])["de"] == round(german / (german + english), 4)


@pytest.mark.parametrize("text", ["", "\n\n\n", "12\n\n34", "short"])
@pytest.mark.parametrize("keys", [{"vote": "lines"}, {"lines": True, "details": True}])
def test_without_a_line_that_is_long_enough_nothing_is_told(text: str, keys: dict[str, Any]) -> None:
    (found,) = rows([text], **keys)
    assert (found["language"], found["language_score"], found["language_fraction"]) == ("und", 0.0, 0.0)
    assert found["language_mix"] == "{}"


def test_votes_are_those_of_a_plain_count() -> None:
    model = read_model(packaged_model())
    chance = random.Random(5)
    texts = [
        "\n".join(chance.choices([ENGLISH, GERMAN, MENU, "", "42", "Это новая библиотека города."], k=n)) for n in range(40)
    ]
    column = pa.array(texts, pa.large_string())
    votes = LineVotes(model, text_of(column), 10)
    for at, text in enumerate(texts):
        sizes: dict[int, int] = defaultdict(int)
        for line in text.splitlines(keepends=True):
            if len(line) >= 10:
                label = int(predict(model, text_of(pa.array([line])))[0][0])
                sizes[label] += len(line.encode())
        told = {label: size for label, size in sizes.items() if label >= 0}
        best = min(told, key=lambda label: (-told[label], label), default=-1)
        assert votes.labels[at] == best
        assert votes.fractions(votes.labels)[at] == pytest.approx(told.get(best, 0) / max(sum(sizes.values()), 1))


def test_max_bytes_does_not_go_with_lines() -> None:
    with pytest.raises(ValidationError, match="does not go with lines"):
        DetectLanguage(max_bytes=100, vote="lines")


def test_details_tell_the_model_s_label_its_iso_code_and_the_next_best() -> None:
    (found,) = rows([GERMAN], details=True, max_bytes=50)
    assert (found["language_label"], found["language_iso"], found["language_bytes"]) == ("de", "deu_Latn", 50)
    top = json.loads(found["language_top"])
    assert len(top) == 3
    assert top[0] == ["de", round(found["language_score"], 4)]
    assert top[0][1] > top[1][1] >= top[2][1]


def test_labels_of_other_models_are_mapped(tmp_path: Path) -> None:
    scheme = ["eng_Latn", "cmn_Hani", "srp_Cyrl", "aai_Latn", "als_Latn"]
    path = write_model(tmp_path / "other.bin", labels=scheme)
    names = {"eng_Latn": "en", "cmn_Hani": "zh", "srp_Cyrl": "sr", "aai_Latn": "aai_Latn", "als_Latn": "sq"}
    found = rows(
        ["the und", "это ist", "a b the", "中 中 ist", "und und und", "b a ist the"] * 3,
        model=str(path),
        details=True,
        min_chars=1,
    )
    for row in found:
        assert row["language"] == names[row["language_label"]]
        assert row["language_iso"] == row["language_label"]
    assert len({row["language"] for row in found}) > 1


def test_every_label_of_lid_176_has_a_code_and_a_script() -> None:
    assert [iso_of(name) for name in ("en", "zh", "sr", "ja", "eng_Latn", "other")] == [
        "eng_Latn",
        "zho_Hans",
        "srp_Cyrl",
        "jpn_Jpan",
        "eng_Latn",
        "other",
    ]
    assert all(len(iso_of(label)) == 8 for label in labels())


@pytest.mark.parametrize("loss", [1, 3, 4])
def test_the_top_labels_are_the_best_one_then_the_next(tmp_path: Path, loss: int) -> None:
    model = read_model(write_model(tmp_path / "m.bin", loss=loss, labels=9))
    text = text_of(pa.array(["the und ist", "", "b", "это 中 a"]))
    best, score = predict(model, text)
    top, scores = predict_top(model, text, 20)
    assert top.shape == (4, 9)
    assert top[:, 0].tolist() == best.tolist()
    assert scores[:, 0].tolist() == score.tolist()
    for row in (0, 2, 3):
        assert sorted(top[row]) == list(range(9))
        assert (np.diff(scores[row]) <= 0).all()
        if loss != 4:
            assert scores[row].sum() == pytest.approx(1, abs=1e-3)
    assert (top[1] == -1).all()


# Texts that libraries are known to get wrong, and what is told here: the right language, or nothing.
KNOWN_FAILURES = [
    ("今天天气很好，我们去公园散步吧。", {"zh"}),
    ("我爱你", {"und"}),
    ("今日はとても天気がいいですね。", {"ja"}),
    ("東京都", {"und"}),
    ("Saya akan pergi ke pasar untuk membeli sayur-sayuran pada pagi ini.", {"ms", "id"}),
    ("Президентът на България посети новата библиотека в София.", {"bg"}),
    ("Претседателот на Македонија ја посети новата библиотека во Скопје.", {"mk"}),
    ("Председник Србије посетио је нову библиотеку у Београду.", {"sr"}),
    ("Президент посетил новую библиотеку в центре города.", {"ru"}),
    ("C'est une phrase simple en français.", {"fr"}),
    ("12345 67890", {"und", "en"}),
    ("OK", {"und"}),
    ("for (int i = 0; i < n; i++) { sum += a[i] * b[i]; }", {"und", "en"}),
]


@pytest.mark.parametrize(("text", "expected"), KNOWN_FAILURES)
def test_what_other_tools_get_wrong(text: str, expected: set[str]) -> None:
    (found,) = rows([text])
    assert found["language"] in expected
