"""Percentiles by a column: each group has its own number, which manifest and ledger show."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_runs import curate, jsonl

from filters.threshold import Threshold
from pipeline.percentiles import PercentileLimits
from pipeline.report import page
from pipeline.trial import MemorySketches, MemoryVerdicts
from schemas.errors import StageError
from schemas.rule import Percentile
from stages.core import quantiles
from stages.core.docs import Docs

LOW = Percentile(percentile=50, by="language")


def solve(
    rows: list[tuple[float, str | None]], cuts: list[int], **limits: Any
) -> tuple[dict[str, Any], dict[int, tuple[str, float]]]:
    """Facts, and for each dropped document its rule and limit."""
    stage = PercentileLimits(filter=Threshold(column="score", **limits))
    parts = []
    for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        columns = {
            "score": pa.array([score for score, _ in rows[start:end]], pa.float64()),
            "language": pa.array([language for _, language in rows[start:end]], pa.string()),
        }
        sketch = stage.open()(Docs(pa.table(columns)))
        assert sketch.schema.equals(stage.sketch_schema())
        parts.append(sketch.append_column("row", pa.array(range(end - start), pa.int32())))
    verdicts = MemoryVerdicts([part.num_rows for part in parts])
    facts = stage.solve(MemorySketches(parts, []), verdicts)  # type: ignore[arg-type]
    starts = [0, *cuts]
    dropped = {
        starts[part] + row["row"]: (row["rule"], row["limit"])
        for part, table in verdicts.tables.items()
        for row in table.to_pylist()
    }
    return facts, dropped


ROWS = [(1.0, "en"), (2.0, "en"), (3.0, "en"), (10.0, "zh"), (20.0, "zh"), (5.0, None), (30.0, "zh"), (40.0, "zh")]


def test_a_document_at_its_language_s_percentile_is_kept_and_one_below_is_not() -> None:
    facts, dropped = solve(ROWS, [2, 2, 5], min_value=LOW)
    assert facts["limits"] == {"min_value": {"by": "language", "values": {"en": 2.0, "null": 5.0, "zh": 20.0}}}
    assert dropped == {0: ("min_value", 2.0), 3: ("min_value", 20.0)}


def test_the_facts_have_the_quantiles_of_each_language() -> None:
    facts, _ = solve(ROWS, [], min_value=LOW)
    table = facts["quantiles"][0]
    assert (table["measure"], table["by"]) == ("value", "language")
    assert table["percentiles"] == [5, 25, 50, 75, 95]
    assert table["rules"] == ["min_value"]
    assert table["groups"]["zh"] == {"documents": 4, "values": [10.0, 10.0, 20.0, 30.0, 40.0]}
    assert table["groups"]["en"] == {"documents": 3, "values": [1.0, 1.0, 2.0, 3.0, 3.0]}


def test_one_percentile_for_all_stays_one_number() -> None:
    facts, dropped = solve(ROWS, [3], min_value=Percentile(percentile=50))
    assert facts == {"limits": {"min_value": 5.0}}
    assert dropped == dict.fromkeys((0, 1, 2), ("min_value", 5.0))


def test_two_limits_on_one_measure_with_and_without_groups() -> None:
    facts, dropped = solve(ROWS, [1], min_value=LOW, max_value=Percentile(percentile=80))
    assert facts["limits"]["max_value"] == 30.0
    assert dropped[7] == ("max_value", 30.0)
    assert dropped[3] == ("min_value", 20.0)


def test_no_document_gives_no_limit() -> None:
    assert solve([], [], min_value=LOW)[0]["limits"] == {"min_value": {"by": "language", "values": {}}}
    assert solve([], [], min_value=Percentile(percentile=5))[0] == {"limits": {"min_value": None}}


def test_percentiles_are_those_of_numpy_s_inverted_cdf() -> None:
    pick = random.Random(5)
    for _ in range(40):
        rows = [
            (
                pick.choice([pick.uniform(-5, 5), float(pick.randrange(-3, 4)), -0.0, 1e300, 5e-324]),
                pick.choice(["a", "b", None]),
            )
            for _ in range(pick.randrange(1, 60))
        ]
        percentile = pick.choice([0, 1, 5, 33.3, 50, 99, 100])
        limit = Percentile(percentile=percentile, by="language")
        facts, dropped = solve(rows, sorted(pick.choices(range(len(rows) + 1), k=2)), max_value=limit)
        for name, found in facts["limits"]["max_value"]["values"].items():
            own = [score for score, language in rows if (language or "null") == name]
            assert found == np.percentile(own, percentile, method="inverted_cdf")
            above = [at for at, (score, language) in enumerate(rows) if (language or "null") == name and score > found]
            assert all(dropped[at] == ("max_value", found) for at in above)
        assert len(dropped) == sum(
            score > facts["limits"]["max_value"]["values"][language or "null"] for score, language in rows
        )


def test_a_column_with_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantiles, "MOST_GROUPS", 2)
    with pytest.raises(StageError, match="percentile by 'language': the column has more than 2 different values"):
        solve(ROWS, [], min_value=LOW)


def test_manifest_ledger_and_report_show_the_numbers_by_language(tmp_path: Path) -> None:
    rows = [
        {"id": str(at), "text": "text", "language": ("en", "zh")[at % 2], "score": at * (1 + 9 * (at % 2))} for at in range(40)
    ]
    stages = [{"threshold": {"column": "score", "min_value": {"percentile": 25, "by": "language"}}}]
    columns = {"language": "language", "score": {"column": "score", "type": "float64"}}
    entry = {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "columns": columns}
    run = curate(tmp_path / "run", entry, stages)
    [step] = [step for step in run.manifest["steps"] if step["step"] == "threshold_percentile"]
    assert step["facts"]["limits"]["min_value"]["values"] == {"en": 8.0, "zh": 90.0}
    drops = pa.concat_tables([pq.read_table(path) for path in (run.path / "ledger" / "drops").glob("*.parquet")]).to_pylist()
    assert {(drop["id"], drop["limit"]) for drop in drops} == {
        *((str(at), 8.0) for at in (0, 2, 4, 6)), *((str(at), 90.0) for at in (1, 3, 5, 7))
    }  # fmt: skip
    text = page(run)
    assert '<section id="quality"' in text
    assert "<bdi>zh</bdi></th><td>20</td><td>10</td><td>90</td>" in text
