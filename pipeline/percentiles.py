"""Limits that are percentiles: found by looking at all documents, then applied like any other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.columns import VERDICT
from schemas.rule import Percentile, Rule
from stages.core.docs import Docs
from stages.core.quantiles import group_sizes, select
from stages.core.stage import Filter, Global, Sketches, Verdicts

QUANTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
"""Percentiles of a measure in each group that the manifest and the report's table of quality have."""

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
            group = _group_column(by) if by else None
            sizes = group_sizes(sketches, rule.measure, group, by)
            percentiles = (wanted.percentile, *(QUANTILES if by else ()))
            found = {
                name: dict(zip(percentiles, values, strict=True))
                for name, values in select(sketches, rule.measure, group, sizes, percentiles).items()
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
