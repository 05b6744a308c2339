"""Drop documents with the same text as another."""

from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.docs import Docs
from stages.core.stage import Global, Sketches, Verdicts
from stages.core.survivors import Duplicates, LiveRows, largest_groups, survivor_order
from stages.kernels.hashing import plain_text_ids, text_ids

HELD_DOCUMENTS = 2**22
"""documents whose hashes `solve` holds at once"""


class ExactDedup(Global):
    """Keep one of all documents with equal texts. Empty texts are equal, too.

    Texts are compared by 128 bits (two XXH64): n different texts hold a false pair with a probability of n**2 / 2**129,
    1.5e-19 for 10 billion documents; a Bloom filter of 8 bits per document would lose 2 % of all unique ones.

    The survivor is the first in the order of `keep`; ties go to the smaller source, then the smaller id, then the address, so
    that the answer does not depend on how the input was cut into parts.

    Sketch: 16 bytes per document, 24 with `longest` or a column. `solve` reads the hashes once for every 4 million documents
    and holds about 100 bytes for each of these (more of them only if more have one text), and about 100 per dropped document;
    it reads sources and ids of duplicates alone.
    """

    normalize: Literal["none", "whitespace_case"] = Field(
        "none",
        description="what is compared: the bytes, or the text in lower case with each run of white space as one space",
    )
    keep: str = Field(
        "first",
        description="which duplicate stays: `first` by source and id, `longest`, or the highest value of the column named here",
        min_length=1,
    )

    def columns_read(self) -> tuple[str, ...]:
        return ("text",) if self.keep in ("first", "longest") else ("text", self.keep)

    def sketch_schema(self) -> pa.Schema:
        score = [] if self.keep == "first" else [pa.field("score", pa.float64(), nullable=False)]
        return pa.schema([pa.field("text_hash", pa.binary(16), nullable=False), *score])

    def sketch(self, docs: Docs) -> pa.Table:
        text = docs.text()
        ids = text_ids(text) if self.normalize == "none" else plain_text_ids(text)
        columns = [pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(docs), [None, pa.py_buffer(ids)])]
        if self.keep == "longest":
            columns.append(pa.array(np.diff(text.offsets).astype(np.float64)))
        elif self.keep != "first":
            columns.append(pa.array(docs.numbers(self.keep).astype(np.float64)))
        return pa.table(columns, schema=self.sketch_schema())

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
        ids = _hashes_of(rows.sketches.read(part, ["text_hash"])["text_hash"])
        mine = np.flatnonzero((ids[:, 0] >> np.uint64(32)) * np.uint64(slices) >> np.uint64(32) == at)
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


def _hashes_of(column: pa.ChunkedArray) -> np.ndarray:
    chunks = [
        np.frombuffer(chunk.buffers()[1], np.uint64)[2 * chunk.offset : 2 * (chunk.offset + len(chunk))]
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.concatenate([np.zeros(0, np.uint64), *chunks]).reshape(-1, 2)
