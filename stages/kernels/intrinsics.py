"""Loads for which numba has no word. Numba does not check their addresses; where it checks indices, so do they.

Each has a plain form, which runs where numba is switched off (NUMBA_DISABLE_JIT).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from stages.kernels.compile import leaf

# after compile.py, which tells numba where its cache is
from llvmlite import ir  # type: ignore[import-untyped]  # isort: skip
from numba import config, njit, types  # isort: skip
from numba.extending import intrinsic  # isort: skip

settings: Any = config
"""what the environment says to numba; its attributes are made at run time"""


def reading(typing: Callable[..., Any], size: int) -> Any:
    """The intrinsic (data, position) of a typing function, which reads `size` bytes from `position` of a uint8 array.

    With NUMBA_BOUNDSCHECK it raises `IndexError` for bytes before or after the array. Else the caller knows that they exist.
    """
    read = intrinsic(typing)
    if not settings.BOUNDSCHECK:
        return read

    def checked(data: Any, position: Any) -> Any:
        if position < 0 or position + size > len(data):
            raise IndexError("an intrinsic would read outside of its array")
        return read(data, position)

    without_runtime: Any = {"_nrt": False}  # as in `leaf`, which would fail to keep a closure in the cache
    return njit(nogil=True, **without_runtime)(checked)


def _load64_plain(data: Any, index: Any) -> Any:
    word = np.uint64(0)
    for byte in range(8):
        word |= np.uint64(data[index + byte]) << np.uint64(8 * byte)
    return word


def _load64(_context: Any, data: Any, index: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.gep(array.data, [args[1]])
        word = builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, types.int64), code


load64: Any = leaf(_load64_plain) if settings.DISABLE_JIT else reading(_load64, 8)
"""Eight bytes of a uint8 array as one little-endian uint64, without check: the caller knows that they exist."""
