"""`sluice train quality` makes the same model from the same documents, and tells what it knows about it."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

import pipeline.training
from jobs.cli import app
from pipeline.training import Options
from stages.score_fasttext import ScoreFasttext

GOOD = "the river rises in the hills and people of the town have built mills along it for many years"
BAD = "click here buy now free offer login share menu home about contact best price cheap deals subscribe"
SMALL = ["--dim", "8", "--buckets", "1000", "--lr", "0.5"]


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def sentences(words: str, count: int, seed: int) -> list[str]:
    choice = random.Random(seed)
    common = [*words.split(), "and", "a", "of"]
    return [" ".join(choice.choices(common, k=choice.randint(8, 20))) for _ in range(count)]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Good documents as Parquet, other ones as gzipped JSONL with another column of text; one text in four is rather mixed."""
    monkeypatch.chdir(tmp_path)
    good = [*sentences(GOOD, 150, 1), *sentences(f"{GOOD} {BAD}", 50, 2)]
    bad = [*sentences(BAD, 150, 3), *sentences(f"{GOOD} {BAD}", 50, 4)]
    pq.write_table(pa.table({"text": good}), "good.parquet")
    with gzip.open("bad.jsonl.gz", "wt") as out:
        out.writelines(json.dumps({"text": text, "n": 1}) + "\n" for text in bad)
    return tmp_path


