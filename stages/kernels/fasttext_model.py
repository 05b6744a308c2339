"""Reader of fastText's model files, quantised (.ftz) or not (.bin), into flat arrays for `fasttext_predict`.

The format is that of fastText 0.9 (file versions 11 and 12): arguments, dictionary, input matrix, output matrix,
little endian, without padding. Only supervised models predict labels.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.fasttext_words import hash_bytes

MAGIC = 793712314
EOS = b"</s>"
HIERARCHICAL, NEGATIVE, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
_SUPERVISED = 3
_CODES = 256
_INTERNAL_COUNT = 10**15
_AFTER_NAME = struct.Struct("<qb")
"""How often an entry was seen, and whether it is a label."""
_WINDOW = 1 << 22


@dataclass(frozen=True)
class Model:
    """A supervised fastText model. All arrays are read-only.

    labels        names without the prefix `__label__`
    dim           length of a vector
    min_chars     shortest and
    max_chars     longest character n-gram; 0 means no n-grams
    buckets       n-grams are hashed to this many
    word_ngrams   longest word n-gram, 1 for single words
    loss          HIERARCHICAL, NEGATIVE, SOFTMAX or ONE_VS_ALL
    words         number of words; entries from there on are labels
    eos           row of the end-of-line token, -1 if the model has none
    entry_slots   int32, a power of two long: entry, or -1, by open addressing on the entry's hash
    entry_bits    uint64, four bits for each slot, that of an entry's hash set: most words that are no entry are known by it
    entry_offsets int64, entries + 1: bytes of entry i in `entry_bytes`
    entry_bytes   uint8
    bucket_bits   uint64, a bit for each bucket that pruning left; empty if the model is not pruned, when bucket b has the
                  row words + b
    bucket_base   int32 by word of `bucket_bits`: the row of its first bucket; the rows of the others follow in order
    vectors       float32 [rows, dim], dequantised: words, then buckets, then a row of zeros if the model is pruned
    output        float32 [labels, dim], or for HIERARCHICAL one row for each inner node of the tree
    left, right   int32, children of tree node labels + i
    """

    labels: tuple[str, ...]
    dim: int
    min_chars: int
    max_chars: int
    buckets: int
    word_ngrams: int
    loss: int
    words: int
    eos: int
    entry_slots: np.ndarray
    entry_bits: np.ndarray
    entry_offsets: np.ndarray
    entry_bytes: np.ndarray
    bucket_bits: np.ndarray
    bucket_base: np.ndarray
    vectors: np.ndarray
    output: np.ndarray
    left: np.ndarray
    right: np.ndarray


class _Reader:
    """A cursor over the bytes of a file. `ValueError` if they end too early."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data
        self.position = 0

    def array(self, dtype: str, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        if count < 0 or self.position + size > len(self.data):
            raise ValueError(f"the file ends at byte {len(self.data)}, inside a field of {size} bytes at byte {self.position}")
        values = self.data[self.position : self.position + size].view(dtype)
        self.position += size
        return values

    def number(self, dtype: str) -> int:
        return int(self.array(dtype, 1)[0])

    def flag(self) -> bool:
        return bool(self.number("u1"))


class _Entries(NamedTuple):
    names: list[bytes]
    counts: list[int]
    words: int


def read_model(path: Path) -> Model:
    """The model in `path`. Raises `ValueError` if it is no supervised fastText model or is cut short."""
    reader = _Reader(np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8))
    if len(reader.data) < 8 or reader.number("<i4") != MAGIC:
        raise ValueError("not a fastText model: it does not begin with fastText's magic number")
    version = reader.number("<i4")
    if version not in (11, 12):
        raise ValueError(f"fastText file version {version}, expected 11 or 12")
    dim, _, _, _, _, word_ngrams, loss, kind, buckets, min_chars, max_chars, _ = map(int, reader.array("<i4", 12))
    reader.array("<f8", 1)
    if kind != _SUPERVISED:
        raise ValueError("the model has word vectors only, expected a supervised model with labels")
    if loss not in (HIERARCHICAL, NEGATIVE, SOFTMAX, ONE_VS_ALL):
        raise ValueError(f"unknown loss {loss}")
    if version == 11:  # such models were trained without character n-grams, whatever the arguments say
        max_chars = 0

    entry_count, words, label_count = (reader.number("<i4") for _ in range(3))
    reader.number("<i8")
    pruned = reader.number("<i8")
    entries = _read_entries(reader, entry_count, words)
    kept = reader.array("<i4", 2 * max(pruned, 0)).reshape(-1, 2)

    quantised = reader.flag()
    vectors = _read_quantised(reader, dim) if quantised else _read_dense(reader)
    if pruned >= 0 and not quantised:
        raise ValueError("the model is pruned but not quantised, which fastText does not read either")
    quantised_output = reader.flag()
    output = _read_quantised(reader, dim) if quantised and quantised_output else _read_dense(reader)
    if vectors.shape[1] != dim or output.shape[1] != dim or len(output) != label_count or not label_count:
        raise ValueError(f"matrices of {vectors.shape} and {output.shape} do not fit {label_count} labels of {dim} numbers")
    uses_buckets = max_chars > 0 or word_ngrams > 1
    # a row past the end would be read by a kernel, which does not check
    needed = words + int(kept[:, 1].max(initial=-1)) + 1 if pruned >= 0 else words + buckets * uses_buckets
    if len(vectors) < needed or buckets < uses_buckets:
        raise ValueError(f"the input matrix has {len(vectors)} rows, expected {needed} for {words} words and {buckets} buckets")
    bucket_bits, bucket_base = np.zeros(0, np.uint64), np.zeros(0, np.int32)
    if pruned >= 0:
        bucket_bits, bucket_base, order = _rank(kept, buckets, words)
        ranked = aligned(words + len(order) + 1, dim)
        ranked[:words], ranked[words:-1] = vectors[:words], vectors[order]
        vectors = ranked

    slots, bits, offsets, data = _index(entries.names)
    left, right = _tree(entries.counts[words:]) if loss == HIERARCHICAL else (np.zeros(0, np.int32),) * 2
    return Model(
        labels=tuple(name.decode("utf-8", "replace").removeprefix("__label__") for name in entries.names[words:]),
        dim=dim,
        min_chars=min_chars,
        max_chars=max(max_chars, 0),
        buckets=buckets,
        word_ngrams=word_ngrams,
        loss=loss,
        words=words,
        eos=entries.names.index(EOS) if EOS in entries.names[:words] else -1,
        entry_slots=_frozen(slots),
        entry_bits=_frozen(bits),
        entry_offsets=_frozen(offsets),
        entry_bytes=_frozen(data),
        bucket_bits=_frozen(bucket_bits),
        bucket_base=_frozen(bucket_base),
        vectors=_frozen(vectors),
        output=_frozen(output),
        left=_frozen(left),
        right=_frozen(right),
    )


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array).view(np.ndarray)
    array.flags.writeable = False  # numba compiles again for the other kind
    return array


