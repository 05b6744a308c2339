"""A few excerpts on both sides of each limit, for the report; bounded for each part."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.judge import Encoded, limits_of
from pipeline.outcome import Measured
from pipeline.steps import first_broken
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


@dataclass(slots=True)
class _Example:
    why: str
    rank: float
    row: int
    value: float
    limit: float
    source: str = ""
    id: str = ""
    excerpt: str = ""


def _tell(examples: list[_Example], table: pa.Table) -> None:
    """Fill in who the documents are and how their texts begin, for all of a batch at once."""
    rows, places = np.unique(np.array([one.row for one in examples], np.int64), return_inverse=True)
    chosen = table.select(["source", "id", "text"]).take(pa.array(rows))
    excerpts = pc.utf8_slice_codeunits(chosen.column("text"), 0, EXCERPT).to_pylist()
    sources, ids = chosen.column("source").to_pylist(), chosen.column("id").to_pylist()
    for one, place in zip(examples, places.tolist(), strict=True):
        one.source, one.id, one.excerpt = sources[place], ids[place], excerpts[place]


class Examples:
    """Keeps, for each rule, the documents nearest to the limit on either side, and some dropped ones by hash of their ids."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str, str], list[_Example]] = {}

    def add(self, measured: Measured) -> None:
        """Take over a batch."""
        table = measured.table
        if not table.num_rows:
            return
        first = first_broken(measured.broken, table.num_rows)
        kept = np.flatnonzero(first < 0)
        number_of = {(item.step, item.rule.name): number for number, item in enumerate(measured.broken)}
        keys = order_keys(0, "examples", table.column("source").combine_chunks(), table.column("id").combine_chunks()) / 2.0**64
        known: Encoded = {}
        new: list[_Example] = []
        for node, measures in measured.judged:
            assert isinstance(node.stage, Filter)
            for rule in node.stage.rules():
                if rule.limit is None or isinstance(rule.limit, Percentile):
                    continue
                values = np.asarray(measures[rule.measure], np.float64)
                limits = limits_of(rule, table, known)
                distance = np.abs(values - limits)
                broke = np.flatnonzero(first == number_of.get((node.label, rule.name), -2))
                for side, rows, why, ranks, count in (
                    ("kept", kept, "near", distance, NEAR),
                    ("dropped", broke, "near", distance, NEAR),
                    ("dropped", broke, "random", keys, RANDOM),
                ):
                    new += self._take((node.label, rule.name, side, why), rows, ranks[rows], count, values, limits)
        _tell(new, table)
        for best in self._kept.values():
            best.sort(key=lambda one: (one.rank, one.source, one.id))
            del best[NEAR if best and best[0].why == "near" else RANDOM :]

    def _take(
        self,
        key: tuple[str, str, str, str],
        rows: np.ndarray,
        ranks: np.ndarray,
        count: int,
        values: np.ndarray,
        limits: np.ndarray,
    ) -> "list[_Example]":
        """Put those of a batch beside the best so far that are better than the last of them; who they are is told later."""
        best = self._kept.setdefault(key, [])
        good = ~np.isnan(ranks) if len(best) < count else ranks < best[-1].rank
        rows, ranks = rows[good], ranks[good]
        if len(rows) > count:
            chosen = np.argpartition(ranks, count)[:count]
            rows, ranks = rows[chosen], ranks[chosen]
        new = [
            _Example(key[3], float(rank), int(row), float(values[row]), float(limits[row]))
            for row, rank in zip(rows, ranks, strict=True)
        ]
        best += new
        return new

    def table(self) -> pa.Table | None:
        """All excerpts, or None."""
        rows = [
            {"step": step, "rule": rule, "side": side, "why": why}
            | {name: getattr(one, name) for name in ("value", "limit", "source", "id", "excerpt")}
            for (step, rule, side, why), best in self._kept.items()
            for one in best
        ]
        return pa.Table.from_pylist(rows, SCHEMA) if rows else None
