"""What a Map tells of its edits is in the ledger, in the manifest and in the story of a document, without the value."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_runs import counts, curate, documents, jsonl

from pipeline.contracts import Broken
from pipeline.step_checks import check_edits
from pipeline.trial import apply
from schemas.columns import EDITS
from schemas.errors import StageError
from stages.core.stage import Edited, Map

ROWS = [
    {"id": "b", "text": "漢 write to ada@example.org or bob@example.org, ada@example.org"},
    {"id": "a", "text": "nothing to see"},
    {"id": "c", "text": "host 93.184.216.34 of eve@example.org"},
]


def edits(folder: Path) -> list[dict[str, Any]]:
    table = pq.read_table(folder / "ledger/edits")
    assert table.schema.equals(EDITS)
    return table.to_pylist()


def run(folder: Path, *stages: Any, **keys: Any) -> Any:
    return curate(folder / "out", {"path": str(jsonl(folder / "in.jsonl", ROWS)), "source": "s"}, stages, **keys)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_edits_are_in_the_ledger_by_document_in_the_order_of_the_text(tmp_path: Path, engine: str) -> None:
    result = run(tmp_path, "redact_pii", engine=engine)
    assert [(row["id"], row["row"], row["step"], row["type"], row["offset"], row["length"]) for row in edits(result.path)] == [
        ("b", 0, "redact_pii", "email", 11, 15),
        ("b", 0, "redact_pii", "email", 30, 15),
        ("b", 0, "redact_pii", "email", 47, 15),
        ("c", 2, "redact_pii", "ip", 5, 13),
        ("c", 2, "redact_pii", "email", 22, 15),
    ]
    assert "found and told the ledger of: 4 email, 1 ip" in (result.path / "report.html").read_text(encoding="utf-8")
    step = next(step for step in result.manifest["steps"] if step["step"] == "redact_pii")
    assert step["edits"] == {"email": 4, "ip": 1}
    assert step["edited"] == 2
    assert {row["text"] for row in documents(result)} == {
        "漢 write to [EMAIL_1] or [EMAIL_2], [EMAIL_1]",
        "nothing to see",
        "host [IP_1] of [EMAIL_1]",
    }


def test_the_value_is_in_no_file_of_the_run(tmp_path: Path) -> None:
    result = run(tmp_path, "redact_pii", {"threshold": {"column": "pii_count", "max_value": 2}})
    assert counts(result)["dropped"] == 1
    for path in result.path.rglob("*.parquet"):
        assert "ada@" not in str(pq.read_table(path).to_pylist()), path


def test_a_document_that_is_dropped_later_tells_of_its_edits_too(tmp_path: Path) -> None:
    result = run(tmp_path, "redact_pii", {"threshold": {"column": "pii_count", "max_value": 2}})
    (dropped,), (kept,), (plain,) = (result.why(name) for name in "bca")
    assert dropped.outcome == "dropped"
    assert [(edit.type, edit.offset, edit.length) for edit in dropped.edits] == [
        ("email", 11, 15),
        ("email", 30, 15),
        ("email", 47, 15),
    ]
    assert "edited by redact_pii: 3 email at 11, 30, 47" in str(dropped)
    assert "edited by redact_pii: 1 ip at 5; 1 email at 22" in str(kept)
    assert plain.edits == []


def test_edits_without_places_are_told_by_their_number(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "one \r\ntwo\r\n\x00"}, {"id": "b", "text": "clean"}, {"id": "c", "text": "three\r"}]
    result = curate(tmp_path / "out", str(jsonl(tmp_path / "in.jsonl", rows)), ["normalize_text"])
    assert [(row["id"], row["type"], row["offset"], row["length"]) for row in edits(result.path)] == [
        ("a", "line_end", -1, 2),
        ("a", "invisible", -1, 1),
        ("a", "space", -1, 1),
        ("c", "line_end", -1, 1),
    ]
    step = next(step for step in result.manifest["steps"] if step["step"] == "normalize_text")
    assert (step["edits"], step["edited"]) == ({"invisible": 1, "line_end": 3, "space": 1}, 2)
    (story,) = result.why("a")
    assert "edited by normalize_text: 2 line_end; 1 invisible; 1 space" in str(story)
    assert "found and told the ledger of: 1 invisible, 3 line_end, 1 space" in (result.path / "report.html").read_text("utf-8")


def test_a_run_without_edits_has_an_empty_file_of_them(tmp_path: Path) -> None:
    assert edits(run(tmp_path, "normalize_text").path) == []


@pytest.mark.parametrize(
    ("row", "offsets", "why"),
    [([0], [1, 2], "are 1, 1, 2, 1 long"), ([2], [1], "must ascend and be of its batch of 2"), ([-1], [1], "must ascend")],
)
def test_edits_of_another_form_are_refused(row: list[int], offsets: list[int], why: str) -> None:
    table = pa.table({"text": ["a", "b"]})
    told = Edited(table, np.array(row), ["x"], np.array(offsets), np.array([1]))
    with pytest.raises(StageError, match=why):
        check_edits("step", told, 2)


class Tells(Map):
    """Tells of its edits and loses a document."""

    def apply(self, table: pa.Table) -> Edited:
        none = np.zeros(0, np.int64)
        return Edited(table.slice(1), none, [], none, none)


def test_a_map_that_tells_is_held_to_the_contracts_of_maps() -> None:
    with pytest.raises(Broken, match="got 2 documents and gave 1"):
        apply(Tells(), pa.table({"text": ["a", "b"]}))
