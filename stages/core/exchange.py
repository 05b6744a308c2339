"""Tables that are exchanged by key: each block of parts stores what it has, sorted; each range of keys is then read alone.

Nothing is sent: a range reads its slice of every block's file. A round over blocks and a round over ranges are a sort of
everything by key, with one block or one range in memory at a time.
"""

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.stage import Saved
from stages.core.survivors import LiveRows

BLOCK_DOCUMENTS = 2**19
"""documents whose entries one task sorts"""
RANGE_ENTRIES = 2**23
"""entries, of 16 bytes or so, that one task reads from all blocks"""

Block = tuple[int, int]
"""the parts from the first to before the second, counted among those that there are"""
Range = tuple[int, int]
"""uint64 keys from the first up to and with the second"""


def blocks(rows: LiveRows, parts: int | None = None, documents: int = BLOCK_DOCUMENTS) -> list[Block]:
    """Neighbouring parts with about so many documents, and at most so many parts; none where there is no document."""
    found, first = [], 0
    for part in range(len(rows.parts)):
        if part - first == parts or (part > first and rows.starts[part + 1] - rows.starts[first] > documents):
            found.append((first, part))
            first = part
    return [*found, (first, len(rows.parts))] if len(rows) else []


def ranges(entries: int) -> list[Range]:
    """Equal ranges of all keys, with about `RANGE_ENTRIES` each of so many evenly spread entries; none of none."""
    count = -(-entries // RANGE_ENTRIES)
    edges = [2**64 * at // max(1, count) for at in range(count + 1)]
    return [(low, high - 1) for low, high in pairwise(edges)]


def sorted_table(key: str, columns: dict[str, Any], facts: dict[str, Any] | None = None) -> pa.Table:
    """Columns (arrays, the key among them) sorted by the key, equal ones as they were; `facts`, JSON-ready, go with it."""
    table = pa.table(columns)
    order = np.argsort(table[key].to_numpy(), kind="stable")
    return table.take(pa.array(order)).replace_schema_metadata({"facts": json.dumps(facts or {})})


def facts_of(table: pa.Table) -> dict[str, Any]:
    """The facts that went with a table."""
    facts: dict[str, Any] = json.loads(table.schema.metadata[b"facts"])
    return facts


def in_range(tables: Iterable[Saved], key: str, wanted: Range) -> pa.Table:
    """The rows of all tables, in their order, whose keys are in a range. Tables are sorted by the key, which is never null."""
    return pa.concat_tables(slices_in_range(tables, key, wanted)).combine_chunks()


def slices_in_range(tables: Iterable[Saved], key: str, wanted: Range) -> list[pa.Table]:
    """The same as slices of the stored tables, of which nothing is read yet."""
    slices = []
    for saved in tables:
        table = saved.read()
        keys = numpy_of(table[key])
        low, high = (keys.dtype.type(end) for end in wanted)
        start, stop = int(np.searchsorted(keys, low)), int(np.searchsorted(keys, high, side="right"))
        slices.append(table.slice(start, stop - start))
    return slices


def batches(weights: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Neighbours, from the first to and with the second, that weigh at most so much together; what weighs more is alone."""
    found, first, ends = [], 0, np.cumsum(weights)
    while first < len(weights):
        before = ends[first - 1] if first else 0
        last = max(first, int(np.searchsorted(ends, before + most, side="right")) - 1)
        found.append((first, last))
        first = last + 1
    return found


def numpy_of(column: pa.ChunkedArray) -> np.ndarray:
    """A column of numbers without nulls, not copied where it is one chunk."""
    return np.asarray(column.chunk(0).to_numpy() if column.num_chunks == 1 else column.to_numpy())


def binary_of(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (int64) of the values of a large_binary column without nulls, and the bytes (uint8) they count in."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    chunk = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    if not len(chunk):
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    _, offsets, data = chunk.buffers()
    bounds = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    return bounds, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def place_of(rows: LiveRows, block: Block) -> Range:
    """Numbers of the documents of a block."""
    return int(rows.starts[block[0]]), int(rows.starts[block[1]]) - 1
