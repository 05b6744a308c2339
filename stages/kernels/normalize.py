"""Cleaning of invisible characters, line ends and spaces in one pass, and which texts are not in a Unicode form."""

import functools
import unicodedata
from typing import Any, Literal

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.text import Text
from stages.kernels.unicode import decode

Form = Literal["NFC", "NFKC", "none"]

# bits of the table; its low 8 bits are the canonical combining class
_NOT_IN_FORM = 256
_REMOVED = 512
_LINE_END = 1024
_BLANK = 2048

CHANGED, FORM = 1, 2
"""flags of `clean`: the text differs from what came in; it may not be in the form"""

_LINE_ENDS = (0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)
_INVISIBLE = (
    0xAD,  # soft hyphen
    0x61C,  # direction marks, here and below
    0x200B,  # zero-width space
    *range(0x200E, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),  # word joiner, invisible operators, direction isolates
    0xFEFF,  # byte order mark
    *range(0xFFF9, 0xFFFC),  # interlinear annotation
)
_VOWELS, _FINALS = range(0x1161, 0x1176), range(0x11A8, 0x11C3)
_PLANES = (range(0x40000), range(0xE0000, 0xE1000))  # nothing else is assigned


@functools.cache
def _table(form: Form) -> np.ndarray:
    """Bits of every code point, uint16."""
    table = np.zeros(0x110000, np.uint16)
    for codes in _PLANES:
        table[codes.start : codes.stop] = [unicodedata.combining(chr(code)) for code in codes]
    if form != "none":
        for code in (code for codes in _PLANES for code in codes):
            character = chr(code)
            if not unicodedata.decomposition(character):
                continue
            if not unicodedata.is_normalized(form, character):
                table[code] |= _NOT_IN_FORM
            parts = unicodedata.decomposition(character).split()
            # the second half of a pair may have to be joined with what stands before it ("maybe" in the quick check)
            if len(parts) == 2 and not parts[0].startswith("<") and unicodedata.normalize("NFC", character) == character:
                table[int(parts[1], 16)] |= _NOT_IN_FORM
        table[[*_VOWELS, *_FINALS]] |= _NOT_IN_FORM
    for code in range(0x3001):
        if unicodedata.category(chr(code)) == "Zs":
            table[code] |= _BLANK
    table[0x09] |= _BLANK
    table[[code for code in (*range(32), *range(127, 160)) if code != 0x09]] |= _REMOVED
    table[list(_INVISIBLE)] |= _REMOVED
    table[list(_LINE_ENDS)] = _LINE_END
    table.flags.writeable = False
    return table


def clean(text: Text, form: Form, collapse: bool, strip: bool, max_blank_lines: int | None) -> tuple[Text, np.ndarray]:
    """The texts without what is invisible, and for each the sum of its flags (uint8). See `NormalizeText`."""
    count = len(text.offsets) - 1
    offsets, data = text.offsets[:], text.data[:]
    offsets.flags.writeable = data.flags.writeable = False
    out = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    out_offsets = np.zeros(count + 1, np.int64)
    flags = np.zeros(count, np.uint8)
    limit = -1 if max_blank_lines is None else max_blank_lines
    _clean(offsets, data, _table(form), form != "none", collapse, strip, limit, out, out_offsets, flags)
    return Text(out_offsets, out[: out_offsets[-1]]), flags


@leaf
def _clean(
    offsets: Any,
    data: Any,
    table: Any,
    check: Any,
    collapse: Any,
    strip: Any,
    limit: Any,
    out: Any,
    out_offsets: Any,
    flags: Any,
) -> None:
    at = np.int64(0)
    for document in range(len(offsets) - 1):
        position, end = np.int64(offsets[document]), np.int64(offsets[document + 1])
        changed = False
        not_in_form = False
        line = at  # where the line begins in `out`, and
        solid = at  # where it ends without trailing blanks
        run = at  # where the last run of blanks begins
        blank_lines = np.int64(0)
        in_blank = False
        last_class = np.int64(0)
        while position < end:
            byte = data[position]
            if 0x20 < byte < 0x7F:
                out[at] = byte
                at += 1
                position += 1
                solid = at
                in_blank = False
                last_class = np.int64(0)
                continue
            code, width = decode(data, position, end)
            bits = np.int64(table[code])
            if bits & _LINE_END:
                if byte == 0x0D and position + 1 < end and data[position + 1] == 0x0A:
                    width = width + 1
                changed |= byte != 0x0A
                is_blank = solid == line
                if strip and solid != at:
                    changed = True
                    at = solid
                if is_blank and 0 <= limit <= blank_lines:
                    changed = True
                    at = line
                else:
                    blank_lines = blank_lines + 1 if is_blank else np.int64(0)
                    out[at] = 0x0A
                    at += 1
                position += width
                line = at
                solid = at
                in_blank = False
                last_class = np.int64(0)
                continue
            if bits & _REMOVED:
                changed = True
                position += width
                continue
            if check:
                own_class = bits & 255
                if bits & _NOT_IN_FORM or 0 < own_class < last_class:
                    not_in_form = True
                last_class = own_class
            if bits & _BLANK:
                if in_blank and collapse:
                    # of a run one space stays, whatever it was made of
                    changed = True
                    at = run
                    out[at] = 0x20
                    at += 1
                    position += width
                    continue
                run = at
                in_blank = True
            else:
                in_blank = False
            for i in range(width):
                out[at + i] = data[position + i]
            at += width
            position += width
            if not in_blank:
                solid = at
        if strip and solid != at:
            changed = True
            at = solid
        flags[document] = (CHANGED if changed else 0) | (FORM if not_in_form else 0)
        out_offsets[document + 1] = at
