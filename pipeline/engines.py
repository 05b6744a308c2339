"""Who calls the worker. An engine maps a function over items, in any order; it decides nothing else."""

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from pipeline.attempts import MARKS_BEFORE_ISOLATION


def cores() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0))


class Engine(Protocol):
    """What `local` and `ray` have in common."""

    name: str
    workers: int
    marks: int
    """attempts by processes that died, after which a unit is searched for the document that killed them"""
    slow_start: bool
    """whether starting a task may take longer than doing a unit"""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def map(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        label: str,
        begun: Callable[[], bool] = lambda: True,
        model_bytes: int = 0,
    ) -> Iterator[Any]:
        """Results in any order. An error of the function is raised here, as it was raised there.

        begun        whether any task has started to work: an engine that never gets there says so instead of hanging
        model_bytes  memory of the model that the function loads once in a process, if it does
        """

    def call(self, function: Callable[[], Any], label: str, begun: Callable[[], bool] = lambda: True) -> Any:
        """One result."""


def _wait_for(results: "queue.SimpleQueue[tuple[Any, BaseException | None]]") -> tuple[Any, BaseException | None]:
    """The next result. Waits in short turns: with the handler that polars puts on SIGINT, one long wait outlasts Ctrl-C."""
    while True:
        try:
            return results.get(timeout=0.2)
        except queue.Empty:
            continue


class LocalEngine:
    """Threads of this process: kernels release the GIL, a debugger works. One mark of a dead process is enough here."""

    name = "local"
    marks = min(1, MARKS_BEFORE_ISOLATION)
    slow_start = False

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._stop.set()

    def map(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        label: str,
        begun: Callable[[], bool] = lambda: True,
        model_bytes: int = 0,
    ) -> Iterator[Any]:
        """Results in the order in which they are finished. A model is loaded once, for all threads."""
        if self.workers == 1:
            for item in items:
                yield function(item)
            return
        todo: queue.SimpleQueue[Any] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        for item in items:
            todo.put(item)

        def work() -> None:
            while not self._stop.is_set():
                try:
                    item = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    done.put((function(item), None))
                except BaseException as error:
                    done.put((None, error))
                    return

        # Daemons, so that Ctrl-C does not wait for a stage that hangs.
        for number in range(min(self.workers, len(items))):
            threading.Thread(target=work, name=f"sluice-{number}", daemon=True).start()
        try:
            for _ in items:
                result, error = _wait_for(done)
                if error is not None:
                    raise error
                yield result
        except BaseException:
            self._stop.set()
            raise

    def call(self, function: Callable[[], Any], label: str, begun: Callable[[], bool] = lambda: True) -> Any:
        """One result, in this thread."""
        return function()
