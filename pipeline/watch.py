"""Finds a worker whose batch neither ends nor raises, and ends the process: a thread cannot be stopped from outside."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.attempts import Attempt
from schemas.recipe import Failures

EXIT_HUNG = 70


class Watch:
    """Watches the batches that this process works on. CPU time is counted, so that a slow machine does not set more aside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[float, float, Failures, Attempt, str]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def batch(self, attempt: Attempt, limits: Failures, label: str) -> Iterator[None]:
        """While a batch is being worked on by the calling thread."""
        key = threading.get_ident()
        with self._lock:
            self._watched[key] = (time.monotonic(), _cpu_seconds(key), limits, attempt, label)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sluice-watch", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._watched.pop(key, None)

    def _run(self) -> None:
        while True:
            time.sleep(0.5)
            with self._lock:
                watched = list(self._watched.items())
            for thread, (began, cpu, limits, attempt, label) in watched:
                wall = time.monotonic() - began
                try:
                    used = _cpu_seconds(thread) - cpu
                except OSError:  # the thread ended between the two looks
                    continue
                if used > limits.batch_cpu_seconds or wall > limits.batch_wall_seconds:
                    attempt.hung()
                    print(
                        f"sluice: {label}: one batch has taken {used:.0f} s of CPU time and {wall:.0f} s in all; this process"
                        " ends. The next attempt (with --engine local: the same command, started again) finds the document.",
                        file=sys.stderr,
                        flush=True,
                    )
                    os._exit(EXIT_HUNG)


def _cpu_seconds(thread: int) -> float:
    return time.clock_gettime(time.pthread_getcpuclockid(thread))


WATCH = Watch()
