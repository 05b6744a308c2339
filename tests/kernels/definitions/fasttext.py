"""Best label of a text by an unquantised fastText model, by the library's rules, in float64."""

import math
import re
import struct
from pathlib import Path

import numpy as np

HIERARCHICAL, SOFTMAX = 1, 3
_INNER = 10**15


class SlowModel:
    """The model in a file as `fasttext_files.write_model` writes it, without quantisation or pruning; loss 1 or 3."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        settings = struct.unpack_from("<12i", data, 8)
        self.dim, self.word_ngrams, self.loss = settings[0], settings[5], settings[6]
        self.buckets, self.shortest, self.longest = settings[8:11]
        at = 8 + 12 * 4 + 8
        entries, words, _ = struct.unpack_from("<3i", data, at)
        at += 3 * 4 + 2 * 8
        names, self.counts = [], []
        for _ in range(entries):
            end = data.index(b"\0", at)
            names.append(data[at:end])
            self.counts.append(struct.unpack_from("<q", data, end + 1)[0])
            at = end + 1 + 8 + 1
        self.words = {name: row for row, name in enumerate(names[:words])}
        self.labels, self.counts = names[words:], self.counts[words:]
        self.rows, at = self._matrix(data, at + 1)
        self.output, _ = self._matrix(data, at + 1)

    @staticmethod
    def _matrix(data: bytes, at: int) -> tuple[np.ndarray, int]:
        rows, dim = struct.unpack_from("<2q", data, at)
        matrix = np.frombuffer(data, "<f4", rows * dim, at + 16).reshape(rows, dim)
        return matrix.astype(np.float64), at + 16 + 4 * rows * dim

    def scores(self, text: bytes) -> list[float]:
        """One for each label; none if nothing of the text is known. The library adds 1e-5 to each probability; we do not."""
        found = self._rows_of(text)
        if not found:
            return []
        hidden = self.rows[found].sum(axis=0) / len(found)
        if self.loss == SOFTMAX:
            values = np.exp(self.output @ hidden - (self.output @ hidden).max())
            return (values / values.sum()).tolist()
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
        found: list[int] = []
        hashes: list[int] = []
        for word in [*re.split(rb"[\0\t\n\v\f\r ]+", text), b"</s>"]:
            if not word or word in self.labels or (word not in self.words and word.startswith(b"__label__")):
                continue
            if word == b"</s>":
                if not found:
                    return []
                found += [self.words[word]] if word in self.words else []
                hashes.append(_hash(word))
                break
            found += [self.words[word]] if word in self.words else []
            found += [len(self.words) + _hash(gram) % self.buckets for gram in self._grams(b"<" + word + b">")]
            hashes.append(_hash(word))
        signed = [value - (value >> 31 << 32) for value in hashes]
        for first, value in enumerate(signed):
            for following in signed[first + 1 : first + self.word_ngrams]:
                value = (value * 116049371 + following) % 2**64
                found.append(len(self.words) + value % self.buckets)
        return found

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
