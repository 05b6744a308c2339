"""A signature holds the minima of the shingles' hashes, estimates similarity without bias, and does not depend on the batch."""

import datasketch
import numpy as np
import pyarrow as pa
import pytest
import xxhash

from stages.kernels import minhash as kernel
from stages.kernels.minhash import band_keys, groups, minhash, permutations
from stages.kernels.minima import affine_minima
from stages.kernels.shingles import shingles
from stages.kernels.text import text_of

TEXTS = ["", "one two three", "a much longer text than this one is " * 40, "漢字かな交じり文", "x " * 7, "one two three"]


def test_permutations_never_change() -> None:
    factors, addends = permutations(2, 1, 32)
    assert factors.tolist() == [3220144177, 1882415043]
    assert addends.tolist() == [1599417572, 4097900091]
    factors, addends = permutations(2, 1, 64)
    assert factors.tolist() == [13830413928045401971, 8084911050856847527]
    assert addends.tolist() == [6869446166584666695, 17600346874777673004]


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize("count", [1, 13, 112])
def test_a_value_is_the_minimum_of_a_permutation(bits: int, unit: str, count: int) -> None:
    text = text_of(pa.array(TEXTS))
    hashes, offsets = shingles(text, 2, unit, bits)
    found, counts = minhash(text, 2, unit, count, 3, bits)
    assert counts.tolist() == np.diff(offsets).tolist()
    factors, addends = (numbers.tolist() for numbers in permutations(count, 3, bits))
    for doc in range(1, len(TEXTS)):
        mine = hashes[offsets[doc] : offsets[doc + 1]].tolist()
        assert found[doc].tolist() == [min((x * a + b) % 2**bits for x in mine) for a, b in zip(factors, addends, strict=True)]


@pytest.mark.parametrize("group_bytes", [1, 20, 500])
def test_signatures_do_not_depend_on_how_documents_are_grouped(group_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of(pa.array(["skipped", *TEXTS, "last"]).slice(1))
    whole = minhash(text, 2, "word", 16, 1, 32)
    monkeypatch.setattr(kernel, "_GROUP_BYTES", group_bytes)
    for all_at_once, grouped in zip(whole, minhash(text, 2, "word", 16, 1, 32), strict=True):
        assert all_at_once.tolist() == grouped.tolist()


def test_a_group_holds_documents_up_to_its_bytes_or_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_GROUP_BYTES", 10)
    assert list(groups(np.array([5, 9, 15, 16, 40, 40, 44]))) == [(0, 2), (2, 3), (3, 4), (4, 6)]
    assert list(groups(np.array([5]))) == []


def test_band_keys_hash_the_rows_of_a_band() -> None:
    signature = np.arange(24, dtype=np.uint32).reshape(2, 12)
    keys = band_keys(signature, 3)
    assert keys.shape == (3, 2)
    for doc in range(2):
        for band in range(3):
            assert keys[band, doc] == xxhash.xxh64_intdigest(signature[doc, 4 * band : 4 * band + 4].tobytes())


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("jaccard", [0.5, 0.8, 0.95])
def test_estimates_are_as_good_as_those_of_datasketch(jaccard: float, bits: int) -> None:
    """Over 300 pairs of random sets: no bias, and the standard deviation of 112 independent draws."""
    rng = np.random.default_rng(11)
    size, pairs = 200, 300
    common = round(2 * size * jaccard / (1 + jaccard))
    exact = common / (2 * size - common)
    ours, theirs = [], []
    for _ in range(pairs):
        values = rng.integers(0, 2**bits, 2 * size - common, np.uint64)
        left, right = values[:size], values[size - common :]
        offsets = np.array([0, size, 2 * size], np.int64)
        a, b = affine_minima(np.concatenate([left, right]), offsets, *permutations(112, 1, bits))
        ours.append(float((a == b).mean()) - exact)
        sketches = [datasketch.MinHash(112, seed=1, hashfunc=int, scheme=f"affine{bits}") for _ in range(2)]
        for sketch, side in zip(sketches, (left, right), strict=True):
            sketch.update_batch(side)
        theirs.append(sketches[0].jaccard(sketches[1]) - exact)
    deviation = (exact * (1 - exact) / 112) ** 0.5
    assert abs(np.mean(ours)) < 3 * deviation / pairs**0.5
    assert np.std(ours) < 1.15 * deviation
    assert np.std(ours) < 1.15 * np.std(theirs)
