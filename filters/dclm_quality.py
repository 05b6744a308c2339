"""DCLM's form of Gopher's quality rules: words, symbols, bullets, ellipses, stop words."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from filters.gopher_quality import ratio
from schemas.rule import Limit, Rule, at_least, at_most, between, count, share
from stages.core.docs import Docs
from stages.core.stage import Measures
from stages.core.tuned import ENGLISH, TunedFilter
from stages.kernels.dclm_marks import dclm_marks


class DclmQuality(TunedFilter):
    r"""Keep documents that look like prose, as DCLM-Baseline decides it: words are pieces between white space.

    words                    pieces between white space that begin with a letter or numeral
    mean_word_length         code points in pieces / pieces
    symbol_fraction          "#", "...", ". . ." and "…" together / pieces
    bullet_line_fraction     lines that begin with ● • * or - / lines
    ellipsis_line_fraction   lines that end with "...", ". . ." or "…" / lines
    non_alpha_word_fraction  pieces without a letter / pieces
    stop_words               pieces that are the, be, to, of, and, that, have or with in any case, each time they occur

    Where toolkits differ:
    word            a piece of `str.split`, its punctuation included ("end." has four code points, "the," is no stop word); for
                    `words`, a piece between fastText's white space (that of ASCII and NUL) that begins with a letter or numeral
    symbols         hash signs and ellipses in one rule, counted in the text
    stop words      2 of any of the eight, A to Z read as a to z; the same one twice is enough
    word length     mean of all pieces
    lines           parted by "\n", stripped; empty ones left out
    bullets         ● • * - as the first code point
    ellipsis        "...", ". . ." and "…"
    empty text      a share of nothing is 0, so it breaks the minimums

    Li et al. 2024 (DCLM); order and limits of mlfoundations/dclm, dclm_baseline_refinedweb.yaml, page_length_filter to
    stop_word_filter. `gopher_quality` differs: there punctuation marks are words apart, hash signs and ellipses are two
    rules, bullets are • and -, and stop words must be different ones in lower case.
    """

    unit = "word"
    tuned = dict.fromkeys(
        (
            "min_words",
            "max_words",
            "min_mean_word_length",
            "max_mean_word_length",
            "max_symbol_fraction",
            "max_bullet_line_fraction",
            "max_ellipsis_line_fraction",
            "max_non_alpha_word_fraction",
            "min_stop_words",
        ),
        ENGLISH,
    )

    min_words: Limit | None = count(50, "fewest words", "words")
    max_words: Limit | None = count(100_000, "most words", "words")
    min_mean_word_length: Limit | None = count(3, "shortest mean length of pieces", "code points")
    max_mean_word_length: Limit | None = count(10, "longest mean length of pieces", "code points")
    max_symbol_fraction: Limit | None = count(0.1, "most hash signs and ellipses for a piece", "symbols per piece")
    max_bullet_line_fraction: Limit | None = share(0.9, "largest share of lines that begin with a bullet")
    max_ellipsis_line_fraction: Limit | None = share(0.3, "largest share of lines that end with an ellipsis")
    max_non_alpha_word_fraction: Limit | None = share(0.2, "largest share of pieces without a letter")
    min_stop_words: Limit | None = count(2, "fewest stop words, repeated ones included", "stop words")

    def measures(self) -> dict[str, pa.DataType]:
        """Two counts, and five quotients."""
        names = ("symbol", "bullet_line", "ellipsis_line", "non_alpha_word")
        shares = {f"{name}_fraction": pa.float64() for name in names}
        return {"words": pa.int64(), "mean_word_length": pa.float64(), **shares, "stop_words": pa.int64()}

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        marks = dclm_marks(docs.text())
        return {
            "words": marks.words,
            "mean_word_length": ratio(marks.piece_chars, marks.pieces),
            "symbol_fraction": ratio(marks.symbols, marks.pieces),
            "bullet_line_fraction": ratio(marks.bullet_lines, marks.lines),
            "ellipsis_line_fraction": ratio(marks.ellipsis_lines, marks.lines),
            "non_alpha_word_fraction": ratio(np.subtract(marks.pieces, marks.alpha_pieces), marks.pieces),
            "stop_words": marks.stop_words,
        }

    def rules(self) -> Sequence[Rule]:
        """DCLM's order."""
        lengths = ("min_mean_word_length", "max_mean_word_length")
        rules = (
            *between("words", self.min_words, self.max_words, ("min_words", "max_words")),
            *between("mean_word_length", self.min_mean_word_length, self.max_mean_word_length, lengths),
            at_most("symbol_fraction", self.max_symbol_fraction, "max_symbol_fraction"),
            at_most("bullet_line_fraction", self.max_bullet_line_fraction, "max_bullet_line_fraction"),
            at_most("ellipsis_line_fraction", self.max_ellipsis_line_fraction, "max_ellipsis_line_fraction"),
            at_most("non_alpha_word_fraction", self.max_non_alpha_word_fraction, "max_non_alpha_word_fraction"),
            at_least("stop_words", self.min_stop_words, "min_stop_words"),
        )
        return self.for_languages(rules)
