"""Small fastText models with random numbers, written as the library writes them."""

import struct
from pathlib import Path

import numpy as np

WORDS = ["</s>", "the", "und", "это", "ist", "中", "a", "b"]


def write_model(
    path: Path,
    loss: int = 3,
    dim: int = 6,
    labels: int | list[str] = 7,
    buckets: int = 97,
    chars: tuple[int, int] = (2, 4),
    word_ngrams: int = 1,
    quantised: bool = False,
    norms: bool = False,
    quantised_output: bool = False,
    kept: int | None = None,
    words: list[str] = WORDS,
    version: int = 12,
    kind: int = 3,
    seed: int = 1,
) -> Path:
    random = np.random.default_rng(seed)
    names = [f"l{label}" for label in range(labels)] if isinstance(labels, int) else labels
    labels = len(names)
    out = [struct.pack("<2i", 793712314, version)]
    out.append(struct.pack("<12id", dim, 5, 5, 1, 5, word_ngrams, loss, kind, buckets, *chars, 100, 0.0001))
    out.append(struct.pack("<3i2q", len(words) + labels, len(words), labels, 1000, -1 if kept is None else kept))
    for word in words:
        out.append(word.encode() + struct.pack("<xqb", 9, 0))
    for label, name in enumerate(names):
        out.append(f"__label__{name}".encode() + struct.pack("<xqb", 1000 // (label + 1), 1))
    rows = len(words) + buckets
    if kept is not None:
        rows = len(words) + kept
        chosen = random.permutation(buckets)[:kept]
        out.append(np.stack([chosen, np.arange(kept)], axis=1).astype("<i4").tobytes())
    out.append(struct.pack("<b", quantised))
    out.append(_quantised(random, rows, dim, norms) if quantised else _dense(random, rows, dim))
    out.append(struct.pack("<b", quantised_output))
    out.append(_quantised(random, labels, dim, norms) if quantised_output else _dense(random, labels, dim))
    path.write_bytes(b"".join(out))
    return path


def _dense(random: np.random.Generator, rows: int, dim: int) -> bytes:
    return struct.pack("<2q", rows, dim) + random.normal(0, 2, (rows, dim)).astype("<f4").tobytes()


def _quantised(random: np.random.Generator, rows: int, dim: int, norms: bool) -> bytes:
    parts = -(-dim // 4)  # sub-vectors of 4, the last shorter where 4 does not divide dim
    last = dim - 4 * (parts - 1)
    codes = random.integers(0, 256, rows * parts).astype("u1").tobytes()
    out = struct.pack("<b2qi", norms, rows, dim, rows * parts) + codes
    out += struct.pack("<4i", dim, parts, 4, last) + random.normal(0, 2, dim * 256).astype("<f4").tobytes()
    if norms:
        out += random.integers(0, 256, rows).astype("u1").tobytes()
        out += struct.pack("<4i", 1, 1, 1, 1) + random.uniform(0.5, 2, 256).astype("<f4").tobytes()
    return out
