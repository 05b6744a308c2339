"""How kernels are compiled: nogil, cached on local disk, and never with fastmath, so that every machine gives the same bits."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parent


def _content_of_the_kernels() -> str:
    """Changes with any of these files: numba itself looks only at the file of a kernel, not at those of the leaves it calls."""
    content = hashlib.sha256()
    for file in sorted(_FOLDER.glob("*.py")):
        content.update(file.read_bytes())
    return content.hexdigest()[:12]


# Numba reads this when it is first imported: set it before. A home on a shared disk would be written by all workers at once.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"sluice-numba-{os.getuid()}"))

import numba  # noqa: E402
from numba.core import caching  # noqa: E402


class _KernelLocator(caching.UserProvidedCacheLocator):
    """A cache by what the kernels are, not by where they lie: Ray unpacks a working folder into a new place for each job."""

    _content = _content_of_the_kernels()

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        return f"sluice-{cls._content}"

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        return super().from_function(py_func, py_file) if Path(py_file).resolve().parent == _FOLDER else None  # type: ignore[no-untyped-call]


caching.CacheImpl._locator_classes.insert(0, _KernelLocator)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a loop over arrays at its first call; later processes load it from the cache."""
    return numba.njit(nogil=True, cache=True, fastmath=False)(function)


# An option that numba has for its own use and does not type: no counting of references to arrays, which is atomic and costs
# about 50 ns a call and array, ten times the work of a `decode`.
_WITHOUT_RUNTIME: Any = {"_nrt": False}


def leaf(function: Callable[..., Any]) -> Any:
    """Compile a kernel that allocates nothing."""
    return numba.njit(nogil=True, cache=True, fastmath=False, **_WITHOUT_RUNTIME)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a small leaf into each kernel that calls it: a call passes seven numbers for each array."""
    return numba.njit(nogil=True, cache=True, fastmath=False, forceinline=True, **_WITHOUT_RUNTIME)(function)
