"""Ray Data as the engine: a dataset of units, one task for each, so that documents never travel between processes."""

import _thread
import importlib
import logging
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from pipeline.attempts import MARKS_BEFORE_ISOLATION
from pipeline.engines import cores
from pipeline.ray_vllm import dataset_of_replies
from schemas.errors import SluiceError, StageError, Stalled
from schemas.recipe import Resources
from stages.core.requests import Reply, Request
from stages.core.vllm_engine import Vllm

PROCESS_BYTES = 1_000_000_000
"""Memory of a process with a model in it, beside twice the model: libraries, and the units in work."""


class RayEngine:
    """Tasks of one CPU each on a Ray cluster: the one at `address` or of the environment, else one made on this machine."""

    name = "ray"
    marks = MARKS_BEFORE_ISOLATION
    # Ray Data notices the end of a task, and starts the next, up to half a second later.
    slow_start = True

    def __init__(self, workers: int | None, address: str | None, resources: Resources, waiting: Callable[[str], None]) -> None:
        self._resources = resources
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        self._asked = workers
        self._waiting = waiting
        self._ours = False
        self.workers = workers or cores()

    def __enter__(self) -> Self:
        # Ray must see these before it is imported: no bars of its own, no hook that builds environments, no usage statistics.
        os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_DEDUP_LOGS", "1")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        # ray.data takes a second to import, and ray.init mostly waits for processes: both at once.
        loading = threading.Thread(target=importlib.import_module, args=("ray.data",))
        loading.start()
        if not ray.is_initialized():
            if self._address:
                ray.init(address=self._address, log_to_driver=True, logging_level=logging.ERROR)
            else:
                ray.init(
                    num_cpus=self.workers,
                    object_store_memory=self._resources.object_store_bytes,
                    _temp_dir=self._resources.ray_folder,
                    include_dashboard=False,
                    log_to_driver=True,
                    logging_level=logging.ERROR,
                )
                # The new workers import the engine while this process prepares the dataset.
                warm = ray.remote(num_cpus=1)(_import_worker)
                self._warm = [warm.remote() for _ in range(self.workers)]
            self._ours = True
        loading.join()
        free = int(
            ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
        )
        if free < 1:
            raise Stalled("the Ray cluster has no CPU: every task needs one")
        self.workers = min(self._asked or free, free)
        self._quiet(ray)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        import ray

        if self._ours:
            ray.shutdown()

    def map(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        label: str,
        begun: Callable[[], bool] = lambda: True,
        model_bytes: int = 0,
    ) -> Iterator[Any]:
        """Results in the order in which they are finished."""
        import ray

        if not items:
            return
        rows = [{"item": pickle.dumps(item)} for item in items]
        units = ray.data.from_items(rows, override_num_blocks=len(rows))
        if model_bytes:
            dataset = self._with_actors(units, function, len(rows), model_bytes)
        else:
            size = min(self.workers, len(rows))
            dataset = units.map(_Call(function), num_cpus=1, compute=ray.data.TaskPoolStrategy(size=size))
        watchdog = _Watchdog(label, self._waiting, begun, self._resources.stall_seconds)
        try:
            yield from self._answers(watchdog, iter(dataset.iter_rows()), lambda row: row["answer"], label)
        finally:
            watchdog.close()

    def replies(
        self, vllm: Vllm, function: Callable[[Any], Iterable[Request]], items: Sequence[Any], label: str
    ) -> Iterator[tuple[Request, Reply]]:
        """What replicas of an engine answer to the requests that tasks make of the items, in any order."""
        dataset = dataset_of_replies(vllm, function, items, self.workers)
        watchdog = _Watchdog(label, self._waiting, lambda: True, self._resources.stall_seconds)
        try:
            yield from self._answers(watchdog, iter(dataset.iter_rows()), lambda row: row["answer"], label)
        finally:
            watchdog.close()

    def _with_actors(self, units: Any, function: Callable[[Any], Any], count: int, model_bytes: int) -> Any:
        """The function in actors that keep their model: one for each GPU, else for each CPU, as far as memory goes."""
        import ray

        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        gpus = int(resources.get("GPU", 0))
        room = int(resources.get("memory", 0) // (2 * model_bytes + PROCESS_BYTES))
        size = max(1, min(gpus or self.workers, room, count))
        return units.map(
            _ModelCall,
            fn_constructor_args=(function,),
            num_cpus=1,
            num_gpus=1 if gpus else None,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=size, initial_size=size),
        )

    def _answers(self, watchdog: "_Watchdog", found: Iterator[Any], take: Callable[[Any], bytes], label: str) -> Iterator[Any]:
        """What tasks answered; an error that came home is raised here."""
        import ray

        try:
            for item in watchdog.guard(found):
                answer = pickle.loads(take(item))
                if isinstance(answer, BaseException):
                    raise answer
                yield answer
        except KeyboardInterrupt as error:
            if watchdog.stalled:
                raise Stalled(watchdog.stalled) from error
            raise
        except ray.exceptions.RayError as error:
            raise StageError(f"{label}: Ray could not run a task: {error}") from error

    def call(self, function: Callable[[], Any], label: str, begun: Callable[[], bool] = lambda: True) -> Any:
        """One result, from a task: what it holds in memory does not stay in the driver."""
        import ray

        watchdog = _Watchdog(label, self._waiting, begun, self._resources.stall_seconds)
        reference = ray.remote(num_cpus=1)(_run_call).remote(_Call(lambda _: function()), {"item": pickle.dumps(None)})
        try:
            (answer,) = self._answers(watchdog, iter([reference]), lambda found: ray.get(found)["answer"], label)
        finally:
            watchdog.close()
        return answer

    def _quiet(self, ray: Any) -> None:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # With the reservation on, two CPUs run one task at a time: see docs/design.md.
        context.op_resource_reservation_enabled = False
        context.execution_options.preserve_order = False
        context.max_errored_blocks = 0
        logging.getLogger("ray.data").setLevel(logging.ERROR)


