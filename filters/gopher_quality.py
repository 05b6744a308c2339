"""Gopher's quality rules: words, symbols, bullets, ellipses, stop words."""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas import fineweb2
from schemas.languages import by_label, find_language
from schemas.rule import Limit, Preset, Rule, Table, at_least, at_most, between, count, share
from stages.core.docs import Docs
from stages.core.stage import Measures
from stages.core.tuned import ENGLISH, SPACED, TunedFilter
from stages.kernels.line_marks import line_marks
from stages.kernels.stop_words import count_words_of, stop_words_of
from stages.kernels.words import Mode, words

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_OTHERS = "default"


class GopherQuality(TunedFilter):
    """Keep documents that look like prose: enough words, of usual length, with few symbols, bullets and ellipses.

    words                   words with a code point that is not punctuation
    mean_word_length        code points in these words / their number
    hash_fraction           "#" in the text / all words, punctuation marks included
    ellipsis_fraction       "..." and "…" in the text / all words
    bullet_line_fraction    lines whose first visible code point is • or - / lines
    ellipsis_line_fraction  lines that end, white space aside, with "..." or "…" / lines
    alpha_word_fraction     words with a letter / all words
    stop_words              different stop words that occur as words, in the given case

    Where toolkits differ:
    word           what `mode` cuts, punctuation marks apart; one of punctuation alone counts in no minimum and no length
    word length    mean, not median
    symbol ratio   hash signs and ellipses each by themselves, counted in the text, for all words
    bullets        • and - after white space; * ‣ ● are none
    ellipsis       "..." or "…" at the end of a line; ". . ." and "read more" are none
    stop words     different ones, in the given case; by language where `stop_words` says so. One that is several words to us
                   (Thai, Lao, Khmer, Burmese, kana) stands where these follow each other without a gap
    minimum words  50
    empty text     a share of nothing is 0, so it breaks the minimums

    Lines are those of `str.splitlines`, blank ones included.
    Limits: Rae et al. 2021 (Gopher), table A1; decisions of datatrove 0.10 (GopherQualityFilter) with `mode: datatrove`. There,
    a document without words raises once `min_words` is off, and one of punctuation alone has no mean length and passes that
    rule; here both measure 0 and are judged. There, a limit of 0 switches a rule off; here `null` does.
    Lengths, letters and stop words depend on the language: `fineweb2` gives FineWeb-2's.
    """

    unit = "word"
    tuned: ClassVar[Mapping[str, Collection[str]]] = {
        **dict.fromkeys(("min_words", "max_words"), SPACED),
        **dict.fromkeys(("min_mean_word_length", "max_mean_word_length", "min_alpha_word_fraction", "min_stop_words"), ENGLISH),
    }

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
    stop_words: tuple[str, ...] | dict[str, tuple[str, ...]] | Preset = Field(
        STOP_WORDS,
        description="the stop words, in the case in which they count: one list, lists by language (an entry `default` is for"
        " all others), or fineweb2; in a language without list `min_stop_words` does not apply",
    )

    def columns_read(self) -> tuple[str, ...]:
        """The text; the language too, if stop words depend on it."""
        return ("text",) if isinstance(self.stop_words, tuple) else ("text", "language")

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
        lists, which = self._lists(docs)
        counted, letters, alpha, stop = count_words_of(found, stop_words_of(lists, self.mode), which)
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
        rules = (
            *between("words", self.min_words, self.max_words, ("min_words", "max_words")),
            *between("mean_word_length", self.min_mean_word_length, self.max_mean_word_length, lengths),
            at_most("hash_fraction", self.max_hash_fraction, "max_hash_fraction"),
            at_most("ellipsis_fraction", self.max_ellipsis_fraction, "max_ellipsis_fraction"),
            at_most("bullet_line_fraction", self.max_bullet_line_fraction, "max_bullet_line_fraction"),
            at_most("ellipsis_line_fraction", self.max_ellipsis_line_fraction, "max_ellipsis_line_fraction"),
            at_least("alpha_word_fraction", self.min_alpha_word_fraction, "min_alpha_word_fraction"),
            at_least("stop_words", self.min_stop_words, "min_stop_words"),
        )
        return self.for_languages([self._where_listed(rule) if rule.name == "min_stop_words" else rule for rule in rules])

    def languages_of(self, rule: Rule) -> frozenset[str] | None:
        """Other stop words than the default's are their author's choice, too."""
        return None if rule.name == "min_stop_words" and self.stop_words != STOP_WORDS else super().languages_of(rule)

    def _by_language(self) -> Mapping[str, tuple[str, ...]]:
        return self.stop_words if isinstance(self.stop_words, dict) else _fineweb2()

    def _where_listed(self, rule: Rule) -> Rule:
        """The rule for the languages that have stop words only."""
        if isinstance(self.stop_words, tuple) or not isinstance(rule.limit, int | float):
            return rule
        lists = self._by_language()
        values: dict[str, float | int | None] = {name: rule.limit for name in lists if name != _OTHERS}
        return replace(rule, limit=Table(values=values, default=rule.limit if _OTHERS in lists else None))

    def _lists(self, docs: Docs) -> tuple[tuple[tuple[str, ...], ...], np.ndarray | None]:
        """Lists of stop words, and which of them is each document's (-1: none); None where there is one for all."""
        if isinstance(self.stop_words, tuple):
            return (self.stop_words,), None
        lists = {**by_label(by_language := self._by_language()), **by_language}
        languages = docs.table.column("language").combine_chunks().dictionary_encode()
        # a loop over the languages of the batch, not its documents
        names = [_entry(name, lists) for name in (*languages.dictionary.to_pylist(), None)]
        used = sorted({name for name in names if name is not None})
        places = np.array([used.index(name) if name is not None else -1 for name in names], np.int64)
        rows = languages.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
        return tuple(lists[name] for name in used), places[rows]


@functools.cache
def _fineweb2() -> Mapping[str, tuple[str, ...]]:
    """FineWeb-2's stop words, which has none for English, and Gopher's."""
    return {"en": STOP_WORDS, **fineweb2.stop_words()}


def _entry(language: str | None, lists: Mapping[str, tuple[str, ...]]) -> str | None:
    """The entry that holds a language's stop words."""
    names = (language, find_language(language) if language is not None else None, _OTHERS)
    return next((name for name in names if name is not None and name in lists), None)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole as float64, 0 where whole is 0."""
    quotient: np.ndarray = np.divide(part, whole, out=np.zeros(len(part), np.float64), where=whole != 0)
    return quotient
