"""Texts as sequences of tokens that keep everything but white space, and hashes of runs of them."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.hashing import hash_bytes, mix64
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import DIGIT, FORMAT, LETTER, MARK, SPACE, UNSPACED, classes, decode

_FIRST = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xD6E8FEB86659FD93)
"""odd multipliers of two rolling hashes"""


class Tokens(NamedTuple):
    """Document i has the tokens `offsets[i]` to before `offsets[i + 1]`.

    start, stop  bytes of the batch (int64)
    hashes       of the bytes of each (uint64)
    """

    offsets: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    hashes: np.ndarray


def tokens_of(text: Text) -> Tokens:
    """Runs of letters, numerals and marks, and every other code point that is not white space by itself.

    Letters and numerals of scripts without spaces, with their marks, are tokens by themselves. Case counts.
    """
    offsets = np.zeros(len(text.offsets), np.int64)
    start, stop = np.empty(len(text.data), np.int64), np.empty(len(text.data), np.int64)
    hashes = np.empty(len(text.data), np.uint64)
    _tokens(text.offsets, text.data, classes(), offsets, start, stop, hashes)
    return Tokens(offsets, start[: offsets[-1]], stop[: offsets[-1]], hashes[: offsets[-1]])


@leaf
def _tokens(offsets: Any, data: Any, table: Any, found: Any, start: Any, stop: Any, hashes: Any) -> None:
    count = 0
    for document in range(len(offsets) - 1):
        at, end = offsets[document], offsets[document + 1]
        open_, alone = False, False
        begin = at
        while at <= end:
            kind, size = np.int64(SPACE), np.int64(1)
            if at < end:
                code, size = decode(data, at, end)
                kind = np.int64(table[code])
            joins = kind & (MARK | FORMAT) != 0 or (kind & (LETTER | DIGIT) != 0 and kind & UNSPACED == 0 and not alone)
            if open_ and not joins:
                start[count], stop[count] = begin, at
                hashes[count] = hash_bytes(data, begin, at)
                count += 1
                open_ = False
            if kind & SPACE == 0 and not open_:
                begin, open_ = at, True
                alone = kind & (LETTER | DIGIT | MARK | FORMAT) == 0 or kind & UNSPACED != 0
            at += size
        found[document + 1] = count


def run_hashes(tokens: Tokens, size: int, second: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Hashes (uint64) of all runs of `size` tokens of each document, and their offsets by document (int64).

    second  another hash of the same runs: both together are 128 bits
    """
    counts = np.maximum(np.diff(tokens.offsets) - size + 1, 0)
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    out = np.empty(bounds[-1], np.uint64)
    _roll(frozen(tokens.offsets), frozen(tokens.hashes), size, _SECOND if second else _FIRST, frozen(bounds), out)
    return out, bounds


@leaf
def _roll(offsets: Any, hashes: Any, size: Any, factor: Any, bounds: Any, out: Any) -> None:
    gone = np.uint64(1)
    for _ in range(size):
        gone *= factor
    for document in range(len(offsets) - 1):
        first, at = offsets[document], bounds[document]
        rolling = np.uint64(0)
        for token in range(first, offsets[document + 1]):
            rolling = rolling * factor + hashes[token]
            if token - first >= size:
                rolling -= hashes[token - size] * gone
            if token - first >= size - 1:
                out[at] = mix64(rolling)
                at += 1


def winnowed(hashes: np.ndarray, bounds: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the smallest of every `window` neighbouring hashes of a document, the last of equal ones; each place once.

    Two documents with `window` hashes in common, one after the other, have one of these in common (Schleimer, Wilkerson and
    Aiken 2003, section 4). Of a document with fewer hashes none is chosen. Returns the places, and offsets by document.
    """
    chosen = np.empty(len(hashes), np.int64)
    offsets = np.zeros(len(bounds), np.int64)
    _winnow(frozen(hashes), frozen(bounds), window, np.empty(window + 1, np.int64), chosen, offsets)
    return chosen[: offsets[-1]], offsets


@leaf
def _winnow(hashes: Any, bounds: Any, window: Any, queue: Any, chosen: Any, offsets: Any) -> None:
    # a ring of places whose hashes ascend: the first is the smallest of the window
    count, room = 0, len(queue)
    for document in range(len(bounds) - 1):
        head, held, last = 0, 0, np.int64(-1)
        for at in range(bounds[document], bounds[document + 1]):
            while held and hashes[queue[(head + held - 1) % room]] >= hashes[at]:
                held -= 1
            queue[(head + held) % room] = at
            held += 1
            if queue[head] <= at - window:
                head = (head + 1) % room
                held -= 1
            if at - bounds[document] >= window - 1 and queue[head] != last:
                last = queue[head]
                chosen[count] = last
                count += 1
        offsets[document + 1] = count


def covered(places: np.ndarray, size: int, tokens: int) -> np.ndarray:
    """Which of so many tokens (bool) are in one of the runs of `size` tokens that begin at `places`."""
    steps = np.zeros(tokens + 1, np.int64)
    np.add.at(steps, places, 1)
    np.add.at(steps, places + size, -1)
    return np.asarray(np.cumsum(steps[:-1]) > 0)
