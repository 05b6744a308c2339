"""The one door between Arrow string columns and the kernels: offsets and bytes, nothing copied where it can be helped."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa


class Text(NamedTuple):
    """Texts of a batch: document i is `data[offsets[i]:offsets[i + 1]]`, UTF-8.

    offsets  int64, one more than documents, ascending; need not start at 0
    data     uint8, read-only
    """

    offsets: np.ndarray
    data: np.ndarray


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