def trained(*arguments: str, output: str = "quality.bin") -> Any:
    result = sluice(
        "train",
        "quality",
        "--positive",
        "good.parquet",
        "--negative",
        "bad.jsonl.gz",
        "-o",
        output,
        "--json",
        *SMALL,
        *arguments,
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_model_and_its_card_are_written(files: Path) -> None:
    card = trained("--held-back", "0.3")
    assert sorted(path.name for path in files.iterdir()) == [
        "bad.jsonl.gz", "good.parquet", "quality.bin", "quality.json", "quality.md",
    ]  # fmt: skip
    assert json.loads((files / "quality.json").read_text()) == card
    good, bad = card["classes"]["hq"], card["classes"]["cc"]
    assert good["trained"] + good["held_back"] == good["documents"] == 200
    assert bad["trained"] + bad["held_back"] == bad["documents"] == 200
    assert 40 <= good["held_back"] <= 80
    assert card["model"]["bytes"] == (files / "quality.bin").stat().st_size
    assert card["options"] == {
        "word_ngrams": 2, "lr": 0.5, "dim": 8, "epochs": 5, "buckets": 1000, "min_count": 1, "min_chars": 0, "max_chars": 0,
        "loss": "softmax", "cutoff": None, "seed": 1,
    }  # fmt: skip
    found = card["figures"]["auc"]
    assert 0.6 < found["low"] <= found["value"] <= found["high"] <= 1
    assert sum(row["documents"] for row in card["calibration"]["bins"]) == good["held_back"] + bad["held_back"]
    assert {sample["kept"] for sample in card["samples"]} == {True, False}
    page = (files / "quality.md").read_text()
    assert card["model"]["sha256"] in page
    assert f"| auc | {found['value']:.4f} |" in page


def test_the_model_scores_and_a_threshold_judges_in_a_recipe(files: Path) -> None:
    card = trained()
    cut = card["cut"]["value"]
    recipe = f"""
name: best
input: mixed.jsonl
stages:
  - score_fasttext: {{model: quality.bin}}
  - threshold: {{column: quality_score, min_value: {cut}}}
"""
    rows = [{"id": "good", "text": GOOD}, {"id": "bad", "text": BAD}]
    Path("mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("best.yaml").write_text(recipe)
    result = sluice("run", "best.yaml", "--engine", "local", "--output", "out", "--quiet")
    assert result.exit_code == 0, result.output
    (kept,) = [row for shard in Path("out/data").glob("*.parquet") for row in pq.read_table(shard).to_pylist()]
    assert kept["id"] == "good"
    assert kept["quality_score"] >= cut
    (story,) = json.loads(sluice("why", "out", "bad", "--json").stdout)
    assert story["outcome"] == "dropped"
    dropped = json.dumps(story)
    assert "min_value" in dropped
    (score,) = ScoreFasttext(model="quality.bin").apply(pa.table({"text": [BAD]}))["quality_score"].to_pylist()
    assert str(score) in dropped


def test_the_same_documents_give_the_same_bytes_in_any_order_and_number_of_files(files: Path) -> None:
    trained()
    first = (files / "quality.bin").read_bytes()
    texts = pq.read_table("good.parquet")["text"].to_pylist()[::-1]
    for name, part in (("a", texts[:70]), ("b", texts[70:])):
        Path(f"{name}.jsonl").write_text("".join(json.dumps({"body": text}) + "\n" for text in part))
    with gzip.open("bad.jsonl.gz", "rt") as lines:
        Path("other.jsonl").write_text("".join(json.dumps({"body": json.loads(line)["text"]}) + "\n" for line in lines))
    arguments = ["--positive", "a.jsonl", "--positive", "b.jsonl", "--negative", "other.jsonl", "--text", "body"]
    assert sluice("train", "quality", *arguments, "-o", "again.bin", *SMALL).exit_code == 0
    assert (files / "again.bin").read_bytes() == first
    trained("--seed", "2", output="third.bin")
    assert (files / "third.bin").read_bytes() != first


def test_copies_are_one_document_on_one_side_and_a_text_of_both_classes_is_in_neither(files: Path) -> None:
    texts = sentences(GOOD, 60, 7)
    pq.write_table(pa.table({"text": [*texts, *texts, *texts, "of both classes", "", None, " \n"]}), "good.parquet")
    with gzip.open("bad.jsonl.gz", "at") as out:
        out.write(json.dumps({"text": "of  both\nclasses"}) + "\n")
    good = trained("--held-back", "0.4")["classes"]["hq"]
    assert good["trained"] + good["held_back"] == 60
    assert (good["copies"], good["in_both_classes"]) == (120, 1)
    assert good["documents"] + good["faults"] == 184
    assert good["without_words"] + good["faults"] == 3


def test_a_quantised_model_is_smaller(files: Path) -> None:
    pq.write_table(pa.table({"text": [f"{text} w{n}" for n, text in enumerate(sentences(GOOD, 400, 7))]}), "good.parquet")
    plain = trained()
    small = trained("--cutoff", "300", output="quality.ftz")
    assert small["model"]["bytes"] < plain["model"]["bytes"]
    assert small["figures"]["auc"]["value"] > 0.8


def test_a_given_cut_is_judged(files: Path) -> None:
    card = trained("--cut", "0.0")
    assert card["cut"] == {"value": 0.0, "chosen": "given"}
    assert card["figures"]["recall"]["value"] == card["figures"]["false_positive_rate"]["value"] == 1


def test_words_tell_the_same(files: Path) -> None:
    result = sluice("train", "quality", "--positive", "good.parquet", "--negative", "bad.jsonl.gz", "-o", "q.bin", *SMALL)
    assert result.exit_code == 0, result.output
    for words in ("hq: ", "held back", "auc", "cut: ", "not kept", "its card: q.md"):
        assert words in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--positive", "gone.jsonl", "--negative", "bad.jsonl.gz", "-o", "q.bin"], "gone.jsonl"),
        (["--positive", "good.parquet", "--negative", "bad.jsonl.gz", "-o", "q.ftz"], "expected a name that ends in .bin"),
        (["--positive", "good.parquet", "--negative", "bad.jsonl.gz", "-o", "q.bin", "--cutoff", "300"], "ends in .ftz"),
        (
            ["--positive", "good.parquet", "--negative", "bad.jsonl.gz", "-o", "q.bin", "--held-back", "1"],
            "above 0 and below 1",
        ),
        (
            ["--positive", "good.parquet", "--negative", "bad.jsonl.gz", "-o", "q.bin", "--loss", "l2"],
            "expected softmax, hs, ova",
        ),
        (["--positive", "good.parquet", "--negative", "bad.jsonl.gz", "-o", "q.bin", "--text", "body"], "body"),
        (["--positive", "one.jsonl", "--negative", "bad.jsonl.gz", "-o", "q.bin"], "expected at least one of each"),
        (["--positive", "good.parquet", "--negative", "good.parquet", "-o", "q.bin"], "200 are in both classes"),
        (["--positive", "good.parquet", "--negative", "bad.jsonl.gz", "-o", "old.bin"], "old.bin exists; --force"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(files: Path, arguments: list[str], message: str) -> None:
    Path("one.jsonl").write_text('{"text": "one"}\n')
    Path("old.bin").write_text("old")
    result = sluice("train", "quality", *arguments, *SMALL)
    assert result.exit_code != 0
    assert message in result.output
    assert {path.name for path in files.iterdir()} == {"bad.jsonl.gz", "good.parquet", "one.jsonl", "old.bin"}
    assert Path("old.bin").read_text() == "old"


def test_a_library_that_only_predicts_is_said_with_the_line_that_installs_the_other(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check: Callable[[], bool] = lambda: False  # noqa: E731
    monkeypatch.setattr(pipeline.training, "can_train", check)
    result = sluice("train", "quality", "--positive", "good.parquet", "--negative", "bad.jsonl.gz", "-o", "q.bin")
    assert result.exit_code == 2
    assert "pip install --force-reinstall --no-deps 'fasttext>=0.9.3'" in result.output


def test_the_defaults_are_fasttext_s_with_pairs_of_words() -> None:
    expected = {
        "wordNgrams": 2, "lr": 0.1, "dim": 100, "epoch": 5, "bucket": 2_000_000, "minCount": 1, "minn": 0, "maxn": 0,
        "loss": "softmax", "seed": 1,
    }  # fmt: skip
    assert Options().for_library() == expected
