"""Histograms of measures, counted group by group from the ledger, with bin edges that fall on the limits."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import results_ledger

if TYPE_CHECKING:
    import pyarrow as pa

BINS = 48
FINE = 4096
BUDGET = 60_000_000
"""Values counted at most; above it only every k-th row group is, and the page says so."""

TOGETHER = 65_536
"""Rows counted at a time."""

FIXED = {"source", "id", "part", "row"}


@dataclass
class Histogram:
    """Counts of one measure. Bin i holds `edges[i] <= value < edges[i + 1]`; `below` and `above` count what lies outside."""

    step: str
    measure: str
    integer: bool = True
    single: bool = False
    values: int = 0
    low: float = np.inf
    high: float = -np.inf
    log: bool = False
    quantiles: dict[float, float] = field(default_factory=dict)
    edges: np.ndarray = field(default_factory=lambda: np.zeros(0))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    below: int = 0
    above: int = 0
    every: int = 1

    def edge_of(self, op: str, limit: float) -> float:
        """The value from which on the other side of a limit begins: at_most keeps the limit itself.

        Stored values may be single precision; the limit is rounded like them, or a value at the limit would seem to break it.
        """
        kind = np.float32 if self.single else np.float64
        number = kind(limit)
        return float(number if op == "at_least" else np.nextafter(number, kind(np.inf)))


def histograms(folder: Path, steps: list[dict[str, Any]]) -> list[Histogram]:
    """A histogram of every measure of the ledger, in the order of the steps; measures that no document has are left out.

    Two passes over the measures: the first finds range and quantiles, the second counts in the bins chosen by them.
    """
    found = _columns(folder, [step["step"] for step in steps])
    every = _every(folder, set(found))
    if not found:
        return []
    _first_pass(folder, found, every)
    rules = {step["step"]: step.get("rules") or [] for step in steps}
    alive = {name: chart for name, chart in found.items() if chart.values}
    for chart in alive.values():
        limits = [
            chart.edge_of(rule.get("op") or "at_most", limit)
            for rule in rules[chart.step]
            if rule.get("measure") == chart.measure
            for limit in numbers_of(rule.get("limit"))
        ]
        _choose_edges(chart, limits)
        chart.counts = np.zeros(max(len(chart.edges) - 1, 0), np.int64)
        chart.every = every
    for name, values in _read(folder, set(alive), every):
        _count(alive[name], values)
    order = {step["step"]: at for at, step in enumerate(steps)}
    return sorted(alive.values(), key=lambda chart: order[chart.step])


def numbers_of(limit: Any) -> list[float]:
    """The numbers a limit stands for: one, or the distinct entries of a table, ascending."""
    if isinstance(limit, dict):
        entries = [*(limit.get("values") or {}).values(), limit.get("default")]
        return sorted({float(entry) for entry in entries if isinstance(entry, int | float)})
    return [float(limit)] if isinstance(limit, int | float) else []


def _columns(folder: Path, steps: list[str]) -> dict[str, Histogram]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: dict[str, Histogram] = {}
    for path in results_ledger.files(folder):
        for column in pq.read_schema(path):
            step, _, measure = column.name.rpartition(".")
            if step in steps:
                chart = found.setdefault(column.name, Histogram(step, measure))
                chart.integer &= bool(pa.types.is_integer(column.type) or pa.types.is_boolean(column.type))
                chart.single |= bool(pa.types.is_float32(column.type))
    return found


def _every(folder: Path, names: set[str]) -> int:
    import pyarrow.parquet as pq

    total = 0
    for path in results_ledger.files(folder):
        meta = pq.read_metadata(path)
        total += meta.num_rows * len(names & set(meta.schema.names))
    return max(1, -(-total // BUDGET))


def _read(folder: Path, names: set[str], every: int) -> Iterator[tuple[str, np.ndarray]]:
    """Values without nulls of each column of each row group that counts."""
    import pyarrow.parquet as pq

    number = 0
    held: dict[tuple[str, ...], list[pa.Table]] = {}  # by columns: files of small parts are counted together
    for path in results_ledger.files(folder):
        with pq.ParquetFile(path) as file:
            columns = tuple(name for name in file.schema_arrow.names if name in names)
            tables = held.setdefault(columns, [])
            for group in range(file.num_row_groups):
                number += 1
                if not columns or (number - 1) % every:
                    continue
                tables.append(file.read_row_group(group, columns=list(columns), use_threads=False))
            if sum(table.num_rows for table in tables) >= TOGETHER:
                yield from _values(tables)
                tables.clear()
    for tables in held.values():
        yield from _values(tables)


def _values(tables: "list[pa.Table]") -> Iterator[tuple[str, np.ndarray]]:
    import pyarrow as pa

    for name in tables[0].column_names if tables else ():
        values = pa.chunked_array([chunk for table in tables for chunk in table.column(name).chunks]).drop_null()
        if len(values):
            array = values.to_numpy().astype(np.float64)
            yield name, array[np.isfinite(array)]


def _first_pass(folder: Path, found: dict[str, Histogram], every: int) -> None:
    # quantiles come from bins of 1.2 per cent on an axis that has room for all magnitudes, of either sign
    reach = np.concatenate([[0.0], np.geomspace(1e-6, 1e15, FINE)])
    axis = np.concatenate([-reach[:0:-1], reach])
    fine = {name: np.zeros(len(axis) + 1, np.int64) for name in found}
    whole = {name: np.zeros(FINE + 1, np.int64) for name in found}
    for name, values in _read(folder, set(found), every):
        chart = found[name]
        if not len(values):
            continue
        chart.values += len(values)
        chart.low, chart.high = min(chart.low, float(values.min())), max(chart.high, float(values.max()))
        # values from 0 to 1, or small whole numbers, have their own even grid, which is finer there
        grid = np.clip(values if chart.integer else values * FINE, 0, FINE).astype(np.int64)
        whole[name] += np.bincount(grid, minlength=FINE + 1)
        fine[name] += np.bincount(np.searchsorted(axis, values, side="right"), minlength=len(axis) + 1)
    for name, chart in found.items():
        top = FINE if chart.integer else 1
        even = chart.low >= 0 and chart.high <= top
        counts = whole[name] if even else fine[name]
        at = np.arange(FINE + 1) / (1 if chart.integer else FINE) if even else np.concatenate([axis[:1], axis])
        if chart.values:
            ends = np.cumsum(counts)
            for q in (0.005, 0.05, 0.5, 0.95, 0.995):
                value = float(at[np.searchsorted(ends, np.ceil(q * chart.values))])
                value = float(np.ceil(value)) if chart.integer else value
                chart.quantiles[q] = min(max(value, chart.low), chart.high)


def _choose_edges(chart: Histogram, limits: list[float]) -> None:
    low, high = chart.quantiles[0.005], chart.quantiles[0.995]
    middle = max(chart.quantiles[0.5], 1.0)
    top = max([chart.high, *limits])
    chart.log = chart.low >= 0 and top > 2 and max([high, *limits]) / middle > 20
    if chart.log:
        low, high = chart.low, top
    else:
        low, high = _even_range(chart, limits, low, high)
    if chart.integer:
        low, high = np.floor(low), np.floor(high) + 1
    elif high <= low:
        high = low + max(abs(low) * 0.01, 1e-9)
    else:
        high = float(np.nextafter(high, np.inf))
    even = np.linspace(np.log1p(low), np.log1p(high), BINS + 1) if chart.log else np.linspace(low, high, BINS + 1)
    edges = np.expm1(even) if chart.log else even
    edges[0], edges[-1] = low, high
    if chart.integer:
        edges = np.unique(np.ceil(edges - 1e-9))
    inside = sorted({limit for limit in limits if low < limit < high})
    if inside:
        # an edge beside a limit would leave a sliver of a bin, whose height says nothing
        gap = 0.4 * np.median(np.diff(_axis(chart, edges)))
        near = np.min(np.abs(_axis(chart, edges)[:, None] - _axis(chart, np.array(inside))[None, :]), axis=1)
        keep = near > gap
        keep[[0, -1]] = True
        edges = np.unique(np.concatenate([edges[keep], inside]))
    chart.edges = edges


def _even_range(chart: Histogram, limits: list[float], low: float, high: float) -> tuple[float, float]:
    """The middle 99 % and the limits near it; a limit far away would squeeze the data to a line."""
    width = max(high - low, 1e-9)
    # a tail that is hardly longer is drawn whole
    low = chart.low if chart.low >= low - 0.4 * width else low
    high = chart.high if chart.high <= high + 0.4 * width else high
    near = [limit for limit in limits if low - 2 * width <= limit <= high + 2 * width]
    low, high = min([low, *near]), max([high, *near])
    if chart.low >= 0 and low < 0.25 * high:
        low = 0.0
    return low, high + (0.04 * (high - low) if near and high == max(near) else 0.0)


def _axis(chart: Histogram, values: np.ndarray) -> np.ndarray:
    return np.log1p(values) if chart.log else values


def position(chart: Histogram, value: float) -> float:
    """Where a value lies on the axis, from 0 at the first edge to 1 at the last; clipped."""
    first, last, here = _axis(chart, np.array([chart.edges[0], chart.edges[-1], max(value, chart.edges[0])]))
    return float(np.clip((here - first) / (last - first), 0, 1))


def _count(chart: Histogram, values: np.ndarray) -> None:
    bins = np.searchsorted(chart.edges, values, side="right")
    counts = np.bincount(bins, minlength=len(chart.edges) + 1)
    chart.counts += counts[1:-1]
    chart.below += int(counts[0])
    chart.above += int(counts[-1])
