"""A limit on the CPU time of one call in a thread, for code that can run away on one document."""

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

TICK = 0.05
AGAIN = 0.5
"""CPU seconds until it is thrown again: where Python cannot let an exception through (a finalizer, a callback of compiled
code), it says so and drops it."""


class _Expired(BaseException):
    """Thrown into the thread; no library catches it by `except Exception`."""


class OutOfTime(Exception):
    """The call took more CPU time than it may."""


class _Timer:
    """One thread that looks at all limited calls of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: dict[int, float] = {}
        self._thrown: set[int] = set()
        self._thread: threading.Thread | None = None

    def begin(self, seconds: float) -> None:
        thread = threading.get_ident()
        with self._lock:
            self._limits[thread] = _cpu_seconds(thread) + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sluice-time-limit", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Nothing is thrown into the thread after this; what was thrown and has not arrived is taken back."""
        thread = threading.get_ident()
        with self._lock:
            self._limits.pop(thread, None)
            if thread in self._thrown:
                self._thrown.discard(thread)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)

    def _run(self) -> None:
        while True:
            time.sleep(TICK)
            with self._lock:
                for thread, limit in list(self._limits.items()):
                    if (now := _cpu_seconds(thread)) > limit:
                        self._limits[thread] = now + AGAIN
                        self._thrown.add(thread)
                        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_Expired))


def _cpu_seconds(thread: int) -> float:
    return time.clock_gettime(time.pthread_getcpuclockid(thread))


_TIMER = _Timer()


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """Raise `OutOfTime` in this thread once the block has taken so much CPU time, at the next step of the interpreter.

    A single call into compiled code is not interrupted; the time it takes beyond the limit is told when it returns.
    """
    try:
        _TIMER.begin(seconds)
        try:
            yield
        finally:
            _TIMER.end()
    except _Expired:
        _TIMER.end()  # it may have been thrown into the one above
        raise OutOfTime(f"{what} took more than {seconds:g} s of CPU time") from None
