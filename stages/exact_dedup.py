"""Drop documents with the same text, URL or other columns as another."""

import functools
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages.core.dates import seconds_of
from stages.core.docs import Docs
from stages.core.stage import Global, Sketches, Verdicts
from stages.core.survivors import Duplicates, LiveRows, largest_groups, survivor_order
from stages.kernels.hashing import plain_text_ids, text_ids
from stages.kernels.text import Text

HELD_DOCUMENTS = 2**22
"""documents whose hashes `solve` holds at once"""


class ExactDedup(Global):
    """Keep one of all documents with equal texts, or with equal values in other columns. Empty texts are equal, too.

    With `columns: [url_key]` (see `parse_url`) one page of each address stays. A document without a value in one of the columns
    is like no other.

    Values are compared by 128 bits (two XXH64): n different texts hold a false pair with a probability of n**2 / 2**129,
    1.5e-19 for 10 billion documents; a Bloom filter of 8 bits per document would lose 2 % of all unique ones.

    The survivor is the first in the order of `keep`; ties go to the smaller source, then the smaller id, then the address, so
    that the answer does not depend on how the input was cut into parts.

    Sketch: 16 bytes per document, 24 unless `keep` is `first`. `solve` reads the hashes once for every 4 million documents
    and holds about 100 bytes for each of these (more of them only if more have one text), and about 100 per dropped document;
    it reads sources and ids of duplicates alone.
    """

    normalize: Literal["none", "whitespace_case"] = Field(
        "none",
        description="what is compared: the bytes, or the text in lower case with each run of white space as one space",
    )
    columns: tuple[str, ...] = Field(("text",), description="columns whose values are compared, strings", min_length=1)
    keep: str = Field(
        "first",
        description="which duplicate stays: `first` by source and id, `longest` text, `latest` or `earliest` by `date`, or the "
        "highest value of the column named here",
        min_length=1,
    )

    def columns_read(self) -> tuple[str, ...]:
        read = {"first": (), "longest": ("text",), "latest": ("date",), "earliest": ("date",)}.get(self.keep, (self.keep,))
        return tuple(dict.fromkeys((*self.columns, *read)))

    def sketch_schema(self) -> pa.Schema:
        score = [] if self.keep == "first" else [pa.field("score", pa.float64(), nullable=False)]
        return pa.schema([pa.field("text_hash", pa.binary(16), nullable=self.columns != ("text",)), *score])

    def sketch(self, docs: Docs) -> pa.Table:
        columns = [self._hashes(docs)]
        if self.keep != "first":
            columns.append(pa.array(self._scores(docs), pa.float64(), from_pandas=False))
        return pa.table(columns, schema=self.sketch_schema())

    def _hashes(self, docs: Docs) -> pa.Array:
        hash_texts = text_ids if self.normalize == "none" else plain_text_ids
        ids = [hash_texts(docs.text(name)) for name in self.columns]
        together = ids[0] if len(ids) == 1 else _ids_of_ids(ids)
        array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(docs), [None, pa.py_buffer(together)])
        if self.columns == ("text",):
            return array
        present = functools.reduce(pc.and_, (docs.table.column(name).is_valid() for name in self.columns))
        return pc.if_else(present.combine_chunks(), array, pa.scalar(None, pa.binary(16)))

    def _scores(self, docs: Docs) -> np.ndarray:
        if self.keep == "longest":
            return np.diff(docs.text().offsets).astype(np.float64)
        if self.keep in ("latest", "earliest"):
            seconds = seconds_of(docs.table.column("date"))
            return seconds if self.keep == "latest" else -seconds
        return docs.numbers(self.keep).astype(np.float64)

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        duplicates, groups = Duplicates(), 0
        largest: list[dict[str, Any]] = []
        slices = max(1, -(-len(rows) // HELD_DOCUMENTS))
        for at in range(slices):
            numbers, group = _equal_texts(rows, at, slices)
            if not len(numbers):
                continue
            members = rows.gather(numbers, ["source", "id"] + (["score"] if self.keep != "first" else []))
            score = members["score"].to_numpy() if self.keep != "first" else None
            order = survivor_order(group, score, members["source"], members["id"])
            starts = np.flatnonzero(np.diff(group[order], prepend=-1))
            sizes = np.diff(np.append(starts, len(order)))
            first = np.repeat(order[starts], sizes)
            dropped = np.ones(len(order), bool)
            dropped[starts] = False
            duplicates.add(numbers, members, order[dropped], first[dropped], np.ones(int(dropped.sum())))
            groups += len(starts)
            largest = largest_groups(largest, sizes, order[starts], members)
        duplicates.write(rows, verdicts)
        return {
            "documents": len(rows),
            "dropped": duplicates.count(),
            "groups": groups,
            "largest_components": largest,
            "source_pairs": duplicates.source_pairs(),
            "sketch_bytes_per_document": 16 if self.keep == "first" else 24,
        }


def _equal_texts(rows: LiveRows, at: int, slices: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (ascending) of documents with a twin, and their groups (int64); of those whose hash is in one of equal slices."""
    found, hashes = [], []
    for part, start in zip(rows.parts, rows.starts[:-1], strict=True):
        column = rows.sketches.read(part, ["text_hash"])["text_hash"]
        ids = _hashes_of(column)
        wanted = (ids[:, 0] >> np.uint64(32)) * np.uint64(slices) >> np.uint64(32) == at
        if column.null_count:
            wanted &= column.is_valid().to_numpy()
        mine = np.flatnonzero(wanted)
        found.append(start + mine)
        hashes.append(ids[mine])
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    numbers, ids = np.concatenate(found), np.concatenate(hashes)
    order = np.lexsort((ids[:, 1], ids[:, 0]))
    ids = ids[order]
    new = np.ones(len(order), bool)
    new[1:] = (ids[1:] != ids[:-1]).any(axis=1)
    group = np.cumsum(new) - 1
    twins = np.bincount(group)[group] > 1 if len(group) else np.zeros(0, bool)
    numbers, group = numbers[order[twins]], group[twins]
    by_number = np.argsort(numbers)
    return numbers[by_number], group[by_number]


def _ids_of_ids(ids: list[np.ndarray]) -> np.ndarray:
    """One id for each row of several."""
    rows, size = len(ids[0]), 16 * len(ids)
    data = np.ascontiguousarray(np.concatenate(ids, axis=1)).view(np.uint8).reshape(-1)
    return text_ids(Text(np.arange(0, size * (rows + 1), size, dtype=np.int64), data))


def _hashes_of(column: pa.ChunkedArray) -> np.ndarray:
    chunks = [
        np.frombuffer(chunk.buffers()[1], np.uint64)[2 * chunk.offset : 2 * (chunk.offset + len(chunk))]
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.concatenate([np.zeros(0, np.uint64), *chunks]).reshape(-1, 2)
