"""A signature holds the minima of the shingles' hashes, estimates similarity without bias, and does not depend on the batch."""

import subprocess
import sys
from pathlib import Path

import datasketch
import numpy as np
import pyarrow as pa
import pytest
import xxhash

from stages.kernels.minhash import band_keys, minhash, permutations
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


def test_a_signature_does_not_depend_on_the_batch() -> None:
    texts = [*TEXTS, *("a b c " * length for length in range(40))]
    whole, counts = minhash(text_of(pa.array(texts)), 2, "word", 16, 1, 32)
    for first in range(len(texts)):
        part, count = minhash(text_of(pa.array(texts).slice(first, 3)), 2, "word", 16, 1, 32)
        assert part.tolist() == whole[first : first + 3].tolist()
        assert count.tolist() == counts[first : first + 3].tolist()


BEFORE_A_WALL = """
import ctypes, mmap
import numpy as np
from stages.kernels.minhash import minhash
from stages.kernels.text import Text

page = mmap.PAGESIZE
memory = mmap.mmap(-1, 2 * page)
wall = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + page
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(wall), ctypes.c_size_t(page), 0) == 0
for size in (1, 7, 8, 63, 64, 65, 200):
    memory[page - size : page] = (b" words" * 40)[-size:]
    data = np.frombuffer(memory, np.uint8, page)
    for unit in ("word", "char"):
        minhash(Text(np.array([page - size, page]), data), 2, unit, 16, 1, 32)
"""


def test_nothing_is_read_behind_the_last_byte() -> None:
    done = subprocess.run([sys.executable, "-c", BEFORE_A_WALL], cwd=Path(__file__).parents[2])
    assert done.returncode == 0


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
