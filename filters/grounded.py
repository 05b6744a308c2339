"""Numbers, dates, addresses and names of an answer that its source does not have; sentences that say something else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.rule import Limit, Rule, at_most, count
from stages.core.docs import Docs
from stages.core.generated import PARENT_TEXT, made_from
from stages.core.names import Words, addresses, names
from stages.core.numerals import dates, known_dates, known_numbers, numbers
from stages.core.passages import Sentence, Source, flips, passage
from stages.core.stage import Measures
from stages.core.tuned import ENGLISH, TunedFilter

_COUNTS = ("numbers", "dates", "urls", "names", "misplaced_numbers", "negations", "unsupported_sentences")
_FRACTIONS = ("number_fraction", "name_fraction")


@dataclass(frozen=True)
class Found:
    """What was found in one answer."""

    counts: tuple[int, ...] = (0,) * len(_COUNTS)
    fractions: tuple[float, ...] = (0.0,) * len(_FRACTIONS)


class Grounded(TunedFilter):
    """Keep answers whose numbers, dates, addresses, names and negations are those of their source, `_parent_text`.

    ungrounded_numbers     numbers of the answer that are not in the source; 1,000 is 1000, 3.50 is 3.5, twelve is 12, 2 million
                           is 2000000, XII is 12, 50% is 50. A lone `one` and numbers of list items are none
    ungrounded_dates       dates (12 May 2020, 2020-05-12, May 2020, June, Monday) of which a part is not in the source
    ungrounded_urls        addresses of pages and mail, without scheme, www and a slash at the end
    ungrounded_names       names of which a word is not in the source, in any case, without 's; Italy and Italian are one word,
                           and an acronym is one with its words. Words with capitals where no sentence begins
    misplaced_numbers      numbers of the source in a sentence that comes from sentences without them
    negations              sentences in which a word is negated and not where the sentence comes from, or the other way
    unsupported_sentences  sentences with less than `min_sentence_support` of their words in the source, of four or more
    ungrounded_number_fraction   ungrounded numbers / numbers, dates aside
    ungrounded_name_fraction     ungrounded names / names

    A sentence comes from up to four sentences of the source, chosen by common words. Found are numbers that change places
    between sentences; not found are two that change places in one sentence, or a number that the source has in another
    sentence with the same words. A changed name is missed where it begins a sentence and stands nowhere else, and where its
    words occur in the source in another sense. A negation is missed where the words behind it changed too, or where it sits in
    a word (unable, impossible). A paraphrase in other words throughout comes close to `min_sentence_support`.

    A document without a parent's text is no model's: it measures 0 and is kept. The words that are asked for are English.
    """

    unit = "document"
    tuned = dict.fromkeys(
        (
            "max_ungrounded_numbers",
            "max_ungrounded_dates",
            "max_ungrounded_names",
            "max_misplaced_numbers",
            "max_negations",
            "max_unsupported_sentences",
        ),
        ENGLISH,
    )

    max_ungrounded_numbers: Limit | None = count(0, "numbers that are not in the source", "numbers")
    max_ungrounded_dates: Limit | None = count(0, "dates of which a part is not in the source", "dates")
    max_ungrounded_urls: Limit | None = count(0, "addresses that are not in the source", "addresses")
    max_ungrounded_names: Limit | None = count(0, "names that are not in the source", "names")
    max_misplaced_numbers: Limit | None = count(0, "numbers that the source has in other sentences", "numbers")
    max_negations: Limit | None = count(0, "sentences that negate what the source does not, or the other way", "sentences")
    max_unsupported_sentences: Limit | None = count(0, "sentences of which the source has few words", "sentences")
    min_sentence_support: float = Field(
        0.4, ge=0, le=1, description="words a sentence must share with the source", json_schema_extra={"unit": "share"}
    )

    def columns_read(self) -> tuple[str, ...]:
        """The answer and its source."""
        return ("text", PARENT_TEXT)

    def measures(self) -> dict[str, pa.DataType]:
        """Counts, and two shares."""
        return {_measure(name): pa.int32() for name in _COUNTS} | {_measure(name): pa.float64() for name in _FRACTIONS}

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        found = made_from(docs.table, self._compare, Found())
        counts = np.array([one.counts for one in found], np.int32).reshape(-1, len(_COUNTS))
        fractions = np.array([one.fractions for one in found], np.float64).reshape(-1, len(_FRACTIONS))
        measures = {_measure(name): counts[:, at] for at, name in enumerate(_COUNTS)}
        return measures | {_measure(name): fractions[:, at] for at, name in enumerate(_FRACTIONS)}

    def rules(self) -> Sequence[Rule]:
        """A limit for each count."""
        limits = (
            self.max_ungrounded_numbers,
            self.max_ungrounded_dates,
            self.max_ungrounded_urls,
            self.max_ungrounded_names,
            self.max_misplaced_numbers,
            self.max_negations,
            self.max_unsupported_sentences,
        )
        rules = [at_most(_measure(name), limit, f"max_{_measure(name)}") for name, limit in zip(_COUNTS, limits, strict=True)]
        return self.for_languages(rules)

    def _compare(self, answer: str, source: str) -> Found:
        urls, answer = addresses(answer)
        known_urls, plain = addresses(source)
        missing_urls = [url for url in urls if url not in known_urls and url not in source.lower()]
        known = known_numbers(plain)
        told_dates, undated = dates(answer)
        date_parts = known_dates(plain, known)
        missing_dates = [date for date in told_dates if not date_parts.issuperset(date)]
        told = numbers(undated)
        missing = [number for number in told if not number & known]
        vocabulary = Words(source)
        told_names = names(answer)
        missing_names = [name for name in told_names if vocabulary.lacks(name)]
        misplaced, negations, unsupported = self._sentences(passage(answer), Source(plain), known)
        return Found(
            (len(missing), len(missing_dates), len(missing_urls), len(missing_names), misplaced, negations, unsupported),
            (len(missing) / max(len(told), 1), len(missing_names) / max(len(told_names), 1)),
        )

    def _sentences(self, answer: Sequence[Sentence], source: Source, known: frozenset[str]) -> tuple[int, int, int]:
        """Misplaced numbers, changed negations, unsupported sentences."""
        misplaced = negations = unsupported = 0
        for sentence in answer:
            if len(sentence.content) >= _FEWEST_WORDS and source.share_of(sentence) < self.min_sentence_support:
                unsupported += 1
                continue
            origins = source.origins(sentence)
            negations += flips(sentence, origins)
            told = [number for number in _numbers_of(sentence) if number & known]
            if told and origins and len(sentence.content) >= _FEWEST_WORDS:
                theirs = frozenset().union(*(known_numbers(origin.text) for origin in origins))
                misplaced += sum(not number & theirs for number in told)
        return misplaced, negations, unsupported


_FEWEST_WORDS = 4
"""words of content without which a sentence cannot be compared"""


def _numbers_of(sentence: Sentence) -> list[frozenset[str]]:
    told, rest = dates(sentence.text)
    parts = [frozenset({part.split()[1]}) for date in told for part in date if part.startswith(("day ", "year "))]
    return numbers(rest) + parts


def _measure(name: str) -> str:
    plain = name in ("misplaced_numbers", "negations", "unsupported_sentences")
    return name if plain else f"ungrounded_{name}"
