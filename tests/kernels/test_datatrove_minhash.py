"""Signatures of the datatrove mode equal those that datatrove 0.10 computed, number for number."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from definitions.datatrove import slow_minima, slow_shingles

from stages.kernels.datatrove_minhash import affine_maps, datatrove_shingles, datatrove_signatures, simplify
from stages.kernels.text import text_of

PARITY: dict[str, Any] = json.loads((Path(__file__).parents[1] / "parity" / "datatrove_minhash.json").read_text())
CONFIGS = {"xxhash64_default": ("xxhash", 64), "sha1_64_fineweb": ("sha1", 64), "xxhash32": ("xxhash", 32)}
CASES = [(case, config) for case in PARITY["cases"] for config in CONFIGS]


def test_the_affine_maps_are_those_of_datatrove() -> None:
    factors, addends = affine_maps(112, 1)
    assert [str(a) for a in factors[:3]] == PARITY["meta"]["a_first3"]
    assert [str(b) for b in addends[:3]] == PARITY["meta"]["b_first3"]


@pytest.mark.parametrize("case", PARITY["cases"], ids=lambda case: case["id"])
def test_texts_are_simplified_as_by_datatrove(case: dict[str, Any]) -> None:
    assert simplify(case["text"]) == case["simplified"]


@pytest.mark.parametrize(("case", "config"), CASES, ids=[f"{case['id']}-{config}" for case, config in CASES])
def test_signatures_are_those_of_datatrove(case: dict[str, Any], config: str) -> None:
    hash_, bits = CONFIGS[config]
    expected = case[config]
    hashes, offsets = datatrove_shingles(text_of(pa.array(["another text before it", case["text"]])), 5, hash_, bits)
    assert offsets[2] - offsets[1] == expected["n_shingles"]
    if expected["n_shingles"]:
        signature = datatrove_signatures(hashes, offsets, 112, 1, bits)[1]
        assert signature[:8].tolist() == list(map(int, expected["bucket_000"]))
        assert signature[-8:].tolist() == list(map(int, expected["bucket_013"]))
        assert hashlib.sha256(signature.tobytes()).hexdigest() == expected["sha256_of_all_112_as_le"]


@pytest.mark.parametrize("hash_", ["xxhash", "sha1"])
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_shingles_equal_their_definition(hash_: str, bits: int, size: int) -> None:
    rng = random.Random(size)
    documents = [
        ["".join(rng.choices("abcxyzéßж漢", k=rng.randrange(1, 9))) for _ in range(rng.randrange(12))] for _ in range(50)
    ]
    documents = [[simplify(word) for word in words] for words in documents]
    column = pa.array(["unused", *(" \n".join(words) for words in documents)]).slice(1)
    hashes, offsets = datatrove_shingles(text_of(column), size, hash_, bits)
    for at, words in enumerate(documents):
        assert hashes[offsets[at] : offsets[at + 1]].tolist() == slow_shingles(words, size, hash_, bits)


OF_ODD_FACTOR = next(at for at, factor in enumerate(affine_maps(6, 5)[0]) if factor % 2)


@pytest.mark.parametrize("bits", [32, 64])
def test_minima_equal_their_definition(bits: int) -> None:
    rng = np.random.default_rng(7)
    hashes = rng.integers(0, 2**bits, 60, np.uint64, endpoint=False)
    hashes[:2] = 0, 2**bits - 1
    factor, addend = (int(numbers[OF_ODD_FACTOR]) for numbers in affine_maps(6, 5))
    if bits == 64:  # a product that is the prime itself, and so 0
        hashes[2] = (2**61 - 1 - addend) * pow(factor, -1, 2**64) % 2**64
    offsets = np.array([0, 2, 3, 3, 60], np.int64)
    factors, addends = affine_maps(6, 5)
    signature = datatrove_signatures(hashes, offsets, 6, 5, bits)
    for doc in (0, 1, 3):
        mine = [int(h) for h in hashes[offsets[doc] : offsets[doc + 1]]]
        assert signature[doc].tolist() == slow_minima(mine, factors.tolist(), addends.tolist(), bits)
