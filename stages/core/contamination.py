"""Which items of evaluation sets documents hold, by n-grams of words."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from schemas.errors import InputError
from stages.core.evaluation_sets import Item
from stages.kernels.item_grams import Hits, ItemGrams, Words, words_of
from stages.kernels.text import Text, text_of

EXCERPT = 200
"""characters of a match that are shown"""


class Span(NamedTuple):
    """Words of a document that an item has, too: from number `word` to before `end_word`, bytes `start` to `stop`.

    item_word  number of the item's word with which they begin
    """

    word: int
    end_word: int
    start: int
    stop: int
    item_word: int


@dataclass(frozen=True)
class Match:
    """An item in a document: the share of its n-grams that are there, and the spans that they cover, apart from each other."""

    number: int
    item: Item
    overlap: float
    spans: tuple[Span, ...]

    @property
    def longest(self) -> Span:
        """The span of most words, the first of several."""
        return max(self.spans, key=lambda span: (span.end_word - span.word, -span.word))


@dataclass(frozen=True)
class _Side:
    """What of an item is looked for: its question, or question and answer. `grams` has the word with which each begins."""

    item: int
    grams: dict[int, int]


class ContaminationIndex:
    """The n-grams of all items. A question, or a question with its answer, that is shorter than an n-gram is one by itself.

    size       words of an n-gram
    min_words  below which a side of an item is not looked for
    max_items  n-grams of more items than this say nothing
    generic    texts whose n-grams say nothing
    bits       of the hashes by which n-grams are looked up
    """

    def __init__(
        self, items: Sequence[Item], size: int, min_words: int, max_items: int, generic: Sequence[str] = (), bits: int = 64
    ) -> None:
        self.items = items
        self._text = text_of(pa.array([f"{item.question}\n{item.answer}" for item in items], pa.large_string()))
        self._words = words_of(self._text)
        questions = np.diff(words_of(text_of(pa.array([item.question for item in items], pa.large_string()))).offsets)
        sides, first, sizes = _occurrences(self._words, questions, size, min_words)
        every = ItemGrams(self._text, self._words, first, sizes, bits)
        in_item = np.stack([every.numbers, sides % len(items)], axis=1)
        holders = np.bincount(np.unique(in_item, axis=0)[:, 0], minlength=len(every.first))
        says_nothing = holders > max_items
        if generic:
            says_nothing[every.find(text_of(pa.array(generic, pa.large_string()))).gram] = True
        kept = every.first[~says_nothing]
        self._grams = ItemGrams(self._text, self._words, first[kept], sizes[kept], bits)
        renumbered = np.where(says_nothing, -1, np.cumsum(~says_nothing) - 1)[every.numbers]
        self._sides: list[_Side] = []
        self._holders: dict[int, list[int]] = defaultdict(list)
        self._add_sides(sides, renumbered, first)
        self._refuse_sets_without_grams(size, min_words)

    def _add_sides(self, sides: np.ndarray, grams: np.ndarray, first: np.ndarray) -> None:
        bounds = np.searchsorted(sides, np.arange(2 * len(self.items) + 1))
        for side in range(2 * len(self.items)):
            mine = slice(bounds[side], bounds[side + 1])
            item = side % len(self.items)
            places = (first[mine] - self._words.offsets[item]).tolist()
            # the first of equal n-grams stands; one of -1 says nothing
            found = {gram: at for gram, at in zip(grams[mine].tolist()[::-1], places[::-1], strict=True) if gram >= 0}
            if not found:
                continue
            for gram in found:
                self._holders[gram].append(len(self._sides))
            self._sides.append(_Side(item, found))

    def _refuse_sets_without_grams(self, size: int, min_words: int) -> None:
        searched = self.searched()
        for name, (items, looked_for) in searched.items():
            if not looked_for:
                raise InputError(
                    f"none of the {items} items of {name} can be found: each has fewer than min_words ({min_words}) words, or"
                    f" only n-grams ({size} words) that say nothing"
                )

    def searched(self) -> dict[str, tuple[int, int]]:
        """Items of each set, and how many of them are looked for."""
        looked_for = {side.item for side in self._sides}
        counts: dict[str, tuple[int, int]] = {}
        for number, item in enumerate(self.items):
            items, found = counts.get(item.name, (0, 0))
            counts[item.name] = items + 1, found + (number in looked_for)
        return counts

    def find(self, text: Text) -> dict[int, list[Match]]:
        """Items in each document that has n-grams of some, the largest overlap first."""
        hits = self._grams.find(text)
        bounds = np.flatnonzero(np.diff(hits.document, prepend=-1, append=-1))
        # a loop over documents: those alone that share an n-gram with an item, one in thousands of a crawl
        return {
            int(hits.document[low]): self._matches(Hits(*(column[low:high] for column in hits)))
            for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        }

    def _matches(self, hits: Hits) -> list[Match]:
        grams = hits.gram.tolist()
        seen: dict[int, set[int]] = defaultdict(set)
        for gram in grams:
            for side in self._holders[gram]:
                seen[side].add(gram)
        overlaps: dict[int, float] = defaultdict(float)
        own: dict[int, dict[int, int]] = defaultdict(dict)
        for number, found in seen.items():
            one = self._sides[number]
            overlaps[one.item] = max(overlaps[one.item], len(found) / len(one.grams))
            own[one.item].update({gram: one.grams[gram] for gram in found})
        places = list(zip(grams, *(column.tolist() for column in (hits.word, hits.start, hits.stop)), strict=True))
        sizes = self._grams.sizes
        matches = []
        for item, share in overlaps.items():
            spans = [
                Span(word, word + int(sizes[gram]), start, stop, own[item][gram])
                for gram, word, start, stop in places
                if gram in own[item]
            ]
            matches.append(Match(item, self.items[item], share, tuple(_merged(spans))))
        return sorted(matches, key=lambda match: (-match.overlap, match.number))

    def item_excerpt(self, match: Match) -> str:
        """The words of the item, as they stand there, that are the longest span of the document."""
        span = match.longest
        first = int(self._words.offsets[match.number]) + span.item_word
        last = min(first + span.end_word - span.word, int(self._words.offsets[match.number + 1])) - 1
        return excerpt(self._text, int(self._words.start[first]), int(self._words.stop[last]))


def _occurrences(words: Words, questions: np.ndarray, size: int, min_words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Side (item, or items + item with its answer), first word and size of each n-gram, by side."""
    sides, first, sizes = [], [], []
    counts = np.diff(words.offsets)
    for at, length in enumerate(np.concatenate([questions, counts]).tolist()):
        mine = min(size, length) if length >= min_words else 0
        places = np.arange(length - mine + 1 if mine else 0) + words.offsets[at % len(counts)]
        sides.append(np.full(len(places), at))
        first.append(places)
        sizes.append(np.full(len(places), mine))
    return (*(np.concatenate(each).astype(np.int64) for each in (sides, first, sizes)),)  # type: ignore[return-value]


def _merged(spans: Iterable[Span]) -> list[Span]:
    out: list[Span] = []
    for span in sorted(spans):
        if out and span.word <= out[-1].end_word:
            if span.end_word > out[-1].end_word:
                out[-1] = out[-1]._replace(end_word=span.end_word, stop=span.stop)
        else:
            out.append(span)
    return out


def excerpt(text: Text, start: int, stop: int) -> str:
    """The first `EXCERPT` characters of bytes of the batch."""
    piece: Any = text.data[start : min(stop, start + 4 * EXCERPT)]
    return str(piece.tobytes().decode(errors="ignore")[:EXCERPT])
