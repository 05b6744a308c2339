"""Best label of each document by a fastText model, as the library's `predict` finds it for one line.

Line breaks are read as spaces, so a document is one line. Sums are made word by word (float32 inside a word, float64 over
words) where the library adds n-gram after n-gram in float32: scores differ from its own by its rounding, and a word met
again costs one addition. Every step is plain IEEE arithmetic in a fixed order, so that all machines give the same bits.
"""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.fasttext_labels import best_labels
from stages.kernels.fasttext_model import EOS, Model, word_hash
from stages.kernels.text import Text

# places in the settings of `_sum_vectors`
SHORTEST, LONGEST, BUCKETS, INVERSE, WORD_NGRAMS, WORDS, EOS_ROW, MOST_BYTES, MEMORY, DIM = range(10)
_MEMORY_BYTES = 1 << 19
_LABEL = np.frombuffer(b"__label__", np.uint8)
_EOS_LOW = int.from_bytes(EOS, "big")
_EOS_HASH = word_hash(EOS)
_SEPARATORS = np.zeros(256, np.bool_)
_SEPARATORS[[0, 9, 10, 11, 12, 13, 32]] = True
_SEPARATORS.flags.writeable = False


def predict(model: Model, text: Text, max_bytes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Index of the best label (int32, -1 without any known word or n-gram) and its score (float64) for each document.

    `max_bytes` reads only so many bytes of each, less those of a character it would cut. Scores may exceed 1 by a few
    1e-5: the library adds 1e-5 to each probability, and so do we.
    """
    count = len(text.offsets) - 1
    sums = np.zeros(count * model.dim, np.float64)
    rows = np.zeros(count, np.int64)
    settings = np.zeros(10, np.int64)
    settings[DIM] = model.dim
    settings[SHORTEST], settings[LONGEST] = model.min_chars, model.max_chars
    settings[BUCKETS], settings[INVERSE] = model.buckets, (1 << 32) // max(model.buckets, 1)
    settings[WORD_NGRAMS], settings[WORDS], settings[EOS_ROW] = model.word_ngrams, model.words, model.eos
    settings[MOST_BYTES] = -1 if max_bytes is None else max_bytes
    memory = 1 << ((_MEMORY_BYTES // (4 * model.dim)).bit_length() - 1)
    settings[MEMORY] = memory
    offsets, data = text.offsets[:], text.data[:]
    offsets.flags.writeable = data.flags.writeable = False
    _sum_vectors(
        offsets,
        data,
        settings,
        model.entry_slots,
        model.entry_offsets,
        model.entry_bytes,
        model.bucket_bits,
        model.bucket_base,
        model.vectors.reshape(-1),
        _SEPARATORS,
        np.zeros(2 * memory, np.uint64),
        np.zeros(memory + 1, np.int32),
        np.zeros((memory + 1) * model.dim, np.float32),  # the last place is for words too long to remember
        np.zeros(max(model.word_ngrams, 1), np.uint64),
        sums,
        rows,
    )
    labels = np.full(count, -1, np.int32)
    scores = np.zeros(count, np.float64)
    best_labels(
        sums.reshape(count, model.dim), rows, model.loss, model.output, model.left, model.right, labels, scores,
        np.zeros(model.dim), np.zeros(len(model.output) + 2, np.int64), np.zeros(len(model.output) + 2),
    )  # fmt: skip
    return labels, scores


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
def _starts_with(data: Any, start: Any, end: Any, prefix: Any) -> Any:
    same = 0
    while same < len(prefix) and start + same < end and data[start + same] == prefix[same]:
        same += 1
    return same == len(prefix)


@leaf
def _extend(hashed: Any, byte: Any) -> Any:
    """One step of 32-bit FNV-1a on a byte taken as signed, as the library does."""
    return ((hashed ^ np.uint64(np.int64(np.int8(byte)))) * np.uint64(16777619)) & np.uint64(0xFFFFFFFF)


@leaf
def _set_bits(bits: Any) -> Any:
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@leaf
def _sum_word(
    data: Any,
    start: Any,
    end: Any,
    hashed: Any,
    settings: Any,
    slots: Any,
    entry_offsets: Any,
    entry_bytes: Any,
    bucket_bits: Any,
    bucket_base: Any,
    vectors: Any,
    totals: Any,
    at: Any,
) -> Any:
    """Put the sum of a word's rows in `totals[at : at + dim]`; returns their number, -1 for a label, which is no word.

    The rows are the word's own, if the model knows it, and those of the character n-grams of `<word>`. A byte 10xxxxxx
    begins no character. The borders alone are no n-grams, so none begins at `>`.
    """
    shortest, longest, buckets, words, dim = (
        settings[SHORTEST], settings[LONGEST], settings[BUCKETS], settings[WORDS], settings[DIM],
    )  # fmt: skip
    inverse = settings[INVERSE]
    pruned = len(bucket_bits) > 0
    added = np.int64(0)
    for d in range(dim):
        totals[at + d] = 0
    entry = _find_entry(data, start, end, hashed, slots, entry_offsets, entry_bytes)
    if entry >= words or (entry < 0 and _starts_with(data, start, end, _LABEL)):
        return np.int64(-1)
    if entry >= 0:
        for d in range(dim):
            totals[at + d] += vectors[entry * dim + d]
        added += 1
    if longest <= 0:
        return added
    for i in range(start - 1, end):
        hashed = np.uint64(2166136261)
        if i < start:
            hashed = _extend(hashed, np.uint8(60))
            n = 1
            j = start
        elif (data[i] & 0xC0) == 0x80 and i > start:
            continue
        else:
            n = 0
            j = i
        while n < longest and j <= end:
            n += 1
            if j < end:
                hashed = _extend(hashed, data[j])
                j += 1
                while j < end and (data[j] & 0xC0) == 0x80:
                    hashed = _extend(hashed, data[j])
                    j += 1
            else:
                hashed = _extend(hashed, np.uint8(62))
                j += 1
            if n < shortest:
                continue
            # hashed % buckets: the estimate is the quotient or one less, and saves a division
            bucket = np.int64(hashed) - ((np.int64(hashed) * inverse) >> 32) * buckets
            if bucket >= buckets:
                bucket -= buckets
            if pruned:
                bits = bucket_bits[bucket >> 6]
                bit = np.uint64(1) << np.uint64(bucket & 63)
                if bits & bit == 0:
                    continue
                row = np.int64(bucket_base[bucket >> 6]) + _set_bits(bits & (bit - np.uint64(1)))
            else:
                row = words + bucket
            added += 1
            if dim == 16:  # a fixed length lets the compiler use whole vector registers; lid.176 has it
                for d in range(16):
                    totals[at + d] += vectors[row * 16 + d]
            else:
                for d in range(dim):
                    totals[at + d] += vectors[row * dim + d]
    return added


@leaf
def _sum_vectors(
    offsets: Any,
    data: Any,
    settings: Any,
    slots: Any,
    entry_offsets: Any,
    entry_bytes: Any,
    bucket_bits: Any,
    bucket_base: Any,
    vectors: Any,
    separators: Any,
    memory_words: Any,
    memory_rows: Any,
    memory_sums: Any,
    running: Any,
    sums: Any,
    rows: Any,
) -> None:
    """Sum of the rows of each document and their number; 0 if it has none besides that of the end of line.

    Words already summed in this batch are found again in a memory, by their bytes.
    """
    buckets, word_ngrams, words, eos = settings[BUCKETS], settings[WORD_NGRAMS], settings[WORDS], settings[EOS_ROW]
    most, memory, dim = settings[MOST_BYTES], settings[MEMORY], settings[DIM]
    for document in range(len(offsets) - 1):
        position, end = np.int64(offsets[document]), np.int64(offsets[document + 1])
        if 0 <= most < end - position:
            end = position + most
            while end > position and (data[end] & 0xC0) == 0x80:
                end -= 1
        total = document * dim
        found = np.int64(0)
        depth = 0  # word n-grams that can still grow
        at_end = False
        while not at_end:
            while position < end and separators[data[position]]:
                position += 1
            start = position
            hashed = np.uint64(2166136261)
            low, high = np.uint64(0), np.uint64(0)
            while position < end and not separators[data[position]]:
                byte = data[position]
                hashed = _extend(hashed, byte)
                high = (high << np.uint64(8)) | (low >> np.uint64(56))
                low = (low << np.uint64(8)) | np.uint64(byte)
                position += 1
            size = position - start
            # the library stops reading at a word that looks like its own end of line
            at_end = size == 0 or (size == 4 and low == np.uint64(_EOS_LOW))
            if at_end:
                hashed = np.uint64(_EOS_HASH)
                if eos >= 0 and found > 0:
                    for d in range(dim):
                        sums[total + d] += vectors[eos * dim + d]
                    found += 1
            else:
                # no word has a zero byte, so 16 bytes tell words apart without their length
                slot = np.int64((hashed ^ (hashed >> np.uint64(15))) & np.uint64(memory - 1))
                if size > 16:
                    slot = memory
                if size > 16 or memory_words[2 * slot] != low or memory_words[2 * slot + 1] != high:
                    if size <= 16:
                        memory_words[2 * slot], memory_words[2 * slot + 1] = low, high
                    memory_rows[slot] = _sum_word(
                        data, start, position, hashed, settings, slots, entry_offsets, entry_bytes,
                        bucket_bits, bucket_base, vectors, memory_sums, slot * dim,
                    )  # fmt: skip
                added = np.int64(memory_rows[slot])
                if added < 0:
                    continue
                if dim == 16:
                    for d in range(16):
                        sums[total + d] += memory_sums[slot * 16 + d]
                else:
                    for d in range(dim):
                        sums[total + d] += memory_sums[slot * dim + d]
                found += added
            if word_ngrams > 1 and (found > 0 or not at_end):
                # the library keeps word hashes as int32, so they extend their sign to 64 bits
                signed = hashed if hashed < np.uint64(1 << 31) else hashed | np.uint64(0xFFFFFFFF00000000)
                for k in range(depth):
                    running[k] = running[k] * np.uint64(116049371) + signed
                    bucket = np.int64(running[k] % np.uint64(buckets))
                    row = words + bucket
                    if len(bucket_bits) > 0:
                        bits = bucket_bits[bucket >> 6]
                        bit = np.uint64(1) << np.uint64(bucket & 63)
                        if bits & bit == 0:
                            continue
                        row = np.int64(bucket_base[bucket >> 6]) + _set_bits(bits & (bit - np.uint64(1)))
                    for d in range(dim):
                        sums[total + d] += vectors[row * dim + d]
                    found += 1
                depth = min(depth + 1, word_ngrams - 1)
                for k in range(depth - 1, 0, -1):
                    running[k] = running[k - 1]
                running[0] = signed
        rows[document] = found
