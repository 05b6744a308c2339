"""The one door between Arrow string columns and the kernels: offsets and bytes, nothing copied where it can be helped."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stages.kernels.planes import Planes, planes_of


@dataclass(frozen=True, eq=False)
class Text:
    """Texts of a batch: document i is `data[offsets[i]:offsets[i + 1]]`, UTF-8.

    offsets  int64, one more than documents, ascending from 0
    data     uint8, these bytes and no others

    Both are read-only, the one kind of array that kernels are compiled for. Offsets that start elsewhere are moved to 0.
    """

    offsets: np.ndarray
    data: np.ndarray

    def __post_init__(self) -> None:
        first, last = int(self.offsets[0]), int(self.offsets[-1])
        offsets = np.ascontiguousarray(self.offsets, np.int64)
        object.__setattr__(self, "offsets", frozen(offsets - first if first else offsets))
        object.__setattr__(self, "data", frozen(self.data[first:last]))

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.offsets, self.data))

    @functools.cached_property
    def planes(self) -> Planes:
        """What kind of byte stands where; made once."""
        return planes_of(self.data)


def frozen(array: np.ndarray) -> np.ndarray:
    """The same data, C-contiguous and read-only: kernels take inputs as one kind of array, so that each is compiled once."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def text_of(column: pa.ChunkedArray | pa.Array) -> Text:
    """Offsets and bytes of a string or large_string column; nulls read as empty."""
    array = column
    if isinstance(column, pa.ChunkedArray):  # combine_chunks copies even a single chunk
        array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # more than one chunk where the type's offsets would overflow
        array = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in array.chunks])
    if pa.types.is_string(array.type):
        array = array.cast(pa.large_string())
    if not pa.types.is_large_string(array.type):
        raise TypeError(f"expected a string column, got {array.type}")
    if array.null_count:  # a null slot may hold bytes
        array = array.fill_null("")
    if len(array) == 0:
        return Text(np.zeros(1, np.int64), np.zeros(0, np.uint8))
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    bytes_ = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    return Text(starts, bytes_)


def column_of(text: Text) -> pa.LargeStringArray:
    """A large_string array over the same bytes. The caller guarantees valid UTF-8."""
    count = len(text.offsets) - 1
    offsets = np.ascontiguousarray(text.offsets, np.int64)
    return pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text.data)))
