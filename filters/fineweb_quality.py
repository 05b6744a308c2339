"""FineWeb's own quality rules: line ends, short lines, repeated lines, newlines."""

from collections.abc import Sequence

import pyarrow as pa
from pydantic import Field

from filters.gopher_quality import ratio
from schemas.rule import Limit, Rule, at_least, at_most, count, share
from stages.core.docs import Docs
from stages.core.stage import Measures
from stages.core.tuned import ENGLISH, TunedFilter
from stages.kernels.line_marks import line_shapes
from stages.kernels.words import Mode, word_counts


class FinewebQuality(TunedFilter):
    """Keep documents whose lines look like paragraphs: they end in a full stop, are long, and occur once.

    lines                          lines that are not blank
    terminal_punctuation_fraction  lines whose last code point ends a sentence / lines
    short_line_fraction            lines of at most `short_line_length` code points / lines
    duplicate_char_fraction        code points in lines equal to an earlier one / code points other than newlines
    newline_fraction               newlines / words, punctuation marks included

    Where toolkits differ:
    line               cut at "\\n" only, blank ones left out, not stripped: a space or "\\r" at the end hides the full stop
    end marks          sentence ends of all scripts (. ? ! 。 । ؟ ...); no quotes, brackets, colons or ellipses
    duplicate lines    the first copy does not count; denominator: code points of the text but for newlines
    word               what `mode` cuts, punctuation marks included
    empty text         has no line and breaks `min_lines`; a share of nothing is 0

    Source: Penedo et al. 2024 (FineWeb), section 3.6; decisions of datatrove 0.10 (FineWebQualityFilter) with
    `mode: datatrove`. What it calls "empty" is a document with less than `min_lines` of 1 here, which breaks
    `min_terminal_punctuation_fraction` as well. Lines without a word, of invisible controls, measure 0 newlines / words in the
    default mode; spaCy makes tokens of controls. Thai and others have no end marks: `fineweb2`
    gives FineWeb-2's limits by language.
    """

    unit = "line"
    tuned = dict.fromkeys(
        (
            "min_terminal_punctuation_fraction",
            "max_short_line_fraction",
            "max_duplicate_char_fraction",
            "max_newline_fraction",
        ),
        ENGLISH,
    )

    mode: Mode = Field("sluice", description="what a word is: sluice (fast, all scripts) or datatrove (spaCy's English words)")
    min_lines: Limit | None = count(1, "fewest lines that are not blank", "lines")
    min_terminal_punctuation_fraction: Limit | None = share(0.12, "smallest share of lines that end like a sentence")
    exclude_zero: bool = Field(
        False, description="keep documents in which no line ends like a sentence: their share is taken to be 1"
    )
    max_short_line_fraction: Limit | None = share(0.67, "largest share of short lines")
    short_line_length: int = Field(30, ge=0, description="longest short line", json_schema_extra={"unit": "code points"})
    max_duplicate_char_fraction: Limit | None = share(0.01, "largest share of the text in repeated lines")
    max_newline_fraction: Limit | None = count(0.3, "most newlines for a word", "newlines per word")

    def requirements(self) -> tuple[tuple[str, str], ...]:
        """spaCy, if words are to be datatrove's."""
        return (("spacy", "parity"),) if self.mode == "datatrove" else ()

    def measures(self) -> dict[str, pa.DataType]:
        """A count, and four quotients."""
        names = ("terminal_punctuation", "short_line", "duplicate_char", "newline")
        return {"lines": pa.int64(), **{f"{name}_fraction": pa.float64() for name in names}}

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        counts = line_shapes(docs.text(), self.short_line_length)
        lines = counts.lines
        terminal = ratio(counts.terminal, lines)
        if self.exclude_zero:
            terminal[(terminal == 0) & (lines > 0)] = 1.0
        return {
            "lines": lines,
            "terminal_punctuation_fraction": terminal,
            "short_line_fraction": ratio(counts.short, lines),
            "duplicate_char_fraction": ratio(counts.repeated, counts.code_points),
            "newline_fraction": ratio(counts.newlines, word_counts(docs, self.mode)),
        }

    def rules(self) -> Sequence[Rule]:
        """datatrove's order."""
        minimum = self.min_terminal_punctuation_fraction
        rules = (
            at_least("lines", self.min_lines, "min_lines"),
            at_least("terminal_punctuation_fraction", minimum, "min_terminal_punctuation_fraction"),
            at_most("short_line_fraction", self.max_short_line_fraction, "max_short_line_fraction"),
            at_most("duplicate_char_fraction", self.max_duplicate_char_fraction, "max_duplicate_char_fraction"),
            at_most("newline_fraction", self.max_newline_fraction, "max_newline_fraction"),
        )
        return self.for_languages(rules)
