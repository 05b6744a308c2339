"""Code points of a document."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.rule import Limit, Rule, between, count
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures


class TextLength(Filter):
    """Keep documents of a usual length.

    chars  code points of the text, white space included; neither bytes nor what a reader sees as one character

    An empty text has 0. A code point is a letter in one script and a word in another: give limits by language, or a percentile.
    """

    unit = "char"

    min_chars: Limit | None = count(10, "shortest text", "code points")
    max_chars: Limit | None = count(None, "longest text", "code points")

    def measures(self) -> dict[str, pa.DataType]:
        """One count."""
        return {"chars": pa.int64()}

    def measure(self, docs: Docs) -> Measures:
        """Code points of each document; a null is empty."""
        lengths = pc.fill_null(pc.utf8_length(docs.table.column("text")), 0)
        return {"chars": lengths.to_numpy().astype(np.int64)}

    def rules(self) -> Sequence[Rule]:
        """At least `min_chars`, at most `max_chars`."""
        return between("chars", self.min_chars, self.max_chars, ("min_chars", "max_chars"))
