"""What kind of byte stands where in a text: one bit for each byte and kind, so that kernels go from event to event."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.bits import BLOCK, mask_of, trailing_zeros
from stages.kernels.compile import leaf


class Planes(NamedTuple):
    """uint64 arrays in which bit p % 64 of number p // 64 tells of byte p; 0 from the end of the text on.

    word     ASCII letters and digits
    letter   ASCII letters
    space    ASCII white space (`str.isspace`)
    newline  0x0A
    high     bytes above 0x7F
    head     first bytes of code points: all but 0x80 to 0xBF
    """

    word: np.ndarray
    letter: np.ndarray
    space: np.ndarray
    newline: np.ndarray
    high: np.ndarray
    head: np.ndarray


def planes_of(data: np.ndarray) -> Planes:
    """Planes of a read-only uint8 array; each has one number more than the bytes fill, so that the end can be looked at."""
    blocks = len(data) // BLOCK + 2
    planes = np.zeros((len(Planes._fields), blocks), np.uint64)
    whole = len(data) // BLOCK
    _fill(data, whole, *planes)
    rest = np.zeros(BLOCK, np.uint8)
    rest[: len(data) - whole * BLOCK] = data[whole * BLOCK :]
    rest.flags.writeable = False
    _fill(rest, 1, *planes[:, whole:])
    planes[-1, whole] &= np.uint64((1 << (len(data) - whole * BLOCK)) - 1)  # the padding is no text
    planes.flags.writeable = False
    return Planes(*planes)


_letters = mask_of(0x61, 0x7A, fold=True)
_digits = mask_of(0x30, 0x39)
_blanks = mask_of(0x20, 0x20)
_breaks = mask_of(0x09, 0x0D)
_separators = mask_of(0x1C, 0x1F)
_newlines = mask_of(0x0A, 0x0A)
_high = mask_of(0x80, 0xFF)
_continuations = mask_of(0x80, 0xBF)


@leaf
def _fill(data: Any, blocks: Any, word: Any, letter: Any, space: Any, newline: Any, high: Any, head: Any) -> None:
    for block in range(blocks):
        at = np.int64(block) * 64
        letters = _letters(data, at)
        letter[block] = letters
        word[block] = letters | _digits(data, at)
        space[block] = _blanks(data, at) | _breaks(data, at) | _separators(data, at)
        newline[block] = _newlines(data, at)
        high[block] = _high(data, at)
        head[block] = ~_continuations(data, at)


@leaf
def next_set(plane: Any, at: Any, end: Any) -> Any:
    """The first position from `at` whose bit is set; `end` if there is none before it."""
    block = at >> 6
    bits = plane[block] >> np.uint64(at & 63)
    if bits != 0:
        return min(at + trailing_zeros(bits), end)
    block += 1
    last = (end + 63) >> 6
    while block < last and plane[block] == 0:
        block += 1
    return min((block << 6) + trailing_zeros(plane[block]), end) if block < last else end


@leaf
def next_clear(plane: Any, at: Any, end: Any) -> Any:
    """The first position from `at` whose bit is not set; `end` if there is none before it."""
    block = at >> 6
    bits = ~plane[block] >> np.uint64(at & 63)
    if bits != 0:
        return min(at + trailing_zeros(bits), end)
    block += 1
    last = (end + 63) >> 6
    while block < last and ~plane[block] == 0:
        block += 1
    return min((block << 6) + trailing_zeros(~plane[block]), end) if block < last else end
