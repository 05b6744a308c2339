"""Sum of the vectors of one word: its own, if the model knows it, and those of its character n-grams."""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf

# places in the settings of a model
SHORTEST, LONGEST, BUCKETS, INVERSE, WORD_NGRAMS, WORDS, EOS_ROW, DIM = range(8)
NO_WORD = -1
BLOCK = 512
"""Rows that are collected before they are added."""
_FIRST = np.uint64(2166136261)
_LABEL = np.frombuffer(b"__label__", np.uint8)


@leaf
def extend(hashed: Any, byte: Any) -> Any:
    """One step of 32-bit FNV-1a on a byte taken as signed, as the library does."""
    return ((hashed ^ np.uint64(np.int64(np.int8(byte)))) * np.uint64(16777619)) & np.uint64(0xFFFFFFFF)


@leaf
def hash_bytes(data: Any, start: Any, end: Any) -> Any:
    hashed = _FIRST
    for i in range(np.uint64(start), np.uint64(end)):
        hashed = extend(hashed, data[i])
    return hashed


@leaf
def _find_entry(data: Any, start: Any, end: Any, hashed: Any, slots: Any, entry_offsets: Any, entry_bytes: Any) -> Any:
    mask = len(slots) - 1
    slot = np.int64(hashed) & mask
    while slots[slot] >= 0:
        entry = slots[slot]
        begin = entry_offsets[entry]
        if entry_offsets[entry + 1] - begin == end - start:
            same = True
            for i in range(end - start):
                if entry_bytes[begin + i] != data[start + i]:
                    same = False
                    break
            if same:
                return np.int64(entry)
        slot = (slot + 1) & mask
    return np.int64(-1)


@leaf
def _is_label(data: Any, start: Any, end: Any) -> Any:
    same = 0
    while same < len(_LABEL) and start + same < end and data[start + same] == _LABEL[same]:
        same += 1
    return same == len(_LABEL)


@leaf
def _set_bits(bits: Any) -> Any:
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (bits * np.uint64(0x0101010101010101)) >> np.uint64(56)


@leaf
def row_of(bucket: Any, words: Any, bucket_bits: Any, bucket_base: Any) -> Any:
    """Row of a bucket that is kept."""
    if len(bucket_bits) == 0:
        return np.uint64(words) + bucket
    word = bucket >> np.uint64(6)
    below = (np.uint64(1) << (bucket & np.uint64(63))) - np.uint64(1)
    return np.uint64(bucket_base[word]) + _set_bits(bucket_bits[word] & below)


@leaf
def is_kept(bucket: Any, bucket_bits: Any) -> Any:
    """1 or 0, so that a count grows without a branch: which n-grams are kept, about one in nine, cannot be foreseen."""
    if len(bucket_bits) == 0:
        return np.uint64(1)
    return (bucket_bits[bucket >> np.uint64(6)] >> (bucket & np.uint64(63))) & np.uint64(1)


@leaf
def _collect(hashed: Any, buckets: Any, inverse: Any, bucket_bits: Any, kept: Any, count: Any) -> Any:
    """Write the bucket of an n-gram to `kept[count]`; returns the new count, which leaves it there if it has a row."""
    # hashed % buckets: the estimate is the quotient or one less, and saves a division
    bucket = hashed - ((hashed * inverse) >> np.uint64(32)) * buckets
    bucket = min(bucket, bucket - buckets)  # the difference wraps around where nothing is to be taken off
    kept[count] = bucket
    return count + is_kept(bucket, bucket_bits)


@leaf
def _add_rows(
    kept: Any, count: Any, words: Any, dim: Any, bucket_bits: Any, bucket_base: Any, vectors: Any, totals: Any, at: Any
) -> Any:
    """Add the rows of the collected buckets, in order; returns 0, the new count of what is collected.

    Places are looked up first and rows added afterwards, so that reads from slower memory overlap.
    """
    for i in range(count):
        kept[i] = row_of(kept[i], words, bucket_bits, bucket_base) * np.uint64(dim)
    at = np.uint64(at)
    i = np.uint64(0)
    if dim == 16:  # a fixed length lets the compiler use whole vector registers; lid.176 has it
        while i + np.uint64(4) <= count:
            first, second = kept[i], kept[i + np.uint64(1)]
            third, fourth = kept[i + np.uint64(2)], kept[i + np.uint64(3)]
            for k in range(16):
                d = np.uint64(k)
                sum_ = totals[at + d] + vectors[first + d] + vectors[second + d]
                totals[at + d] = sum_ + vectors[third + d] + vectors[fourth + d]
            i += np.uint64(4)
        while i < count:
            first = kept[i]
            for k in range(16):
                totals[at + np.uint64(k)] += vectors[first + np.uint64(k)]
            i += np.uint64(1)
    while i < count:
        for k in range(dim):
            totals[at + np.uint64(k)] += vectors[kept[i] + np.uint64(k)]
        i += np.uint64(1)
    return np.uint64(0)


