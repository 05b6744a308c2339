"""SHA-1 of spans equals the standard library's, at every length around a block's end."""

import hashlib

import numpy as np
import pytest

from stages.kernels.sha1 import sha1_heads


@pytest.mark.parametrize("bits", [32, 64])
def test_first_bytes_are_those_of_the_standard_library(bits: int) -> None:
    rng = np.random.default_rng(3)
    data = rng.integers(0, 256, 3000).astype(np.uint8)
    sizes = np.concatenate([np.arange(0, 200), rng.integers(0, 70, 501), [2999, 3000]])
    starts = (3000 - sizes) * rng.integers(0, 2, len(sizes))
    found = sha1_heads(data, starts, starts + sizes, bits)
    for head, start, size in zip(found.tolist(), starts, sizes, strict=True):
        digest = hashlib.sha1(data[start : start + size].tobytes()).digest()
        assert head == int.from_bytes(digest[: bits // 8], "little")


def test_there_may_be_no_span() -> None:
    none = np.zeros(0, np.int64)
    assert sha1_heads(np.zeros(0, np.uint8), none, none, 32).tolist() == []
