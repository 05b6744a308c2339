"""Limits that are percentiles: found by looking at all documents, then applied like any other."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.columns import VERDICT
from schemas.errors import StageError
from schemas.rule import Percentile, Rule
from stages.core.docs import Docs
from stages.core.ranked import ascending, value_of
from stages.core.stage import Filter, Global, Sketches, Verdicts

QUANTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
"""Percentiles of a measure in each group that the manifest and the report's table of quality have."""

MOST_GROUPS = 1000

Limits = Mapping[str, float]
"""What a percentile stands for in each group; without groups, in the one named ""."""


class PercentileLimits(Global):
    """Drops what breaks a filter's percentile limits, after finding the number each of them stands for.

    Sketch: the measures concerned, 8 bytes each for a document, and the columns by which percentiles are taken. A limit is the
    smallest value v such that at least the given percentage of the group's documents measure v or less, found exactly by
    radix selection in six passes over the sketches. Documents with a null in such a column are a group, `null`.
    """

    filter: Filter

    def columns_read(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.filter.columns_read(), *self._groupings())))

    def measures(self) -> list[str]:
        """Measures with a percentile limit, each once."""
        return list(dict.fromkeys(rule.measure for rule in self.filter.percentile_rules()))

    def _groupings(self) -> list[str]:
        return list(dict.fromkeys(by for rule in self.filter.percentile_rules() if (by := _percentile(rule).by)))

    def sketch_schema(self) -> pa.Schema:
        groups = [pa.field(_group_column(by), pa.string(), nullable=False) for by in self._groupings()]
        return pa.schema([*(pa.field(name, pa.float64()) for name in self.measures()), *groups])

    def open(self) -> Callable[[Docs], pa.Table]:
        measure, schema = self.filter.open(), self.sketch_schema()
        names, groupings = self.measures(), self._groupings()

        def sketch(docs: Docs) -> pa.Table:
            measures = measure(docs)
            groups = [docs.table.column(by).cast(pa.string()).fill_null("null") for by in groupings]
            return pa.table([*(np.asarray(measures[name], np.float64) for name in names), *groups], schema=schema)

        return sketch

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rules = self.filter.percentile_rules()
        limits: list[Limits] = []
        quantiles: dict[tuple[str, str], dict[str, Any]] = {}
        for rule in rules:
            wanted, by = _percentile(rule), _percentile(rule).by
            sizes = _group_sizes(sketches, rule.measure, by)
            percentiles = (wanted.percentile, *(QUANTILES if by else ()))
            found = {
                name: dict(zip(percentiles, values, strict=True))
                for name, values in _select(sketches, rule.measure, by, sizes, percentiles).items()
            }
            limits.append({name: numbers[wanted.percentile] for name, numbers in found.items()})
            if by:
                rows = {
                    name: {"documents": sizes[name], "values": [numbers[at] for at in QUANTILES]}
                    for name, numbers in found.items()
                }
                told = {"measure": rule.measure, "by": by, "percentiles": list(QUANTILES), "groups": rows, "rules": []}
                quantiles.setdefault((rule.measure, by), told)["rules"].append(rule.name)
        for part in sketches.parts():
            table = sketches.read(part, ["row", *self.sketch_schema().names])
            if table.num_rows:
                verdicts.write(part, _verdicts(table, rules, limits))
        named = {rule.name: _told(rule, numbers) for rule, numbers in zip(rules, limits, strict=True)}
        return {"limits": named, **({"quantiles": list(quantiles.values())} if quantiles else {})}


def _percentile(rule: Rule) -> Percentile:
    assert isinstance(rule.limit, Percentile)
    return rule.limit


def _group_column(by: str) -> str:
    return f"by_{by}"


def _told(rule: Rule, limits: Limits) -> Any:
    by = _percentile(rule).by
    return {"by": by, "values": dict(limits)} if by else limits.get("")


