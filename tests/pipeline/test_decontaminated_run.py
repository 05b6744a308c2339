"""A run with evaluation sets: what is dropped, what is told of each item, and what a typo in a field does."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from small_runs import counts, curate, documents, jsonl

from schemas.errors import RecipeError

QUESTION = (
    "Which of the seven bridges over the river has no lamp on it, when the moon is full and the wind comes from the west?"
)
OTHER = "A sentence about bridges, rivers and lamps that asks nothing, and that no evaluation set has ever had in it before."
ROWS = [{"id": "bad", "text": f"{OTHER} {QUESTION.upper()}"}, {"id": "good", "text": OTHER}]


def run(folder: Path, **keys: Any) -> Any:
    path = jsonl(folder / "eval.jsonl", [{"q": QUESTION}])
    sets = [{"name": "bridges", "path": str(path), "question": "q", **keys.pop("set", {})}]
    source = {"path": str(jsonl(folder / "in.jsonl", ROWS)), "source": "s"}
    return curate(folder / "out", source, [{"decontaminate": {"sets": sets, **keys}}])


def test_contaminated_documents_are_dropped_with_the_share_and_the_item_in_the_ledger(tmp_path: Path) -> None:
    result = run(tmp_path, action="drop")
    assert [row["id"] for row in documents(result)] == ["good"]
    assert counts(result)["dropped"] == 1
    (drop,) = pq.read_table(result.path / "ledger/drops").to_pylist()
    assert (drop["id"], drop["step"], drop["rule"], drop["value"], drop["limit"]) == (
        "bad",
        "decontaminate",
        "max_overlap",
        1.0,
        0.1,
    )
    (edit,) = pq.read_table(result.path / "ledger/edits").to_pylist()
    assert (edit["type"], edit["offset"], edit["length"]) == ("bridges:0", len(OTHER) + 1, len(QUESTION) - 1)
    (step,) = [step for step in result.manifest["steps"] if step["step"] == "decontaminate"]
    assert step["edits"] == {"bridges:0": 1}
    digest = hashlib.sha256((tmp_path / "eval.jsonl").read_bytes()).hexdigest()
    assert digest in json.dumps(result.manifest["models"])
    (story,) = result.why("bad")
    assert "max_overlap" in story.reason


def test_by_default_documents_are_tagged(tmp_path: Path) -> None:
    found = {row["id"]: (row["contamination"], row["contaminated_by"]) for row in documents(run(tmp_path))}
    assert found == {"bad": (1.0, "bridges:0"), "good": (0.0, None)}


def test_a_field_that_is_not_there_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="item 0 of bridges has no field 'questoin'; it has q"):
        run(tmp_path, set={"question": "questoin"})
    assert not (tmp_path / "out").exists()
