"""Repeated 5- to 10-grams of each document, compared without anything between their words, as datatrove does."""

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.grams import DUPLICATE_SIZES
from stages.kernels.lines import FACTOR, equal, hash_of, load, table_size
from stages.kernels.text import Text, frozen
from stages.kernels.words import Words

_SHORT, _LONG = 16, 32
# Bytes of an n-gram's beginning: most 5-grams of English have 16 and most 8-grams 32, and few of them repeat in a document.


def joined_duplicates(text: Text, words: Words) -> np.ndarray:
    """int64 (6, documents): for n = 5 to 10 the code points in n-grams seen before, from left to right.

    An n-gram is its words without anything between, so that "can not" is "cannot". A repeated one is passed over
    whole: n-grams that overlap it are neither counted nor remembered.
    """
    documents, most = _shape(words)
    longest = int(np.diff(text.offsets).max(initial=0))
    duplicates = np.zeros((len(DUPLICATE_SIZES), documents), np.int64)
    _joined_duplicates(
        frozen(words.doc_offsets),
        frozen(words.starts),
        frozen(words.sizes),
        frozen(words.lengths),
        frozen(text.data),
        np.zeros((table_size(most), 2), np.int64),  # slots: stamp and place of the first, hash
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
def _store(stream, position, value):  # type: ignore[no-untyped-def]
    at = np.uint64(position)
    for index in range(8):
        stream[at + np.uint64(index)] = np.uint8((value >> np.uint64(8 * index)) & np.uint64(255))


@leaf
def _joined_duplicates(doc_offsets, starts, sizes, lengths, data, slots, repeated, places, begins, chars, stream, duplicates):  # type: ignore[no-untyped-def]
    documents = len(doc_offsets) - 1
    stamp = 0
    for document in range(documents):
        base = doc_offsets[document]
        count = doc_offsets[document + 1] - base
        if count < 6:  # two 5-grams need six words
            continue
        mask = table_size(count) - 1
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