def _groups(sketches: Sketches, measure: str, by: str | None) -> Iterator[tuple[str, np.ndarray]]:
    """The measure's values of each part and group that has documents."""
    for part in sketches.parts():
        table = sketches.read(part, [measure, *([_group_column(by)] if by else [])])
        values = table.column(0).to_numpy()
        if not len(values):
            continue
        if by is None:
            yield "", values
            continue
        codes = table.column(1).combine_chunks().dictionary_encode()
        order = np.argsort(codes.indices.to_numpy(zero_copy_only=False), kind="stable")
        sizes = np.bincount(codes.indices.to_numpy(zero_copy_only=False), minlength=len(codes.dictionary))
        for name, rows in zip(codes.dictionary.to_pylist(), np.split(order, np.cumsum(sizes)[:-1]), strict=True):
            yield name, values[rows]


def _group_sizes(sketches: Sketches, measure: str, by: str | None) -> dict[str, int]:
    """Documents of each group, by name."""
    sizes: dict[str, int] = {}
    for name, values in _groups(sketches, measure, by):
        sizes[name] = sizes.get(name, 0) + len(values)
        if len(sizes) > MOST_GROUPS:
            raise StageError(f"percentile by {by!r}: the column has more than {MOST_GROUPS} different values")
    return dict(sorted(sizes.items()))


def _select(
    sketches: Sketches, measure: str, by: str | None, sizes: Mapping[str, int], percentiles: Sequence[float]
) -> dict[str, list[float]]:
    """For each group the values at the percentiles."""
    ranks = {name: [max(1, math.ceil(at / 100 * size)) for at in percentiles] for name, size in sizes.items()}
    prefixes = {name: [0] * len(percentiles) for name in sizes}
    for shift in (55, 44, 33, 22, 11, 0):
        width = 64 - shift if shift == 55 else 11
        counts = {name: np.zeros((len(percentiles), 1 << width), np.int64) for name in sizes}
        for name, values in _groups(sketches, measure, by):
            keys = ascending(values)
            for target in range(len(percentiles)):
                # of the keys that begin like the one looked for, how many go on with each digit
                alike = keys if shift == 55 else keys[(keys >> np.uint64(shift + width)) == np.uint64(prefixes[name][target])]
                digits = (alike >> np.uint64(shift)).astype(np.int64) & ((1 << width) - 1)
                counts[name][target] += np.bincount(digits, minlength=1 << width)
        for name in sizes:
            for target, row in enumerate(counts[name]):
                ends = np.cumsum(row)
                digit = int(np.searchsorted(ends, ranks[name][target]))
                ranks[name][target] -= int(ends[digit] - row[digit])
                prefixes[name][target] = (prefixes[name][target] << width) | digit
    return {name: [value_of(key) for key in keys] for name, keys in prefixes.items()}


def _verdicts(table: pa.Table, rules: Sequence[Rule], limits: Sequence[Limits]) -> pa.Table:
    rows = table.column("row").to_numpy()
    reason = np.full(len(rows), -1)
    applied = [_applied(table, rule, numbers) for rule, numbers in zip(rules, limits, strict=True)]
    for number in reversed(range(len(rules))):
        values, limit = table.column(rules[number].measure).to_numpy(), applied[number]
        reason[values < limit if rules[number].op == "at_least" else values > limit] = number
    hit = np.flatnonzero(reason >= 0)
    reasons = [rules[number] for number in reason[hit]]
    columns = {
        "row": rows[hit],
        "rule": [rule.name for rule in reasons],
        "measure": [rule.measure for rule in reasons],
        "value": [float(table.column(rule.measure)[int(at)].as_py()) for rule, at in zip(reasons, hit, strict=True)],
        "op": [rule.op for rule in reasons],
        "limit": [float(applied[number][at]) for number, at in zip(reason[hit], hit, strict=True)],
    }
    count = len(hit)
    return pa.table([columns.get(field.name, [None] * count) for field in VERDICT], schema=VERDICT)


def _applied(table: pa.Table, rule: Rule, limits: Limits) -> np.ndarray:
    """The limit of each document."""
    by = _percentile(rule).by
    if by is None:
        return np.full(table.num_rows, limits.get("", np.nan))
    codes = table.column(_group_column(by)).combine_chunks().dictionary_encode()
    lookup = np.array([limits[name] for name in codes.dictionary.to_pylist()], np.float64)
    return np.asarray(lookup[codes.indices.to_numpy(zero_copy_only=False)])
