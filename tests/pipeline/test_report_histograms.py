import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import report_histograms
from pipeline.report_charts import bar, chart_of
from pipeline.report_histograms import histograms, numbers_of, position


def write(folder: Path, name: str, column: str, values: list[float | None], kind: pa.DataType, group: int = 7) -> None:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table({column: pa.array(values, kind)}), folder / f"{name}.parquet", row_group_size=group)


def step(*rules: dict[str, object]) -> list[dict[str, object]]:
    return [{"step": "f", "rules": list(rules)}]


def rule(op: str, limit: object, measure: str = "m") -> dict[str, object]:
    return {"rule": f"{op}_rule", "measure": measure, "op": op, "limit": limit, "broken": 0}


def test_a_document_at_the_limit_is_counted_as_kept(tmp_path):
    write(tmp_path, "a", "f.m", [48, 49, 50, 50, 51, 99, 100, 101], pa.int32())
    [found] = histograms(tmp_path, step(rule("at_least", 50), rule("at_most", 100)))
    below = found.counts[found.edges[1:] <= 50].sum() + found.below
    above = found.counts[found.edges[:-1] > 100].sum() + found.above
    assert (below, above) == (2, 1)


def test_a_single_precision_value_at_its_limit_is_counted_as_kept(tmp_path):
    # as float32 the value is 0.30000001, more than the limit of 0.3
    write(tmp_path, "a", "f.m", [0.1, 0.3, 0.3, 0.4], pa.float32())
    [found] = histograms(tmp_path, step(rule("at_most", 0.3)))
    edge = found.edge_of("at_most", 0.3)
    assert edge in found.edges
    assert found.counts[found.edges[:-1] >= edge].sum() == 1
    assert "dropped" in chart_of(found, [rule("at_most", 0.3)]).paths


@pytest.mark.parametrize("seed", range(12))
def test_counts_equal_those_of_a_plain_loop(tmp_path, seed):
    rng = random.Random(seed)
    kind, make = [
        (pa.int32(), lambda: int(rng.lognormvariate(5, 2))),
        (pa.int8(), lambda: rng.randint(0, 12)),
        (pa.float32(), lambda: rng.choice([0.0, rng.random(), rng.random() ** 4])),
        (pa.float64(), lambda: rng.gauss(-3, 5)),
    ][seed % 4]
    limits = [make(), make()]
    values = [None if rng.random() < 0.1 else make() for _ in range(rng.randint(1, 300))] + [limits[0]]
    half = len(values) // 2
    write(tmp_path, "a", "f.m", values[:half], kind)
    write(tmp_path, "b", "f.m", values[half:], kind)
    [found] = histograms(tmp_path, step(rule("at_least", limits[0]), rule("at_most", limits[1])))
    stored = [value for value in pa.array(values, kind).to_pylist() if value is not None]
    edges = found.edges.tolist()
    assert found.counts.tolist() == [sum(low <= value < high for value in stored) for low, high in pairwise(edges)]
    assert found.below == sum(value < edges[0] for value in stored)
    assert found.above == sum(value >= edges[-1] for value in stored)
    assert found.values == len(stored)
    assert (np.diff(found.edges) > 0).all()
    # quantiles are those of the fine bins: never off by more than a bin
    exact = float(np.quantile(stored, 0.5, method="inverted_cdf"))
    assert abs(found.quantiles[0.5] - exact) <= max(0.012 * abs(exact), 1 / 4096)


def test_counts_of_many_magnitudes_get_a_log_axis(tmp_path):
    write(tmp_path, "a", "f.m", [1, 10, 100, 1000, 10_000], pa.int64())
    [found] = histograms(tmp_path, step(rule("at_most", 100_000)))
    assert found.log
    assert position(found, 100_000) == 1.0 or position(found, 100_000) > 0.99
    assert [label for _, label in chart_of(found, []).ticks] == ["1", "10", "100", "1,000", "10.0k", "100k"]


