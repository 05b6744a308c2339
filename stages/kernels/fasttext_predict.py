"""Best label of each document by a fastText model, as the library's `predict` finds it for one line.

Line breaks are read as spaces, so a document is one line. Sums are made word by word (float32 inside a word, float64 over
words) where the library adds n-gram after n-gram in float32: scores differ from its own by its rounding, and a word met
again costs one addition. Every step is plain IEEE arithmetic in a fixed order, so that all machines give the same bits.
"""

import numpy as np

from stages.kernels.compile import kernel
from stages.kernels.fasttext_model import EOS, HIERARCHICAL, SOFTMAX, Model
from stages.kernels.text import Text

_SLOTS_BYTES = 1 << 20
_LONGEST_REMEMBERED = 48
_LABEL = np.frombuffer(b"__label__", np.uint8)
_EOS = np.frombuffer(EOS, np.uint8)
_SIGMOID_STEPS, _SIGMOID_END = 512, 8


def predict(model: Model, text: Text, max_bytes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Index of the best label (int32, -1 without any known word or n-gram) and its score (float64) for each document.

    `max_bytes` reads only so many bytes of each, less those of a character it would cut. Scores may exceed 1 by a few
    1e-5: the library adds 1e-5 to each probability, and so do we.
    """
    count = len(text.offsets) - 1
    sums = np.zeros((count, model.dim), np.float64)
    rows = np.zeros(count, np.int64)
    settings = np.array(
        [
            model.min_chars,
            model.max_chars,
            model.buckets,
            model.word_ngrams,
            model.words,
            model.eos,
            -1 if max_bytes is None else max_bytes,
            1 << ((_SLOTS_BYTES // (4 * model.dim)).bit_length() - 1),
        ],
        np.int64,
    )
    offsets, data = text.offsets[:], text.data[:]
    offsets.flags.writeable = data.flags.writeable = False
    _sum_vectors(
        offsets,
        data,
        settings,
        model.entry_slots,
        model.entry_offsets,
        model.entry_bytes,
        model.bucket_rows,
        model.vectors,
        sums,
        rows,
    )
    labels = np.full(count, -1, np.int32)
    scores = np.zeros(count, np.float64)
    _best_labels(sums, rows, model.loss, model.output, model.left, model.right, labels, scores)
    return labels, scores


@kernel
def _find_entry(data, start, end, hashed, slots, entry_offsets, entry_bytes):  # type: ignore[no-untyped-def]
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


@kernel
def _starts_with(data, start, end, prefix):  # type: ignore[no-untyped-def]
    if end - start < len(prefix):
        return False
    for i in range(len(prefix)):
        if data[start + i] != prefix[i]:
            return False
    return True


@kernel
def _row_of_bucket(hashed, buckets, words, bucket_rows):  # type: ignore[no-untyped-def]
    bucket = np.int64(hashed % np.uint64(buckets))
    if len(bucket_rows):
        return np.int64(bucket_rows[bucket])
    return words + bucket


@kernel
def _add_row(total, vectors, row):  # type: ignore[no-untyped-def]
    if len(total) == 16:  # a fixed length lets the compiler use one vector register; lid.176 has it
        for d in range(16):
            total[d] += vectors[row, d]
    else:
        for d in range(len(total)):
            total[d] += vectors[row, d]


@kernel
def _add_ngrams(data, start, end, settings, bucket_rows, vectors, total):  # type: ignore[no-untyped-def]
    """Add the rows of all character n-grams of `<word>` to `total`; returns how many. A byte 10xxxxxx begins no character."""
    shortest, longest, buckets, words = settings[0], settings[1], settings[2], settings[4]
    size = end - start + 2
    found = 0
    for i in range(size):
        if 0 < i < size - 1 and (data[start + i - 1] & 0xC0) == 0x80:
            continue
        hashed = np.uint64(2166136261)
        j = i
        n = 1
        while j < size and n <= longest:
            more = True
            while more:
                if j == 0:
                    byte = np.uint8(60)
                elif j == size - 1:
                    byte = np.uint8(62)
                else:
                    byte = data[start + j - 1]
                extended = np.uint64(byte)
                if byte >= 128:
                    extended |= np.uint64(0xFFFFFF00)
                hashed = ((hashed ^ extended) * np.uint64(16777619)) & np.uint64(0xFFFFFFFF)
                j += 1
                more = j < size - 1 and (data[start + j - 1] & 0xC0) == 0x80
            if n >= shortest and not (n == 1 and (i == 0 or j == size)):
                row = _row_of_bucket(hashed, buckets, words, bucket_rows)
                if row >= 0:
                    _add_row(total, vectors, row)
                    found += 1
            n += 1
    return found


@kernel
def _sum_vectors(offsets, data, settings, slots, entry_offsets, entry_bytes, bucket_rows, vectors, sums, rows):  # type: ignore[no-untyped-def]
    """Sum of the rows of each document and their number; 0 if it has none besides that of the end of line.

    `settings`: shortest and longest n-gram, buckets, longest word n-gram, words, row of the end of line, most bytes (-1: all),
    slots of the memory. Words already summed in this batch are found again in the memory, compared byte by byte.
    """
    dim = vectors.shape[1]
    longest, buckets, word_ngrams, words, eos, most, memory = (
        settings[1],
        settings[2],
        settings[3],
        settings[4],
        settings[5],
        settings[6],
        settings[7],
    )
    memory_start = np.full(memory, -1, np.int64)
    memory_size = np.empty(memory, np.int32)
    memory_rows = np.empty(memory, np.int32)
    memory_sums = np.empty((memory, dim), np.float32)
    unremembered = np.empty(dim, np.float32)
    running = np.zeros(max(word_ngrams, 1), np.uint64)
    for document in range(len(offsets) - 1):
        position, end = offsets[document], offsets[document + 1]
        if 0 <= most < end - position:
            end = position + most
            while end > position and (data[end] & 0xC0) == 0x80:
                end -= 1
        total = sums[document]
        found = 0
        depth = 0  # word n-grams that can still grow
        at_end = False
        while not at_end:
            while position < end and (data[position] == 32 or data[position] == 0 or 9 <= data[position] <= 13):
                position += 1
            start = position
            hashed = np.uint64(2166136261)
            while position < end and not (data[position] == 32 or data[position] == 0 or 9 <= data[position] <= 13):
                byte = data[position]
                extended = np.uint64(byte)
                if byte >= 128:
                    extended |= np.uint64(0xFFFFFF00)
                hashed = ((hashed ^ extended) * np.uint64(16777619)) & np.uint64(0xFFFFFFFF)
                position += 1
            size = position - start
            # the library stops reading at a word that looks like its own end of line
            at_end = size == 0 or (size == 4 and _starts_with(data, start, position, _EOS))
            if at_end:
                hashed = np.uint64(3617362777)
                if eos >= 0 and found > 0:
                    for d in range(dim):
                        total[d] += vectors[eos, d]
                    found += 1
            else:
                slot = np.int64((hashed ^ (hashed >> np.uint64(15))) & np.uint64(memory - 1))
                known = memory_start[slot] >= 0 and memory_size[slot] == size
                if known:
                    before = memory_start[slot]
                    for i in range(size):
                        if data[before + i] != data[start + i]:
                            known = False
                            break
                if known:
                    added = np.int64(memory_rows[slot])
                    word_sum = memory_sums[slot]
                else:
                    if size <= _LONGEST_REMEMBERED:
                        word_sum = memory_sums[slot]
                        memory_start[slot] = start
                        memory_size[slot] = size
                    else:
                        word_sum = unremembered
                    word_sum[:] = 0
                    added = np.int64(0)
                    entry = _find_entry(data, start, position, hashed, slots, entry_offsets, entry_bytes)
                    if entry >= words or (entry < 0 and _starts_with(data, start, position, _LABEL)):
                        added = np.int64(-1)
                    else:
                        if entry >= 0:
                            _add_row(word_sum, vectors, entry)
                            added += 1
                        if longest > 0:
                            added += _add_ngrams(data, start, position, settings, bucket_rows, vectors, word_sum)
                    if size <= _LONGEST_REMEMBERED:
                        memory_rows[slot] = added
                if added < 0:
                    continue
                if dim == 16:
                    for d in range(16):
                        total[d] += word_sum[d]
                else:
                    for d in range(dim):
                        total[d] += word_sum[d]
                found += added
            if word_ngrams > 1 and (found > 0 or not at_end):
                # the library keeps word hashes as int32, so they extend their sign to 64 bits
                signed = hashed if hashed < np.uint64(1 << 31) else hashed | np.uint64(0xFFFFFFFF00000000)
                for k in range(depth):
                    running[k] = running[k] * np.uint64(116049371) + signed
                    row = _row_of_bucket(running[k], buckets, words, bucket_rows)
                    if row >= 0:
                        for d in range(dim):
                            total[d] += vectors[row, d]
                        found += 1
                depth = min(depth + 1, word_ngrams - 1)
                for k in range(depth - 1, 0, -1):
                    running[k] = running[k - 1]
                running[0] = signed
        rows[document] = found


@kernel
def _exp(x):  # type: ignore[no-untyped-def]
    """e to the x within 2 units in the last place. Not the C library's, whose last bit depends on its version and the CPU."""
    x = min(max(x, -700.0), 700.0)
    k = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * 0.693145751953125) - k * 1.4286068203094173e-06
    value = 1.0
    for n in range(14, 0, -1):
        value = 1.0 + value * r / n
    exponent = np.int64(k)
    scale = 2.0 if exponent >= 0 else 0.5
    for _ in range(abs(exponent)):
        value *= scale
    return value


