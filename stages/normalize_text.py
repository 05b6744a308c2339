"""Text in one Unicode form, without invisible characters."""

import unicodedata

import numpy as np
import pyarrow as pa
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
    """

    form: Form = Field("NFC", description="Unicode form: NFC, NFKC or none")
    collapse_spaces: bool = Field(False, description="one space for each run of spaces and tabs")
    strip_trailing_spaces: bool = Field(True, description="remove spaces and tabs at the end of each line")
    max_blank_lines: int | None = Field(
        2, description="keep at most so many blank lines in a row; null: all", ge=0, json_schema_extra={"unit": "lines"}
    )

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
