"""Where words stand in a document as fastText's library reads one line, and how they are found again in a memory."""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.fasttext_model import EOS, word_hash
from stages.kernels.lines import load

EOS_KEY = np.uint64(int.from_bytes(EOS, "little"))
EOS_HASH = np.uint64(word_hash(EOS))
SEPARATORS = np.zeros(256, np.bool_)
SEPARATORS[[0, 9, 10, 11, 12, 13, 32]] = True
SEPARATORS.flags.writeable = False
SPREAD = np.uint64(0x9E3779B97F4A7C15)
SPREAD_HIGH = np.uint64(0xC2B2AE3D27D4EB4F)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@leaf
def end_of_reading(offsets: Any, data: Any, document: Any, most: Any) -> Any:
    """End of the document, or of the last whole character in its first `most` bytes; -1 reads all."""
    position, end = np.int64(offsets[document]), np.int64(offsets[document + 1])
    if 0 <= most < end - position:
        end = position + most
        while end > position and (data[end] & 0xC0) == 0x80:
            end -= 1
    return end


@leaf
def word_end(data: Any, position: Any, end: Any, separators: Any) -> Any:
    """End of the word that begins at `position`, eight bytes at a time."""
    last = len(data) - 8
    while position < end:
        if position <= last:
            eight = load(data, position)
            # the highest bit of each byte up to 0x20; above the first of them bits may be wrong
            small = (eight - np.uint64(0x2121212121212121)) & ~eight & np.uint64(0x8080808080808080)
            if small == 0:
                position += 8
                continue
            first = (small & (~small + np.uint64(1))) >> np.uint64(7)
            position += np.int64((first * np.uint64(0x0001020304050607)) >> np.uint64(56))
            if position >= end:
                return end
        if separators[data[np.uint64(position)]]:
            return position
        position += 1
    return end


@leaf
def part(data: Any, start: Any, size: Any) -> Any:
    """Up to eight bytes as a number, zeros behind them; 0 for a size below 1."""
    if start + 8 <= len(data):
        part = load(data, start) & (_ALL >> np.uint64(64 - 8 * min(max(size, 1), 8)))
        return part if size > 0 else np.uint64(0)
    part = np.uint64(0)
    for i in range(min(size, 8)):
        part |= np.uint64(data[start + i]) << np.uint64(8 * i)
    return part
