"""Gives freed memory back to the system: allocators keep what threads have freed, and a run would look as large as its largest phase."""

import ctypes

import pyarrow as pa

try:
    _TRIM = ctypes.CDLL("libc.so.6").malloc_trim
except (OSError, AttributeError):  # another C library
    _TRIM = None


def release_memory() -> None:
    """Return unused pages of Arrow's pool and of the C library's. Takes milliseconds; called after a unit of work or a phase."""
    pa.default_memory_pool().release_unused()
    if _TRIM is not None:
        _TRIM(0)
