"""A table of 64-bit hashes that says where each one stands."""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.lines import table_size
from stages.kernels.text import frozen


class Lookup:
    """Places of different hashes (uint64)."""

    def __init__(self, hashes: np.ndarray) -> None:
        size = table_size(len(hashes) + 1)
        self._slots, self._places = np.zeros(size, np.uint64), np.full(size, -1, np.int64)
        _put_all(frozen(hashes), self._slots, self._places)

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """Places in what the table was made of, -1 for hashes that are not there (int64)."""
        out = np.empty(len(hashes), np.int64)
        _find_all(frozen(hashes), frozen(self._slots), frozen(self._places), out)
        return out


@leaf
def _put_all(hashes: Any, slots: Any, places: Any) -> None:
    mask = len(slots) - 1
    for at in range(len(hashes)):
        slot = np.int64(hashes[at] & np.uint64(mask))
        while places[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot], places[slot] = hashes[at], at


@leaf
def _find_all(hashes: Any, slots: Any, places: Any, out: Any) -> None:
    mask = len(slots) - 1
    for at in range(len(hashes)):
        slot = np.int64(hashes[at] & np.uint64(mask))
        while places[slot] >= 0 and slots[slot] != hashes[at]:
            slot = (slot + 1) & mask
        out[at] = places[slot]
