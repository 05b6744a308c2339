"""Which of several duplicates stays, and how that is written down. Shared by the Globals that drop duplicates."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.columns import VERDICT
from stages.core.stage import Sketches, Verdicts


class LiveRows:
    """Numbers the live documents of all parts from 0, in the order of their addresses."""

    def __init__(self, sketches: Sketches) -> None:
        self.sketches = sketches
        self.parts = sketches.parts()
        counts = [sketches.read(part, ["row"]).num_rows for part in self.parts]
        self.starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def column(self, name: str, kind: np.dtype[Any]) -> np.ndarray:
        """A number for each document, zero where it is null."""
        values = np.empty(len(self), kind)
        for part, start in zip(self.parts, self.starts[:-1], strict=True):
            column = self.sketches.read(part, [name])[name]
            values[start : start + len(column)] = column.fill_null(0).to_numpy()
        return values

    def gather(self, numbers: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """Columns of the documents with these numbers (ascending), read part by part, only where there are any."""
        tables = []
        bounds = np.searchsorted(numbers, self.starts)
        for at, part in enumerate(self.parts):
            local = numbers[bounds[at] : bounds[at + 1]] - self.starts[at]
            if len(local):
                tables.append(self.sketches.read(part, columns).take(pa.array(local)))
        return pa.concat_tables(tables)


def survivor_order(group: np.ndarray, score: np.ndarray | None, source: pa.ChunkedArray, id: pa.ChunkedArray) -> np.ndarray:
    """Positions of documents by group, and in each group from the one that is kept before all others to the last.

    A higher score comes first (NaN last), then the smaller source, then the smaller id (by code points), then the smaller
    address: the documents are given in its order.
    """
    keys = {"group": pa.array(group)}
    if score is not None:
        keys["score"] = pa.array(score, pa.float64(), from_pandas=False)
    keys |= {"source": source, "id": id, "address": pa.array(np.arange(len(group)))}
    sort_keys = [(name, "descending" if name == "score" else "ascending") for name in keys]
    return np.asarray(pc.sort_indices(pa.table(keys), sort_keys=sort_keys)).astype(np.int64)


class Duplicates:
    """Collects dropped documents with their survivors, then writes the verdicts. Takes about 100 bytes for each dropped one."""

    _SCHEMA = pa.schema([("number", pa.int64()), ("source", pa.string()), ("id", pa.string()), ("similarity", pa.float64())])

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._pairs: Counter[tuple[str, str]] = Counter()

    def add(
        self, numbers: np.ndarray, members: pa.Table, dropped: np.ndarray, survivors: np.ndarray, similarity: np.ndarray
    ) -> None:
        """Drop `numbers[dropped]`; `dropped` and `survivors` are positions in `numbers` and in `members` (source, id)."""
        if not len(dropped):
            return
        source, id = members["source"].take(pa.array(survivors)), members["id"].take(pa.array(survivors))
        columns = [
            pa.array(numbers[dropped]),
            source.cast(pa.string()),
            id.cast(pa.string()),
            pa.array(similarity, pa.float64()),
        ]
        self._tables.append(pa.table(columns, schema=self._SCHEMA))
        pairs = pa.table({"source": members["source"].take(pa.array(dropped)), "survivor": source})
        counted = pairs.group_by(["source", "survivor"]).aggregate([([], "count_all")]).to_pylist()
        self._pairs.update({(row["source"], row["survivor"]): row["count_all"] for row in counted})

    def count(self) -> int:
        """Documents dropped so far."""
        return sum(self._pairs.values())

    def source_pairs(self) -> list[dict[str, Any]]:
        """How many documents of a source were dropped for one of which source; most first."""
        pairs = sorted(self._pairs.items(), key=lambda item: (-item[1], item[0]))
        return [{"source": source, "survivor_source": kept, "documents": count} for (source, kept), count in pairs]

    def write(self, rows: LiveRows, verdicts: Verdicts) -> None:
        """Write the verdicts of each part that loses a document."""
        table = pa.concat_tables(self._tables or [self._SCHEMA.empty_table()]).sort_by("number")
        bounds = np.searchsorted(table["number"].to_numpy(), rows.starts)
        for at, part in enumerate(rows.parts):
            lost = table.slice(bounds[at], bounds[at + 1] - bounds[at])
            if not lost.num_rows:
                continue
            local = pc.subtract(lost["number"], pa.scalar(int(rows.starts[at])))
            row = rows.sketches.read(part, ["row"])["row"].take(local)
            verdicts.write(part, _verdicts_of(row.cast(pa.int32()), lost))


def _verdicts_of(row: pa.ChunkedArray, lost: pa.Table) -> pa.Table:
    known = {
        "row": row,
        "rule": pa.array(["duplicate"] * lost.num_rows),
        "survivor_source": lost["source"],
        "survivor_id": lost["id"],
        "similarity": lost["similarity"],
    }
    columns = [known.get(field.name, pa.nulls(lost.num_rows, field.type)) for field in VERDICT]
    return pa.table(columns, schema=VERDICT)


def largest_groups(
    known: list[dict[str, Any]], sizes: np.ndarray, first: np.ndarray, members: pa.Table
) -> list[dict[str, Any]]:
    """The 20 largest of the known groups and of these: size, source and id of the survivor. `first` are rows of `members`."""
    largest = np.argsort(-sizes, kind="stable")
    # a group as large as the twentieth may yet come before it by its survivor
    largest = largest[sizes[largest] >= sizes[largest[min(19, len(largest) - 1)]]]
    names = members.select(["source", "id"]).take(pa.array(first[largest])).to_pylist()
    new = [
        {"size": int(sizes[at]), "survivor_source": name["source"], "survivor_id": name["id"]}
        for at, name in zip(largest, names, strict=True)
    ]
    return sorted(known + new, key=lambda group: (-group["size"], group["survivor_source"], group["survivor_id"]))[:20]
