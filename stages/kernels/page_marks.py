"""Which of a few strings are in each page, and how many tags, in one pass over 64 bytes at a time."""

from typing import Any

import numpy as np

from stages.kernels.bits import BLOCK, bit_count, mask_of, sequence_of
from stages.kernels.compile import leaf
from stages.kernels.text import Text, frozen

FORMULA = 1
"""`<math` or `math/tex`: there is the source of a formula"""
TIME = 2
"""`<time`"""
COMMONS = 4
"""`creativecommons.org/`"""
DATED = 8
"""`"datepublished"`, as in JSON-LD"""


def page_marks(text: Text) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each document the bits above (uint8), of strings in any case, and the numbers of `<` and of `</` (int64)."""
    size, documents = len(text.data), len(text.offsets) - 1
    padded = np.zeros(size + 2 * BLOCK, np.uint8)
    padded[:size] = text.data
    marks = np.zeros(documents, np.uint8)
    tags, closing = np.zeros(documents, np.int64), np.zeros(documents, np.int64)
    _mark(text.offsets, frozen(padded), marks, tags, closing)
    return marks, tags, closing


_less_than, _slash = mask_of(0x3C, 0x3C), mask_of(0x2F, 0x2F)
_math, _tex = map(sequence_of, ("<math", "math/tex"))
_time, _commons, _dated = map(sequence_of, ("<time", "creativecommons.org/", '"datepublished"'))
_begins_math, _begins_tex = map(sequence_of, ("<ma", "mat"))
_begins_time, _begins_commons, _begins_dated = map(sequence_of, ("<ti", "cre", '"da'))


@leaf
def _mark(offsets: Any, data: Any, marks: Any, tags: Any, closing: Any) -> None:
    for document in range(len(marks)):
        start, end = offsets[document], offsets[document + 1]
        found = 0
        for at in range(start, end, 64):
            inside = _up_to(end - at)
            less_than = _less_than(data, at) & inside
            tags[document] += bit_count(less_than)
            closing[document] += bit_count(less_than & _slash(data, at + 1) & _up_to(end - at - 1))
            some = _begins_math(data, at) | _begins_tex(data, at) | _begins_time(data, at)
            some |= _begins_commons(data, at) | _begins_dated(data, at)
            if some & inside != 0:
                left = end - at  # from the first byte of the block; a string must end in the document
                formula = _math(data, at) & _up_to(left - 4) | _tex(data, at) & _up_to(left - 7)
                found |= FORMULA if formula != 0 else 0
                found |= TIME if _time(data, at) & _up_to(left - 4) != 0 else 0
                found |= COMMONS if _commons(data, at) & _up_to(left - 19) != 0 else 0
                found |= DATED if _dated(data, at) & _up_to(left - 14) != 0 else 0
        marks[document] = found


@leaf
def _up_to(count: Any) -> Any:
    """The lowest `count` bits."""
    if count >= 64:
        return ~np.uint64(0)
    return (np.uint64(1) << np.uint64(count)) - np.uint64(1) if count > 0 else np.uint64(0)
