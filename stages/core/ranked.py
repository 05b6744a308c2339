"""Documents of groups in the order of a score, and where a budget ends in it, without holding the documents.

Each block of parts stores its documents sorted by group, then from the highest score down, then by hash, with running sums of
their weights. Where the first documents of a group weigh as much as a budget is found by bisection over all scores, then over
the hashes of documents with that score: each step is one search in every block's file.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from stages.core.exchange import Block, blocks, facts_of, numpy_of
from stages.core.stage import Drops, Sketches
from stages.core.survivors import LiveRows, numbers_or_null, verdict_table
from stages.kernels.hashing import order_keys

LAST = 2**64 - 1


class Place(NamedTuple):
    """A place in a group's order: all documents up to and with these keys. Keys begin at 0; -1 is before all."""

    key: int
    hash: int


class Prefix(NamedTuple):
    """The first documents of a group: where they end, how many there are, what they weigh."""

    end: Place
    documents: int
    weight: int


@dataclass(frozen=True)
class Order:
    """How documents are ordered. The sketch has `weight` (int64), and, where they are needed, `group` and `score`.

    grouped  whether documents are in groups by the column `group` of the sketch, else all are in the group ""
    scored   whether they are ordered by `score`, highest first, NaN last; else by hash alone
    seed     of the hash, with `salt`
    """

    grouped: bool
    scored: bool
    seed: int
    salt: str

    def columns(self) -> list[str]:
        """Columns of the sketch that are read."""
        return ["source", "id", "weight", *(["group"] if self.grouped else []), *(["score"] if self.scored else [])]

    def keys(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Of each document the key (uint64, 0 for all where there is no score) and the hash."""
        hashes = order_keys(self.seed, self.salt, table["source"], table["id"])
        if not self.scored:
            return np.zeros(len(hashes), np.uint64), hashes
        return descending(table["score"].to_numpy().astype(np.float64)), hashes

    def groups(self, table: pa.Table) -> pa.Array:
        """Of each document its group; a null is the group ""."""
        if not self.grouped:
            return pa.array([""] * table.num_rows, pa.string())
        return table["group"].cast(pa.string()).fill_null("").combine_chunks()


def ascending(values: np.ndarray) -> np.ndarray:
    """float64 as uint64 in the same order; -0.0 is 0.0."""
    bits = np.ascontiguousarray(values + 0.0, np.float64).view(np.uint64)
    return np.where(bits >> np.uint64(63) != 0, ~bits, bits | np.uint64(2**63))


def value_of(key: int) -> float:
    """The number that `ascending` made this key of."""
    bits = key & ~(1 << 63) if key >> 63 else ~key & LAST
    return float(np.array([bits], np.uint64).view(np.float64)[0])


def descending(score: np.ndarray) -> np.ndarray:
    """Numbers (uint64) that are smaller where a float64 is larger; NaN is last."""
    return np.where(np.isnan(score), np.uint64(LAST), ~ascending(score))


def score_of(key: int) -> float:
    """The score that `descending` made this key of; NaN for the last one."""
    return float("nan") if key == LAST else value_of(LAST - key)


class Ranking:
    """The order of all live documents, stored by blocks."""

    def __init__(self, sketches: Sketches, order: Order) -> None:
        rows = LiveRows(sketches)
        self.order = order
        self._tables = [saved.read() for saved in sketches.round("ranked", partial(_ranked, rows, order), blocks(rows))]
        self._facts: list[dict[str, list[int]]] = [facts_of(table)["groups"] for table in self._tables]

    def totals(self) -> dict[str, tuple[int, int]]:
        """Documents and weight of each group, by name."""
        names = sorted({name for facts in self._facts for name in facts})
        found = {}
        for name in names:
            mine = [facts[name] for facts in self._facts if name in facts]
            found[name] = (sum(stop - start for start, stop, _ in mine), sum(weight for _, _, weight in mine))
        return found

    def quantiles(self, group: str, percentiles: Sequence[float]) -> tuple[int, list[float]]:
        """How many documents of a group have a score, and their scores at percentiles.

        The score at p is the smallest that at least p % of them do not exceed; without any there are none.
        """
        keys = [key for key, _, _ in self._held(group)]

        def up_to(key: int) -> int:
            return sum(int(np.searchsorted(mine, np.uint64(key), side="right")) for mine in keys)

        count = up_to(LAST - 1)
        found = []
        for percentile in percentiles if count else ():
            # keys descend, so the k-th smallest score has the key of which fewer than count - k + 1 stand before it
            before = count - max(1, math.ceil(percentile / 100 * count))
            found.append(score_of(_last(lambda key, most=before: up_to(key) <= most) + 1))  # type: ignore[misc]
        return count, found

    def _held(self, group: str) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Keys, hashes and running sums of a group's documents in each block."""
        slices = [(table, *facts[group][:2]) for table, facts in zip(self._tables, self._facts, strict=True) if group in facts]
        return [
            (numpy_of(table["key"])[a:b], numpy_of(table["hash"])[a:b], numpy_of(table["sum"])[a:b]) for table, a, b in slices
        ]

    def prefix(self, group: str, budget: int) -> Prefix:
        """The most documents of the beginning of a group's order that weigh no more than the budget together."""
        held = self._held(group)

        def up_to(key: int) -> tuple[int, int]:
            return _taken(
                held, [int(np.searchsorted(keys, np.uint64(key), side="right")) if key >= 0 else 0 for keys, _, _ in held]
            )

        key = _last(lambda at: up_to(at)[1] <= budget)
        ends = [int(np.searchsorted(keys, np.uint64(key), side="right")) if key >= 0 else 0 for keys, _, _ in held]
        last = max((int(keys[end - 1]) for (keys, _, _), end in zip(held, ends, strict=True) if end), default=-1)
        if key == LAST:
            return Prefix(Place(last, LAST), *up_to(LAST))
        # of the documents with the next key, some fit: those with the smallest hashes
        runs = [
            [int(np.searchsorted(keys, np.uint64(key + 1), side=side)) for side in ("left", "right")] for keys, _, _ in held
        ]

        def within(mark: int) -> tuple[int, int]:
            ends = [
                start + (int(np.searchsorted(hashes[start:stop], np.uint64(mark), side="right")) if mark >= 0 else 0)
                for (_, hashes, _), (start, stop) in zip(held, runs, strict=True)
            ]
            return _taken(held, ends)

        mark = _last(lambda at: within(at)[1] <= budget)
        found = within(mark)
        # where none of them fits, the end is the last document before them, whose score is the lowest that is in
        return Prefix(Place(key + 1, mark) if found[0] > up_to(key)[0] else Place(last, LAST), *found)


def inside(keys: np.ndarray, hashes: np.ndarray, end: Place) -> np.ndarray:
    """Which documents (bool) stand up to and with a place of their group's order."""
    if end.key < 0:
        return np.zeros(len(keys), bool)
    return np.asarray((keys < np.uint64(end.key)) | ((keys == np.uint64(end.key)) & (hashes <= np.uint64(end.hash))))


@dataclass(frozen=True)
class Placed:
    """The documents of one part of a sketch, with their keys, hashes and groups: group of document i is `names[codes[i]]`."""

    table: pa.Table
    keys: np.ndarray
    hashes: np.ndarray
    names: list[str]
    codes: np.ndarray

    @classmethod
    def of(cls, sketches: Sketches, part: int, order: Order) -> "Placed":
        """Read and placed once for all that is decided on the part."""
        table = sketches.read(part, ["row", *order.columns()])
        coded = order.groups(table).dictionary_encode()
        return cls(table, *order.keys(table), coded.dictionary.to_pylist(), coded.indices.to_numpy())

    def inside(self, ends: Mapping[str, Place]) -> np.ndarray:
        """Which documents (bool) stand up to the end of their group."""
        found = np.zeros(len(self.keys), bool)
        for code, name in enumerate(self.names):
            mine = self.codes == code
            found[mine] = inside(self.keys[mine], self.hashes[mine], ends[name])
        return found


def drop_outside(
    placed: Placed, part: int, order: Order, ends: Mapping[str, Place], verdicts: Drops, rule: str, measure: str | None
) -> None:
    """Drop the documents of a part that stand behind the end of their group, with their score and the lowest that stayed."""
    table = placed.table
    lowest = np.array([score_of(ends[name].key) if ends[name].key >= 0 else np.nan for name in placed.names])
    gone = ~placed.inside(ends)
    lost = np.flatnonzero(gone)
    if not len(lost):
        return
    columns: dict[str, Any] = {"row": numpy_of(table["row"])[lost], "rule": [rule] * len(lost)}
    if order.scored:
        columns |= {"measure": [measure] * len(lost), "op": ["at_least"] * len(lost)}
        columns |= {
            "value": numbers_or_null(table["score"].to_numpy()[lost]),
            "limit": numbers_or_null(lowest[placed.codes[lost]]),
        }
    verdicts.write(part, verdict_table(columns))


def _last(holds: Callable[[int], bool]) -> int:
    """The largest number from 0 to 2**64 - 1 of which it holds, -1 if of none; it holds up to some number and not beyond."""
    low, high = -1, LAST
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _taken(held: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], ends: Sequence[int]) -> tuple[int, int]:
    sums = [int(running[end - 1]) if end else 0 for (_, _, running), end in zip(held, ends, strict=True)]
    return int(sum(ends)), sum(sums)


