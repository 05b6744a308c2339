"""What a comparison of kernels with a definition is, and that of words, which both modes have."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from definitions.words import slow_facts

from stages.core.docs import Docs
from stages.kernels.words import hash_of, words


def equal(found: Any, expected: Any) -> bool:
    return bool(found == expected)


class Comparison(NamedTuple):
    """What kernels answer for each document of a batch, what the definition answers for its text, and when both agree."""

    answers: Callable[[Docs], Sequence[Any]]
    definition: Callable[[str], Any]
    agree: Callable[[Any, Any], bool] = equal


def differences(comparison: Comparison, batches: Sequence[Docs], expected: Sequence[Any]) -> list[int]:
    """Rows of the texts on which the kernels' answers in these batches are not those of the definition."""
    found = [answer for docs in batches for answer in comparison.answers(docs)]
    if len(found) != len(expected):
        raise ValueError(f"{len(found)} answers for {len(expected)} texts")
    return [row for row, pair in enumerate(zip(found, expected, strict=True)) if not comparison.agree(*pair)]


def cut_words(docs: Docs, mode: Any) -> list[list[tuple[int, bytes, int, int, int]]]:
    """Place in the document, bytes, code points, hash and flags of each word."""
    text, found = docs.text(), words(docs, mode)
    data = text.data.tobytes()
    spans = [
        (start, data[start : start + size]) for start, size in zip(found.starts.tolist(), found.sizes.tolist(), strict=True)
    ]
    facts = [*zip(found.lengths.tolist(), found.hashes.tolist(), found.flags.tolist(), strict=True)]
    return [
        [(start - begin, word, *fact) for (start, word), fact in zip(spans[low:high], facts[low:high], strict=True)]
        for begin, (low, high) in zip(text.offsets.tolist(), pairwise(found.doc_offsets.tolist()), strict=False)
    ]


def cut_slowly(text: str, words_: list[str]) -> list[tuple[int, bytes, int, int, int]]:
    cut, at, data = [], 0, text.encode()
    for word in words_:
        encoded = word.encode()
        at = data.index(encoded, at)
        _, length, flags = slow_facts(word)
        cut.append((at, encoded, length, hash_of(encoded), flags))
        at += len(encoded)
    return cut
