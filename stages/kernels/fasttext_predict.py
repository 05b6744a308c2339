"""Best label of each document by a fastText model, as the library's `predict` finds it for one line.

Line breaks are read as spaces, so a document is one line. Sums are made word by word (float32 inside a word, float64 over
words) where the library adds n-gram after n-gram in float32: scores differ from its own by its rounding, and a word met
again costs one addition. Every step is plain IEEE arithmetic in a fixed order, so that all machines give the same bits.
"""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.fasttext_labels import best_labels, top_labels
from stages.kernels.fasttext_model import Model, aligned
from stages.kernels.fasttext_places import (
    EOS_HASH,
    EOS_KEY,
    SEPARATORS,
    SPREAD,
    SPREAD_HIGH,
    end_of_reading,
    part,
    word_end,
)
from stages.kernels.fasttext_words import (
    BLOCK,
    BUCKETS,
    DIM,
    EOS_ROW,
    FACTOR,
    IS_LID176,
    LONGEST,
    NO_WORD,
    SHIFT,
    SHORTEST,
    WORD_NGRAMS,
    WORDS,
    hash_bytes,
    is_kept,
    reciprocal,
    row_of,
    signed_hash,
    sum_word,
)
from stages.kernels.text import Text

# the memory of words: more slots miss less, but reads of them leave the core's own cache
_MOST_MEMORY_BITS = 15
_HEAD = 8
"""float32 places before the sum of a word in the memory: its bytes (two uint64), its number of rows (int64) and its hash."""


