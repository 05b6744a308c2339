"""`limit`, `sample` and `ids` choose by id, and whole runs give the same bytes however the input is cut."""

import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from small_runs import counts, curate, documents, jsonl, parquet, quarantined

WORDS = [first + second + third for first in "bdfklmn" for second in "aeiou" for third in ("rt", "st", "ng", "lp")]
"""without digits, which minhash_dedup takes for one another"""


def texts(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Documents of which some are equal and some nearly so."""
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        words = rng.choices(WORDS, k=rng.randint(20, 120))
        if rows and rng.random() < 0.4:
            words = rng.choice(rows)["text"].split()
            if rng.random() < 0.5:
                words[rng.randrange(len(words))] = "changed"
        rows.append({"id": f"doc-{number}", "text": " ".join(words), "n": number})
    return rows


def spread(folder: Path, rows: list[dict[str, Any]], files: int) -> dict[str, str]:
    """The rows in so many files of both formats, not in their order."""
    rows = random.Random(files).sample(rows, len(rows))
    for index in range(files):
        mine = rows[index::files]
        if index % 2:
            parquet(folder / f"{index}.parquet", {key: [row[key] for row in mine] for key in rows[0]}, row_group_size=7)
        else:
            jsonl(folder / f"{index}.jsonl", mine)
    return {"path": str(folder), "source": "s"}


def ids(result: Any) -> set[str]:
    return {row["id"] for row in documents(result)}


def test_a_limit_gives_exactly_so_many_the_same_from_one_file_or_seven(tmp_path: Path) -> None:
    rows = texts(100)
    one, seven = (spread(tmp_path / f"in{files}", rows, files) for files in (1, 7))
    found = [ids(curate(tmp_path / name, entry, limit=10)) for name, entry in (("a", one), ("b", seven))]
    assert len(found[0]) == 10
    assert found[0] == found[1]
    assert ids(curate(tmp_path / "c", one, limit=11)) > found[0]
    assert ids(curate(tmp_path / "d", one, limit=10, seed=1)) != found[0]


@pytest.mark.parametrize("limit", [5, 6, 10**6])
def test_a_limit_above_the_number_of_documents_takes_all_of_them(tmp_path: Path, limit: int) -> None:
    rows: list[Any] = [*texts(5), {"id": "bad1"}, {"id": "bad2", "text": 5}, {"id": "bad3", "text": None}]
    result = curate(tmp_path / "out", str(jsonl(tmp_path / "a.jsonl", rows)), limit=limit)
    assert counts(result)["out"] == 5
    if limit > 5:
        assert [row["id"] for row in quarantined(result)] == ["bad1", "bad2", "bad3"]


def test_a_limit_may_meet_a_file_without_documents(tmp_path: Path) -> None:
    assert counts(curate(tmp_path / "out", str(jsonl(tmp_path / "a.jsonl", [])), limit=3))["in"] == 0


def test_a_sample_is_the_same_from_one_file_or_seven_and_part_of_a_larger_one(tmp_path: Path) -> None:
    rows = texts(300)
    one, seven = (spread(tmp_path / f"in{files}", rows, files) for files in (1, 7))
    tenth = ids(curate(tmp_path / "a", one, sample=0.1))
    assert 10 <= len(tenth) <= 55
    assert ids(curate(tmp_path / "b", seven, sample=0.1)) == tenth
    assert tenth < ids(curate(tmp_path / "c", one, sample=0.3))
    assert len(ids(curate(tmp_path / "d", one, sample=1.0))) == 300


def test_ids_choose_documents_and_what_failed(tmp_path: Path) -> None:
    rows = [*texts(20), {"id": "bad"}, {"id": "worse"}]
    result = curate(tmp_path / "out", str(jsonl(tmp_path / "a.jsonl", rows)), ids=["doc-3", "doc-7", "bad", "unknown"])
    assert ids(result) == {"doc-3", "doc-7"}
    assert [row["id"] for row in quarantined(result)] == ["bad"]
    assert counts(result)["in"] == 3


def dump(result: Any) -> bytes:
    """All documents and all dropped ones with their reasons, in the order of ids."""
    rows = sorted(documents(result), key=lambda row: str(row["id"]))
    return b"\n".join(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows)


def drops(result: Any) -> list[tuple[Any, ...]]:
    import pyarrow.parquet as pq

    columns = ["id", "step", "rule", "rank", "value", "limit", "survivor_id", "similarity"]
    return sorted(
        (tuple(row.values()) for row in pq.read_table(result.path / "ledger/drops", columns=columns).to_pylist()), key=repr
    )


def test_files_and_workers_change_nothing(tmp_path: Path) -> None:
    """DET-1: 1, 7 and 20 files, 1, 2 and 3 workers."""
    rows = texts(400)
    stages = [{"word_count": {"min_words": 25}}, "line_repetition", "exact_dedup", "minhash_dedup"]
    results = {}
    for files, workers in ((1, 1), (7, 2), (20, 3), (20, 1)):
        entry = spread(tmp_path / f"in{files}", rows, files)
        keys = {"resources": {"part_bytes": 20_000, "batch_bytes": 1000 * workers}, "output": {"shard_bytes": 30_000}}
        results[files, workers] = curate(tmp_path / f"out-{files}-{workers}", entry, stages, workers=workers, **keys)
    first = results[1, 1]
    assert 50 < counts(first)["out"] < 350
    assert {row[1] for row in drops(first)} == {"word_count", "exact_dedup", "minhash_dedup"}
    for result in results.values():
        assert dump(result) == dump(first)
        assert drops(result) == drops(first)
        assert [shard["sha256"] for shard in result.manifest["shards"]] == [
            shard["sha256"] for shard in first.manifest["shards"]
        ]
