"""Answers that break off, or end in a loop."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.rule import Limit, Rule, at_most, count, share
from stages.core.docs import Docs
from stages.core.endings import ends_well, open_marks, repeated_tail
from stages.core.generated import FINISH_REASON, KIND, PARENT_TEXT, synthetic
from stages.core.stage import Filter, Measures

_WORD = re.compile(r"\S+")


class CutEnding(Filter):
    """Keep answers that were written to their end.

    length_stops           1 if `finish_reason` is `length`: the model was stopped at its limit of tokens
    open_endings           1 if the text does not end like a sentence, a closed block of code, or a list whose items have no
                           marks, and its source (`_parent_text`) does or is not there
    open_marks             brackets, curved quotes and blocks of code that are opened and not closed, and an odd straight quote,
                           as far as they are more than the source's
    repeated_tail_fraction words at the end in a loop / words; a loop is the same words, 60 at most, three times or more, and at
                           least eight words in all
    repeated_tail_words    those words, no rule

    A text that breaks off behind a whole sentence is told by its finish reason alone. Words stand between white space. Only
    documents whose `kind` is `synthetic` are judged; others measure 0.
    """

    unit = "document"

    max_length_stops: Limit | None = count(0, "1 allows answers that were stopped at the limit of tokens", "stops")
    max_open_endings: Limit | None = count(0, "1 allows answers that do not end like a sentence", "endings")
    max_open_marks: Limit | None = count(0, "brackets, quotes and blocks of code without an end", "marks")
    max_repeated_tail_fraction: Limit | None = share(0.15, "words at the end that are in a loop")

    def columns_read(self) -> tuple[str, ...]:
        """The answer, its source, whether it is one, and why the model stopped."""
        return ("text", PARENT_TEXT, KIND, FINISH_REASON)

    def measures(self) -> dict[str, pa.DataType]:
        """Counts, and a share."""
        counts = ("length_stops", "open_endings", "open_marks", "repeated_tail_words")
        return {**dict.fromkeys(counts, pa.int64()), "repeated_tail_fraction": pa.float64()}

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        counts = np.zeros((5, len(docs)), np.int64)
        stopped = pc.fill_null(pc.equal(docs.table.column(FINISH_REASON), "length"), False).to_pylist()
        for row, text, source in synthetic(docs.table):
            words = _WORD.findall(text)
            loop, _ = repeated_tail(words)
            counts[:, row] = (
                stopped[row],
                not ends_well(text) and (source is None or ends_well(source)),
                max(0, open_marks(text) - open_marks(source or "")),
                loop if loop >= _SHORTEST_LOOP else 0,
                len(words),
            )
        return {
            "length_stops": counts[0],
            "open_endings": counts[1],
            "open_marks": counts[2],
            "repeated_tail_words": counts[3],
            "repeated_tail_fraction": counts[3] / np.maximum(counts[4], 1),
        }

    def rules(self) -> Sequence[Rule]:
        """The finish reason first: it is certain."""
        return (
            at_most("length_stops", self.max_length_stops, "max_length_stops"),
            at_most("open_endings", self.max_open_endings, "max_open_endings"),
            at_most("open_marks", self.max_open_marks, "max_open_marks"),
            at_most("repeated_tail_fraction", self.max_repeated_tail_fraction, "max_repeated_tail_fraction"),
        )


_SHORTEST_LOOP = 8
"""words: "no, no, no" is no loop"""
