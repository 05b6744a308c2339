"""Sum of the vectors of one word: its own, if the model knows it, and those of its character n-grams."""

from typing import Any

import numpy as np

from stages.kernels.compile import inlined, leaf

# places in the settings of a model
SHORTEST, LONGEST, BUCKETS, FACTOR, SHIFT, WORD_NGRAMS, WORDS, EOS_ROW, DIM, IS_LID176 = range(10)
NO_WORD = -1
BLOCK = 512
"""Rows that are collected before they are added; `kept` has room for eight more."""
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


@inlined
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


@inlined
def find_word(
    data: Any,
    start: Any,
    end: Any,
    hashed: Any,
    settings: Any,
    slots: Any,
    entry_bits: Any,
    entry_offsets: Any,
    entry_bytes: Any,
) -> Any:
    """Row of a word, -1 if the model does not know it, -2 for a label, which is no word."""
    words, entry = settings[WORDS], np.int64(-1)
    if (entry_bits[(hashed >> np.uint64(6)) & np.uint64(len(entry_bits) - 1)] >> (hashed & np.uint64(63))) & np.uint64(1):
        entry = _find_entry(data, start, end, hashed, slots, entry_offsets, entry_bytes)
    if entry >= words or (entry < 0 and data[start] == _LABEL[0] and _is_label(data, start, end)):
        return np.int64(-2)
    return entry


@leaf
def signed_hash(hashed: Any) -> Any:
    """A word's hash for n-grams of words: the library keeps it as int32, so it extends its sign to 64 bits."""
    return hashed if hashed < np.uint64(1 << 31) else hashed | np.uint64(0xFFFFFFFF00000000)


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
    return _rank(bucket, bucket_bits, bucket_base)


@leaf
def _rank(bucket: Any, bucket_bits: Any, bucket_base: Any) -> Any:
    word = bucket >> np.uint64(6)
    below = (np.uint64(1) << (bucket & np.uint64(63))) - np.uint64(1)
    return np.uint64(bucket_base[word]) + _set_bits(bucket_bits[word] & below)


@leaf
def is_kept(bucket: Any, bucket_bits: Any) -> Any:
    return len(bucket_bits) == 0 or (bucket_bits[bucket >> np.uint64(6)] >> (bucket & np.uint64(63))) & np.uint64(1) != 0


def reciprocal(divisor: int) -> tuple[int, int]:
    """Factor and shift with `(x * factor) >> shift == x // divisor` for all x of 32 bits; (0, 0) if none keeps to 64 bits.

    Granlund and Montgomery 1994, theorem 4.2: factor * divisor may exceed a power of two by one in 2^32 of it.
    """
    shift = 31 + divisor.bit_length()
    factor = -(-(1 << shift) // divisor)
    return (factor, shift) if factor <= 1 << 32 and (factor * divisor - (1 << shift)) << 32 <= 1 << shift else (0, 0)


@leaf
def _bucket_of(hashed: Any, buckets: Any, factor: Any, shift: Any) -> Any:
    return hashed - ((hashed * factor) >> shift) * buckets


@leaf
def _collect(hashed: Any, buckets: Any, factor: Any, shift: Any, bucket_bits: Any, kept: Any, count: Any) -> Any:
    """Write the bucket of an n-gram to `kept[count]`; returns the new count, which leaves it there if it has a row.

    So no branch depends on which n-grams are kept, about one in nine, which cannot be foreseen.
    """
    bucket = _bucket_of(hashed, buckets, factor, shift)
    kept[count] = bucket
    return count + ((bucket_bits[bucket >> np.uint64(6)] >> (bucket & np.uint64(63))) & np.uint64(1))


@leaf
def _add_16(kept: Any, count: Any, bucket_bits: Any, bucket_base: Any, vectors: Any, totals: Any, at: Any) -> None:
    """Add the rows, of 16 numbers, of the collected buckets, in order.

    Places are looked up first and rows added afterwards, so that reads from slower memory overlap.
    """
    for i in range(count):
        kept[i] = _rank(np.uint64(kept[i]), bucket_bits, bucket_base)
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    # four rows at a time, the last filled up with rows of zeros
    kept[count] = kept[count + one] = kept[count + two] = len(vectors) // 16 - 1
    for i in range(np.uint64(0), count, np.uint64(4)):
        first, second = np.uint64(kept[i]) * np.uint64(16), np.uint64(kept[i + one]) * np.uint64(16)
        third, fourth = np.uint64(kept[i + two]) * np.uint64(16), np.uint64(kept[i + three]) * np.uint64(16)
        for k in range(16):
            d = np.uint64(k)
            totals[at + d] = (
                totals[at + d] + vectors[first + d] + vectors[second + d] + vectors[third + d] + vectors[fourth + d]
            )


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
    character.
    """
    dim = settings[DIM]
    for d in range(dim):
        totals[at + np.uint64(d)] = 0
    entry = find_word(data, start, end, hashed, settings, slots, entry_bits, entry_offsets, entry_bytes)
    if entry < -1:
        return np.int64(NO_WORD)
    added = np.int64(0)
    if entry >= 0:
        for d in range(dim):
            totals[at + np.uint64(d)] += vectors[entry * dim + d]
        added += 1
    if settings[IS_LID176]:
        return added + _add_2_to_4(data, start, end, settings, bucket_bits, bucket_base, vectors, kept, totals, at)
    return added + _add_ngrams(data, start, end, settings, bucket_bits, bucket_base, vectors, totals, at)


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
    """`_add_ngrams` for models like lid.176: n-grams of 2 to 4 characters, pruned, a `reciprocal`, 16 numbers in a row.

    In the order of their ends, so that the hashes of all n-grams that grow stay in registers.
    """
    buckets, factor, shift = np.uint64(settings[BUCKETS]), np.uint64(settings[FACTOR]), np.uint64(settings[SHIFT])
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
        count = _collect(one, buckets, factor, shift, bucket_bits, kept, count)
        if place > 0:
            count = _collect(two, buckets, factor, shift, bucket_bits, kept, count)
            if place > 1:
                count = _collect(three, buckets, factor, shift, bucket_bits, kept, count)
        place += 1
        three, two, one = two, one, new
        if count > BLOCK:
            _add_16(kept, count, bucket_bits, bucket_base, vectors, totals, at)
            added += np.int64(count)
            count = np.uint64(0)
    _add_16(kept, count, bucket_bits, bucket_base, vectors, totals, at)
    return added + np.int64(count)


@leaf
def _add_ngrams(
    data: Any, start: Any, end: Any, settings: Any, bucket_bits: Any, bucket_base: Any, vectors: Any, totals: Any, at: Any
) -> Any:
    """Add the rows of the character n-grams of a word; returns their number."""
    shortest, longest, words, dim = settings[SHORTEST], settings[LONGEST], settings[WORDS], settings[DIM]
    buckets, factor, shift = np.uint64(settings[BUCKETS]), np.uint64(settings[FACTOR]), np.uint64(settings[SHIFT])
    added = np.int64(0)
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
            bucket = _bucket_of(hashed, buckets, factor, shift) if factor else hashed % buckets
            if n >= shortest and is_kept(bucket, bucket_bits):
                row = row_of(bucket, words, bucket_bits, bucket_base)
                for d in range(dim):
                    totals[at + np.uint64(d)] += vectors[row * np.uint64(dim) + np.uint64(d)]
                added += 1
    return added
