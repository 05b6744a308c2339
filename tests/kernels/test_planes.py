"""Planes tell of each byte what it is, and where the next of a kind stands."""

import random

import numpy as np
import pytest

from stages.kernels.bits import bit_count, mask_of, trailing_zeros
from stages.kernels.compile import leaf
from stages.kernels.planes import Planes, next_clear, next_set
from stages.kernels.text import Text

KINDS = {
    "word": lambda byte: chr(byte).isascii() and chr(byte).isalnum(),
    "letter": lambda byte: chr(byte).isascii() and chr(byte).isalpha(),
    "space": lambda byte: byte < 0x80 and chr(byte).isspace(),
    "newline": lambda byte: byte == 0x0A,
    "high": lambda byte: byte > 0x7F,
    "head": lambda byte: not 0x80 <= byte <= 0xBF,
    "breaks": lambda byte: byte in b"\n\v\f\r\x1c\x1d\x1e\xc2\xe2",
}


def planes_of(data: bytes) -> Planes:
    return Text(np.array([0, len(data)]), np.frombuffer(data, np.uint8)).planes


def bits(plane: np.ndarray) -> list[int]:
    return np.unpackbits(plane.view(np.uint8), bitorder="little").tolist()


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 127, 128, 700])
def test_a_plane_has_a_bit_for_each_byte_of_its_kind(size: int) -> None:
    data = random.Random(size).randbytes(size)
    for kind, is_kind in KINDS.items():
        plane = getattr(planes_of(data), kind)
        assert bits(plane)[:size] == [int(is_kind(byte)) for byte in data], kind
        assert not any(bits(plane)[size:]), kind


def test_all_256_bytes_are_told_apart() -> None:
    data = bytes(range(256))
    for kind, is_kind in KINDS.items():
        assert bits(getattr(planes_of(data), kind))[:256] == [int(is_kind(byte)) for byte in data], kind


def test_planes_of_a_slice_begin_with_its_first_byte() -> None:
    text = Text(np.array([3, 5, 6]), np.frombuffer(b"xxxa bxx", np.uint8))
    assert text.offsets.tolist() == [0, 2, 3]
    assert bits(text.planes.word)[:4] == [1, 0, 1, 0]


def test_the_next_bit_is_found_from_any_place() -> None:
    rng = random.Random(1)
    for _ in range(300):
        size = rng.choice([1, 5, 64, 65, 200, 400])
        data = bytes(rng.choices(b"a ", weights=[1, rng.choice([0.01, 1, 100])], k=size))
        plane = planes_of(data).word
        at, end = sorted((rng.randint(0, size), rng.randint(0, size)))
        assert next_set(plane, at, end) == next((p for p in range(at, end) if data[p] == 0x61), end)
        assert next_clear(plane, at, end) == next((p for p in range(at, end) if data[p] == 0x20), end)


@leaf
def counted(value):
    return trailing_zeros(value), bit_count(value)


def test_bits_are_counted() -> None:
    assert counted(np.uint64(0)) == (64, 0)
    assert counted(np.uint64(0x8000000000000000)) == (63, 1)
    assert counted(np.uint64(0b1011000)) == (3, 3)


_between = mask_of(0x30, 0x32)


@leaf
def between(data, at):
    return _between(data, at)


def test_a_mask_has_a_bit_for_each_byte_in_its_range() -> None:
    data = np.frombuffer(b"/0123" + bytes(60), np.uint8)
    assert between(data, 0) == 0b01110
    assert between(data, 1) == 0b0111
