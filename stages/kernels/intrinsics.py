"""Machine instructions that numba has no word for. Each has a plain form beside it, which says what it does.

The plain form runs where the others cannot be checked: as Python (`NUMBA_DISABLE_JIT=1`), and compiled with checked indices
(`NUMBA_BOUNDSCHECK=1`), since numba checks none of the addresses that an intrinsic makes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from stages.kernels.compile import leaf

# after compile.py, which tells numba where its cache is
from llvmlite import ir  # type: ignore[import-untyped]  # isort: skip
from numba import config, types  # isort: skip
from numba.extending import intrinsic as numba_intrinsic  # isort: skip

_settings: Any = config  # numba sets its attributes at run time


def intrinsic(plain: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Decorate the typing function of an intrinsic with its plain form, which takes its place where indices are checked."""

    def choose(typing: Callable[..., Any]) -> Any:
        return leaf(plain) if _settings.DISABLE_JIT or _settings.BOUNDSCHECK else numba_intrinsic(typing)

    return choose


def _load64_plain(data: Any, index: Any) -> Any:
    word = np.uint64(0)
    for byte in range(8):
        word |= np.uint64(data[index + byte]) << np.uint64(8 * byte)
    return word


@intrinsic(_load64_plain)
def load64(_context: Any, data: Any, index: Any) -> Any:
    """Eight bytes of a uint8 array as one little-endian uint64, without check: the caller knows that they exist."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.gep(array.data, [args[1]])
        word = builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, types.int64), code