def _import_worker() -> None:
    importlib.import_module("pipeline.worker")


def _run_call(call: "_Call", row: dict[str, Any]) -> dict[str, Any]:
    return call(row)


class _Call:
    """Runs a function in a task and carries its error home whole: Ray's own wrapping loses the class."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: Any = self._function(pickle.loads(row["item"]))
        except SluiceError as error:
            answer = error
        except Exception as error:
            answer = StageError(f"{type(error).__name__}: {error}")
            answer.__cause__ = error
        return {"answer": pickle.dumps(answer)}


class _ModelCall(_Call):
    """The same as an actor, which Ray Data makes of a class."""


class _Watchdog:
    """Says what is waited for when nothing comes back, and ends a run whose tasks never start."""

    def __init__(self, label: str, waiting: Callable[[str], None], begun: Callable[[], bool], patience: float) -> None:
        self.stalled: str | None = None
        self._label = label
        self._waiting = waiting
        self._begun = begun
        self._patience = patience
        self._last = time.monotonic()
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="sluice-watchdog", daemon=True).start()

    def guard(self, rows: Iterator[Any]) -> Iterator[Any]:
        """The rows, with the time of each noted."""
        for row in rows:
            self._last = time.monotonic()
            yield row

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()

    def _run(self) -> None:
        import ray

        told = time.monotonic()
        while not self._closed.wait(1):
            now = time.monotonic()
            if now - max(self._last, told) < self._patience:
                continue
            told = now
            total, free = ray.cluster_resources(), ray.available_resources()  # type: ignore[no-untyped-call]
            cpus = f"{free.get('CPU', 0):g} of {total.get('CPU', 0):g} CPUs are free"
            text = f"no progress for {now - self._last:.0f} s: {self._label} waits for CPU; {cpus}"
            if not self._begun() and free.get("CPU", 0) < 1:
                self.stalled = f"{text}, and each task needs one: no task has begun. Something else holds the cluster's CPUs."
                _thread.interrupt_main()
                return
            self._waiting(text)
