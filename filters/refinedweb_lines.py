"""RefinedWeb's line-wise corrections: lines are removed or edited first, then documents that lost much are dropped."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from filters.gopher_quality import ratio
from schemas.rule import Limit, Rule, at_most, share
from stages.core.docs import Docs
from stages.core.stage import Map, Measures, Stage
from stages.core.tuned import ENGLISH, Policy, TunedFilter, is_in, language_policy
from stages.kernels.dclm_marks import dclm_words
from stages.kernels.line_corrections import NO_LIMIT, Corrections, correct_lines
from stages.kernels.text import column_of, text_of

_SEEN = ("words", "words_left", "lines", "lines_removed", "line_edits")
_COLUMNS = {name: f"_refinedweb_{name}" for name in _SEEN}


class RefinedwebCorrections(Map):
    r"""Removes and edits lines as RefinedWeb describes it and DCLM does it, and writes what it saw into columns.

    text                                              the lines that are left with "\n" between, stripped
    _refinedweb_words, _refinedweb_words_left         words before and after
    _refinedweb_lines, _refinedweb_lines_removed      lines before, and those taken away
    _refinedweb_line_edits                            edits of lines that stayed

    One correction after the other, over all lines that are left:
    1. lines of which more than `max_uppercase_fraction` of the code points are upper case go;
    2. lines of digits alone (`str.isdigit`) go;
    3. counters go: a number, with K, M or B or without, white space and likes, shares, comments, retweets, reposts, quotes,
       bookmarks, upvotes, downvotes, downloads, views or followers, in any case, between marks;
    4. lines of fewer than `min_words_per_line` words go, empty ones aside;
    5. in lines of at most `max_edited_words` words, in any case: "items in cart" is cut out anywhere, then "read more" with
       any three code points after it at the end, then "sign-in" at the begin, each with one white space beside it. If
       white space remains, the line goes.

    Words per line are those of `str.split`. The words that are counted before and after are pieces between white space that
    begin with a letter or numeral.

    Penedo et al. 2023 (RefinedWeb), appendix G; it names the rules but not the patterns, which are those of mlfoundations/dclm,
    modifiers.py. There case is Unicode's, here A to Z are a to z: a long s in "ſign-in" is not seen.
    """

    max_uppercase_fraction: float | None = Field(
        0.5, ge=0, le=1, description="remove lines with a larger share of upper case", json_schema_extra={"unit": "share"}
    )
    numeric_lines: bool = Field(True, description="remove lines of digits alone")
    counters: bool = Field(True, description='remove lines such as "3 likes"')
    min_words_per_line: int | None = Field(
        2, ge=0, description="words a line must have to stay", json_schema_extra={"unit": "words"}
    )
    max_edited_words: int | None = Field(
        10, ge=0, description="longest line from which buttons' words are cut out", json_schema_extra={"unit": "words"}
    )
    other_languages: Policy = language_policy("edited and judged")

    def columns_read(self) -> tuple[str, ...]:
        """The text; the language too, if it decides whether lines are edited."""
        return ("text",) if self.other_languages == "judge" else ("text", "language")

    def columns_written(self) -> dict[str, pa.DataType]:
        """The text, and what was seen."""
        return {"text": pa.large_string()} | dict.fromkeys(_COLUMNS.values(), pa.int32())

    def apply(self, table: pa.Table) -> pa.Table:
        """Corrected text and the columns of what was seen."""
        before = text_of(table.column("text"))
        found = correct_lines(
            before,
            Corrections(
                max_uppercase_fraction=NO_LIMIT if self.max_uppercase_fraction is None else self.max_uppercase_fraction,
                numeric_lines=self.numeric_lines,
                counters=self.counters,
                min_words_per_line=NO_LIMIT if self.min_words_per_line is None else self.min_words_per_line,
                max_edited_words=NO_LIMIT if self.max_edited_words is None else self.max_edited_words,
            ),
        )
        text, seen = column_of(found.text), [found.removed, found.edits]
        if self.other_languages == "pass":
            corrected = is_in(table, ENGLISH)
            text = pc.if_else(pa.array(corrected), text, column_of(before))
            seen = [numbers * corrected for numbers in seen]
        columns: dict[str, pa.Array] = {"text": text}
        words = (dclm_words(before), dclm_words(text_of(text)))
        for column, numbers in zip(_COLUMNS.values(), (*words, found.lines, *seen), strict=True):
            columns[column] = pa.array(numbers.astype(np.int32))
        for name, values in columns.items():
            place = table.schema.get_field_index(name)
            table = table.append_column(name, values) if place < 0 else table.set_column(place, name, values)
        return table


class RefinedwebRemoval(TunedFilter):
    """Keep documents that lost few words to their corrections, judged by the columns of RefinedwebCorrections.

    removed_word_fraction     (words before - words after) / words before; 1 without a word
    lines, lines_removed, line_edits   no rule, for the ledger
    """

    unit = "word"
    tuned = dict.fromkeys(("max_removed_word_fraction",), ENGLISH)

    max_removed_word_fraction: Limit | None = share(0.05, "largest share of words that corrections may take")

    def columns_read(self) -> tuple[str, ...]:
        """What RefinedwebCorrections wrote."""
        return tuple(_COLUMNS.values())

    def measures(self) -> dict[str, pa.DataType]:
        """A share, and what was seen."""
        return {"removed_word_fraction": pa.float64()} | dict.fromkeys(_SEEN[2:], pa.int32())

    def measure(self, docs: Docs) -> Measures:
        """The share of removed words, and the columns as they are."""
        words, left = (docs.numbers(_COLUMNS[name]).astype(np.int64) for name in _SEEN[:2])
        removed = ratio(words - left, words)
        removed[words == 0] = 1.0
        return {"removed_word_fraction": removed} | {name: docs.numbers(_COLUMNS[name]) for name in _SEEN[2:]}

    def rules(self) -> Sequence[Rule]:
        """One rule."""
        limit = self.max_removed_word_fraction
        return self.for_languages([at_most("removed_word_fraction", limit, "max_removed_word_fraction")])


class RefinedwebLines(RefinedwebCorrections):
    """RefinedWeb's line-wise corrections: a Map that edits (RefinedwebCorrections), a Filter that judges (RefinedwebRemoval).

    Every removed line and button is gone from the text that later stages see.
    """

    max_removed_word_fraction: Limit | None = share(0.05, "largest share of words that corrections may take")

    def nodes(self) -> Sequence[Stage]:
        """The Map, then the Filter."""
        corrections = {name: getattr(self, name) for name in RefinedwebCorrections.model_fields}
        return (
            RefinedwebCorrections(**corrections),
            RefinedwebRemoval(max_removed_word_fraction=self.max_removed_word_fraction, other_languages=self.other_languages),
        )
