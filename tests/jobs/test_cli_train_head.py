"""`sluice train head` makes the same head from the same documents, and a recipe scores with it."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app
from stages.core.embedding_models import EXAMPLE

GOOD = "the river rises in the hills and people of the town have built mills along it for years"
BAD = "click here buy now free offer login share menu cookies terms use read more visit site"


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Documents of two classes, and rated ones, of which so many words are good ones."""
    monkeypatch.chdir(tmp_path)
    chance = random.Random(1)
    for name, words in (("good", GOOD), ("bad", BAD)):
        texts = ["\n".join(chance.choices(words.split(), k=chance.randint(6, 15))) for _ in range(150)]
        pq.write_table(pa.table({"text": texts}), f"{name}.parquet")
    with Path("rated.jsonl").open("w") as out:
        for _ in range(400):
            score = chance.randint(0, 5)
            words = chance.choices(GOOD.split(), k=3 * score) + chance.choices(BAD.split(), k=15 - 3 * score)
            out.write(json.dumps({"text": " ".join(words), "score": score, "kind": "abc"[score // 2]}) + "\n")
    return tmp_path


CLASSES = ["--positive", "good.parquet", "--negative", "bad.parquet"]
RATED = ["--labels", "rated.jsonl", "--label-column", "score", "--target", "regression"]


def trained(*arguments: str, output: str = "head") -> Any:
    result = sluice("train", "head", "--model", EXAMPLE, "-o", output, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_head_of_two_classes_and_its_card_are_written(files: Path) -> None:
    card = trained(*CLASSES, "--held-back", "0.2")
    assert sorted(path.name for path in (files / "head").iterdir()) == ["card.json", "card.md", "head.json", "head.npz"]
    assert json.loads((files / "head" / "card.json").read_text()) == card
    read = card["input"]
    assert read["trained"] + read["calibrated"] + read["held_back"] == read["documents"] - read["copies"] == 300
    assert all(30 < read[side] < 90 for side in ("calibrated", "held_back"))
    assert card["labels"] == ["negative", "positive"]
    assert card["figures"]["auc"]["value"] > 0.95
    assert set(card["figures"]) == {"auc", "precision", "recall", "false_positive_rate", "f1"}
    assert sum(row["documents"] for row in card["calibration"]["bins"]) == read["held_back"]
    assert card["options"]["calibration"] == "platt"
    page = (files / "head" / "card.md").read_text()
    for words in ("| auc |", "### Found to be", "### Calibration", card["head"]["files"][1]["sha256"]):
        assert words in page


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_a_score_agrees_with_the_labels(files: Path, kind: str) -> None:
    card = trained(*RATED, "--kind", kind, "--cut", "2.5")
    figures = card["figures"]
    assert figures["spearman"]["value"] > 0.8
    assert figures["f1"]["value"] > 0.7
    assert [row["label"] for row in card["confusion"]] == ["0", "1", "2", "3", "4", "5"]
    assert sum(sum(row["found"].values()) for row in card["confusion"]) == card["input"]["held_back"]
    assert card["cut"] == {"value": 2.5, "chosen": "given"}
    assert card["options"]["calibration"] == "none"


def test_a_recipe_scores_and_judges_with_it_by_model_or_by_column(files: Path) -> None:
    trained(*RATED)
    Path("in.jsonl").write_text(
        "".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in (("g", GOOD), ("b", BAD)))
    )
    steps = {
        "model": f"  - score_head: {{head: head, model: {EXAMPLE}}}\n",
        "column": f"  - embed_text: {{model: {EXAMPLE}, precision: float32}}\n"
        "  - score_head: {head: head, embedding: _embedding}\n",
    }
    kept = {}
    for name, step in steps.items():
        recipe = f"name: {name}\ninput: in.jsonl\nstages:\n{step}  - threshold: {{column: head_score, min_value: 3}}\n"
        Path(f"{name}.yaml").write_text(recipe)
        result = sluice("run", f"{name}.yaml", "--engine", "local", "--output", name, "--quiet")
        assert result.exit_code == 0, result.output
        (kept[name],) = [row for shard in Path(name, "data").glob("*.parquet") for row in pq.read_table(shard).to_pylist()]
        assert kept[name]["id"] == "g"
    assert kept["column"]["head_score"] == pytest.approx(kept["model"]["head_score"], abs=1e-5)
    manifest = json.loads(Path("model/manifest.json").read_text())
    (facts,) = [step["facts"] for step in manifest["steps"] if step["step"] == "score_head"]
    assert (facts["kind"], facts["target"]) == ("linear", "regression")
    assert any(path.endswith("head.npz") for path in manifest["models"])


def test_the_same_documents_give_the_same_bytes_in_any_order(files: Path) -> None:
    trained(*RATED, "--kind", "mlp")
    lines = Path("rated.jsonl").read_text().splitlines()[::-1]
    Path("a.jsonl").write_text("\n".join(lines[:100]))
    Path("b.jsonl").write_text("\n".join(lines[100:] + lines[:7]))
    other = ["--labels", "a.jsonl", "--labels", "b.jsonl", "--label-column", "score", "--target", "regression", "--kind", "mlp"]
    card = trained(*other, output="again")
    assert card["input"]["copies"] >= 7
    for name in ("head.npz", "head.json"):
        assert (files / "again" / name).read_bytes() == (files / "head" / name).read_bytes()
    trained(*RATED, "--kind", "mlp", "--seed", "2", output="third")
    assert (files / "third" / "head.npz").read_bytes() != (files / "head" / "head.npz").read_bytes()


def test_several_classes_by_a_column_of_names(files: Path) -> None:
    card = trained("--labels", "rated.jsonl", "--label-column", "kind", "--calibration", "isotonic")
    assert card["labels"] == ["a", "b", "c"]
    assert card["figures"]["accuracy"]["value"] > 0.6
    assert [row["label"] for row in card["per_label"]] == ["a", "b", "c"]
    assert "cut" not in card
    numbers = trained("--labels", "rated.jsonl", "--label-column", "score", output="numbers")
    assert numbers["labels"] == ["0", "1", "2", "3", "4", "5"]


def test_texts_with_several_labels_or_without_one_are_left_out_and_counted(files: Path) -> None:
    with Path("rated.jsonl").open("a") as out:
        rows = [{"text": "two", "score": 1}, {"text": "two", "score": 2}, {"text": "none"}, {"text": "odd", "score": "high"}]
        out.writelines(json.dumps(row) + "\n" for row in [*rows, {"text": " ", "score": 2}])
    read = trained(*RATED)["input"]
    assert (read["several_labels"], read["without_label"], read["without_text"]) == (2, 2, 1)
    assert read["trained"] + read["calibrated"] + read["held_back"] + read["copies"] == 400


def test_words_tell_the_same(files: Path) -> None:
    result = sluice("train", "head", "--model", EXAMPLE, "-o", "head", *CLASSES)
    assert result.exit_code == 0, result.output
    for words in ("to calibrate", "held back", "auc", "cut: ", "not kept", "its card: head/card.md"):
        assert words in result.stdout
    lines = result.stdout.partition("on both sides of it:\n")[2].splitlines()
    # six samples of one line each, and where the head is
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--positive", "good.parquet"], "expected either --positive and --negative, or --labels"),
        ([*CLASSES, *RATED], "expected either --positive and --negative, or --labels"),
        (["--labels", "rated.jsonl"], "--labels and --label-column, the column that holds the labels, go together"),
        ([*CLASSES, "--target", "regression"], "--target regression needs scores"),
        ([*CLASSES, "--held-back", "0.5"], "above 0 and below 1"),
        ([*CLASSES, "--model", "/nowhere"], "/nowhere is no folder"),
        (["--labels", "rated.jsonl", "--label-column", "text"], "expected 2 to 100"),
        (["--labels", "one.jsonl", "--label-column", "score"], "expected at least one of each"),
        (["--positive", "good.parquet", "--negative", "good.parquet"], "several): expected at least one of each"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(files: Path, arguments: list[str], message: str) -> None:
    Path("one.jsonl").write_text('{"text": "one", "score": 1}\n')
    result = sluice("train", "head", "--model", EXAMPLE, "-o", "head", *arguments)
    assert result.exit_code != 0
    assert message in " ".join(result.output.split())
    assert {path.name for path in files.iterdir()} == {"good.parquet", "bad.parquet", "rated.jsonl", "one.jsonl"}
