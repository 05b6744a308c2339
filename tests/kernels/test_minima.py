"""Minima of permutations equal their definition, for any number of permutations, documents of any size, and both widths."""

import numpy as np
import pytest

from stages.kernels.minima import affine_minima, mersenne_minima

P61 = 2**61 - 1
OFFSETS = np.array([3, 3, 4, 6, 9, 13, 18, 40, 1500], np.int64)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("count", [1, 4, 7, 16, 17, 112, 130])
def test_affine_minima_equal_their_definition(bits: int, count: int) -> None:
    rng = np.random.default_rng(count)
    kind = np.uint32 if bits == 32 else np.uint64
    hashes = rng.integers(0, 2**bits, 1500, np.uint64)
    hashes[3:6] = 0, 2**bits - 1, 2 ** (bits - 1)
    factors, addends = rng.integers(0, 2**bits, count, kind), rng.integers(0, 2**bits, count, kind)
    found = affine_minima(hashes, OFFSETS, factors, addends)
    assert found.dtype == kind
    assert (found[0] == 2**bits - 1).all()
    for doc in range(1, len(OFFSETS) - 1):
        mine = hashes[OFFSETS[doc] : OFFSETS[doc + 1]].tolist()
        for p in range(count):
            assert found[doc, p] == min((x * int(factors[p]) + int(addends[p])) % 2**bits for x in mine)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("count", [1, 3, 112])
def test_mersenne_minima_equal_their_definition(bits: int, count: int) -> None:
    rng = np.random.default_rng(count)
    hashes = rng.integers(0, 2**bits, 1500, np.uint64)
    hashes[3:5] = 0, 2**bits - 1
    factors, addends = rng.integers(1, P61, count, np.uint64), rng.integers(0, P61, count, np.uint64)
    factors[0] |= np.uint64(1)
    if bits == 64:  # products that are the prime itself, one less and one more: modulo it 0, the largest number, and 1
        inverse = pow(int(factors[0]), -1, 2**64)
        hashes[5:8] = [(P61 + off - int(addends[0])) * inverse % 2**64 for off in (0, -1, 1)]
    found = mersenne_minima(hashes, OFFSETS, factors, addends, bits)
    assert found.dtype == (np.uint32 if bits == 32 else np.uint64)
    for doc in range(1, len(OFFSETS) - 1):
        mine = hashes[OFFSETS[doc] : OFFSETS[doc + 1]].tolist()
        for p in range(count):
            values = [(x * int(factors[p]) + int(addends[p])) % 2**64 % P61 % 2**bits for x in mine]
            assert found[doc, p] == min(values)
