"""Signatures of the datasketch mode equal those of the library, number for number."""

import random

import datasketch
import numpy as np
import pyarrow as pa
import pytest

from stages.kernels import datasketch_minhash as kernel
from stages.kernels.datasketch_minhash import datasketch_minhash
from stages.kernels.text import text_of

ALPHABET = "aBcΣςİ é漢\n\t\u2028\u00a0👩.,'1 ٣\x1c\x85\u0301ß"


def shingles_of(text: str, size: int, unit: str) -> list[bytes]:
    words = text.lower().split()
    units, joint = (words, " ") if unit == "word" else (list(" ".join(words)), "")
    return [joint.join(units[at : at + size]).encode() for at in range(len(units) - size + 1)]


@pytest.mark.parametrize("scheme", ["affine32", "affine64", "legacy"])
@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize(("size", "count", "seed"), [(1, 13, 0), (3, 112, 1), (5, 1, 2**32 - 1), (5, 128, 42)])
def test_signatures_are_those_of_datasketch(
    scheme: str, unit: str, size: int, count: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(size)
    texts = ["".join(rng.choices(ALPHABET, k=rng.randrange(90))) for _ in range(150)]
    texts += ["", " ", "ΟΔΟΣ", "Hello World, this is a longer text than the others of a test " * 30]
    monkeypatch.setattr(kernel, "_GROUP_BYTES", 500)
    found, counts = datasketch_minhash(text_of(pa.array(["unused", *texts]).slice(1)), size, unit, count, seed, scheme)
    for text, signature, shingle_count in zip(texts, found, counts, strict=True):
        expected = datasketch.MinHash(count, seed=seed, scheme=scheme)
        expected.update_batch(shingles_of(text, size, unit))
        assert shingle_count == len(shingles_of(text, size, unit))
        assert signature.dtype == (expected.hashvalues.dtype if scheme != "legacy" else "uint32")
        assert signature.tolist() == expected.hashvalues.tolist()


def test_a_group_holds_documents_up_to_its_bytes_or_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_GROUP_BYTES", 10)
    assert list(kernel._groups(np.array([5, 9, 15, 16, 40, 40, 44]))) == [(0, 2), (2, 3), (3, 4), (4, 6)]
    assert list(kernel._groups(np.array([5]))) == []