def test_a_share_has_an_even_axis_from_zero(tmp_path):
    write(tmp_path, "a", "f.m", [n / 100 for n in range(50)], pa.float32())
    [found] = histograms(tmp_path, step(rule("at_most", 0.3)))
    assert not found.log
    assert [label for _, label in chart_of(found, []).ticks] == ["0", "0.1", "0.2", "0.3", "0.4"]


def test_a_limit_far_away_does_not_squeeze_the_data(tmp_path):
    write(tmp_path, "a", "f.m", [n / 1000 for n in range(50)], pa.float32())
    [found] = histograms(tmp_path, step(rule("at_most", 0.9)))
    [mark] = chart_of(found, [rule("at_most", 0.9)]).marks
    assert found.edges[-1] < 0.1
    assert mark.beyond
    assert mark.label == "at_most_rule ≤ 0.9 ▸"


def test_one_value_for_all_is_drawn(tmp_path):
    write(tmp_path, "a", "f.m", [3.5] * 4, pa.float64())
    [found] = histograms(tmp_path, step())
    assert found.counts.sum() == 4
    assert chart_of(found, []).paths


def test_a_measure_nobody_has_is_left_out(tmp_path):
    write(tmp_path, "a", "f.m", [None, None], pa.int32())
    assert histograms(tmp_path, step()) == []
    assert histograms(tmp_path / "nowhere", step()) == []


def test_above_the_budget_every_kth_group_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(report_histograms, "BUDGET", 50)
    write(tmp_path, "a", "f.m", list(range(100)), pa.int32(), group=10)
    [found] = histograms(tmp_path, step())
    assert found.every == 2
    assert found.values == 50
    assert "every 2th group" in chart_of(found, []).summary


def test_bins_between_limits_by_language_depend_on_the_document(tmp_path):
    write(tmp_path, "a", "f.m", list(range(100)), pa.int32())
    by = rule("at_least", {"by": "language", "values": {"en": 50, "th": 30}, "default": 40})
    [found] = histograms(tmp_path, step(by))
    chart = chart_of(found, [by])
    assert set(chart.paths) == {"kept", "mixed", "dropped"}
    assert [mark.label for mark in chart.marks] == [
        "at_least_rule ≥ 30 th",
        "at_least_rule ≥ 40 others",
        "at_least_rule ≥ 50 en",
    ]
    assert [mark.lane for mark in chart.marks] == [0, 1, 2]
    open_ended = rule("at_least", {"by": "language", "values": {"en": 50}, "default": None})
    assert "dropped" not in chart_of(found, [open_ended]).paths


def test_a_table_of_many_limits_gets_one_label(tmp_path):
    write(tmp_path, "a", "f.m", list(range(100)), pa.int32())
    by = rule("at_least", {"by": "language", "values": {f"l{n}": 20 + n for n in range(20)}, "default": 40})
    [found] = histograms(tmp_path, step(by))
    labels = [mark.label for mark in chart_of(found, [by]).marks if mark.label]
    assert labels == ["at_least_rule ≥ 20 to 40 by language"]


def test_a_tower_is_cut_and_told(tmp_path):
    write(tmp_path, "a", "f.m", [0.0] * 500 + [n / 50 for n in range(5, 50)], pa.float32())
    [found] = histograms(tmp_path, step())
    chart = chart_of(found, [])
    assert chart.cut is not None
    assert chart.cut[1] == "↑ 500"
    assert "500 documents, is cut" in chart.alt


def test_numbers_of_a_limit():
    assert numbers_of(0.5) == [0.5]
    assert numbers_of({"values": {"a": 3, "b": 1}, "default": None}) == [1.0, 3.0]
    assert numbers_of(None) == []
    assert json.dumps(numbers_of({"percentile": 3})) == "[]"


def test_a_bar_of_something_can_be_seen():
    assert bar(0, 100) == 0.0
    assert bar(1, 1_000_000) == 0.25
    assert bar(1, 2) == 50.0
