"""Documents as far from each other as possible: farthest-first traversal of vectors of whole numbers, exact on any machine.

The distance is Euclid's between the vectors of stages/core/vectors.py: of unit vectors the root of 2 - 2 x cosine. Squared
distances are whole numbers, and by the triangle inequality a new centre twice as far from a document's centre as the document
itself is can be nearer to none: such documents are not looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stages.core.vectors import LENGTH, squared_lengths, unpacked

BLOCK = 2**13
"""vectors that are multiplied at once"""
HELD_BYTES = 2**28
"""vectors as float32 that are held in memory; more are read again from the mapped file for each centre"""


@dataclass(frozen=True)
class Traversal:
    """What farthest-first found.

    chosen     positions of the centres, in the order in which they were chosen
    value      of each centre when it was chosen: distance to the nearest before it, times its weight; infinity of the first
    squared    (int64) of each document the squared distance to its nearest centre, 0 for a centre
    nearest    position of that centre, the first chosen of equally near ones
    """

    chosen: np.ndarray
    value: np.ndarray
    squared: np.ndarray
    nearest: np.ndarray


def distance(squared: np.ndarray) -> np.ndarray:
    """Distances (float64) in lengths of a vector, from squared ones."""
    return np.asarray(np.sqrt(squared.astype(np.float64)) / LENGTH)


def farthest_first(vectors: pa.ChunkedArray, count: int, hashes: np.ndarray, weights: np.ndarray | None = None) -> Traversal:
    """Choose `count` of the vectors (`packed`), each the farthest from those before it (Gonzalez 1985).

    hashes   decide between equally far ones, the smallest first, and which is first of all
    weights  by which distances are multiplied, 0 or more; the first is then the heaviest

    Without weights no choice of as many centres has less than half the largest distance to the nearest one.
    """
    rows = len(vectors)
    held = _Vectors.of(vectors)
    squared, nearest = np.full(rows, np.iinfo(np.int64).max), np.zeros(rows, np.int64)
    centres = np.zeros((count, held.dimensions), np.float32)
    lengths = np.zeros(count, np.int64)
    chosen, values = np.zeros(count, np.int64), np.zeros(count)
    free = np.ones(rows, bool)
    number = np.zeros(rows, np.int64)
    for at in range(count):
        known = np.ones(rows) if at == 0 else distance(squared)
        worth = known if weights is None else known * weights
        best = _first(np.where(free, worth, -1.0), hashes)
        chosen[at], values[at], free[best] = best, np.inf if at == 0 else worth[best], False
        centres[at], lengths[at] = held.one(best), held.lengths[best]
        apart = _squared(centres[:at], lengths[:at], centres[at], lengths[at])
        for start, stop in held.bounds():
            look = np.arange(start, stop)
            if at:
                # 4 times a squared distance is the squared double
                may = 4 * squared[start:stop] > apart[number[start:stop]]
                # taking rows out of a block costs as much as multiplying about two of them
                look = look[may] if 3 * int(may.sum()) < stop - start else look
            if not len(look):
                continue
            found = _squared(held.some(start, stop, look), held.lengths[look], centres[at], lengths[at])
            nearer = look[found < squared[look]]
            squared[nearer] = found[found < squared[look]]
            number[nearer] = at
        squared[best], number[best] = 0, at
    nearest = chosen[number] if count else nearest
    return Traversal(chosen, values, squared, nearest)


def _first(worth: np.ndarray, hashes: np.ndarray) -> int:
    most = np.flatnonzero(worth == worth.max())
    return int(most[np.argmin(hashes[most])])


def _squared(vectors: np.ndarray, lengths: np.ndarray, centre: np.ndarray, length: np.int64) -> np.ndarray:
    """Squared distances (int64) of vectors to one: products of whole numbers are exact in float32."""
    return np.asarray(lengths + length - 2 * (vectors @ centre).astype(np.int64))


@dataclass
class _Vectors:
    """Vectors block by block, held as float32 where there is room."""

    column: pa.ChunkedArray
    lengths: np.ndarray
    dimensions: int
    held: np.ndarray | None

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "_Vectors":
        dimensions = column.type.byte_width // 2
        bounds = [(start, min(start + BLOCK, len(column))) for start in range(0, len(column), BLOCK)]
        lengths = [squared_lengths(unpacked(column.slice(start, stop - start))) for start, stop in bounds]
        hold = 4 * len(column) * dimensions <= HELD_BYTES
        held = unpacked(column).astype(np.float32) if hold else None
        return cls(column, np.concatenate([np.zeros(0, np.int64), *lengths]), dimensions, held)

    def bounds(self) -> Iterator[tuple[int, int]]:
        for start in range(0, len(self.column), BLOCK):
            yield start, min(start + BLOCK, len(self.column))

    def one(self, at: int) -> np.ndarray:
        return np.asarray(self.some(at, at + 1, np.array([at]))[0])

    def some(self, start: int, stop: int, rows: np.ndarray) -> np.ndarray:
        """Vectors (float32) at these rows of a block."""
        block = unpacked(self.column.slice(start, stop - start)) if self.held is None else self.held[start:stop]
        return np.asarray(block if len(rows) == stop - start else block[rows - start], np.float32)
