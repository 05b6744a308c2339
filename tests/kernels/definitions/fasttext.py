"""Scores of a text's labels by a fastText model, by the library's rules, in float64."""

import itertools
import math
import re
import struct
from pathlib import Path

import numpy as np

HIERARCHICAL, SOFTMAX, ONE_VS_ALL = 1, 3, 4
_INNER = 10**15


class SlowModel:
    """The model in a file as `fasttext_files.write_model` writes it."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        settings = struct.unpack_from("<12i", data, 8)
        self.dim, self.word_ngrams, self.loss = settings[0], settings[5], settings[6]
        self.buckets, self.shortest, self.longest = settings[8:11]
        at = 8 + 12 * 4 + 8
        entries, words, _, _, pruned = struct.unpack_from("<3i2q", data, at)
        at += 3 * 4 + 2 * 8
        names, self.counts = [], []
        for _ in range(entries):
            end = data.index(b"\0", at)
            names.append(data[at:end])
            self.counts.append(struct.unpack_from("<q", data, end + 1)[0])
            at = end + 1 + 8 + 1
        self.words = {name: row for row, name in enumerate(names[:words])}
        self.labels, self.counts = names[words:], self.counts[words:]
        self.kept = None if pruned < 0 else dict(struct.iter_unpack("<2i", data[at : at + 8 * pruned]))
        self.rows, at = self._matrix(data, at + 8 * max(pruned, 0))
        self.output, _ = self._matrix(data, at)

    def _matrix(self, data: bytes, at: int) -> tuple[np.ndarray, int]:
        return self._quantised(data, at + 1) if data[at] else self._dense(data, at + 1)

    @staticmethod
    def _dense(data: bytes, at: int) -> tuple[np.ndarray, int]:
        rows, dim = struct.unpack_from("<2q", data, at)
        matrix = np.frombuffer(data, "<f4", rows * dim, at + 16).reshape(rows, dim)
        return matrix.astype(np.float64), at + 16 + 4 * rows * dim

    @staticmethod
    def _quantised(data: bytes, at: int) -> tuple[np.ndarray, int]:
        norms, rows, dim, codes = struct.unpack_from("<b2qi", data, at)
        code = np.frombuffer(data, "u1", codes, at + 21).reshape(rows, -1)
        at += 21 + codes
        _, parts, width, _ = struct.unpack_from("<4i", data, at)
        centroids = np.frombuffer(data, "<f4", 256 * dim, at + 16)
        at += 16 + 4 * 256 * dim
        bounds = [min(part * width, dim) for part in range(parts + 1)]
        tables = [centroids[256 * a : 256 * b].reshape(256, b - a) for a, b in itertools.pairwise(bounds)]
        matrix = np.concatenate([table[code[:, part]] for part, table in enumerate(tables)], axis=1).astype(np.float64)
        if norms:
            lengths = np.frombuffer(data, "<f4", 256, at + rows + 16)
            matrix *= lengths[np.frombuffer(data, "u1", rows, at)][:, None]
            at += rows + 16 + 4 * 256
        return matrix, at

    def scores(self, text: bytes) -> list[float]:
        """One for each label; none if nothing of the text is known. The library adds 1e-5 to each probability; we do not."""
        found = self._rows_of(text)
        if not found:
            return []
        hidden = self.rows[found].sum(axis=0) / len(found)
        if self.loss == SOFTMAX:
            values = np.exp(self.output @ hidden - (self.output @ hidden).max())
            return (values / values.sum()).tolist()
        if self.loss == ONE_VS_ALL:  # read off a table of 512 steps from -8 to 8
            steps = [int((x + 8) * 32) / 32 - 8 for x in (self.output @ hidden).tolist()]
            return [0.0 if x < -8 else 1.0 if x >= 8 else 1 / (1 + math.exp(-x)) for x in steps]
        count, scores = len(self.labels), [1.0] * (2 * len(self.labels) - 1)
        for node, pair in reversed([*enumerate(self._tree(), count)]):
            right = 1 / (1 + math.exp(-float(self.output[node - count] @ hidden)))
            for child, share in zip(pair, (1 - right, right), strict=True):
                scores[child] = scores[node] * share
        return scores[:count]

    def _tree(self) -> list[tuple[int, int]]:
        """Children of each inner node of the Huffman tree. Labels are in descending order of their counts."""
        weights = [*self.counts, *[_INNER] * (len(self.counts) - 1)]
        leaf, inner, tree = len(self.counts) - 1, len(self.counts), []
        for node in range(len(self.counts), len(weights)):
            pair = []
            for _ in range(2):
                if leaf >= 0 and weights[leaf] < weights[inner]:
                    pair.append(leaf)
                    leaf -= 1
                else:
                    pair.append(inner)
                    inner += 1
            tree.append((pair[0], pair[1]))
            weights[node] = sum(weights[child] for child in pair)
        return tree

    def _rows_of(self, text: bytes) -> list[int]:
        words = [word for word in re.split(rb"[\0\t\n\v\f\r ]+", text) if word]
        words = words[: words.index(b"</s>")] if b"</s>" in words else words
        words = [word for word in words if word in self.words or not (word in self.labels or word.startswith(b"__label__"))]
        found = [self.words[word] for word in words if word in self.words]
        for word in words:
            found += [row for gram in self._grams(b"<" + word + b">") for row in self._bucket(_hash(gram))]
        if not found + self._rows_of_word_ngrams(words):
            return []
        return [
            *found,
            *([self.words[b"</s>"]] if b"</s>" in self.words else []),
            *self._rows_of_word_ngrams([*words, b"</s>"]),
        ]

    def _rows_of_word_ngrams(self, words: list[bytes]) -> list[int]:
        signed = [value - (value >> 31 << 32) for value in map(_hash, words)]
        found = []
        for first, value in enumerate(signed):
            for following in signed[first + 1 : first + self.word_ngrams]:
                value = (value * 116049371 + following) % 2**64
                found += self._bucket(value)
        return found

    def _bucket(self, value: int) -> list[int]:
        bucket = value % self.buckets
        if self.kept is None:
            return [len(self.words) + bucket]
        return [len(self.words) + self.kept[bucket]] if bucket in self.kept else []

    def _grams(self, word: bytes) -> list[bytes]:
        begins = [at for at, byte in enumerate(word) if byte & 0xC0 != 0x80]
        bounds = [*begins, len(word)]
        return [
            word[bounds[first] : bounds[first + size]]
            for first in range(len(begins))
            for size in range(max(self.shortest, 1), self.longest + 1)
            if first + size < len(bounds) and not (size == 1 and first in (0, len(begins) - 1))
        ]


def _hash(word: bytes) -> int:
    value = 2166136261
    for byte in word:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return value
