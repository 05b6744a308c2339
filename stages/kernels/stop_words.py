"""Words of a document counted by kind, and the different stop words of its language among them, in one pass."""

import functools
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from stages.kernels.compile import leaf
from stages.kernels.text import text_of
from stages.kernels.words import HAS_ALPHA, NOT_PUNCT, Mode, Words, hash_of, words_of


class StopWords(NamedTuple):
    """Hash tables of some lists of stop words, one after the other.

    sieves       uint64 for each list: bit h is set if the hash of a stop word's first word has h for its highest six bits
    singles      uint64 for each list: the bits of its sieve that only one stop word sets
    first        int64, lists + 1: where each list's table begins in `slots`; sizes are powers of two
    slots        int32, the stop word in a slot, or -1
    bounds       int64, stop words + 1: where each one's words begin in `hashes`
    hashes       uint64, the words that a stop word is made of, one or more
    """

    sieves: np.ndarray
    singles: np.ndarray
    first: np.ndarray
    slots: np.ndarray
    bounds: np.ndarray
    hashes: np.ndarray


@functools.lru_cache(maxsize=32)
def stop_words_of(lists: tuple[tuple[str, ...], ...], mode: Mode) -> StopWords:
    """Tables of the lists. A stop word that the mode cuts into several words stands where these follow without a gap."""
    sieves, singles, first, tables, bounds, hashes = [], [], [0], [], [0], []
    for stop_words in lists:
        cut = [parts for word in dict.fromkeys(stop_words) if (parts := _parts(word, mode))]
        table = np.full(1 << (4 * len(cut) + 4).bit_length(), -1, np.int32)
        bits = Counter(1 << (parts[0] >> 58) for parts in cut)
        sieves.append(sum(bits))
        singles.append(sum(bit for bit, count in bits.items() if count == 1))
        for parts in cut:
            slot = parts[0] % len(table)
            while table[slot] >= 0:
                slot = (slot + 1) % len(table)
            table[slot] = len(bounds) - 1
            hashes += parts
            bounds.append(len(hashes))
        tables.append(table)
        first.append(first[-1] + len(table))
    slots = np.concatenate(tables) if tables else np.zeros(0, np.int32)
    kinds = (np.uint64, np.uint64, np.int64, np.int32, np.int64, np.uint64)
    fields = (sieves, singles, first, slots, bounds, hashes)
    return StopWords(*(np.array(field, kind) for field, kind in zip(fields, kinds, strict=True)))


def _parts(word: str, mode: Mode) -> list[int]:
    if mode == "datatrove":  # compares whole words, whatever its tokenizer would make of a stop word
        return [hash_of(word.encode())] if word else []
    return [int(value) for value in words_of(text_of(pa.array([word], pa.large_string())), mode).hashes]


def count_words_of(found: Words, stop_words: StopWords, which: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """int64 per document: words that are not punctuation, their code points, words with a letter, different stop words.

    `which` is the number of each document's list, -1 for none; None gives every document the first.
    """
    documents = len(found.doc_offsets) - 1
    lists = np.zeros(documents, np.int64) if which is None else np.ascontiguousarray(which, np.int64)
    counts = tuple(np.zeros(documents, np.int64) for _ in range(4))
    last_seen = np.full(len(stop_words.bounds) - 1, -1, np.int64)
    count_words(*found, *stop_words, lists, last_seen, *counts)
    return counts


@leaf
def count_words(
    doc_offsets: Any,
    starts: Any,
    sizes: Any,
    lengths: Any,
    hashes: Any,
    flags: Any,
    sieves: Any,
    singles: Any,
    first: Any,
    slots: Any,
    bounds: Any,
    stop_hashes: Any,
    lists: Any,
    last_seen: Any,
    counted: Any,
    letters: Any,
    alpha: Any,
    stop: Any,
) -> None:
    """Fill the counts of `count_words_of`; `last_seen` is the last document that has each stop word."""
    for document in range(len(doc_offsets) - 1):
        words_, code_points, with_letter, different = 0, 0, 0, 0
        begin, end = doc_offsets[document], doc_offsets[document + 1]
        for word in range(begin, end):  # no branches: the compiler makes vectors of it
            is_word = flags[word] & NOT_PUNCT != 0
            words_ += is_word
            code_points += is_word * lengths[word]
            with_letter += flags[word] & HAS_ALPHA != 0
        counted[document], letters[document], alpha[document] = words_, code_points, with_letter
        chosen = lists[document]
        if chosen < 0:
            continue
        sieve = sieves[chosen]
        base, mask = first[chosen], np.uint64(first[chosen + 1] - first[chosen] - 1)
        for word in range(begin, end):
            value = hashes[word]
            bit = np.uint64(1) << (value >> np.uint64(58))
            if sieve & bit == 0:
                continue
            slot = value & mask
            index = np.int64(slots[base + np.int64(slot)])
            while index >= 0:
                if last_seen[index] != document and _stands(starts, sizes, hashes, word, end, bounds, stop_hashes, index):
                    last_seen[index] = document
                    different += 1
                    sieve &= ~(bit & singles[chosen])  # its word need not be looked up again
                slot = (slot + np.uint64(1)) & mask
                index = np.int64(slots[base + np.int64(slot)])
        stop[document] = different


@leaf
def _stands(starts: Any, sizes: Any, hashes: Any, word: Any, end: Any, bounds: Any, stop_hashes: Any, index: Any) -> Any:
    """Whether the words of stop word `index` begin at `word`, each where the one before ends."""
    part = bounds[index]
    if hashes[word] != stop_hashes[part]:
        return False
    part += 1
    while part < bounds[index + 1]:
        word += 1
        if word >= end or hashes[word] != stop_hashes[part] or starts[word] != starts[word - 1] + sizes[word - 1]:
            return False
        part += 1
    return True
