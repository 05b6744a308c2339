"""Repeated n-grams of each document, an n-gram being a sequence of words."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.hashing import mix64
from stages.kernels.lines import table_size
from stages.kernels.text import frozen
from stages.kernels.words import Words

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)


class Grams(NamedTuple):
    """Code points per document, int64.

    top         (3, documents): for n = 2, 3, 4 the length of the most frequent n-gram, with a space between its words, times
                its count; the first seen wins a tie, and one occurrence counts. 0 without n words
    duplicates  (6, documents): for n = 5 to 10 those in n-grams seen before, from left to right, without spaces. A repeated
                one is passed over whole: n-grams that overlap it are neither counted nor remembered
    """

    top: np.ndarray
    duplicates: np.ndarray


def repeated_grams(words: Words) -> Grams:
    """What repeats in each document. Two n-grams are the same if 64-bit hashes of their words are."""
    documents, most = len(words.doc_offsets) - 1, int(np.diff(words.doc_offsets).max(initial=0))
    grams = Grams(np.zeros((3, documents), np.int64), np.zeros((6, documents), np.int64))
    table = table_size(_SPREAD * most)
    _count_grams(
        *map(frozen, (words.doc_offsets, words.hashes, words.lengths)),
        np.zeros(most + 1, np.uint64),  # sums: hash of all words before each
        np.zeros(most + 1, np.int64),  # chars: code points before each word
        np.zeros(most + 2, np.uint64),  # keys of the n-grams at hand
        np.zeros(most + 2, np.int64),  # places where an n-gram may repeat
        np.zeros(most + 2, np.uint8),  # repeated: whether the n-gram at a place may come again
        np.zeros(table, np.uint8),  # counts by slot
        np.zeros((table_size(most), 2), np.int64),  # slots: stamp and index of the first, key
        np.zeros(most + 2, np.int64),  # tallies: how often the n-gram first seen at an index was seen
        *grams,
    )  # fmt: skip
    return grams


_SPREAD = 4
"""so many more slots than n-grams, halved: few n-grams seem to repeat because they share a slot with others"""
_STEP = np.uint64(0x9E3779B97F4A7C15)


@leaf
def _power(n: Any) -> Any:
    power = np.uint64(1)
    for _ in range(n):
        power *= _STEP
    return power


@leaf
def _count_grams(
    doc_offsets: Any,
    hashes: Any,
    lengths: Any,
    sums: Any,
    chars: Any,
    keys: Any,
    places: Any,
    repeated: Any,
    counts: Any,
    slots: Any,
    tallies: Any,
    top: Any,
    duplicates: Any,
) -> None:
    stamp = np.int64(0)
    for document in range(len(doc_offsets) - 1):
        base = doc_offsets[document]
        count = doc_offsets[document + 1] - base
        if count < 2:
            continue
        for index in range(count):
            sums[index + 1] = sums[index] * _STEP + hashes[base + index]
            chars[index + 1] = chars[index] + lengths[base + index]
        candidates = count - 1
        for n in range(2, min(count, 5) + 1):
            mask = table_size(_SPREAD * candidates) - 1
            if n == 2:
                most = _count_pairs(base, candidates, hashes, keys, places, repeated, counts, mask)
            else:
                candidates, most = _count_slots(n, count, sums, keys, places, candidates, repeated, counts, mask)
            if n > 4:
                break
            best, best_place = np.int64(1), np.int64(0)
            limit = np.int64(most)
            while limit > 1:
                stamp += 1
                found, found_place = _most_frequent(keys, places, candidates, counts, mask, limit, slots, tallies, stamp)
                if found > 1:
                    best, best_place = found, found_place
                if found >= limit or limit == 2:
                    break
                limit = max(found, np.int64(2))
            top[n - 2, document] = (chars[best_place + n] - chars[best_place] + n - 1) * best
        if count >= 6:  # two 5-grams
            stamp = _count_duplicates(
                document, count, sums, chars, places, candidates, repeated, tallies, slots, stamp, duplicates
            )


@leaf
def _count_pairs(base: Any, pairs: Any, hashes: Any, keys: Any, places: Any, repeated: Any, counts: Any, mask: Any) -> Any:
    """What `_count_slots` does, for the 2-grams at all places."""
    counts[: mask + 1] = 0
    for place in range(pairs):
        key = mix64(hashes[base + place] * _STEP + hashes[base + place + 1])
        keys[place] = key
        hits = counts[key & np.uint64(mask)]
        counts[key & np.uint64(mask)] = hits + np.uint8(hits < 255)
    most = np.uint8(1)
    for place in range(pairs):
        hits = counts[keys[place] & np.uint64(mask)]
        most = max(most, hits)
        repeated[place] = hits > 1
        places[place] = place
    repeated[pairs : pairs + 2] = 0
    return most


@leaf
def _count_slots(
    n: Any, count: Any, sums: Any, keys: Any, places: Any, candidates: Any, repeated: Any, counts: Any, mask: Any
) -> Any:
    """Count how often each slot is hit by an n-gram, up to 255, which is at least as often as the n-gram occurs.

    Of the places of (n - 1)-grams are left those where an n-gram may come again, and `repeated` tells of which it may.
    """
    kept = 0
    for index in range(candidates):
        place = places[index]
        places[kept] = place
        kept += (repeated[place] & repeated[place + 1]) != 0
    candidates = kept
    while candidates and places[candidates - 1] + n > count:
        candidates -= 1
    counts[: mask + 1] = 0
    power = _power(n)
    for index in range(candidates):
        place = places[index]
        key = mix64(sums[place + n] - sums[place] * power)
        keys[index] = key
        hits = counts[key & np.uint64(mask)]
        counts[key & np.uint64(mask)] = hits + np.uint8(hits < 255)
    repeated[: count + 1] = 0
    most = np.uint8(1)
    for index in range(candidates):
        hits = counts[keys[index] & np.uint64(mask)]
        most = max(most, hits)
        repeated[places[index]] = hits > 1
    return candidates, most


@leaf
def _find(slots: Any, stamp: Any, key: Any, mask: Any) -> Any:
    """The slot that holds `key`, or the free one where it belongs; a slot with another stamp is free."""
    slot = np.int64(key >> np.uint64(20)) & mask
    while slots[slot, 0] >> 32 == stamp and slots[slot, 1] != np.int64(key):
        slot = (slot + 1) & mask
    return slot


@leaf
def _most_frequent(
    keys: Any, places: Any, candidates: Any, counts: Any, mask: Any, limit: Any, slots: Any, tallies: Any, stamp: Any
) -> Any:
    """Count and first place of the most frequent n-gram among those whose slot was hit `limit` times or more."""
    small = table_size(candidates) - 1
    best, first_of_best = np.int64(0), np.int64(0)
    for index in range(candidates):
        key = keys[index]
        if counts[key & np.uint64(mask)] < limit:
            continue
        slot = _find(slots, stamp, key, small)
        if slots[slot, 0] >> 32 != stamp:
            slots[slot, 0] = stamp << 32 | index
            slots[slot, 1] = np.int64(key)
            tallies[index] = 0
        first = slots[slot, 0] & 0xFFFFFFFF
        tallies[first] += 1
        if tallies[first] > best or (tallies[first] == best and first < first_of_best):
            best, first_of_best = tallies[first], first
    return best, places[first_of_best]


@leaf
def _count_duplicates(
    document: Any,
    count: Any,
    sums: Any,
    chars: Any,
    places: Any,
    candidates: Any,
    repeated: Any,
    runs: Any,
    slots: Any,
    stamp: Any,
    duplicates: Any,
) -> Any:
    """Fill `duplicates`, given the places of the 5-grams, and which may come again; return the last stamp used."""
    # How many 5-grams in a row may come again from a place on: n words can only where n - 4 of them do.
    run = np.int64(0)
    for index in range(candidates - 1, -1, -1):
        place = places[index]
        run = run + 1 if repeated[place] and repeated[place + 1] else np.int64(repeated[place])
        runs[index] = run
    mask = table_size(candidates) - 1
    for n in range(5, 11):
        power = _power(n)
        stamp += 1
        total, unread, kept = np.int64(0), np.int64(0), 0
        for index in range(candidates):
            place, run = places[index], runs[index]
            if run < n - 4:
                continue
            places[kept], runs[kept] = place, run
            kept += 1
            if place < unread:
                continue
            key = mix64(sums[place + n] - sums[place] * power)
            slot = _find(slots, stamp, key, mask)
            if slots[slot, 0] >> 32 == stamp:
                total += chars[place + n] - chars[place]
                unread = place + n
            else:
                slots[slot, 0] = stamp << 32
                slots[slot, 1] = np.int64(key)
        duplicates[n - 5, document], candidates = total, kept
    return stamp
