"""What spaCy's blank English pipeline gives for a whole text, and datatrove's shingles and minima."""

import functools
import hashlib
from typing import Any

import numpy as np
import spacy
import xxhash


@functools.cache
def _pipeline() -> Any:
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    return pipeline


def spacy_words(text: str) -> list[str]:
    return [token.text.strip() for token in _pipeline().tokenizer(text) if token.text.strip()]


def spacy_sentences(text: str) -> int:
    """Over the lines, sentences that are not white space."""
    lines = [_pipeline()(line).sents for line in text.split("\n")]
    return sum(bool(sentence.text.strip()) for sentences in lines for sentence in sentences)


def slow_shingles(words: list[str], size: int, hash_: str, bits: int) -> list[int]:
    shingles = [" ".join(words[at : at + size]).encode() for at in range(len(words) - size + 1)]
    if hash_ == "sha1":
        return [int.from_bytes(hashlib.sha1(s).digest()[: bits // 8], "little") for s in shingles]
    return [xxhash.xxh64_intdigest(s) if bits == 64 else xxhash.xxh32_intdigest(s) for s in shingles]


def slow_minima(hashes: list[int], factors: list[int], addends: list[int], bits: int) -> list[int]:
    """Minima of (hash * factor + addend), wrapped at 2**64, modulo 2**61 - 1; the largest number without hashes."""
    wrapped = np.array(hashes, np.uint64)[:, None] * np.array(factors, np.uint64) + np.array(addends, np.uint64)
    values = wrapped % np.uint64(2**61 - 1) & np.uint64(2**bits - 1)
    return values.min(axis=0, initial=2**bits - 1).tolist()
