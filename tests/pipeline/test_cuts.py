"""What a Global cuts out of texts is gone for every later step, and told by ledger, manifest, report and story."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_runs import counts, curate, documents, jsonl

from pipeline.contracts import Broken
from pipeline.trial import MemoryVerdicts
from pipeline.verdicts import fault_of_cuts
from schemas.columns import CUT

MENU = "Home | News | Contact | Imprint | Privacy | Everything"
ROWS = [
    {"id": "a", "text": f"{MENU}\nfirst é text\n{MENU}"},
    {"id": "b", "text": f"{MENU}\nsecond text, 漢\n{MENU}\nof two lines"},
    {"id": "c", "text": MENU},
    {"id": "d", "text": "nothing that repeats"},
    {"id": "e", "text": "first é text"},
]


def run(folder: Path, *stages: Any, **keys: Any) -> Any:
    return curate(folder / "out", {"path": str(jsonl(folder / "in.jsonl", ROWS)), "source": "s"}, stages, **keys)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_spans_are_cut_before_the_next_step_and_told(tmp_path: Path, engine: str) -> None:
    result = run(tmp_path, {"line_dedup": {"keep": "none"}}, "exact_dedup", {"word_count": {"min_words": 2}}, engine=engine)
    assert {row["id"]: row["text"] for row in documents(result)} == {
        "a": "first é text",
        "b": "second text, 漢\nof two lines",
        "d": "nothing that repeats",
    }
    assert counts(result) == {"in": 5, "out": 3, "dropped": 2, "quarantined": 0}
    drops = {row["id"]: (row["step"], row["rule"]) for row in pq.read_table(result.path / "ledger/drops").to_pylist()}
    assert drops == {"c": ("line_dedup", "nothing_left"), "e": ("exact_dedup", "duplicate")}
    edits = pq.read_table(result.path / "ledger/edits").to_pylist()
    size = len(MENU)
    assert [(row["id"], row["row"], row["type"], row["offset"], row["length"]) for row in edits] == [
        ("a", 0, "repeated_line", 0, size + 1),
        ("a", 0, "repeated_line", size + 13, size + 1),
        ("b", 1, "repeated_line", 0, size + 1),
        ("b", 1, "repeated_line", size + 15, size + 1),
    ]
    step = next(step for step in result.manifest["steps"] if step["step"] == "line_dedup")
    text = sum(len(row["text"].encode()) for row in ROWS)
    assert (step["edited"], step["edits"]) == (2, {"repeated_line": 4})
    assert step["in"] == {"documents": 5, "bytes": text, "tokens": step["in"]["tokens"]}
    assert step["dropped"]["bytes"] == size
    assert step["out"]["bytes"] == text - size - 4 * (size + 1)
    (story,) = result.why("b")
    assert story.edits_by_step() == [f"line_dedup: 2 repeated_line at 0, {size + 15}"]


def test_what_comes_before_the_cut_in_one_segment_is_seen_by_it(tmp_path: Path) -> None:
    rows = [{"id": f"{at}", "text": f"{MENU}\nsame text"} for at in range(3)] + [{"id": "x", "text": f"{MENU}\nother text"}]
    source = {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "source": "s"}
    result = curate(tmp_path / "out", source, ["exact_dedup", "line_dedup"])
    assert {row["id"]: row["text"] for row in documents(result)} == {"0": f"{MENU}\nsame text", "x": "other text"}
    assert len(result.manifest["segments"]) == 2


def test_parts_batches_and_workers_cut_the_same(tmp_path: Path, ray_cluster: None) -> None:
    rows = [
        {"id": f"{at}", "text": f"{MENU}\ntext {at}\n{'a line with a number that repeats '}{at % 7}\nend"} for at in range(90)
    ]
    source = {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "source": "s"}
    seen = set()
    for number, (engine, workers, part, batch) in enumerate(
        [("local", 1, "1MB", 1_000_000), ("local", 2, "2KB", 500), ("ray", 2, "3KB", 4000)]
    ):
        resources = {"part_bytes": part, "batch_bytes": batch}
        stages = ["line_dedup", "minhash_dedup"]
        result = curate(tmp_path / str(number) / "out", source, stages, engine=engine, workers=workers, resources=resources)
        data = sorted((result.path / "data").glob("*"))
        seen.add("".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in data))
        assert len(documents(result)) == 90
    assert len(seen) == 1


def cuts(*rows: tuple[int, int, int]) -> pa.Table:
    columns = [[row[at] for row in rows] for at in range(3)]
    return pa.table([*columns, ["x"] * len(rows)], schema=CUT)


def test_cuts_are_sorted_not_empty_and_do_not_overlap() -> None:
    assert fault_of_cuts(cuts((0, 0, 2), (0, 2, 3), (1, 0, 1))) is None
    for wrong in (cuts((0, 2, 2)), cuts((0, -1, 2))):
        assert fault_of_cuts(wrong) == "have spans that end before they begin"
    for wrong in (cuts((0, 0, 2), (0, 1, 3)), cuts((1, 0, 1), (0, 0, 1)), cuts((0, 4, 5), (0, 0, 1))):
        assert fault_of_cuts(wrong) == "are not sorted by row and start, or overlap"


def test_what_is_cut_is_not_dropped_and_each_part_is_cut_once() -> None:
    verdicts = MemoryVerdicts([2])
    verdicts.cut(0, cuts((0, 0, 1)))
    with pytest.raises(Broken, match="cut part 0 twice"):
        verdicts.cut(0, cuts((0, 0, 1)))
    with pytest.raises(Broken, match="part 1 that does not exist"):
        verdicts.cut(1, cuts((0, 0, 1)))
