"""Answers that copy their source, and answers that have nothing to do with it."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.rule import Limit, Rule, at_least, at_most, count, share
from stages.core.docs import Docs
from stages.core.generated import PARENT_TEXT, made_from
from stages.core.passages import content, fold
from stages.core.stage import Measures
from stages.core.tuned import ENGLISH, TunedFilter

_WORD = re.compile(r"\w+")
_NAMES = ("copy_fraction", "copied_words", "copied_run_fraction", "content_precision", "content_recall")
_REAL = (0.0, 0, 0.0, 1.0, 1.0)


class SourceOverlap(TunedFilter):
    """Keep answers that are near their source, `_parent_text`, but no copy of it.

    copy_fraction        runs of `ngram` words of the answer that the source has / all its runs of as many words
    copied_words         words of the longest piece of the answer of which the source has every run of `ngram` words
    copied_run_fraction  copied_words / words of the answer
    content_precision    different words of content of the answer that the source has / all of the answer; 1 without any
    content_recall       different words of content of the source that the answer has / all of the source; 1 without any

    Words are runs of letters and digits, in any case, without accents. An answer of fewer than `ngram` words copies nothing.
    Words of content are without English stop words and negations, and cut to their stems; in other languages every word of
    three letters or more is one.

    A document without a parent's text is no model's: it copies 0, has precision and recall 1, and is kept. An answer that
    quotes, as an extract or an answer to a question does, breaks the limits on copies by its nature: switch them off there.
    """

    unit = "word"
    tuned = dict.fromkeys(("max_copy_fraction", "max_copied_run_fraction", "min_content_precision"), ENGLISH)

    ngram: int = Field(13, description="words of a run that is compared", ge=1, json_schema_extra={"unit": "words"})
    max_copy_fraction: Limit | None = share(0.8, "runs of words that the source has")
    max_copied_run_fraction: Limit | None = share(0.6, "words in the longest piece of the answer that the source has")
    max_copied_words: Limit | None = count(None, "words of the longest piece of the answer that the source has", "words")
    min_content_precision: Limit | None = share(0.3, "words of content that the source has")
    min_content_recall: Limit | None = share(None, "words of content of the source that the answer has")

    def columns_read(self) -> tuple[str, ...]:
        """The answer and its source."""
        return ("text", PARENT_TEXT)

    def measures(self) -> dict[str, pa.DataType]:
        """Shares, and a count of words."""
        return {name: pa.int64() if name == "copied_words" else pa.float64() for name in _NAMES}

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        columns = list(zip(*made_from(docs.table, self._compare, _REAL), strict=True)) or [()] * len(_NAMES)
        kinds = [kind.to_pandas_dtype() for kind in self.measures().values()]
        return {name: np.array(values, kind) for name, values, kind in zip(_NAMES, columns, kinds, strict=True)}

    def rules(self) -> Sequence[Rule]:
        """Copies first."""
        rules = (
            at_most("copy_fraction", self.max_copy_fraction, "max_copy_fraction"),
            at_most("copied_run_fraction", self.max_copied_run_fraction, "max_copied_run_fraction"),
            at_most("copied_words", self.max_copied_words, "max_copied_words"),
            at_least("content_precision", self.min_content_precision, "min_content_precision"),
            at_least("content_recall", self.min_content_recall, "min_content_recall"),
        )
        return self.for_languages(rules)

    def _compare(self, answer: str, source: str) -> tuple[float, int, float, float, float]:
        told, known = ([fold(word) for word in _WORD.findall(text)] for text in (answer, source))
        runs = set(self._runs(known))
        hits = [run in runs for run in self._runs(told)]
        longest = current = 0
        for hit in hits:
            current = current + 1 if hit else 0
            longest = max(longest, current)
        copied = longest + self.ngram - 1 if longest else 0
        mine, theirs = set(content(told)), set(content(known))
        both = len(mine & theirs)
        return (
            sum(hits) / max(len(hits), 1),
            copied,
            copied / max(len(told), 1),
            both / len(mine) if mine else 1.0,
            both / len(theirs) if theirs else 1.0,
        )

    def _runs(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        return list(zip(*(words[at:] for at in range(self.ngram)), strict=False))
