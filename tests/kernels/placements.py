"""The same texts at other places: among other batches, between other bytes, and at the very end of the memory."""

import ctypes
import mmap
import random

import numpy as np
import pyarrow as pa

from stages.core.docs import Docs

_BEFORE = ("", "a", "漢", "zz. [1] http:/", "...", "x" * 40, "it", "\r", "-", "\n\n", "\u2028", "{", "é")
_AFTER = (
    "",
    "a",
    "字",
    "'s [2].",
    "...",
    "x" * 40,
    "\u0301\u0301",
    "\n",
    "\n\n",
    "://",
    "}",
    "\u200d",
    "lorem ipsum",
    "\U0001f3fd",
)


def docs_of(offsets: np.ndarray, data: np.ndarray) -> Docs:
    """A batch over these very bytes."""
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return Docs(pa.table({"text": pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)}))


def placed(texts: list[str], pick: random.Random) -> dict[str, list[Docs]]:
    """Batches that hold the texts in their order, by the kind of place.

    whole    one batch, and nothing before and after it
    pieces   slices of one column whose offsets do not begin at 0, cut anywhere, with other bytes before and after
    border   one batch that ends where readable memory ends
    """
    joined = "".join(texts).encode()
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text.encode()) for text in texts], out=offsets[1:])
    before, after = pick.choice(_BEFORE).encode(), pick.choice(_AFTER).encode()
    inside = docs_of(offsets + len(before), np.frombuffer(before + joined + after, np.uint8)).table
    cuts = sorted(pick.choices(range(len(texts) + 1), k=min(len(texts) // 20 + 1, 5)))
    bounds = zip([0, *cuts], [*cuts, len(texts)], strict=True)
    return {
        "whole": [docs_of(offsets, np.frombuffer(joined, np.uint8))],
        "pieces": [Docs(inside.slice(first, last - first)) for first, last in bounds],
        "border": [docs_of(offsets, _before_a_border(joined))],
    }


def _before_a_border(data: bytes) -> np.ndarray:
    """The bytes in front of a page that may not be read: one byte too far ends the process."""
    page = mmap.PAGESIZE
    size = (len(data) + page - 1) // page * page
    memory = mmap.mmap(-1, size + page)
    memory[size - len(data) : size] = data
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(address + size), ctypes.c_size_t(page), 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    return np.frombuffer(memory, np.uint8, size)[size - len(data) :]
