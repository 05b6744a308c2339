"""What kind of byte stands where in a text: one bit for each byte and kind, so that kernels go from event to event."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from stages.kernels.bits import BLOCK, bit_count, mask_of, trailing_zeros
from stages.kernels.compile import inlined, leaf


class Planes(NamedTuple):
    """uint64 arrays in which bit p % 64 of number p // 64 tells of byte p; 0 from the end of the text on.

    word     ASCII letters and digits
    letter   ASCII letters
    space    ASCII white space (`str.isspace`)
    newline  0x0A
    high     bytes above 0x7F
    head     first bytes of code points: all but 0x80 to 0xBF
    breaks   bytes with which a line break of `str.splitlines` may begin: those of ASCII, 0xC2 and 0xE2
    """

    word: np.ndarray
    letter: np.ndarray
    space: np.ndarray
    newline: np.ndarray
    high: np.ndarray
    head: np.ndarray
    breaks: np.ndarray


def planes_of(data: np.ndarray) -> Planes:
    """Planes of a read-only uint8 array; each has one number more than the bytes fill, so that the end can be looked at."""
    planes = np.empty((len(Planes._fields), len(data) // BLOCK + 2), np.uint64)
    fill_planes(_fill, data, *planes)
    planes[Planes._fields.index("head"), -2] &= np.uint64((1 << len(data) % BLOCK) - 1)  # the padding is no text
    planes[Planes._fields.index("head"), -1] = 0
    planes.flags.writeable = False
    return Planes(*planes)


def fill_planes(fill: Callable[..., None], data: np.ndarray, *planes: np.ndarray, ahead: int = 0) -> None:
    """Call `fill(data, blocks, *planes)` so that it may read whole blocks, and `ahead` bytes more, everywhere.

    The end of the text is read from a copy with zeros after it.
    """
    blocks = len(planes[0])
    whole = max(0, (len(data) - ahead) // BLOCK)
    fill(data, whole, *planes)
    rest = np.zeros((blocks - whole) * BLOCK + ahead, np.uint8)
    rest[: len(data) - whole * BLOCK] = data[whole * BLOCK :]
    rest.flags.writeable = False
    fill(rest, blocks - whole, *(plane[whole:] for plane in planes))


_letters = mask_of(0x61, 0x7A, fold=True)
_digits = mask_of(0x30, 0x39)
_blanks = mask_of(0x20, 0x20)
_breaks = mask_of(0x09, 0x0D)
_separators = mask_of(0x1C, 0x1F)
_newlines = mask_of(0x0A, 0x0A)
_high = mask_of(0x80, 0xFF)
_continuations = mask_of(0x80, 0xBF)
_line_ends = mask_of(0x0A, 0x0D)
_separating = mask_of(0x1C, 0x1E)
_c2 = mask_of(0xC2, 0xC2)
_e2 = mask_of(0xE2, 0xE2)


@leaf
def _fill(data: Any, blocks: Any, word: Any, letter: Any, space: Any, newline: Any, high: Any, head: Any, breaks: Any) -> None:
    for block in range(blocks):
        at = np.int64(block) * 64
        letters = _letters(data, at)
        letter[block] = letters
        word[block] = letters | _digits(data, at)
        space[block] = _blanks(data, at) | _breaks(data, at) | _separators(data, at)
        newline[block] = _newlines(data, at)
        high[block] = _high(data, at)
        head[block] = ~_continuations(data, at)
        breaks[block] = _line_ends(data, at) | _separating(data, at) | _c2(data, at) | _e2(data, at)


@inlined
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


@inlined
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


@inlined
def count_set(plane: Any, start: Any, stop: Any) -> Any:
    """Number of bits set from `start` to before `stop`."""
    if start >= stop:
        return np.int64(0)
    first, last = start >> 6, (stop - 1) >> 6
    from_start = plane[first] & (~np.uint64(0) << np.uint64(start & 63))
    to_stop = ~np.uint64(0) >> np.uint64(63 - ((stop - 1) & 63))
    if first == last:
        return bit_count(from_start & to_stop)
    count = bit_count(from_start) + bit_count(plane[last] & to_stop)
    for block in range(first + 1, last):
        count += bit_count(plane[block])
    return count
