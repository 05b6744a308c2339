"""Copies are rows of their own in the training set, and count as one document in the accounts."""

import hashlib
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from small_runs import counts, curate, documents, jsonl

from schemas.errors import StageError

STAGES = ["count_tokens", {"mix": {"tokens": 4000, "shares": {"web": 0.5, "wiki": 0.5}, "max_epochs": {"wiki": 4}}}]


@pytest.fixture
def sources(tmp_path: Path) -> list[dict[str, str]]:
    found = []
    for name, size in (("web", 200), ("wiki", 40)):
        rows = [{"id": f"{at}", "text": f"{name} document number {at} " * (at % 7 + 1), "score": at} for at in range(size)]
        found.append({"path": str(jsonl(tmp_path / f"{name}.jsonl", rows)), "source": name})
    return found


def data(result: Any) -> str:
    return "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((result.path / "data").iterdir()))


def test_copies_are_numbered_spread_and_counted_once(tmp_path: Path, sources: list[dict[str, str]]) -> None:
    result = curate(tmp_path / "out", sources, STAGES)
    rows = documents(result)
    told = result.manifest
    (mix,) = [step for step in told["steps"] if step["step"] == "mix"]
    groups = mix["facts"]["groups"]
    for source in ("web", "wiki"):
        tokens = sum(row["token_count"] for row in rows if row["source"] == source)
        assert tokens == groups[source]["taken_tokens"]
        assert 2000 - 60 < tokens <= 2000
    seen = Counter((row["source"], row["id"]) for row in rows)
    assert max(seen.values()) > 1
    for key, count in seen.items():
        assert sorted(row["copy"] for row in rows if (row["source"], row["id"]) == key) == list(range(count))
    assert counts(result)["out"] == len(seen)
    assert told["counts"]["rows_written"] == len(rows) == sum(group["rows"] for group in groups.values())
    assert told["repeated_ids"] == {}
    order = [(row["source"], row["id"]) for row in rows]
    beside = sum(a == b for a, b in itertools.pairwise(order))
    assert beside < 5
    assert "_origin" not in rows[0]
    dropped = next(key for row in range(200) if (key := ("web", str(row))) not in seen)
    assert "budget" in str(result.why(dropped[1]))


def test_the_mixture_is_the_same_for_any_engine_and_workers(
    tmp_path: Path, sources: list[dict[str, str]], ray_cluster: None
) -> None:
    expected = data(curate(tmp_path / "a" / "out", sources, STAGES))
    for number, (engine, workers) in enumerate((("local", 3), ("ray", 2))):
        assert data(curate(tmp_path / str(number) / "out", sources, STAGES, engine=engine, workers=workers)) == expected
    parts = curate(tmp_path / "parts" / "out", sources, STAGES, resources={"part_bytes": "2KB"})
    assert data(parts) == expected


def test_stages_behind_a_mixture_see_copies_and_the_accounts_hold(tmp_path: Path, sources: list[dict[str, str]]) -> None:
    stages = [*STAGES, {"exact_dedup": {}}, {"text_length": {"min_chars": 60}}]
    result = curate(tmp_path / "out", sources, stages)
    rows = documents(result)
    assert max(Counter((row["source"], row["id"]) for row in rows).values()) == 1
    assert counts(result)["out"] == len(rows)
    with_source_order = curate(tmp_path / "source", sources, STAGES, output={"order": "source"})
    assert len(documents(with_source_order)) == with_source_order.manifest["counts"]["rows_written"]


def test_a_mixture_that_cannot_be_met_ends_the_run_and_can_be_asked_for_less(
    tmp_path: Path, sources: list[dict[str, str]]
) -> None:
    stages = ["count_tokens", {"mix": {"tokens": "1M", "shares": {"web": 0.5, "wiki": 0.5}, "max_epochs": 4}}]
    with pytest.raises(StageError, match="of 'wiki', which has"):
        curate(tmp_path / "out", sources, stages)
    stages[1]["mix"]["tokens"] = None  # type: ignore[index]
    result = curate(tmp_path / "out", sources, stages)
    assert result.manifest["segments"][0]["reused"] > 0
