"""Repeated word n-grams of each document, as Rae et al. 2021 (Gopher) and datatrove count them."""

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.lines import FACTOR, equal, hash_of, load
from stages.kernels.text import Text, frozen
from stages.kernels.words import Words

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)

_SHORT, _LONG = 16, 32
# Bytes of an n-gram's beginning: most 5-grams of English have 16 and most 8-grams 32, and few of them repeat in a document.


def top_chars(words: Words) -> np.ndarray:
    """int64 (3, documents): for n = 2, 3, 4 the code points of the most frequent n-gram times its count.

    An n-gram is its words with a space between; the first seen wins a tie, and one occurrence counts. 0 without n words.
    """
    documents, most = _shape(words)
    # A slot holds a stamp in its high half and the first place in its low half, and the hash. A slot with another
    # stamp is free: the table is never cleared.
    slots = np.zeros((_table_size(most), 2), np.int64)
    counts = np.empty(most, np.int64)  # by first place
    repeated = np.empty((2, most), np.uint8)  # at which places the (n - 1)-grams and the n-grams repeat, by turns
    top = np.zeros((len(TOP_SIZES), documents), np.int64)
    _top_chars(frozen(words.doc_offsets), frozen(words.hashes), frozen(words.lengths), slots, counts, repeated, top)
    return top


def duplicate_chars(text: Text, words: Words) -> np.ndarray:
    """int64 (6, documents): for n = 5 to 10 the code points in n-grams seen before, from left to right.

    An n-gram is its words without anything between, so that "can not" is "cannot". A repeated one is passed over
    whole: n-grams that overlap it are neither counted nor remembered.
    """
    documents, most = _shape(words)
    longest = int(np.diff(text.offsets).max(initial=0))
    duplicates = np.zeros((len(DUPLICATE_SIZES), documents), np.int64)
    _duplicate_chars(
        frozen(words.doc_offsets),
        frozen(words.starts),
        frozen(words.sizes),
        frozen(words.lengths),
        frozen(text.data),
        np.zeros((_table_size(most), 2), np.int64),  # slots: stamp and place of the first, hash
        np.empty(most, np.int64),  # repeated: bytes from a word's begin that also begin elsewhere: 0, _SHORT or _LONG
        np.empty(most, np.int64),  # places where an n-gram may repeat
        np.zeros(most + 1, np.int64),  # begins of words in the stream
        np.zeros(most + 1, np.int64),  # code points (chars) before each word
        np.empty(longest + 24, np.uint8),  # stream: the words of the document without anything between
        duplicates,
    )
    return duplicates


def _shape(words: Words) -> tuple[int, int]:
    # Tables are made once, for the longest document, outside of the kernels: see `leaf`.
    return len(words.doc_offsets) - 1, int(np.diff(words.doc_offsets).max(initial=0))


@leaf
def _table_size(entries):  # type: ignore[no-untyped-def]
    size = 16
    while size < 2 * entries:
        size *= 2
    return size


@leaf
def _top_chars(doc_offsets, hashes, lengths, slots, counts, repeated, top):  # type: ignore[no-untyped-def]
    documents = len(doc_offsets) - 1
    stamp = 0
    for document in range(documents):
        base = doc_offsets[document]
        count = doc_offsets[document + 1] - base
        if count < 2:
            continue
        mask = _table_size(count) - 1
        for n in range(2, 5):
            grams = count - n + 1
            if grams < 1:
                break
            stamp += 1
            best, best_place = 1, 0
            now, before = n & 1, (n & 1) ^ 1
            repeated[now, :count] = 0
            for place in range(grams):
                # An n-gram repeats only where both (n - 1)-grams in it do.
                if n > 2 and repeated[before, place] & repeated[before, place + 1] == 0:
                    continue
                key = hashes[base + place]
                for index in range(base + place + 1, base + place + n):
                    key = (key ^ (key >> np.uint64(32))) * FACTOR + hashes[index]
                key ^= key >> np.uint64(31)
                hashed = np.int64(key)
                slot = hashed & mask
                while slots[slot, 0] >> 32 == stamp and slots[slot, 1] != hashed:
                    slot = (slot + 1) & mask
                if slots[slot, 0] >> 32 != stamp:
                    slots[slot, 0] = stamp << 32 | place
                    slots[slot, 1] = hashed
                    counts[place] = 1
                    continue
                first = slots[slot, 0] & 0xFFFFFFFF
                counts[first] += 1
                repeated[now, first] = 1
                repeated[now, place] = 1
                if counts[first] > best or (counts[first] == best and first < best_place):
                    best, best_place = counts[first], first
            chars = n - 1
            for index in range(base + best_place, base + best_place + n):
                chars += lengths[index]
            top[n - 2, document] = chars * best


