"""Text in one Unicode form, without invisible characters."""

import functools
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from schemas.columns import TEXT
from schemas.edits import NO_PLACE
from stages.core.boilerplate import put, without_boilerplate
from stages.core.stage import Edited, Map
from stages.kernels.normalize import CHANGED, FORM, Form, clean
from stages.kernels.text import Text, column_of, text_of

KINDS = ("mojibake", "line_end", "invisible", "unicode_form", "space", "blank_line", "boilerplate_line", "button")
_MOJIBAKE, _LINE_END, _INVISIBLE, _FORM, _SPACE, _BLANK_LINE, _LINE, _BUTTON = range(len(KINDS))


class NormalizeText(Map):
    """Rewrite each text: one Unicode form, line feeds for line ends, nothing invisible, no trailing blanks.

    1. Every line end of `str.splitlines` (CR LF, CR, form feed, U+0085, U+2028, ...) becomes a line feed.
    2. Controls but tab and line feed go (category Cc), and so do soft hyphen, zero-width space, word joiner, byte order mark,
       direction marks, invisible operators and interlinear annotation. The zero-width joiner and non-joiner, variation
       selectors and tags stay: Indic scripts, Persian and emoji are written with them.
    3. Unicode form: NFC, or NFKC, which also folds ligatures, full-width letters and no-break spaces.
    4. Blanks are tabs and category Zs. With `collapse_spaces`, two or more of them in a row become one space, at the
       beginning of a line too, so code and tables lose their layout. With `strip_trailing_spaces`, blanks at line ends go.
    5. Of blank lines in a row (lines of blanks or nothing) the first `max_blank_lines` stay.

    With `fix_mojibake`, before all that, text that was read in the wrong charset (`schÃ¶n`, `itâ€™s`) is read again in the
    right one, as ftfy's `fix_encoding` does (Speer 2019); only documents that have such pairs of characters are given to it.

    With `boilerplate`, after all that, lines of page furniture go, by rules that C4 and RefinedWeb state for English:
    - notices: lines with "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies" or
      "javascript", in any case (Raffel et al. 2020, section 2.2);
    - navigation and share buttons: lines of one word, of digits alone, with more than half of the code points in upper case,
      and counters as "3 likes" (Penedo et al. 2023, appendix G, in DCLM's patterns);
    - buttons, cut out of lines of at most 10 words: "items in cart", "read more" at the end, "sign-in" at the begin (the same).
    The rules are hard on code and tables, and on a paragraph that speaks of cookies, as those sets are. Texts with a script
    that puts no spaces between words keep their lines of one word. `refinedweb_lines` and `c4_quality` judge what is left, too.

    The ledger's `edits` have, for each document that was changed, how many of each kind: mojibake (1: repaired), line_end (not
    line feeds), invisible (code points), unicode_form (1: brought into it), space (code points that went), blank_line,
    boilerplate_line, and button (lines that lost one). The manifest and the report have their sums.
    """

    fix_mojibake: bool = Field(False, description="repair text that was decoded in the wrong charset (extra web)")

    form: Form = Field("NFC", description="Unicode form: NFC, NFKC or none")
    collapse_spaces: bool = Field(False, description="one space for each run of spaces and tabs")
    strip_trailing_spaces: bool = Field(True, description="remove spaces and tabs at the end of each line")
    max_blank_lines: int | None = Field(
        2, description="keep at most so many blank lines in a row; null: all", ge=0, json_schema_extra={"unit": "lines"}
    )

    boilerplate: bool = Field(False, description="take out lines of cookie notices, navigation and buttons (English)")

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("ftfy", "web"),) if self.fix_mojibake else ()

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"text": TEXT}

    def apply(self, table: pa.Table) -> Edited:
        at = table.schema.get_field_index("text")
        before = table.column("text")
        counts = np.zeros((table.num_rows, len(KINDS)), np.int64)
        after = self._normalized(before, counts) if len(before) else before.cast(TEXT)
        table = table.set_column(at, table.schema.field(at).with_type(TEXT), after)
        rows, kinds = np.nonzero(counts)
        names = [KINDS[kind] for kind in kinds.tolist()]
        return Edited(table, rows, names, np.full(len(rows), NO_PLACE), counts[rows, kinds])

    def _normalized(self, before: pa.ChunkedArray, counts: np.ndarray) -> pa.ChunkedArray | pa.Array:
        if self.fix_mojibake:
            before = _repaired(before, counts)
        column, changed = self._cleaned(before, counts)
        if self.boilerplate:
            column, counts[:, _LINE], counts[:, _BUTTON] = without_boilerplate(column)
            rows = np.flatnonzero(counts[:, _LINE] + counts[:, _BUTTON])
            changed |= bool(len(rows))
            # blank lines now stand in a row that had others between them
            part = np.zeros((len(rows), len(KINDS)), np.int64)
            less, _ = self._cleaned(pa.chunked_array([column.take(pa.array(rows))]), part)
            counts[rows] += part
            column = put(column, rows, less)
        return column if changed or before.type != TEXT or before.null_count else before

    def _cleaned(self, before: pa.ChunkedArray, counts: np.ndarray) -> tuple[pa.Array, bool]:
        """The column without what is invisible and in the form, and whether that is another."""
        original = text_of(before)
        text, flags = self._clean(original)
        column = column_of(text)
        _count(column_of(original), column, np.flatnonzero(flags & CHANGED), counts)
        rows = np.flatnonzero(flags & FORM)
        if not len(rows) or self.form == "none":
            return column, bool(flags.any())
        # only texts whose quick check does not say yes: Python normalises them one by one
        texts = column.take(pa.array(rows)).to_pylist()
        formed = [unicodedata.normalize(self.form, value) for value in texts]
        other = np.array([old != new for old, new in zip(texts, formed, strict=True)])
        counts[rows[other], _FORM] += 1
        # NFKC makes spaces of other characters; what is already clean stays as it is
        new = pa.array(formed, TEXT)
        again, flags = self._clean(text_of(new))
        part = np.zeros((len(rows), len(KINDS)), np.int64)
        _count(new, column_of(again), np.flatnonzero(flags & CHANGED), part)
        counts[rows] += part
        return put(column, rows, column_of(again)), True

    def _clean(self, text: Text) -> tuple[Text, np.ndarray]:
        return clean(text, self.form, self.collapse_spaces, self.strip_trailing_spaces, self.max_blank_lines)


