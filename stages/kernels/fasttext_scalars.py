"""Score of one label of each document, by models whose vectors have become one number each (`fasttext_project`)."""

from typing import Any

import numpy as np

from stages.kernels.bits import trailing_zeros
from stages.kernels.compile import inlined, leaf
from stages.kernels.fasttext_labels import exp, label_scores, sigmoid
from stages.kernels.fasttext_model import HIERARCHICAL, Model
from stages.kernels.fasttext_places import EOS_HASH, EOS_KEY, SEPARATORS, SPREAD, SPREAD_HIGH, part, word_end
from stages.kernels.fasttext_predict import settings_of, vectors_of
from stages.kernels.fasttext_project import project, project_on
from stages.kernels.fasttext_words import (
    BLOCK,
    BUCKETS,
    EOS_ROW,
    LONGEST,
    WORD_NGRAMS,
    WORDS,
    hash_bytes,
    is_kept,
    row_of,
    signed_hash,
    sum_word,
)
from stages.kernels.lines import load
from stages.kernels.text import Text

_MOST_MEMORY_BITS = 14
_PLACE = np.uint64(4)
"""Numbers of a word in a table: its 16 bytes, its hash below its number of rows, their sum (float64)."""
_LABEL = np.uint64(0xFFFFFFFF)
"""In place of a number of rows: a label, which is no word."""
_LOW = np.uint64(0xFFFFFFFF)
_UNDERSCORE = 95
"""What begins with `__label__` is no word, even where the model has no such label."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE, _ZERO = np.uint64(1), np.uint64(0)


class LabelScorer:
    """Scores one label of a model as the library does, from a matrix as small as that label's score allows."""

    def __init__(self, model: Model, label: int) -> None:
        one = project_on(model, label)
        self._label = label if one is None else 0
        self._model = project(model) if one is None else one
        self._known = None if one is None else _table_of(one)

    def __call__(self, text: Text) -> np.ndarray:
        """The label's score for each document (float64), that of the end of line alone where nothing is known.

        0 where the model does not know the end of line either. The library adds 1e-5 to each probability, and so do we.
        """
        model = self._model
        scores = np.zeros(len(text.offsets) - 1, np.float64)
        if self._known is not None:
            sums, rows = _sums_of(model, self._known, text)
            score_scalars(sums, rows, model.loss == HIERARCHICAL, scores)
        else:
            sums, rows = vectors_of(model, text, None, True)
            size = len(model.output) + 2
            label_scores(
                sums, rows, model.loss, model.output, model.left, model.right, self._label, scores,
                np.zeros(model.dim), np.zeros(size), np.zeros(size, np.int64), np.zeros(size),
            )  # fmt: skip
        return scores


def _lookups(model: Model) -> tuple[np.ndarray, ...]:
    """What of a model `sum_word` takes."""
    return (
        settings_of(model), model.entry_slots, model.entry_bits, model.entry_offsets, model.entry_bytes, model.bucket_bits,
        model.bucket_base, model.vectors.reshape(-1), np.zeros(BLOCK + 8, np.uint32), np.zeros(1, np.float32),
    )  # fmt: skip


def _table_of(model: Model) -> np.ndarray:
    """The model's words of at most 16 bytes by open addressing."""
    bits = max(4, (2 * model.words).bit_length())
    table = np.zeros((1 << bits) * int(_PLACE), np.uint64)
    fill_table(model.words, bits, table, table.view(np.float64), *_lookups(model))
    return table


