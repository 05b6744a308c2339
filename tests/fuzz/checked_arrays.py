"""Arrays whose indices are checked, and numba's arithmetic on what they hold."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

_U64 = 2**64 - 1


class OutOfBounds(Exception):
    """An index that is negative or beyond the end of its array, or a shift by less than 0 or more than 63 bits."""


class Checked:
    """An array of one dimension whose indices are checked. Integers come out as `int`, uint64 as `np.uint64`."""

    __slots__ = ("array", "size", "view")

    def __init__(self, array: np.ndarray) -> None:
        if not array.flags.aligned and not array.flags.writeable:  # a memoryview does not load such items
            array = array.copy()
        self.array, self.view, self.size = array, memoryview(array), len(array)

    def __len__(self) -> int:
        return self.size

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def __getitem__(self, index: Any) -> Any:
        if index.__class__ is int and 0 <= index < self.size:
            return self.view[index]
        if isinstance(index, slice):
            return checked(self.array[self.span(index)])
        return self.view[self.place(index, self.size)]

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self.array[self.span(index)] = getattr(value, "array", value)
            return
        index = self.place(index, self.size)
        try:
            self.view[index] = value
        except (TypeError, ValueError):
            self.view[index] = fitted(value, self.array.dtype)

    @staticmethod
    def place(index: Any, size: int) -> int:
        index = int(index)
        if not 0 <= index < size:
            raise OutOfBounds(f"index {index} of an array of {size}")
        return index

    @staticmethod
    def span(index: slice) -> slice:
        if any(bound is not None and bound < 0 for bound in (index.start, index.stop)):
            raise OutOfBounds(f"negative bound in {index}")
        return index


class CheckedWords(Checked):
    """An array of uint64."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return checked(self.array[self.span(index)])
        return self.array[self.place(index, self.size)]


class CheckedGrid(Checked):
    """An array of more dimensions."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        found = self.array[self.places(index)]
        if isinstance(found, np.ndarray):
            return checked(found)
        return found if isinstance(found, np.uint64) else found.item()

    def __setitem__(self, index: Any, value: Any) -> None:
        places = self.places(index)
        if isinstance(self.array[places], np.ndarray):
            self.array[places] = getattr(value, "array", value)
        else:
            self.array[places] = fitted(value, self.array.dtype)

    def places(self, index: Any) -> tuple[Any, ...]:
        parts = index if isinstance(index, tuple) else (index,)
        return tuple(
            self.span(part) if isinstance(part, slice) else self.place(part, size)
            for part, size in zip(parts, self.array.shape, strict=False)
        )


def checked(array: np.ndarray) -> Checked:
    if array.ndim > 1:
        return CheckedGrid(array)
    return CheckedWords(array) if array.dtype == np.uint64 else Checked(array)


def fitted(value: Any, kind: np.dtype) -> Any:
    """The value as an array of this kind stores it."""
    if kind.kind == "f":
        return float(value)
    if kind.kind == "b":
        return bool(value)
    bits = 8 * kind.itemsize
    value = int(value) & (1 << bits) - 1
    return value - (1 << bits) if kind.kind == "i" and value >> bits - 1 else value


class Numpy:
    """`numpy` for kernels: constructors of integers wrap around as numba's do."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def uint64(value: Any) -> np.uint64:
        return np.uint64(int(value) & _U64)

    @staticmethod
    def float32(value: Any) -> float:
        return float(np.float32(value))

    float64, bool_ = float, bool


def _integer(kind: Any) -> Callable[[Any], int]:
    return staticmethod(functools.partial(fitted, kind=np.dtype(kind)))  # type: ignore[return-value]


for _kind in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32):
    setattr(Numpy, _kind.__name__, _integer(_kind))
