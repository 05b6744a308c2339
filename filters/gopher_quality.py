"""Gopher's quality rules: words, symbols, bullets, ellipses, stop words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.rule import Limit, Rule, at_least, at_most, between, count, share
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures
from stages.kernels.compile import leaf
from stages.kernels.line_marks import line_marks
from stages.kernels.words import HAS_ALPHA, NOT_PUNCT, Mode, Words, hash_of, words

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


class GopherQuality(Filter):
    """Keep documents that look like prose: enough words, of usual length, with few symbols, bullets and ellipses.

    words                   words with a code point that is not punctuation
    mean_word_length        code points in these words / their number
    hash_fraction           "#" in the text / all words, punctuation marks included
    ellipsis_fraction       "..." and "…" in the text / all words
    bullet_line_fraction    lines whose first visible code point is • or - / lines
    ellipsis_line_fraction  lines that end, white space aside, with "..." or "…" / lines
    alpha_word_fraction     words with a letter / all words
    stop_words              different stop words that occur as words, in the given case

    Lines are those of `str.splitlines`, blank ones included. A share of nothing is 0, so an empty document breaks the minimums.
    Limits: Rae et al. 2021 (Gopher), table A1; decisions of datatrove 0.10 (GopherQualityFilter) with `mode: datatrove`. There,
    a document without words raises once `min_words` is off, and one of punctuation alone has no mean length and passes that
    rule; here both measure 0 and are judged. There, a limit of 0 switches a rule off; here `null` does. There, a text above
    1,000,000 code points raises (spaCy's `max_length`); here it is judged.
    """

    mode: Mode = Field("sluice", description="what a word is: sluice (fast, all scripts) or datatrove (spaCy's English words)")
    min_words: Limit | None = count(50, "fewest words", "words")
    max_words: Limit | None = count(100_000, "most words", "words")
    min_mean_word_length: Limit | None = count(3, "shortest mean length of words", "code points")
    max_mean_word_length: Limit | None = count(10, "longest mean length of words", "code points")
    max_hash_fraction: Limit | None = count(0.1, "most hash signs for a word", "hash signs per word")
    max_ellipsis_fraction: Limit | None = count(0.1, "most ellipses for a word", "ellipses per word")
    max_bullet_line_fraction: Limit | None = share(0.9, "largest share of lines that begin with a bullet")
    max_ellipsis_line_fraction: Limit | None = share(0.3, "largest share of lines that end with an ellipsis")
    min_alpha_word_fraction: Limit | None = share(0.8, "smallest share of words with a letter")
    min_stop_words: Limit | None = count(2, "fewest different stop words", "stop words")
    stop_words: tuple[str, ...] = Field(STOP_WORDS, description="the stop words, in the case in which they count")

    def requirements(self) -> tuple[tuple[str, str], ...]:
        """spaCy, if words are to be datatrove's."""
        return (("spacy", "parity"),) if self.mode == "datatrove" else ()

    def measures(self) -> dict[str, pa.DataType]:
        """Two counts, and six quotients."""
        names = ("hash", "ellipsis", "bullet_line", "ellipsis_line", "alpha_word")
        shares = {f"{name}_fraction": pa.float64() for name in names}
        return {"words": pa.int64(), "mean_word_length": pa.float64(), **shares, "stop_words": pa.int64()}

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        found = words(docs, self.mode)
        marks = line_marks(docs.text())
        total = np.diff(found.doc_offsets)
        counted, letters, alpha, stop = _word_counts(found, self.stop_words)
        return {
            "words": counted,
            "mean_word_length": ratio(letters, counted),
            "hash_fraction": ratio(marks.hashes, total),
            "ellipsis_fraction": ratio(marks.ellipses, total),
            "bullet_line_fraction": ratio(marks.bullet_lines, marks.lines),
            "ellipsis_line_fraction": ratio(marks.ellipsis_lines, marks.lines),
            "alpha_word_fraction": ratio(alpha, total),
            "stop_words": stop,
        }

    def rules(self) -> Sequence[Rule]:
        """datatrove's order."""
        lengths = ("min_mean_word_length", "max_mean_word_length")
        return (
            *between("words", self.min_words, self.max_words, ("min_words", "max_words")),
            *between("mean_word_length", self.min_mean_word_length, self.max_mean_word_length, lengths),
            at_most("hash_fraction", self.max_hash_fraction, "max_hash_fraction"),
            at_most("ellipsis_fraction", self.max_ellipsis_fraction, "max_ellipsis_fraction"),
            at_most("bullet_line_fraction", self.max_bullet_line_fraction, "max_bullet_line_fraction"),
            at_most("ellipsis_line_fraction", self.max_ellipsis_line_fraction, "max_ellipsis_line_fraction"),
            at_least("alpha_word_fraction", self.min_alpha_word_fraction, "min_alpha_word_fraction"),
            at_least("stop_words", self.min_stop_words, "min_stop_words"),
        )


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole as float64, 0 where whole is 0."""
    quotient: np.ndarray = np.divide(part, whole, out=np.zeros(len(part), np.float64), where=whole != 0)
    return quotient


def _word_counts(found: Words, stop_words: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    different = sorted({hash_of(word.encode()) for word in stop_words})
    slots = np.full(1 << (4 * len(different) + 4).bit_length(), -1, np.int64)
    hashes = np.array(different, np.uint64)
    for index, value in enumerate(different):
        slot = value % len(slots)
        while slots[slot] >= 0:
            slot = (slot + 1) % len(slots)
        slots[slot] = index
    counts = tuple(np.zeros(len(found.doc_offsets) - 1, np.int64) for _ in range(4))
    last_seen = np.full(len(different), -1, np.int64)
    count_words(found.doc_offsets, found.lengths, found.hashes, found.flags, hashes, slots, last_seen, *counts)
    return counts


@leaf
def count_words(
    doc_offsets: Any,
    lengths: Any,
    hashes: Any,
    flags: Any,
    stop_hashes: Any,
    slots: Any,
    last_seen: Any,
    counted: Any,
    letters: Any,
    alpha: Any,
    stop: Any,
) -> None:
    """Per document: words that are not punctuation, their code points, words with a letter, different stop words."""
    last = np.uint64(len(slots) - 1)
    for document in range(len(doc_offsets) - 1):
        words_, code_points, with_letter, different = 0, 0, 0, 0
        for word in range(doc_offsets[document], doc_offsets[document + 1]):
            if flags[word] & NOT_PUNCT:
                words_ += 1
                code_points += lengths[word]
            if flags[word] & HAS_ALPHA:
                with_letter += 1
            slot = hashes[word] & last
            while slots[slot] >= 0:
                index = slots[slot]
                if stop_hashes[index] == hashes[word]:
                    if last_seen[index] != document:
                        last_seen[index] = document
                        different += 1
                    break
                slot = (slot + np.uint64(1)) & last
        counted[document], letters[document], alpha[document], stop[document] = words_, code_points, with_letter, different