def aligned(rows: int, columns: int) -> np.ndarray:
    """Zeros, float32, from the beginning of a cache line on: numpy's own large arrays lie 16 bytes behind one."""
    array = np.zeros(rows * columns + 16, np.float32)
    begin = -array.ctypes.data % 64 // 4
    return array[begin : begin + rows * columns].reshape(rows, columns)


def _read_entries(reader: _Reader, entry_count: int, words: int) -> _Entries:
    names, counts = [], []
    content, begin, at = b"", reader.position, 0
    for entry in range(entry_count):  # once for each model, and its words have no fixed length
        while (end := content.find(b"\0", at)) < 0 or end + _AFTER_NAME.size >= len(content):
            begin, content = begin + at, content[at:]
            more = reader.data[begin + len(content) :][:_WINDOW].tobytes()
            if not more:
                raise ValueError("the file ends inside the dictionary")
            content, at = content + more, 0
        names.append(content[at:end])
        count, is_label = _AFTER_NAME.unpack_from(content, end + 1)
        counts.append(count)
        if is_label != (entry >= words):
            raise ValueError("the dictionary does not list its words before its labels")
        at = end + 1 + _AFTER_NAME.size
    reader.position = begin + at
    return _Entries(names, counts, words)


def _read_dense(reader: _Reader) -> np.ndarray:
    rows, dim = reader.number("<i8"), reader.number("<i8")
    return reader.array("<f4", rows * dim).reshape(rows, dim)


