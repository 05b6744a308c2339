"""How kernels are compiled: nogil, cached on local disk, and never with fastmath, so that every machine gives the same bits."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _state_of_the_kernels() -> str:
    """Changes with any of these files: numba itself looks only at the file of a kernel, not at those of the leaves it calls."""
    state = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        state.update(file.read_bytes())
    return state.hexdigest()[:12]


# Numba reads this when it is first imported: set it before. A home on a shared disk would be written by all workers at once.
os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"sluice-numba-{os.getuid()}" / _state_of_the_kernels())
)

import numba  # noqa: E402


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a loop over arrays at its first call; later processes load it from the cache."""
    return numba.njit(nogil=True, cache=True, fastmath=False)(function)


def leaf(function: Callable[..., Any]) -> Any:
    """Compile a kernel that allocates nothing. Its calls of other leaves with arrays are not counted as references.

    Such counting is atomic and costs about 50 ns a call and array, which is ten times the work of a `decode`.
    """
    without_runtime: Any = {"_nrt": False}  # an option that numba has for its own use and does not type
    return numba.njit(nogil=True, cache=True, fastmath=False, **without_runtime)(function)