@kernel
def _dot(matrix, row, hidden):  # type: ignore[no-untyped-def]
    value = 0.0
    for d in range(len(hidden)):
        value += matrix[row, d] * hidden[d]
    return value


@kernel
def _best_labels(sums, rows, loss, output, left, right, labels, scores):  # type: ignore[no-untyped-def]
    """Label with the highest score, the first of equals in the library's order, for each document that has rows."""
    count = len(output)
    hidden = np.empty(sums.shape[1], np.float64)
    nodes = np.empty(count + 2, np.int64)
    products = np.empty(count + 2, np.float64)
    values = np.empty(count, np.float64)
    for document in range(len(sums)):
        if rows[document] == 0:
            continue
        for d in range(len(hidden)):
            hidden[d] = sums[document, d] / rows[document]
        best, best_score = np.int64(-1), -1.0
        if loss == HIERARCHICAL:
            depth = 1
            nodes[0], products[0] = 2 * count - 2, 1.0
            while depth:
                depth -= 1
                node, product = nodes[depth], products[depth]
                # a child may score above its parent by the 1e-5 that is added to each probability
                if product < best_score * 0.99:
                    continue
                if node < count:
                    if product > best_score:
                        best, best_score = node, product
                    continue
                p = 1.0 / (1.0 + _exp(-_dot(output, node - count, hidden)))
                nodes[depth], products[depth] = right[node - count], product * (p + 1e-5)
                nodes[depth + 1], products[depth + 1] = left[node - count], product * (1.0 - p + 1e-5)
                depth += 2
        elif loss == SOFTMAX:
            highest = -np.inf
            for label in range(count):
                values[label] = _dot(output, label, hidden)
                highest = max(highest, values[label])
            total = 0.0
            for label in range(count):
                values[label] = _exp(values[label] - highest)
                total += values[label]
            for label in range(count):
                score = values[label] / total + 1e-5
                if score > best_score:
                    best, best_score = np.int64(label), score
        else:  # a sigmoid for each label, read off the library's table
            for label in range(count):
                x = _dot(output, label, hidden)
                if x < -_SIGMOID_END:
                    score = 0.0
                elif x > _SIGMOID_END:
                    score = 1.0
                else:
                    step = np.int64((x + _SIGMOID_END) * _SIGMOID_STEPS / _SIGMOID_END / 2)
                    score = 1.0 / (1.0 + _exp(-(step * 2.0 * _SIGMOID_END / _SIGMOID_STEPS - _SIGMOID_END)))
                if score + 1e-5 > best_score:
                    best, best_score = np.int64(label), score + 1e-5
        labels[document] = best
        scores[document] = best_score
