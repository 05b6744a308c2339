"""Limits that are percentiles: found by looking at all documents, then applied like any other."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.columns import VERDICT
from schemas.rule import Percentile, Rule
from stages.core.docs import Docs
from stages.core.stage import Filter, Global, Sketches, Verdicts


class PercentileLimits(Global):
    """Drops what breaks a filter's percentile limits, after finding the number each of them stands for.

    Sketch: the measures concerned, 8 bytes each for a document. The limit is the smallest value v such that at least the given
    percentage of documents measure v or less, found exactly by radix selection in four passes over the sketches.
    """

    filter: Filter

    def columns_read(self) -> tuple[str, ...]:
        return self.filter.columns_read()

    def measures(self) -> list[str]:
        """Measures with a percentile limit, each once."""
        return list(dict.fromkeys(rule.measure for rule in self.filter.percentile_rules()))

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([pa.field(name, pa.float64()) for name in self.measures()])

    def open(self) -> Callable[[Docs], pa.Table]:
        measure = self.filter.open()
        schema = self.sketch_schema()

        def sketch(docs: Docs) -> pa.Table:
            measures = measure(docs)
            return pa.table([np.asarray(measures[name], np.float64) for name in schema.names], schema=schema)

        return sketch

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rules = self.filter.percentile_rules()
        limits = [self._limit(sketches, rule) for rule in rules]
        for part in sketches.parts():
            table = sketches.read(part, ["row", *self.measures()])
            if table.num_rows:
                verdicts.write(part, _verdicts(table, rules, limits))
        return {"limits": {rule.name: limit for rule, limit in zip(rules, limits, strict=True)}}

    def _limit(self, sketches: Sketches, rule: Rule) -> float | None:
        assert isinstance(rule.limit, Percentile)
        total = sketches.rows()
        if not total:
            return None
        rank = max(1, math.ceil(rule.limit.percentile / 100 * total))
        prefix = 0
        for shift in (48, 32, 16, 0):
            counts = np.zeros(1 << 16, np.int64)
            for part in sketches.parts():
                keys = _ordered(sketches.read(part, [rule.measure]).column(0).to_numpy())
                if shift < 48:
                    keys = keys[(keys >> np.uint64(shift + 16)) == np.uint64(prefix)]
                counts += np.bincount((keys >> np.uint64(shift)).astype(np.int64) & 0xFFFF, minlength=1 << 16)
            ends = np.cumsum(counts)
            digit = int(np.searchsorted(ends, rank))
            rank -= int(ends[digit] - counts[digit])
            prefix = (prefix << 16) | digit
        return float(_unordered(prefix))


def _ordered(values: np.ndarray) -> np.ndarray:
    """float64 as uint64 in the same order."""
    bits = np.ascontiguousarray(values + 0.0, np.float64).view(np.uint64)  # -0.0 becomes 0.0
    return np.where(bits >> np.uint64(63) != 0, ~bits, bits | np.uint64(1 << 63))


def _unordered(key: int) -> float:
    bits = key & ~(1 << 63) if key >> 63 else ~key & (2**64 - 1)
    return float(np.array([bits], np.uint64).view(np.float64)[0])


def _verdicts(table: pa.Table, rules: Sequence[Rule], limits: Sequence[float | None]) -> pa.Table:
    rows = table.column("row").to_numpy()
    reason = np.full(len(rows), -1)
    for number in reversed(range(len(rules))):
        values, limit = table.column(rules[number].measure).to_numpy(), limits[number]
        if limit is not None:
            reason[values < limit if rules[number].op == "at_least" else values > limit] = number
    hit = np.flatnonzero(reason >= 0)
    reasons = [rules[number] for number in reason[hit]]
    columns = {
        "row": rows[hit],
        "rule": [rule.name for rule in reasons],
        "measure": [rule.measure for rule in reasons],
        "value": [float(table.column(rule.measure)[int(at)].as_py()) for rule, at in zip(reasons, hit, strict=True)],
        "op": [rule.op for rule in reasons],
        "limit": [limits[number] for number in reason[hit]],
    }
    count = len(hit)
    return pa.table([columns.get(field.name, [None] * count) for field in VERDICT], schema=VERDICT)
