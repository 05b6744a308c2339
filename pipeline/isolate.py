"""Finds the documents that kill or hang the process that works on them, by trying ranges of rows in child processes.

The search runs in a Python process of its own (`python -m pipeline.isolate`), which opens the stages once and forks a child for
every range it tries: a range that ends its child is halved until one document is left.
"""

import ctypes
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.segment import Segment
from schemas.errors import StageError

EXIT_MEMORY = 72

PARENT = 0
"""The process that waits for the search. When it ends, so does the search, and whatever document it is trying."""


def find_poison(segment: Segment, unit: dict[str, Any], known: dict[int, str]) -> dict[int, str]:
    """Rows of a unit that end their process when a batch of that row alone is worked on, each with the cause in words."""
    with tempfile.TemporaryDirectory(prefix="sluice-isolate-") as folder:
        task, answer = Path(folder) / "task", Path(folder) / "answer"
        task.write_bytes(pickle.dumps((segment, unit, known, sys.path)))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        # -P: the working folder must not come before what is installed.
        command = [sys.executable, "-P", "-m", "pipeline.isolate", str(task), str(answer), str(os.getpid())]
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
        if not answer.is_file():
            raise StageError(
                f"{'/'.join(segment.steps())}: the process that looks for the document that kills its worker died itself"
                f" ({_cause(done.returncode)}): opening a stage, or reading the input, may be what fails"
            )
        found: dict[int, str] = pickle.loads(answer.read_bytes())
        return found


def _search(task: Path, answer: Path) -> None:
    segment, unit, known, path = pickle.loads(task.read_bytes())
    sys.path[:] = path
    # Threads do not survive a fork: Arrow must not start any in this process.
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    from pipeline.cuts import cut_texts
    from pipeline.worker import batches_in_progress, opened

    steps = opened(segment)
    found: dict[int, str] = {}
    for batch in batches_in_progress(segment, unit):
        fresh = ~np.isin(batch.rows, list(known))
        for decision in batch.decisions:
            fresh &= ~np.isin(batch.rows, decision.verdicts.column("row").to_numpy())
        table, rows = batch.table.filter(pa.array(fresh)), batch.rows[fresh]
        for decision in batch.decisions:
            edited = cut_texts(decision.label, decision.cuts, table, rows)
            table = decision.with_values(table if edited is None else edited.table, rows)
            table, rows = decision.with_copies(table, rows)
        pending = [(0, len(rows))] if len(rows) else []
        while pending:
            start, stop = pending.pop()
            # In proportion, so that halving down to a document that hangs takes about as long as the first range.
            cpu = segment.failures.batch_cpu_seconds * (stop - start) / len(rows) if stop - start > 1 else 0.0
            cpu = max(cpu, segment.failures.document_cpu_seconds)
            cause = _try(segment, steps, table.slice(start, stop - start), rows[start:stop], cpu)
            if cause is None:
                continue
            if stop - start == 1:
                found[int(rows[start])] = cause
            else:
                middle = (start + stop) // 2
                pending += [(middle, stop), (start, middle)]
    staged = answer.with_suffix(".tmp")
    staged.write_bytes(pickle.dumps(found))
    staged.rename(answer)


def _try(segment: Segment, steps: Any, table: pa.Table, rows: np.ndarray, cpu: float) -> str | None:
    """Work on some documents in a child; None if it ends well or with an ordinary error, else how it ended."""
    limits = segment.failures
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _child(segment, steps, table, rows, cpu)
    deadline = time.monotonic() + limits.batch_wall_seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if os.getppid() != PARENT:
            os.kill(child, signal.SIGKILL)
            os._exit(1)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"no end after {limits.batch_wall_seconds:g} s"
        time.sleep(0.002)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU:
        return f"more than {cpu:g} s of CPU time"
    return None if code == 0 else _cause(code)


def _child(segment: Segment, steps: Any, table: pa.Table, rows: np.ndarray, cpu: float) -> None:
    from pipeline.tally import Tally

    _die_with_parent()
    seconds = max(1, int(cpu + 0.999))
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds, int(used) + seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    memory = segment.failures.worker_memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    try:
        outcome = steps.run(table, rows, Tally(), stop_on_error=False)
        errors = [error for failed in outcome.failed for error, _, _ in failed.errors]
    except Exception as error:
        errors = [type(error).__name__, type(error.__cause__).__name__]
    # Any other exception is met again, and told, by the worker itself: it has no such limit, and would be killed.
    os._exit(EXIT_MEMORY if "MemoryError" in errors or "ArrowMemoryError" in errors else 0)


def _die_with_parent() -> None:
    """Have Linux kill this process when the one that started it ends; elsewhere the search itself looks for its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG


def _cause(code: int) -> str:
    if code == EXIT_MEMORY:
        return "out of memory"
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
        return f"killed by signal {name}"
    return f"the process ended with exit code {code}"


if __name__ == "__main__":
    PARENT = int(sys.argv[3])
    _die_with_parent()
    if os.getppid() == PARENT:
        _search(Path(sys.argv[1]), Path(sys.argv[2]))