_CP1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_SUSPECT = f"[\u00c2-\u00f4Ѓ-џР-Яр-я][\u0080-\u00bf{_CP1252}]"
"""A letter that is a first byte of UTF-8 read in a charset of one byte, and a character that is one of those after it."""


def _repaired(column: pa.ChunkedArray, counts: np.ndarray) -> pa.ChunkedArray:
    """The texts with what was decoded in the wrong charset decoded again."""
    rows = np.flatnonzero(pc.fill_null(pc.match_substring_regex(column, _SUSPECT), False).to_numpy(zero_copy_only=False))
    if not len(rows):
        return column
    from ftfy import fix_encoding

    texts = column.take(pa.array(rows)).to_pylist()
    repaired = [fix_encoding(text) for text in texts]  # few documents look like that
    other = np.array([old != new for old, new in zip(texts, repaired, strict=True)])
    if not other.any():
        return column
    counts[rows[other], _MOJIBAKE] = 1
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    whole = column.combine_chunks()
    return pa.chunked_array([pc.replace_with_mask(whole, pa.array(mask), pa.array(repaired, whole.type))])


def _count(before: pa.Array, after: pa.Array, rows: np.ndarray, counts: np.ndarray) -> None:
    """Count by kind what `clean` edited in these rows, of which something was edited.

    What line ends and invisible characters do not explain of the change of lengths and line feeds is spaces and blank lines.
    """
    if not len(rows):
        return
    at = pa.array(rows)
    old, new = text_of(before.take(at)), text_of(after.take(at))
    line_ends, pairs, invisible = _seldom(old)
    lengths = [pc.utf8_length(column_of(each)).to_numpy() for each in (old, new)]
    feeds = [_by_document(each, np.flatnonzero(each.data == 0x0A)) for each in (old, new)]
    blank_lines = feeds[0] - feeds[1] + line_ends - pairs
    counts[rows, _LINE_END] += line_ends
    counts[rows, _INVISIBLE] += invisible
    counts[rows, _SPACE] += lengths[0] - lengths[1] - pairs - invisible - blank_lines
    counts[rows, _BLANK_LINE] += blank_lines


_LEADS = (0x7F, 0xC2, 0xD8, 0xE2, 0xEF)
"""First bytes, beside controls, of all line ends and of all that is invisible: the test goes through Unicode."""


def _seldom(text: Text) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each document: line ends but line feeds, how many of these are CR LF, and invisible characters."""
    some = (text.data < 0x20) & (text.data != 0x09) & (text.data != 0x0A)
    for lead in _LEADS:
        some |= text.data == lead
    places = np.flatnonzero(some)
    data = np.concatenate([text.data, np.zeros(2, np.uint8)])
    first, second, third = (data[places + ahead].astype(np.int64) for ahead in range(3))
    two, three = (first & 0x1F) << 6 | second & 0x3F, (first & 0x0F) << 12 | (second & 0x3F) << 6 | third & 0x3F
    become = _becomes()[np.where(first < 0x80, first, np.where(first < 0xE0, two, three))]
    # a CR at the end of a document is none with the LF that the next one begins with
    pair = (first == 0x0D) & (second == 0x0A) & ~np.isin(places + 1, text.offsets)
    masks = (become == _ENDS_LINE, pair, become == _GOES)
    line_ends, pairs, invisible = (_by_document(text, places[mask]) for mask in masks)
    return line_ends, pairs, invisible


_ENDS_LINE, _GOES = 1, 2


@functools.cache
def _becomes() -> np.ndarray:
    """What the kernel makes of each character of up to three bytes: a line feed, nothing, or none of these (uint8)."""
    characters = [chr(code) if not 0xD800 <= code < 0xE000 else "x" for code in range(0x10000)]
    text, _ = clean(text_of(pa.array(characters, TEXT)), "none", False, False, None)
    made = np.where(np.diff(text.offsets) == 0, _GOES, 0)
    made[[place for place, new in enumerate(column_of(text).to_pylist()) if new == "\n"]] = _ENDS_LINE
    return made.astype(np.uint8)


def _by_document(text: Text, places: np.ndarray) -> np.ndarray:
    """How many of the ascending bytes are in each document."""
    return np.diff(np.searchsorted(places, text.offsets))
