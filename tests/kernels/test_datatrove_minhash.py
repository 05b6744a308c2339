"""Signatures of the datatrove mode equal those that datatrove 0.10 computed, number for number."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import xxhash

from stages.kernels.datatrove_minhash import affine_maps, datatrove_minhash, datatrove_shingles, simplify
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
    text = text_of(pa.array(["another text before it", case["text"]]))
    signatures, counts = datatrove_minhash(text, 5, hash_, 112, 1, bits)
    assert counts[1] == expected["n_shingles"]
    if expected["n_shingles"]:
        signature = signatures[1]
        assert signature[:8].tolist() == list(map(int, expected["bucket_000"]))
        assert signature[-8:].tolist() == list(map(int, expected["bucket_013"]))
        assert hashlib.sha256(signature.tobytes()).hexdigest() == expected["sha256_of_all_112_as_le"]


def shingles_slowly(words: list[str], size: int, hash_: str, bits: int) -> list[int]:
    shingles = [" ".join(words[at : at + size]).encode() for at in range(len(words) - size + 1)]
    if hash_ == "sha1":
        return [int.from_bytes(hashlib.sha1(s).digest()[: bits // 8], "little") for s in shingles]
    return [xxhash.xxh64_intdigest(s) if bits == 64 else xxhash.xxh32_intdigest(s) for s in shingles]


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
        assert hashes[offsets[at] : offsets[at + 1]].tolist() == shingles_slowly(words, size, hash_, bits)
