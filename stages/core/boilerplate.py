"""Lines that stand around the text of a page: which go, and how many."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.kernels.line_corrections import NO_LIMIT, Corrections, correct_lines
from stages.kernels.text import column_of, text_of

_PHRASES = "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies|javascript"
_ASKED = f"(?i)(?:{_PHRASES})"
_NOTICE = f"(?im)^[^\n]*(?:{_PHRASES})[^\n]*$"
_NOTICE_AND_END = f"(?im)^[^\n]*(?:{_PHRASES})[^\n]*(?:\n|\\z)"
_FILLED = r"[^\n]*\S[^\n]*"
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
_MIN_WORDS = 2


def without_boilerplate(column: pa.Array) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Texts without lines of page furniture; how many lines of each went, and from how many a button was cut out.

    Lines end at a line feed; nulls are no texts to give here. The rules are in `NormalizeText`.
    """
    count = len(column)
    lines, buttons = np.zeros(count, np.int64), np.zeros(count, np.int64)
    rows = _rows(pc.match_substring_regex(column, _ASKED))
    if len(rows):
        some = column.take(pa.array(rows))
        lines[rows] = pc.count_substring_regex(some, _NOTICE).to_numpy()
        column = put(column, rows, pc.replace_substring_regex(some, _NOTICE_AND_END, ""))
    spaced = pc.invert(pc.match_substring_regex(column, _UNSPACED))
    for wanted, least in ((spaced, _MIN_WORDS), (pc.invert(spaced), NO_LIMIT)):
        rows = _rows(wanted)
        if not len(rows):
            continue
        some = column.take(pa.array(rows))
        found = correct_lines(text_of(some), Corrections(0.5, True, True, least, 10))
        after = column_of(found.text)
        gone = pc.subtract(pc.count_substring_regex(some, _FILLED), pc.count_substring_regex(after, _FILLED)).to_numpy()
        # where nothing but blank lines around the text went, it stays as it is
        changed = (gone > 0) | (found.edits > 0)
        lines[rows] += gone
        buttons[rows] = found.edits
        column = put(column, rows[changed], after.take(pa.array(np.flatnonzero(changed))))
    return column, lines, buttons


def put(column: pa.Array, rows: np.ndarray, values: pa.Array) -> pa.Array:
    """The column with `values` at `rows`."""
    if not len(rows):
        return column
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    return pc.replace_with_mask(column, pa.array(mask), values.cast(column.type))


def _rows(mask: pa.Array) -> np.ndarray:
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False))