def _read_quantised(reader: _Reader, dim: int) -> np.ndarray:
    """The whole matrix as float32: a product-quantised row costs one addition later, not one for each sub-quantiser."""
    has_norms = reader.flag()
    rows, columns = reader.number("<i8"), reader.number("<i8")
    codes = reader.array("u1", reader.number("<i4"))
    matrix = _decode(reader, codes, rows)
    if matrix.shape[1] != columns or columns != dim:
        raise ValueError(f"a quantised matrix of {matrix.shape[1]} columns, expected {dim}")
    if has_norms:
        norm_codes = reader.array("u1", rows)
        matrix *= _decode(reader, norm_codes, rows)
    return matrix


def _decode(reader: _Reader, codes: np.ndarray, rows: int) -> np.ndarray:
    dim, parts, width, last_width = (reader.number("<i4") for _ in range(4))
    centroids = reader.array("<f4", dim * _CODES)
    if len(codes) != rows * parts or dim != (parts - 1) * width + last_width:
        raise ValueError("the codes of a quantised matrix do not fit its size")
    codes = codes.reshape(rows, parts)
    matrix = np.empty((rows, dim), np.float32)
    for part in range(parts):
        size = last_width if part == parts - 1 else width
        begin = part * width
        table = centroids[begin * _CODES : begin * _CODES + size * _CODES].reshape(_CODES, size)
        matrix[:, begin : begin + size] = table[codes[:, part]]
    return matrix


def word_hash(word: bytes) -> int:
    """fastText's 32-bit FNV-1a, which extends the sign of bytes from 128 up."""
    value = 2166136261
    for byte in word:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return value


def _index(names: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    size = 1 << max(4, (2 * len(names)).bit_length())
    slots = np.full(size, -1, np.int32)
    bits = np.zeros(size // 16, np.uint64)
    offsets = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(name) for name in names], out=offsets[1:])
    data = np.frombuffer(b"".join(names), np.uint8)
    fill_index(_frozen(offsets), data, slots, bits)
    return slots, bits, offsets, data


@leaf
def fill_index(offsets: Any, data: Any, slots: Any, bits: Any) -> None:
    """Put each entry into the first free slot from that of its hash on, and set the bit of its hash."""
    one = np.uint64(1)
    for entry in range(len(offsets) - 1):
        hashed = hash_bytes(data, offsets[entry], offsets[entry + 1])
        bits[(hashed >> np.uint64(6)) & np.uint64(len(bits) - 1)] |= one << (hashed & np.uint64(63))
        slot = np.int64(hashed) & (len(slots) - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = entry


def _rank(kept: np.ndarray, buckets: int, words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits and bases of the kept buckets, and their rows in ascending order of bucket.

    For lid.176.ftz these 375 KB stay in a core's cache, where a table of all 2 million buckets would not.
    """
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    numbers = kept[:, 0].astype(np.int64)
    if len(numbers) and (numbers[0] < 0 or numbers[-1] >= buckets or not np.all(np.diff(numbers)) or kept[:, 1].min() < 0):
        raise ValueError("the list of pruned buckets is damaged")
    bits = np.zeros(buckets // 64 + 1, np.uint64)
    np.bitwise_or.at(bits, numbers // 64, np.uint64(1) << (numbers % 64).astype(np.uint64))
    base = words + np.searchsorted(numbers, np.arange(len(bits), dtype=np.int64) * 64).astype(np.int32)
    return bits, base.astype(np.int32), kept[:, 1].astype(np.int64) + words


def _tree(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The Huffman tree over labels in descending order of counts, with ties as `Model::buildTree` breaks them."""
    labels = len(counts)
    weights = [*counts, *[_INTERNAL_COUNT] * (labels - 1)]
    left, right = np.zeros(labels - 1, np.int32), np.zeros(labels - 1, np.int32)
    leaf, inner = labels - 1, labels
    for node in range(labels, 2 * labels - 1):
        pair = []
        for _ in range(2):
            # an inner node not yet made weighs more than any label
            if leaf >= 0 and weights[leaf] < weights[inner]:
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(inner)
                inner += 1
        left[node - labels], right[node - labels] = pair
        weights[node] = weights[pair[0]] + weights[pair[1]]
    return left, right
