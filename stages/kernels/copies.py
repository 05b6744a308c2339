"""Lines, paragraphs and word n-grams that stand more than once in a document, every copy counted, the first too."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.hashing import hash_bytes
from stages.kernels.lines import FACTOR, equal, hash_of, most_set, skip_spaces, table_size, trim_spaces
from stages.kernels.planes import count_set, next_set
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import DIGIT, FORMAT, LETTER, MARK, UNSPACED, classes, decode

TOP_SIZES = (2, 3, 4)
UNION_SIZES = (5, 6, 7, 8, 9, 10)


class Copies(NamedTuple):
    """Counts per document, int64.

    segments   lines or paragraphs, stripped, that are not empty
    chars      code points in them
    copies     segments that occur more than once
    copy_chars code points in these
    """

    segments: np.ndarray
    chars: np.ndarray
    copies: np.ndarray
    copy_chars: np.ndarray


class Grams(NamedTuple):
    """Code points per document, int64; n-grams are of words with a letter or numeral, whatever stands between.

    A word is a run of letters, numerals, what is attached to them, and _; inside are also . and an apostrophe between two
    letters or two numerals, : and the middle dot between letters, and , and ; between numerals. A letter of a script without
    spaces is a word.

    chars  in all such words
    top    (3, documents) for n = 2, 3, 4: the length of the most frequent n-gram, of these the longest, times its count;
           0 if none occurs twice
    union  (6, documents) for n = 5 to 10: in the words that are part of an n-gram which occurs more than once
    """

    chars: np.ndarray
    top: np.ndarray
    union: np.ndarray


def segment_copies(text: Text, breaks: int) -> Copies:
    r"""Copies among the stripped parts between "\n" (`breaks` 1) or "\n\n" (2, found from the left)."""
    size = table_size(most_set(text.planes.newline, text.offsets) + 2)
    # A slot holds stamp, hash, start and end of the first segment with these bytes, and whether it was counted. A slot
    # with another document's stamp is free, so that the table is never cleared.
    slots = np.zeros((size, 5), np.int64)
    counts = np.zeros((len(Copies._fields), len(text.offsets) - 1), np.int64)
    _count_copies(text.offsets, text.data, text.planes.newline, text.planes.head, breaks, slots, counts)
    return Copies(*counts)


def gram_copies(text: Text) -> Grams:
    """Repeated n-grams of each document, overlapping ones included."""
    documents = len(text.offsets) - 1
    bound = (len(text.data) + documents) // 2 + 1  # a word has three bytes, or one that is none of it stands behind
    offsets, hashes, lengths = np.zeros(documents + 1, np.int64), np.empty(bound, np.uint64), np.empty(bound, np.int64)
    _find_words(text.offsets, text.data, classes(), offsets, hashes, lengths)
    hashes, lengths = hashes[: offsets[-1]], lengths[: offsets[-1]]
    most = int(np.diff(offsets).max(initial=0))
    grams = Grams(
        np.zeros(documents, np.int64),
        np.zeros((len(TOP_SIZES), documents), np.int64),
        np.zeros((len(UNION_SIZES), documents), np.int64),
    )
    _count_grams(
        frozen(offsets),
        frozen(hashes),
        frozen(lengths),
        np.zeros((table_size(most), 2), np.int64),  # slots: stamp and first place, hash
        np.zeros(most + 1, np.int64),  # code points before each word
        np.zeros(most, np.int64),  # counts by first place
        np.zeros(most, np.int64),  # places where an n-gram may repeat
        np.zeros(most + 1, np.int64),  # by place: the stamp of the longest n-gram that repeats there
        *grams,
    )
    return grams


@leaf
def _count_copies(offsets: Any, data: Any, newline: Any, head: Any, breaks: Any, slots: Any, counts: Any) -> None:
    for document in range(len(offsets) - 1):
        begin, end = offsets[document], offsets[document + 1]
        mask = table_size(count_set(newline, begin, end) + 2) - 1
        stamp = document + 1
        at = begin
        while begin <= end:
            stop = next_set(newline, at, end) if at < end else end
            if breaks == 2 and stop < end and (stop + 1 == end or data[stop + 1] != 0x0A):
                at = stop + 1
                continue
            first = skip_spaces(data, begin, stop)
            last = trim_spaces(data, first, stop)
            begin = at = stop + breaks if stop < end else end + 1
            if first == last:
                continue
            chars = count_set(head, first, last)
            counts[0, document] += 1
            counts[1, document] += chars
            hashed = hash_of(data, first, last)
            slot = hashed & mask
            while slots[slot, 0] == stamp:
                size = slots[slot, 3] - slots[slot, 2]
                if slots[slot, 1] == hashed and size == last - first and equal(data, slots[slot, 2], first, size):
                    break
                slot = (slot + 1) & mask
            if slots[slot, 0] == stamp:
                more = 1 if slots[slot, 4] else 2
                counts[2, document] += more
                counts[3, document] += more * chars
                slots[slot, 4] = 1
            else:
                slots[slot, 0], slots[slot, 1], slots[slot, 2], slots[slot, 3], slots[slot, 4] = stamp, hashed, first, last, 0


@leaf
def _joins(data: Any, code: Any, before: Any, position: Any, end: Any, table: Any) -> Any:
    """Whether a mark after a code point of class `before` is inside a word that goes on at `position`."""
    if position >= end:
        return False
    following, _ = decode(data, position, end)
    after = np.int64(table[following])
    if after & UNSPACED:
        return False
    if code == 0x2E or code == 0x27 or code == 0x2019:  # . and apostrophes
        return before & after & (LETTER | DIGIT) != 0
    if code == 0x3A or code == 0xB7:  # : and the middle dot
        return before & after & LETTER != 0
    return (code == 0x2C or code == 0x3B) and before & after & DIGIT != 0  # , ;


@leaf
def _find_words(offsets: Any, data: Any, table: Any, found: Any, hashes: Any, lengths: Any) -> None:
    """Hashes and code points of the words that hold a letter or numeral, `found` of them up to the end of each document."""
    filled = 0
    for document in range(len(offsets) - 1):
        position, end = offsets[document], offsets[document + 1]
        while position < end:
            code, size = decode(data, position, end)
            first = np.int64(table[code])
            start, length, before, wanted = position, 0, first, first & (LETTER | DIGIT) != 0
            position += size
            if not wanted and code != 0x5F:  # _
                continue
            length += 1
            while position < end:
                code, size = decode(data, position, end)
                bits = np.int64(table[code])
                if bits & (MARK | FORMAT) == 0:
                    if first & UNSPACED or bits & UNSPACED:
                        break
                    if (
                        bits & (LETTER | DIGIT) == 0
                        and code != 0x5F
                        and not _joins(data, code, before, position + size, end, table)
                    ):
                        break
                    wanted = wanted or bits & (LETTER | DIGIT) != 0
                    before = bits
                position += size
                length += 1
            if wanted:
                hashes[filled], lengths[filled] = hash_bytes(data, start, position), length
                filled += 1
        found[document + 1] = filled


@leaf
def _gram_hash(hashes: Any, place: Any, n: Any) -> Any:
    key = hashes[place]
    for index in range(place + 1, place + n):
        key = (key ^ (key >> np.uint64(32))) * FACTOR + hashes[index]
    return np.int64(key ^ (key >> np.uint64(31)))


@leaf
def _count_grams(
    offsets: Any,
    hashes: Any,
    lengths: Any,
    slots: Any,
    before: Any,
    counts: Any,
    places: Any,
    repeated: Any,
    chars: Any,
    top: Any,
    union: Any,
) -> None:
    stamp = 0
    for document in range(len(offsets) - 1):
        base = offsets[document]
        count = offsets[document + 1] - base
        for index in range(count):
            before[index + 1] = before[index] + lengths[base + index]
            places[index] = index
        chars[document] = before[count]
        mask = table_size(count) - 1
        candidates = count
        for n in range(2, 11):
            stamp += 1
            best, longest = 1, 0
            while candidates and places[candidates - 1] + n > count:
                candidates -= 1
            for index in range(candidates):
                place = places[index]
                hashed = _gram_hash(hashes, base + place, n)
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
                repeated[first] = repeated[place] = stamp
                length = before[place + n] - before[place]
                if counts[first] > best or (counts[first] == best and length > longest):
                    best, longest = counts[first], length
            if best == 1:
                break
            if n <= 4:
                top[n - 2, document] = best * longest
            covered, total, following = 0, 0, 0
            for index in range(candidates):
                place = places[index]
                if repeated[place] != stamp:
                    continue
                total += before[place + n] - before[max(place, covered)]
                covered = place + n
                if repeated[place + 1] == stamp:  # a longer n-gram repeats only where both in it do
                    places[following] = place
                    following += 1
            candidates = following
            if n >= 5:
                union[n - 5, document] = total
