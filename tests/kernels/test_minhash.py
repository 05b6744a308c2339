"""Shingles do not depend on case, punctuation or white space; minima equal their definition and estimate similarity."""

import random
from itertools import pairwise

import datasketch
import numpy as np
import pyarrow as pa
import pytest
import xxhash
from definitions.minhash import fold, shingles_slowly, slow_minima

from stages.kernels.minhash import band_keys, folded, permutations, shingles, signatures
from stages.kernels.text import text_of
from stages.kernels.words import words_of


def shingles_of(texts: list[str], size: int, unit: str = "word") -> list[list[int]]:
    text = text_of(pa.array(["skipped", *texts]).slice(1))
    hashes, offsets = shingles(text, words_of(text), size, unit)
    return [hashes[start:end].tolist() for start, end in pairwise(offsets)]


@pytest.mark.parametrize(
    "same",
    [
        "the 24 naive cafes open at noon and close",
        "  The 1999 NAÏVE\r\ncafés -- open (at) noon, and\u2028\tclose!!!\x00",
        "the 7 nai\u0308ve cafe\u0301s. open; at: noon… and “close”",
        "the ٣ naive cafes open at noon and close",
    ],
)
@pytest.mark.parametrize("unit", ["word", "char"])
def test_case_marks_numbers_punctuation_and_white_space_do_not_count(same: str, unit: str) -> None:
    first, second = shingles_of(["the 24 naive cafes open at noon and close", same], 5, unit)
    assert first == second
    assert len(first) == (5 if unit == "word" else 36)


@pytest.mark.parametrize("other", ["the 24 naive cafes open at noon and closed", "the naive 24 cafes open at noon and close"])
def test_other_words_and_another_order_count(other: str) -> None:
    first, second = shingles_of(["the 24 naive cafes open at noon and close", other], 5)
    assert set(first) != set(second)


def test_a_document_has_a_shingle_from_its_fifth_word_on() -> None:
    found = shingles_of(["", "one two three four", "one two three four five", "a, b. c! d? --- ***"], 5)
    assert [len(one) for one in found] == [0, 0, 1, 0]


def test_emoji_and_other_scripts_have_shingles() -> None:
    assert [len(one) for one in shingles_of(["漢字かな", "👩 🎉 👍"], 1, "char")] == [4 + 3, 3 + 2]


def test_each_code_point_is_folded_by_its_definition() -> None:
    table = folded()
    for code in [*range(0xD800), *range(0xE000, 0x20000), 0x20000, 0x2A6DF, 0xE0041, 0xE0100]:
        assert (chr(table[code]) if table[code] else "") == fold(code)


@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_shingles_equal_their_definition(unit: str, size: int) -> None:
    rng = random.Random(size)
    alphabet = "aBzZ@[`{09٣é \n\r\t\x00\x85\u2028.,-'ΣςİȺßж漢か한👩\u200d\u0301\u0e33नि½"
    texts = ["".join(rng.choices(alphabet, k=rng.randrange(60))) for _ in range(100)]
    texts += ["".join(rng.choices("abcXYZ", k=length)) + " 1 " for length in range(30)] + ["", "word " * 9]
    assert shingles_of(texts, size, unit) == [shingles_slowly(text, size, unit) for text in texts]


def test_permutations_never_change() -> None:
    factors, masks = permutations(2, 1)
    assert factors.tolist() == [3220144177, 1882415043]
    assert masks.tolist() == [1599417572, 4097900091]


@pytest.mark.parametrize("count", [1, 7, 112])
def test_minima_equal_their_definition(count: int) -> None:
    rng = np.random.default_rng(count)
    hashes = rng.integers(0, 2**32, 40).astype(np.uint32)
    offsets = np.array([3, 3, 4, 6, 9, 13, 18, 40], np.int64)
    factors, masks = permutations(count, 3)
    found = signatures(hashes, offsets, count, 3)
    for doc in range(1, 7):
        mine = [int(h) for h in hashes[offsets[doc] : offsets[doc + 1]]]
        assert found[doc].tolist() == slow_minima(mine, factors.tolist(), masks.tolist())


def test_band_keys_hash_the_rows_of_a_band() -> None:
    signature = np.arange(24, dtype=np.uint32).reshape(2, 12)
    keys = band_keys(signature, 3)
    assert keys.shape == (3, 2)
    for doc in range(2):
        for band in range(3):
            assert keys[band, doc] == xxhash.xxh64_intdigest(signature[doc, 4 * band : 4 * band + 4].tobytes())


@pytest.mark.parametrize("jaccard", [0.5, 0.8, 0.95])
def test_estimates_are_as_good_as_those_of_datasketch(jaccard: float) -> None:
    """Over 300 pairs of random sets: no bias, and the standard deviation of 112 independent draws."""
    rng = np.random.default_rng(11)
    size, pairs = 200, 300
    common = round(2 * size * jaccard / (1 + jaccard))
    exact = common / (2 * size - common)
    ours, theirs = [], []
    for _ in range(pairs):
        values = rng.integers(0, 2**32, 2 * size - common, np.uint32)
        left, right = values[:size], values[size - common :]
        offsets = np.array([0, size, 2 * size], np.int64)
        a, b = signatures(np.concatenate([left, right]), offsets, 112, 1)
        ours.append(float((a == b).mean()) - exact)
        sketches = [datasketch.MinHash(112, seed=1, hashfunc=lambda h: int(h)) for _ in range(2)]
        for sketch, side in zip(sketches, (left, right), strict=True):
            sketch.update_batch(side)
        theirs.append(sketches[0].jaccard(sketches[1]) - exact)
    deviation = (exact * (1 - exact) / 112) ** 0.5
    assert abs(np.mean(ours)) < 3 * deviation / pairs**0.5
    assert np.std(ours) < 1.15 * deviation
    assert np.std(ours) < 1.15 * np.std(theirs)
