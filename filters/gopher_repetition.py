"""Gopher's repetition rules."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.rule import Limit, Rule, at_most, share
from stages.core.docs import Docs
from stages.core.stage import Measures
from stages.core.tuned import ENGLISH, TunedFilter
from stages.kernels.grams import Grams, repeated_grams
from stages.kernels.joined_grams import joined_duplicates
from stages.kernels.lines import Repeats, line_repeats, paragraph_repeats
from stages.kernels.words import Mode, words

_PARTS = (
    "duplicate_paragraph_fraction",
    "duplicate_paragraph_char_fraction",
    "duplicate_line_fraction",
    "duplicate_line_char_fraction",
)
_TOPS = tuple(f"top_{n}_gram_fraction" for n in (2, 3, 4))
_DUPLICATES = tuple(f"duplicate_{n}_gram_fraction" for n in (5, 6, 7, 8, 9, 10))


class GopherRepetition(TunedFilter):
    r"""Keep documents with few repeated paragraphs, lines and word n-grams.

    duplicate_paragraph_fraction, duplicate_line_fraction            copies after the first / paragraphs or lines
    duplicate_paragraph_char_fraction, duplicate_line_char_fraction  code points in copies / code points of the text
    top_n_gram_fraction        length of the most frequent n-gram, with its spaces, times its count / code points of the text
    duplicate_n_gram_fraction  code points in n-grams seen before, from left to right without overlap / code points of the text

    Where toolkits differ:
    word               what `mode` cuts, punctuation marks included
    duplicate lines    the first copy does not count; in Dolma and DCLM it does
    lines, paragraphs  parted by one or more "\n" in the text as it is; by two or more in the stripped text
    denominator        code points of the whole text, unstripped
    top n-gram         the first of equally frequent ones; one occurrence counts, so that very short texts are dropped
    duplicate n-gram   copies after the first; after one the reading goes on behind it
    empty text         a measure without denominator is 0, so it is kept; datatrove raises ZeroDivisionError

    Rae et al. 2021 (Gopher), table A1; rules, order and limits of datatrove 0.10. `mode: datatrove` reproduces its decisions:
    its words, and 5- to 10-grams compared without anything between their words ("can not" is "cannot"), where our own mode
    compares word by word. Where a letter is a word (Thai, Lao, Khmer, Burmese) common words repeat n-grams of letters and
    break these limits; `fineweb2` has none there, and FineWeb-2's for other languages.
    """

    unit = "word"
    tuned = dict.fromkeys([f"max_{name}" for name in (*_PARTS, *_TOPS, *_DUPLICATES)], ENGLISH)

    mode: Mode = Field("sluice", description="whose words: ours, or those of datatrove (spaCy's English tokenizer)")
    max_duplicate_paragraph_fraction: Limit | None = share(0.30, "paragraphs equal to an earlier one")
    max_duplicate_paragraph_char_fraction: Limit | None = share(0.20, "characters in paragraphs equal to an earlier one")
    max_duplicate_line_fraction: Limit | None = share(0.30, "lines equal to an earlier one")
    max_duplicate_line_char_fraction: Limit | None = share(0.20, "characters in lines equal to an earlier one")
    max_top_2_gram_fraction: Limit | None = share(0.20, "characters in the most frequent 2-gram")
    max_top_3_gram_fraction: Limit | None = share(0.18, "characters in the most frequent 3-gram")
    max_top_4_gram_fraction: Limit | None = share(0.16, "characters in the most frequent 4-gram")
    max_duplicate_5_gram_fraction: Limit | None = share(0.15, "characters in 5-grams seen before")
    max_duplicate_6_gram_fraction: Limit | None = share(0.14, "characters in 6-grams seen before")
    max_duplicate_7_gram_fraction: Limit | None = share(0.13, "characters in 7-grams seen before")
    max_duplicate_8_gram_fraction: Limit | None = share(0.12, "characters in 8-grams seen before")
    max_duplicate_9_gram_fraction: Limit | None = share(0.11, "characters in 9-grams seen before")
    max_duplicate_10_gram_fraction: Limit | None = share(0.10, "characters in 10-grams seen before")

    def requirements(self) -> tuple[tuple[str, str], ...]:
        """spaCy, where its words are asked for."""
        return (("spacy", "parity"),) if self.mode == "datatrove" else ()

    def measures(self) -> dict[str, pa.DataType]:
        """All shares."""
        return dict.fromkeys((*_PARTS, *_TOPS, *_DUPLICATES), pa.float64())

    def measure(self, docs: Docs) -> Measures:
        """Shares per document; 0 where there is nothing to divide by."""
        text = docs.text()
        paragraphs: Repeats = docs.view("paragraph_repeats", lambda: paragraph_repeats(text))
        lines: Repeats = docs.view("line_repeats", lambda: line_repeats(text))
        found = words(docs, self.mode)
        grams: Grams = docs.view(("grams", self.mode), lambda: repeated_grams(found))
        duplicates = grams.duplicates if self.mode == "sluice" else joined_duplicates(text, found)
        shares = (
            (paragraphs.repeats, paragraphs.segments),
            (paragraphs.repeat_chars, lines.chars),
            (lines.repeats, lines.segments),
            (lines.repeat_chars, lines.chars),
            *((chars, lines.chars) for chars in grams.top),
            *((chars, lines.chars) for chars in duplicates),
        )
        return {name: quotient(part, whole) for name, (part, whole) in zip(self.measures(), shares, strict=True)}

    def rules(self) -> Sequence[Rule]:
        """In datatrove's order."""
        return self.for_languages([at_most(name, getattr(self, f"max_{name}"), f"max_{name}") for name in self.measures()])


def quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """float64 part / whole; where whole is 0, part is too, and so is the quotient."""
    return np.asarray(part / np.maximum(whole, 1))
