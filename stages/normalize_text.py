"""Text in one Unicode form, without invisible characters."""

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from schemas.columns import TEXT
from stages.core.stage import Map
from stages.kernels.normalize import FORM, Form, clean
from stages.kernels.text import Text, column_of, text_of


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
    """

    fix_mojibake: bool = Field(False, description="repair text that was decoded in the wrong charset (extra web)")

    form: Form = Field("NFC", description="Unicode form: NFC, NFKC or none")
    collapse_spaces: bool = Field(False, description="one space for each run of spaces and tabs")
    strip_trailing_spaces: bool = Field(True, description="remove spaces and tabs at the end of each line")
    max_blank_lines: int | None = Field(
        2, description="keep at most so many blank lines in a row; null: all", ge=0, json_schema_extra={"unit": "lines"}
    )

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("ftfy", "web"),) if self.fix_mojibake else ()

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"text": TEXT}

    def apply(self, table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("text")
        before = table.column("text")
        if not len(before):
            after: pa.ChunkedArray | pa.Array = before.cast(TEXT)
        else:
            after = self._normalized(before)
        return table.set_column(at, table.schema.field(at).with_type(TEXT), after)

    def _normalized(self, before: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
        if self.fix_mojibake:
            before = _repaired(before)
        text, flags = self._clean(text_of(before))
        if not flags.any() and before.type == TEXT and not before.null_count:
            return before
        column = column_of(text)
        rows = np.flatnonzero(flags & FORM)
        if not len(rows) or self.form == "none":
            return column
        # only texts whose quick check does not say yes: Python normalises them one by one
        formed = [unicodedata.normalize(self.form, value) for value in column.take(pa.array(rows)).to_pylist()]
        # NFKC makes spaces of other characters; what is already clean stays as it is
        again, _ = self._clean(text_of(pa.array(formed, TEXT)))
        places = np.arange(len(flags))
        places[rows] = len(flags) + np.arange(len(rows))
        return pa.concat_arrays([column, column_of(again)]).take(pa.array(places))

    def _clean(self, text: Text) -> tuple[Text, np.ndarray]:
        return clean(text, self.form, self.collapse_spaces, self.strip_trailing_spaces, self.max_blank_lines)


_CP1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_SUSPECT = f"[\u00c2-\u00f4Ѓ-џР-Яр-я][\u0080-\u00bf{_CP1252}]"
"""A letter that is a first byte of UTF-8 read in a charset of one byte, and a character that is one of those after it."""


def _repaired(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts with what was decoded in the wrong charset decoded again."""
    rows = np.flatnonzero(pc.fill_null(pc.match_substring_regex(column, _SUSPECT), False).to_numpy(zero_copy_only=False))
    if not len(rows):
        return column
    from ftfy import fix_encoding

    texts = column.take(pa.array(rows)).to_pylist()
    repaired = [fix_encoding(text) for text in texts]  # few documents look like that
    if repaired == texts:
        return column
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    whole = column.combine_chunks()
    return pa.chunked_array([pc.replace_with_mask(whole, pa.array(mask), pa.array(repaired, whole.type))])
