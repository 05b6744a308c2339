"""Hashes equal their published definitions, and the pipeline's random numbers never change."""

import random

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from definitions.hashing import plain_text

from stages.kernels.hashing import hash_texts, hash_unit, mix64, order_keys, plain_text_ids, text_ids
from stages.kernels.text import text_of

TEXTS = [
    "",
    "a",
    "naïve",
    "漢字かな",
    "👩‍👩‍👧",
    "\x00",
    "a\r\nb\x85c\u2028d",
    "e\u0301",
    "x" * 31,
    "x" * 32,
    "y" * 33,
    "z" * 1000,
]


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_xxh64_equals_the_published_hash(seed: int) -> None:
    hashes = hash_texts(text_of(pa.array(TEXTS)), seed)
    assert hashes.tolist() == [xxhash.xxh64_intdigest(text.encode(), seed) for text in TEXTS]


def test_xxh64_equals_the_published_hash_at_every_length() -> None:
    rng = random.Random(1)
    texts = ["".join(chr(rng.randrange(32, 0x800)) for _ in range(length)) for length in range(150)]
    hashes = hash_texts(text_of(pa.array(texts)), 7)
    assert hashes.tolist() == [xxhash.xxh64_intdigest(text.encode(), 7) for text in texts]


def test_a_slice_and_a_null_are_hashed_as_what_they_hold() -> None:
    column = pa.chunked_array([pa.array(["a", None, "c"]), pa.array(["d", "e"])]).slice(1, 3)
    assert hash_texts(text_of(column)).tolist() == [xxhash.xxh64_intdigest(text) for text in (b"", b"c", b"d")]
    assert hash_texts(text_of(pa.array([], pa.string()))).tolist() == []


def test_order_keys_never_change() -> None:
    keys = order_keys(42, "sample", pa.array(["web", "web", "books"]), pa.array(["1", "2", "1"]), np.array([0, 0, 3]))
    assert keys.tolist() == [6671445694466786622, 7862249514241585314, 10945701193979197741]


def order_key(seed: int, salt: str, source: str, id: str, copy: int) -> int:
    by_salt = xxhash.xxh64_intdigest(salt.encode(), seed)
    by_source = xxhash.xxh64_intdigest(source.encode(), by_salt)
    x = xxhash.xxh64_intdigest(id.encode(), by_source) ^ (copy * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def test_order_keys_equal_their_definition() -> None:
    rng = random.Random(2)
    for _ in range(20):
        sources = [rng.choice(["", "web", "écrits"]) for _ in range(20)]
        ids = [f"{rng.randrange(10 ** rng.randrange(1, 40))}-文" for _ in range(20)]
        copies = [rng.randrange(5) for _ in range(20)]
        seed, salt = rng.randrange(2**63), rng.choice(["", "shuffle", "mélange"])
        keys = order_keys(seed, salt, pa.array(sources), pa.array(ids), np.array(copies))
        assert keys.tolist() == [order_key(seed, salt, *row) for row in zip(sources, ids, copies, strict=True)]


def test_order_keys_do_not_depend_on_batches() -> None:
    source, id = pa.array(["s"] * 100), pa.array([str(i) for i in range(100)])
    whole = order_keys(1, "x", source, id)
    pieces = [order_keys(1, "x", source.slice(at, 7), id.slice(at, 7)) for at in range(0, 100, 7)]
    assert np.concatenate(pieces).tolist() == whole.tolist()


@pytest.mark.parametrize(
    "changed", [(2, "x", "s", "i", 0), (1, "y", "s", "i", 0), (1, "x", "t", "i", 0), (1, "x", "s", "j", 0)]
)
def test_each_argument_changes_the_key(changed: tuple[int, str, str, str, int]) -> None:
    seed, salt, source, id, copy = changed
    assert order_keys(1, "x", pa.array(["s"]), pa.array(["i"])) != order_keys(
        seed, salt, pa.array([source]), pa.array([id]), copy
    )
    assert order_keys(1, "x", pa.array(["s"]), pa.array(["i"]), 1) != order_keys(1, "x", pa.array(["s"]), pa.array(["i"]))


def test_the_border_between_source_and_id_counts() -> None:
    assert order_keys(1, "x", pa.array(["ab"]), pa.array(["c"])) != order_keys(1, "x", pa.array(["a"]), pa.array(["bc"]))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="1, 1 and 2 entries"):
        order_keys(1, "x", pa.array(["a"]), pa.array(["b"]), np.array([0, 1]))


def test_hash_unit_is_below_one_and_even() -> None:
    assert hash_unit(np.array([0, 2**63, 2**64 - 1], np.uint64)).tolist() == [0.0, 0.5, 1 - 2**-53]
    keys = order_keys(3, "unit", pa.array(["s"] * 100_000), pa.array([str(i) for i in range(100_000)]))
    counts = np.histogram(hash_unit(keys), bins=10, range=(0, 1))[0]
    assert np.abs(counts - 10_000).max() < 400  # four standard deviations are 379


def test_mix64_is_splitmix64() -> None:
    assert int(mix64(np.uint64(0x9E3779B97F4A7C15))) == 0xE220A8397B1DCDAF  # first output of SplitMix64 with seed 0


def test_text_ids_are_two_hashes_of_the_bytes() -> None:
    ids = text_ids(text_of(pa.array(TEXTS)))
    assert ids.tolist() == [[xxhash.xxh64_intdigest(t.encode(), seed) for seed in (0, 1)] for t in TEXTS]


def test_case_and_white_space_do_not_change_a_plain_id() -> None:
    texts = ["Straße ΟΔΟΣ\n\nİzmir", " straße\u2028οδος \x85 i\u0307zmir\u00a0", "STRASSE ΟΔΟΣ İZMIR"]
    first, second, third = plain_text_ids(text_of(pa.array(texts))).tolist()
    assert first == second  # str.lower keeps ß, so the third is another text
    assert first != third


def test_plain_ids_equal_their_definition() -> None:
    rng = random.Random(3)
    alphabet = "aBÇé ΣςσİıȺⱥß\t\r\n\x00\x1c\x85\u00a0\u2028\u3000漢か👩\u0301Ａ𐐀𐐨"
    texts = ["".join(rng.choice(alphabet) for _ in range(rng.randrange(40))) for _ in range(500)] + TEXTS
    texts += ["".join(map(chr, range(first, first + 500))) for first in range(0, 0xD800 - 500, 500)]
    ids = plain_text_ids(text_of(pa.array(texts).slice(1)))
    assert ids.tolist() == [[xxhash.xxh64_intdigest(plain_text(t), seed) for seed in (0, 1)] for t in texts[1:]]