@leaf
def _store(stream, position, value):  # type: ignore[no-untyped-def]
    at = np.uint64(position)
    for index in range(8):
        stream[at + np.uint64(index)] = np.uint8((value >> np.uint64(8 * index)) & np.uint64(255))


@leaf
def _duplicate_chars(doc_offsets, starts, sizes, lengths, data, slots, repeated, places, begins, chars, stream, duplicates):  # type: ignore[no-untyped-def]
    documents = len(doc_offsets) - 1
    stamp = 0
    for document in range(documents):
        base = doc_offsets[document]
        count = doc_offsets[document + 1] - base
        if count < 6:  # two 5-grams need six words
            continue
        mask = _table_size(count) - 1
        for index in range(count):
            begins[index + 1] = begins[index] + sizes[base + index]
            chars[index + 1] = chars[index] + lengths[base + index]
        length = begins[count]
        for index in range(count):
            # Sixteen bytes at once; what is too much is written over by the next word.
            source, position, stop = starts[base + index], begins[index], begins[index + 1]
            while position < stop and source + 16 <= len(data):
                low, high = load(data, source), load(data, source + 8)
                _store(stream, position, low)
                _store(stream, position + 8, high)
                source += 16
                position += 16
            while position < stop:
                stream[position] = data[source]
                source += 1
                position += 1

        # Equal n-grams begin with equal bytes, wherever their words are parted. So one pass over the beginnings, and
        # a second over those that repeat, find the few places that all six sizes need to look at.
        stamp += 1
        for place in range(count):
            repeated[place] = 0
            if begins[place] + _SHORT > length:
                continue
            key = load(stream, begins[place]) * FACTOR
            key = ((key ^ (key >> np.uint64(32))) + load(stream, begins[place] + 8)) * FACTOR
            hashed = np.int64(key ^ (key >> np.uint64(32)))
            slot = hashed & mask
            while slots[slot, 0] >> 32 == stamp and slots[slot, 1] != hashed:
                slot = (slot + 1) & mask
            if slots[slot, 0] >> 32 == stamp:
                repeated[place] = _SHORT
                repeated[slots[slot, 0] & 0xFFFFFFFF] = _SHORT
            else:
                slots[slot, 0] = stamp << 32 | place
                slots[slot, 1] = hashed
        stamp += 1
        candidates = 0
        for place in range(count - 4):
            # What is too short for a beginning as a 5-gram may be too short as a longer one, too.
            if repeated[place] or begins[place + 5] - begins[place] < _SHORT:
                places[candidates] = place
                candidates += 1
            if repeated[place] and begins[place] + _LONG <= length:
                hashed = hash_of(stream, begins[place], begins[place] + _LONG)
                slot = hashed & mask
                while slots[slot, 0] >> 32 == stamp and slots[slot, 1] != hashed:
                    slot = (slot + 1) & mask
                if slots[slot, 0] >> 32 == stamp:
                    repeated[place] = _LONG
                    repeated[slots[slot, 0] & 0xFFFFFFFF] = _LONG
                else:
                    slots[slot, 0] = stamp << 32 | place
                    slots[slot, 1] = hashed

        for n in range(5, 11):
            stamp += 1
            total = 0
            unread = 0
            for index in range(candidates):
                place = places[index]
                if place < unread:
                    continue
                if place + n > count:
                    break
                start, stop = begins[place], begins[place + n]
                if repeated[place] < min(stop - start, _LONG) // _SHORT * _SHORT:
                    continue
                hashed = hash_of(stream, start, stop)
                slot = hashed & mask
                seen = False
                while slots[slot, 0] >> 32 == stamp:
                    first = slots[slot, 0] & 0xFFFFFFFF
                    if slots[slot, 1] == hashed and begins[first + n] - begins[first] == stop - start:
                        seen = equal(stream, begins[first], start, stop - start)
                        if seen:
                            break
                    slot = (slot + 1) & mask
                if seen:
                    total += chars[place + n] - chars[place]
                    unread = place + n
                else:
                    slots[slot, 0] = stamp << 32 | place
                    slots[slot, 1] = hashed
            duplicates[n - 5, document] = total