@leaf
def sum_word(
    data: Any,
    start: Any,
    end: Any,
    hashed: Any,
    settings: Any,
    slots: Any,
    entry_bits: Any,
    entry_offsets: Any,
    entry_bytes: Any,
    bucket_bits: Any,
    bucket_base: Any,
    vectors: Any,
    kept: Any,
    totals: Any,
    at: Any,
) -> Any:
    """Put the sum of a word's rows in `totals[at : at + dim]`; returns their number, `NO_WORD` for a label.

    The n-grams are those of `<word>`; the borders alone are none, so none begins at `>`. A byte 10xxxxxx begins no
    character. `kept` has room for `BLOCK` buckets and those of one more place.
    """
    longest, words, dim = settings[LONGEST], settings[WORDS], settings[DIM]
    for d in range(dim):
        totals[at + d] = 0
    entry = np.int64(-1)
    if (entry_bits[(hashed >> np.uint64(6)) & np.uint64(len(entry_bits) - 1)] >> (hashed & np.uint64(63))) & np.uint64(1):
        entry = _find_entry(data, start, end, hashed, slots, entry_offsets, entry_bytes)
    if entry >= words or (entry < 0 and data[start] == 95 and _is_label(data, start, end)):
        return np.int64(NO_WORD)
    added = np.int64(0)
    if entry >= 0:
        for d in range(dim):
            totals[at + d] += vectors[entry * dim + d]
        added += 1
    if longest <= 0:
        return added
    if settings[SHORTEST] == 2 and longest == 4:
        return added + _add_2_to_4(data, start, end, settings, bucket_bits, bucket_base, vectors, kept, totals, at)
    return added + _add_ngrams(data, start, end, settings, bucket_bits, bucket_base, vectors, kept, totals, at)


@leaf
def _add_2_to_4(
    data: Any,
    start: Any,
    end: Any,
    settings: Any,
    bucket_bits: Any,
    bucket_base: Any,
    vectors: Any,
    kept: Any,
    totals: Any,
    at: Any,
) -> Any:
    """`_add_ngrams` for lid.176's lengths, by last characters: the hashes of all n-grams that grow stay in registers."""
    words, dim = settings[WORDS], settings[DIM]
    buckets, inverse = np.uint64(settings[BUCKETS]), np.uint64(settings[INVERSE])
    added = np.int64(0)
    count = np.uint64(0)
    one = extend(_FIRST, np.uint8(60))  # n-grams of one, two and three characters that end before the next
    two = three = _FIRST
    i, stop = np.uint64(start), np.uint64(end)
    place = 0
    while i <= stop:
        byte = data[i] if i < stop else np.uint8(62)
        new, one, two, three = extend(_FIRST, byte), extend(one, byte), extend(two, byte), extend(three, byte)
        i += np.uint64(1)
        while i < stop and (data[i] & 0xC0) == 0x80:
            byte = data[i]
            new, one, two, three = extend(new, byte), extend(one, byte), extend(two, byte), extend(three, byte)
            i += np.uint64(1)
        count = _collect(one, buckets, inverse, bucket_bits, kept, count)
        if place > 0:
            count = _collect(two, buckets, inverse, bucket_bits, kept, count)
            if place > 1:
                count = _collect(three, buckets, inverse, bucket_bits, kept, count)
        place += 1
        three, two, one = two, one, new
        if count >= BLOCK:
            added += np.int64(count)
            count = _add_rows(kept, count, words, dim, bucket_bits, bucket_base, vectors, totals, at)
    added += np.int64(count)
    _add_rows(kept, count, words, dim, bucket_bits, bucket_base, vectors, totals, at)
    return added


@leaf
def _add_ngrams(
    data: Any,
    start: Any,
    end: Any,
    settings: Any,
    bucket_bits: Any,
    bucket_base: Any,
    vectors: Any,
    kept: Any,
    totals: Any,
    at: Any,
) -> Any:
    """Add the rows of the character n-grams of a word; returns their number."""
    shortest, longest, words, dim = settings[SHORTEST], settings[LONGEST], settings[WORDS], settings[DIM]
    buckets, inverse = np.uint64(settings[BUCKETS]), np.uint64(settings[INVERSE])
    added = np.int64(0)
    count = np.uint64(0)
    for i in range(start - 1, end):
        hashed, n, j = _FIRST, 0, i
        if i < start:
            hashed, n, j = extend(hashed, np.uint8(60)), 1, start
        elif (data[i] & 0xC0) == 0x80:
            continue
        while n < longest and j <= end:
            n += 1
            hashed = extend(hashed, data[j] if j < end else np.uint8(62))
            j += 1
            while j < end and (data[j] & 0xC0) == 0x80:
                hashed = extend(hashed, data[j])
                j += 1
            if n >= shortest:
                count = _collect(hashed, buckets, inverse, bucket_bits, kept, count)
                if count >= BLOCK:
                    added += np.int64(count)
                    count = _add_rows(kept, count, words, dim, bucket_bits, bucket_base, vectors, totals, at)
    added += np.int64(count)
    _add_rows(kept, count, words, dim, bucket_bits, bucket_base, vectors, totals, at)
    return added