def _sums_of(model: Model, known: np.ndarray, text: Text) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of each document's rows."""
    offsets, data = text.offsets[:], text.data[:]
    offsets.flags.writeable = data.flags.writeable = False
    sums, rows = np.zeros(len(offsets) - 1, np.float64), np.zeros(len(offsets) - 1, np.int64)
    known_bits = (len(known) // int(_PLACE)).bit_length() - 1
    memory_bits = min(max(int(offsets[-1]) // 16, 16).bit_length(), _MOST_MEMORY_BITS)
    memory = np.zeros(((1 << memory_bits) + 1) * int(_PLACE), np.uint64)  # the last place: words too long to remember
    running = np.zeros(max(model.word_ngrams, 2), np.uint64)
    sum_scalars(
        offsets, data, SEPARATORS, known, known.view(np.float64), known_bits, memory, memory.view(np.float64), memory_bits,
        running, sums, rows, *_lookups(model),
    )  # fmt: skip
    return sums, rows


@leaf
def score_scalars(sums: Any, rows: Any, logistic: Any, scores: Any) -> None:
    """The logistic function of each mean, or what the library reads off its table of it."""
    for document in range(len(sums)):
        if rows[document] > 0:
            mean = sums[document] / rows[document]
            scores[document] = (1.0 / (1.0 + exp(-mean)) if logistic else sigmoid(mean)) + 1e-5


@inlined
def _first_slot(low: Any, high: Any, bits: Any) -> Any:
    return ((low ^ (high * SPREAD_HIGH)) * SPREAD) >> np.uint64(64 - bits)


@leaf
def fill_table(
    words: Any,
    bits: Any,
    table: Any,
    table_sums: Any,
    settings: Any,
    slots: Any,
    entry_bits: Any,
    entry_offsets: Any,
    entry_bytes: Any,
    bucket_bits: Any,
    bucket_base: Any,
    vectors: Any,
    kept: Any,
    word_sum: Any,
) -> None:
    for word in range(words):
        start, end = entry_offsets[word], entry_offsets[word + 1]
        size = end - start
        low, high = part(entry_bytes, start, size), part(entry_bytes, start + 8, size - 8)
        if size > 16 or low == _ZERO:
            continue
        hashed = hash_bytes(entry_bytes, start, end)
        added = sum_word(
            entry_bytes, start, end, hashed, settings, slots, entry_bits, entry_offsets, entry_bytes, bucket_bits, bucket_base,
            vectors, kept, word_sum, _ZERO,
        )  # fmt: skip
        slot = _first_slot(low, high, bits)
        while table[slot * _PLACE] != _ZERO:
            slot = (slot + _ONE) & ((_ONE << np.uint64(bits)) - _ONE)
        place = slot * _PLACE
        table[place], table[place + _ONE] = low, high
        table[place + np.uint64(2)] = hashed | np.uint64(added) << np.uint64(32)
        table_sums[place + np.uint64(3)] = word_sum[0]


@leaf
def sum_scalars(
    offsets: Any,
    data: Any,
    separators: Any,
    known: Any,
    known_sums: Any,
    known_bits: Any,
    memory: Any,
    memory_sums: Any,
    memory_bits: Any,
    running: Any,
    sums: Any,
    rows: Any,
    settings: Any,
    slots: Any,
    entry_bits: Any,
    entry_offsets: Any,
    entry_bytes: Any,
    bucket_bits: Any,
    bucket_base: Any,
    vectors: Any,
    kept: Any,
    word_sum: Any,
) -> None:
    """Sum of the rows of each document, the end of line's among them, and their number.

    A word is sought in the table of the model's, then in the memory of this batch's others. `running[k]` is the signed hash
    of the k + 1 words before, of which `depth` exist.
    """
    eos, longest, buckets = settings[EOS_ROW], settings[WORD_NGRAMS], np.uint64(settings[BUCKETS])
    words, has_chars = settings[WORDS], settings[LONGEST] > 0
    last, mask = len(data) - 8, (_ONE << np.uint64(known_bits)) - _ONE
    for document in range(len(offsets) - 1):
        position, end = np.int64(offsets[document]), np.int64(offsets[document + 1])
        value, found, depth = 0.0, np.int64(0), np.int64(0)
        while True:
            while position < end and separators[data[np.uint64(position)]]:
                position += 1
            if position >= end:
                break
            start, low, high, size = position, _ZERO, _ZERO, np.int64(0)
            if position <= last:
                low = load(data, position)
                # the highest bit of each byte up to 0x20; above the first of them bits may be wrong
                small = (low - np.uint64(0x2121212121212121)) & ~low & np.uint64(0x8080808080808080)
                if small != _ZERO:
                    size = trailing_zeros(small) >> 3
                    if size > 0:
                        low &= _ALL >> np.uint64(64 - 8 * size)
            if size > 0 and position + size <= end and separators[data[np.uint64(position + size)]]:
                position += size
            else:
                position = word_end(data, start, end, separators)
                size = position - start
                low, high = part(data, start, size), part(data, start + 8, size - 8)
            # the library stops reading at a word that looks like its own end of line
            if low == EOS_KEY and high == _ZERO:
                break
            place = _first_slot(low, high, known_bits) * _PLACE
            while known[place] != _ZERO and (known[place] != low or known[place + _ONE] != high):
                place = (place + _PLACE) & ((mask * _PLACE) | np.uint64(3))
            head, total = known[place + np.uint64(2)], known_sums[place + np.uint64(3)]
            if known[place] == _ZERO or size > 16:
                hashed = hash_bytes(data, start, position)
                bits = entry_bits[(hashed >> np.uint64(6)) & np.uint64(len(entry_bits) - 1)] >> (hashed & np.uint64(63))
                if not has_chars and bits & _ONE == _ZERO and data[np.uint64(start)] != _UNDERSCORE:
                    head, total = hashed, 0.0
                else:
                    slot = _ONE << np.uint64(memory_bits) if size > 16 else _first_slot(low, high, memory_bits)
                    place = slot * _PLACE
                    if size > 16 or memory[place] != low or memory[place + _ONE] != high:
                        memory[place], memory[place + _ONE] = low, high
                        added = sum_word(
                            data, start, position, hashed, settings, slots, entry_bits, entry_offsets, entry_bytes,
                            bucket_bits, bucket_base, vectors, kept, word_sum, _ZERO,
                        )  # fmt: skip
                        memory[place + np.uint64(2)] = hashed | np.uint64(added) << np.uint64(32)
                        memory_sums[place + np.uint64(3)] = word_sum[0]
                    head, total = memory[place + np.uint64(2)], memory_sums[place + np.uint64(3)]
                    if head >> np.uint64(32) == _LABEL:
                        continue
            found += np.int64(head >> np.uint64(32))
            value += total
            if longest > 1:
                signed = signed_hash(head & _LOW)
                for k in range(depth):
                    running[k] = running[k] * np.uint64(116049371) + signed
                    bucket = running[k] % buckets
                    if is_kept(bucket, bucket_bits):
                        value += vectors[row_of(bucket, words, bucket_bits, bucket_base)]
                        found += 1
                depth = min(depth + 1, longest - 1)
                for k in range(depth - 1, 0, -1):
                    running[k] = running[k - 1]
                running[0] = signed
        if eos >= 0:
            value += vectors[np.uint64(eos)]
            found += 1
        for k in range(depth):
            bucket = (running[k] * np.uint64(116049371) + signed_hash(EOS_HASH)) % buckets
            if is_kept(bucket, bucket_bits):
                value += vectors[row_of(bucket, words, bucket_bits, bucket_base)]
                found += 1
        sums[document], rows[document] = value, found
