"""ROUGE-L between short texts, and the texts of a growing pool that may be as alike as a threshold."""

import math
import re
from collections import Counter
from collections.abc import Sequence

WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Words in lower case: runs of letters, digits and underscores of any script."""
    return WORD.findall(text.casefold())


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, bit-parallel (Hyyrö 2004): one step of big-integer arithmetic for each word."""
    places: dict[str, int] = {}
    for at, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        found = row & places.get(word, 0)
        row = ((row + found) | (row - found)) & full
    return len(first) - row.bit_count()


def rouge_l(first: Sequence[str], second: Sequence[str]) -> float:
    """F1 of the longest common subsequence (Lin 2004, with beta 1); 0 where one has no word."""
    return 2 * longest_common(first, second) / (len(first) + len(second)) if first and second else 0.0


class Pool:
    """Texts, and which of them are as alike as `threshold` to another. Exact: what is not compared cannot be.

    Two texts of m and n words with ROUGE-L of at least t share t * (m + n) / 2 words, so that n is at least t * m / (2 - t),
    and so is what they share: of the words of either, rarest first, one of the first m - t * m / (2 - t) + 1 is in both (the
    prefix filter of set similarity joins, Chaudhuri et al. 2006). Words are numbered by occurrence, and rare by `counts`.
    """

    def __init__(self, threshold: float, counts: Counter[str]) -> None:
        self._threshold = threshold
        self._counts = counts
        self._texts: list[list[str]] = []
        self._index: dict[tuple[str, int], list[int]] = {}

    def add(self, words: list[str]) -> int:
        """Take in a text; its number, from 0."""
        for key in self._prefix(words):
            self._index.setdefault(key, []).append(len(self._texts))
        self._texts.append(words)
        return len(self._texts) - 1

    def closest(self, words: list[str]) -> tuple[int, float] | None:
        """The text with the highest ROUGE-L, the first of equal ones, and its score; None if none reaches the threshold."""
        best: tuple[int, float] | None = None
        shared = Counter(words)
        for number in sorted({number for key in self._prefix(words) for number in self._index.get(key, ())}):
            other = self._texts[number]
            needed = self._threshold * (len(words) + len(other)) / 2
            # the counts of words bound the common subsequence, and cost less
            if min(len(words), len(other)) < needed or (shared & Counter(other)).total() < needed:
                continue
            score = rouge_l(words, other)
            if score >= self._threshold and (best is None or score > best[1]):
                best = (number, score)
        return best

    def _prefix(self, words: list[str]) -> list[tuple[str, int]]:
        seen: Counter[str] = Counter()
        numbered = []
        for word in words:
            numbered.append((word, seen[word]))
            seen[word] += 1
        numbered.sort(key=lambda key: (self._counts[key[0]], key))
        shared = math.ceil(self._threshold * len(words) / (2 - self._threshold) - 1e-9)
        return numbered[: len(words) - max(1, shared) + 1]