def predict(
    model: Model, text: Text, max_bytes: int | None = None, label_unknown: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Index of the best label (int32, -1 without any known word or n-gram) and its score (float64) for each document.

    With `label_unknown` a text without any gets the label of the end of line alone, as in the library, even an empty one.
    `max_bytes` reads only so many bytes of each, less those of a character it would cut. Scores may exceed 1 by a few
    1e-5: the library adds 1e-5 to each probability, and so do we.
    """
    sums, rows = vectors_of(model, text, max_bytes, label_unknown)
    count = len(rows)
    labels = np.full(count, -1, np.int32)
    scores = np.zeros(count, np.float64)
    best_labels(
        sums, rows, model.loss, model.output, model.left, model.right, labels, scores,
        np.zeros(model.dim), np.zeros(len(model.output) + 2, np.int64), np.zeros(len(model.output) + 2),
    )  # fmt: skip
    return labels, scores


def predict_top(model: Model, text: Text, top: int, max_bytes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the `top` best labels, best first, and their scores: (documents, top), at most as many as the model has.

    -1 and 0 for a text without any known word or n-gram. Reads every label's score, so it costs more than `predict`.
    """
    sums, rows = vectors_of(model, text, max_bytes, False)
    shape = (len(rows), min(top, len(model.output)))
    labels, scores = np.full(shape, -1, np.int32), np.zeros(shape, np.float64)
    size = len(model.output) + 2
    top_labels(
        sums, rows, model.loss, model.output, model.left, model.right, labels, scores,
        np.zeros(model.dim), np.zeros(size), np.zeros(size, np.int64), np.zeros(size),
    )  # fmt: skip
    return labels, scores


def vectors_of(model: Model, text: Text, max_bytes: int | None, label_unknown: bool) -> tuple[np.ndarray, np.ndarray]:
    """The sum of each document's rows of the model, (documents, dim) float64, and how many they are."""
    offsets, data = text.offsets[:], text.data[:]
    offsets.flags.writeable = data.flags.writeable = False
    rows = np.zeros(len(offsets) - 1, np.int64)
    memory_bits = min(max(int(offsets[-1]) // 16, 16).bit_length(), _MOST_MEMORY_BITS)
    given = (
        offsets, data, -1 if max_bytes is None else max_bytes, label_unknown, settings_of(model), model.entry_slots,
        model.entry_bits, model.entry_offsets, model.entry_bytes, model.bucket_bits, model.bucket_base,
        model.vectors.reshape(-1), SEPARATORS,
    )  # fmt: skip
    sums = np.zeros(len(rows) * model.dim, np.float64)
    stride = _HEAD + -(-model.dim // 8) * 8
    sums_of_words = aligned((1 << memory_bits) + 1, stride).reshape(-1)  # the last place is for words too long to remember
    running = np.zeros(model.word_ngrams, np.uint64) if model.word_ngrams > 1 else None
    kept = np.zeros(BLOCK + 8, np.uint32)
    _sum_vectors(*given, sums_of_words.view(np.uint64), sums_of_words, memory_bits, stride, kept, running, sums, rows)
    return sums.reshape(len(rows), model.dim), rows


def settings_of(model: Model) -> np.ndarray:
    settings = np.zeros(10, np.int64)
    settings[DIM] = model.dim
    settings[SHORTEST], settings[LONGEST] = model.min_chars, model.max_chars
    settings[BUCKETS] = model.buckets
    settings[FACTOR], settings[SHIFT] = reciprocal(max(model.buckets, 1))
    settings[WORD_NGRAMS], settings[WORDS], settings[EOS_ROW] = model.word_ngrams, model.words, model.eos
    shape = (model.dim, model.min_chars, model.max_chars)
    settings[IS_LID176] = shape == (16, 2, 4) and len(model.bucket_bits) > 0 and settings[FACTOR] > 0
    return settings


@leaf
def _sum_vectors(
    offsets: Any,
    data: Any,
    most: Any,
    label_unknown: Any,
    settings: Any,
    slots: Any,
    entry_bits: Any,
    entry_offsets: Any,
    entry_bytes: Any,
    bucket_bits: Any,
    bucket_base: Any,
    vectors: Any,
    separators: Any,
    memory_words: Any,
    memory_sums: Any,
    memory_bits: Any,
    stride: Any,
    kept: Any,
    running: Any,
    sums: Any,
    rows: Any,
) -> None:
    """Sum of the rows of each document and their number; 0 if it has none besides that of the end of line.

    Words already summed in this batch are found again in a memory, by their bytes: both views are of one array.
    """
    eos, dim = settings[EOS_ROW], settings[DIM]
    for document in range(len(offsets) - 1):
        position, end = np.int64(offsets[document]), end_of_reading(offsets, data, document, most)
        total = np.uint64(document * dim)
        found = np.int64(0)
        depth = 0  # word n-grams that can still grow
        while True:
            while position < end and separators[data[np.uint64(position)]]:
                position += 1
            if position >= end:
                break
            start = position
            position = word_end(data, start, end, separators)
            size = position - start
            low, high = part(data, start, size), part(data, start + 8, size - 8)
            # the library stops reading at a word that looks like its own end of line
            if low == EOS_KEY and size == 4:
                break
            # no word has a zero byte, so 16 bytes tell words apart without their length
            slot = ((low ^ (high * SPREAD_HIGH)) * SPREAD) >> np.uint64(64 - memory_bits)
            if size > 16:
                slot = np.uint64(1) << np.uint64(memory_bits)
            place = slot * np.uint64(stride)
            key = place >> np.uint64(1)
            if size > 16 or memory_words[key] != low or memory_words[key + np.uint64(1)] != high:
                if size <= 16:
                    memory_words[key], memory_words[key + np.uint64(1)] = low, high
                hashed = hash_bytes(data, start, position)
                memory_words[key + np.uint64(3)] = hashed
                added = sum_word(
                    data, start, position, hashed, settings, slots, entry_bits, entry_offsets,
                    entry_bytes, bucket_bits, bucket_base, vectors, kept, memory_sums, place + np.uint64(_HEAD),
                )  # fmt: skip
                memory_words[key + np.uint64(2)] = np.uint64(added)
            added = np.int64(memory_words[key + np.uint64(2)])
            if added == NO_WORD:
                continue
            found += added
            place += np.uint64(_HEAD)
            if dim == 16:
                for d in range(16):
                    sums[total + np.uint64(d)] += memory_sums[place + np.uint64(d)]
            else:
                for d in range(dim):
                    sums[total + np.uint64(d)] += memory_sums[place + np.uint64(d)]
            if running is not None:
                hashed = memory_words[key + np.uint64(3)]
                found += _add_word_ngrams(hashed, depth, settings, bucket_bits, bucket_base, vectors, running, sums, total)
                depth = min(depth + 1, settings[WORD_NGRAMS] - 1)
        if eos >= 0 and (found > 0 or label_unknown):
            for d in range(dim):
                sums[total + np.uint64(d)] += vectors[eos * dim + d]
            found += 1
        if running is not None and found > 0:
            found += _add_word_ngrams(EOS_HASH, depth, settings, bucket_bits, bucket_base, vectors, running, sums, total)
        rows[document] = found


@leaf
def _add_word_ngrams(
    hashed: Any,
    depth: Any,
    settings: Any,
    bucket_bits: Any,
    bucket_base: Any,
    vectors: Any,
    running: Any,
    sums: Any,
    total: Any,
) -> Any:
    """Add the rows of the n-grams of words that end with this one; returns their number.

    `running[k]` is the hash of the k + 1 words before it, of which `depth` exist, and then that of the words up to it.
    """
    added, dim = np.int64(0), settings[DIM]
    signed = signed_hash(hashed)
    for k in range(depth):
        running[k] = running[k] * np.uint64(116049371) + signed
        bucket = running[k] % np.uint64(settings[BUCKETS])
        if is_kept(bucket, bucket_bits):
            row = row_of(bucket, settings[WORDS], bucket_bits, bucket_base)
            for d in range(dim):
                sums[total + np.uint64(d)] += vectors[row * np.uint64(dim) + np.uint64(d)]
            added += 1
    for k in range(min(depth, settings[WORD_NGRAMS] - 2), 0, -1):
        running[k] = running[k - 1]
    running[0] = signed
    return added
