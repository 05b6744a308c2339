"""A few excerpts on both sides of each limit, for the report; bounded for each part."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.judge import Encoded, limits_of
from pipeline.steps import Measured, first_broken
from schemas.rule import Percentile
from stages.core.stage import Filter
from stages.kernels.hashing import order_keys

NEAR = 3
RANDOM = 5
EXCERPT = 400

SCHEMA = pa.schema(
    [
        ("step", pa.string()),
        ("rule", pa.string()),
        ("side", pa.string()),
        ("why", pa.string()),
        ("value", pa.float64()),
        ("limit", pa.float64()),
        ("source", pa.string()),
        ("id", pa.string()),
        ("excerpt", pa.string()),
    ]
)


class Examples:
    """Keeps, for each rule, the documents nearest to the limit on either side, and some dropped ones by hash of their ids."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str, str], list[tuple[float, dict[str, Any]]]] = {}

    def add(self, measured: Measured) -> None:
        """Take over a batch."""
        table = measured.table
        if not table.num_rows:
            return
        first = first_broken(measured.broken, table.num_rows)
        number_of = {(item.step, item.rule.name): number for number, item in enumerate(measured.broken)}
        keys = order_keys(0, "examples", table.column("source").combine_chunks(), table.column("id").combine_chunks())
        known: Encoded = {}
        for node, measures in measured.judged:
            assert isinstance(node.stage, Filter)
            for rule in node.stage.rules():
                if rule.limit is None or isinstance(rule.limit, Percentile):
                    continue
                values = np.asarray(measures[rule.measure], np.float64)
                limits = limits_of(rule, table, known)
                distance = np.abs(values - limits)
                broke = first == number_of.get((node.label, rule.name), -2)
                for side, mask in (("kept", first < 0), ("dropped", broke)):
                    rows = np.flatnonzero(mask & ~np.isnan(distance))
                    self._keep((node.label, rule.name, side, "near"), rows, distance[rows], NEAR, table, values, limits)
                rows = np.flatnonzero(broke)
                self._keep(
                    (node.label, rule.name, "dropped", "random"), rows, keys[rows] / 2.0**64, RANDOM, table, values, limits
                )

    def _keep(
        self,
        key: tuple[str, str, str, str],
        rows: np.ndarray,
        ranks: np.ndarray,
        count: int,
        table: pa.Table,
        values: np.ndarray,
        limits: np.ndarray,
    ) -> None:
        best = self._kept.setdefault(key, [])
        if len(rows) > count:
            chosen = np.argpartition(ranks, count)[:count]
            rows, ranks = rows[chosen], ranks[chosen]
        for row, rank in zip(rows, ranks, strict=True):
            if len(best) >= count and rank >= best[-1][0]:
                continue
            one = table.slice(row, 1)
            text = pc.utf8_slice_codeunits(one.column("text"), 0, EXCERPT)[0].as_py()
            found = {"source": one.column("source")[0].as_py(), "id": one.column("id")[0].as_py(), "excerpt": text}
            best.append((float(rank), {**found, "value": float(values[row]), "limit": float(limits[row])}))
            best.sort(key=lambda item: (item[0], item[1]["source"], item[1]["id"]))
            del best[count:]

    def table(self) -> pa.Table | None:
        """All excerpts, or None."""
        rows = [
            {"step": step, "rule": rule, "side": side, "why": why, **found}
            for (step, rule, side, why), best in self._kept.items()
            for _, found in best
        ]
        return pa.Table.from_pylist(rows, SCHEMA) if rows else None