def _ranked(rows: LiveRows, order: Order, block: Block) -> pa.Table:
    """Keys, hashes and running sums of weights of a block's documents, and where each group of them stands."""
    groups, keys, hashes, weights = [], [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for at in range(*block):
        table = rows.read(at, order.columns())
        of_part = order.keys(table)
        keys.append(of_part[0])
        hashes.append(of_part[1])
        weights.append(table["weight"].to_numpy().astype(np.int64))
        groups.append(order.groups(table))
    coded = pa.chunked_array(groups, pa.string()).combine_chunks().dictionary_encode()
    names, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    key, hashed, weight = np.concatenate(keys), np.concatenate(hashes), np.concatenate(weights)
    sequence = np.lexsort((hashed, key, codes))
    codes, key, hashed, weight = codes[sequence], key[sequence], hashed[sequence], weight[sequence]
    bounds = np.searchsorted(codes, np.arange(len(names) + 1))
    sums, facts = np.cumsum(weight), {}
    for code, name in enumerate(names):
        start, stop = int(bounds[code]), int(bounds[code + 1])
        before = int(sums[start - 1]) if start else 0
        facts[name] = [start, stop, int(sums[stop - 1]) - before]
    starts = np.repeat(bounds[:-1], np.diff(bounds))
    own = sums - np.where(starts > 0, sums[starts - 1], 0) if len(sums) else sums
    return pa.table({"key": key, "hash": hashed, "sum": own}).replace_schema_metadata({"facts": json.dumps({"groups": facts})})
