"""Words of a document."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.rule import Limit, Rule, between, count
from stages.core.docs import Docs
from stages.core.stage import Measures
from stages.core.tuned import SPACED, TunedFilter
from stages.kernels.words import NOT_PUNCT, Mode, words


class WordCount(TunedFilter):
    """Keep documents with a usual number of words; punctuation marks are not counted.

    words  words with a code point that is not punctuation

    Where toolkits differ: a word is what `mode` cuts, not what white space parts; in scripts without spaces each letter is one,
    so that a limit for them is another. An empty text has 0 words.
    Limits: Rae et al. 2021 (Gopher), table A1.
    """

    unit = "word"
    tuned = dict.fromkeys(("min_words", "max_words"), SPACED)

    mode: Mode = Field("sluice", description="what a word is: sluice (fast, all scripts) or datatrove (spaCy's English words)")
    min_words: Limit | None = count(50, "fewest words", "words")
    max_words: Limit | None = count(100_000, "most words", "words")

    def requirements(self) -> tuple[tuple[str, str], ...]:
        """spaCy, if words are to be datatrove's."""
        return (("spacy", "parity"),) if self.mode == "datatrove" else ()

    def measures(self) -> dict[str, pa.DataType]:
        """One count."""
        return {"words": pa.int64()}

    def measure(self, docs: Docs) -> Measures:
        """Words of each document."""
        found = words(docs, self.mode)
        before = np.zeros(len(found.flags) + 1, np.int64)
        np.cumsum((found.flags & NOT_PUNCT) != 0, out=before[1:])
        return {"words": np.diff(before[found.doc_offsets])}

    def rules(self) -> Sequence[Rule]:
        """At least `min_words`, at most `max_words`."""
        return self.for_languages(between("words", self.min_words, self.max_words, ("min_words", "max_words")))
