"""What the benchmark scripts share: environments of peers, passes in child processes, alternating runs, tables, results.

    environment(name, packages)      interpreter of benchmarks/.envs/NAME, made at first use
    Child(command)                   a process that answers one JSON line for each request line: `serve` is its other end
    forked(work)                     a pass that remembers nothing of an earlier one, and its CPU seconds
    alternate(runs, times)           every run in turn, so that a busy minute falls on all of them
    sluice_run(...)                  the command of one run of ours
    timed(command)                   wall and CPU seconds of a command and of all that it left behind
    median, facts, print_table, save

Only the standard library is imported at the top: peers' interpreters import this, too.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
ENVIRONMENTS = HERE / ".envs"
Result = dict[str, Any]
One = TypeVar("One")


class PeerMissing(SystemExit):
    """A peer could not be installed; the message is pip's last word. Ends a script that cannot do without the peer."""


def environment(name: str, packages: Sequence[str], without_dependencies: Sequence[str] = ()) -> Path:
    """The interpreter of a peer's own environment, made if it is not there or if the packages have changed.

    without_dependencies  packages of which only a part is used, and whose dependencies would be large
    """
    folder = ENVIRONMENTS / name
    python, stamp = folder / "bin" / "python", folder / "ready"
    wanted = "\n".join([*without_dependencies, *packages])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"making {folder} (once)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    # these last: pip complains of missing dependencies at every call that comes after
    calls = [list(packages), ["--no-deps", *without_dependencies]] if without_dependencies else [list(packages)]
    for call in calls:
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *call]
        done = subprocess.run(install, stderr=subprocess.PIPE, text=True)
        # pip warns of each unused place of a package mirror
        said = [line for line in done.stderr.splitlines() if not line.startswith("WARNING: Location ")]
        if done.returncode:
            raise PeerMissing(f"{name} could not be installed into {folder}: {said[-1] if said else 'pip said nothing'}")
        if said:
            print("\n".join(said), file=sys.stderr)
    stamp.write_text(wanted, encoding="utf-8")
    return python


class Child:
    """A process in which passes are run on request, so that what it loads once is in no pass."""

    def __init__(self, command: Sequence[str], name: str) -> None:
        self.name = name
        env = {**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "PYTHONPATH": str(HERE)}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, request: Any) -> Any:
        """The answer to one request. Ends the benchmark if the process is gone; what it said is on stderr above."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise SystemExit(f"{self.name} stopped with status {self._process.wait()} before {request!r}") from None
        line = stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} stopped with status {self._process.wait()} at {request!r}")
        return json.loads(line)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        if error is not None:
            self._process.terminate()
        self._process.wait()


def serve(answer: Callable[[Any], Any]) -> None:
    """Answer requests of a `Child` until its end is closed. What libraries print goes to stderr."""
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        out.write(json.dumps(answer(json.loads(line))) + "\n")
        out.flush()


def alternate(runs: dict[str, Callable[[], One]], times: int) -> dict[str, list[One]]:
    """Every run once, then every run again; the next round goes the other way, since clocks sink while a machine warms up."""
    results: dict[str, list[One]] = {name: [] for name in runs}
    for turn in range(times):
        for name in list(runs)[:: -1 if turn % 2 else 1]:
            results[name].append(runs[name]())
            print(f"  {name}: run {turn + 1} of {times}", file=sys.stderr, flush=True)
    return results


def forked(work: Callable[[], Result]) -> Result:
    """What `work` gives in a fork of this process, with its `cpu_seconds`, all threads together.

    What this process has loaded and compiled is there; what a pass remembers of its text, in any library, ends with the fork.
    """
    gc.freeze()  # else a collection in the fork would copy every page of what was loaded
    receive, send = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.close(receive)
            start = time.process_time()
            result = work()
            spent = time.process_time() - start
            with os.fdopen(send, "w") as pipe:
                json.dump({**result, "cpu_seconds": spent}, pipe)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(send)
    with os.fdopen(receive) as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"a pass stopped with status {os.waitstatus_to_exitcode(status)}; its error is above")
    answer: Result = json.loads(said)
    return answer


def timed(command: Sequence[str], cwd: Path | None = None) -> Result:
    """`seconds`, `cpu_seconds` and `output` of a command; a failed one ends the benchmark.

    Needs `adopt_orphans`, once: daemons that outlive the command are waited for, not in `seconds`, so that their CPU counts.
    It waits for every child of this process: no `Child` may be open.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nstopped with status {done.returncode}:\n{done.stdout[-4000:]}")
    reap()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "output": done.stdout}


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs (PR_SET_CHILD_SUBREAPER), so that their CPU time is told to us.

    datatrove's workers are children of a fork server that outlives the process which started it; Ray's daemons leave theirs.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def reap() -> None:
    """Wait for adopted processes, which end when they see that their parent is gone."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def machine() -> str:
    """Processor model and count, for the record beside every timing."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{names[0] if names else platform.machine()}, {len(os.sched_getaffinity(0))} CPUs"


def facts(packages: Sequence[str] = ("numba", "numpy", "pyarrow", "ray", "sluice")) -> Result:
    """Machine and versions, for the head of a result."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in packages}}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"machine": machine(), "memory_gib": round(memory / 2**30, 1), "versions": versions}


def sluice_run(args: Any, engine: str, workers: int, files: Sequence[Path], folder: Path) -> list[str]:
    """The command of one run into folder/run, by a script's --sluice and --recipe; to be started in `folder`, a new one.

    Segments are kept beside the run: those of another run, in another folder, are not found.
    """
    command = [args.sluice, "run", str(args.recipe.resolve()), "--output", str(folder / "run")]
    command += ["--segments", str(folder / "segments"), "--engine", engine, "--workers", str(workers), "--quiet"]
    return command + [word for file in files for word in ("--input", str(file.resolve()))]


def default_sluice() -> str:
    """The command installed beside this interpreter, else the one on the path."""
    beside = Path(sys.executable).parent / "sluice"
    return str(beside) if beside.exists() else "sluice"


def median(values: Iterable[float]) -> float:
    """The middle value, or the mean of the middle two."""
    return float(statistics.median(values))


def in_sample(name: str, fraction: float, seed: str) -> bool:
    """Whether a document is in a sample of about this share; follows from its id alone."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") < fraction * 2**64


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """The first column to the left, the others to the right; floats with as many places as three digits need."""
    lines = [[str(cell) for cell in head], *[[shown(cell) for cell in row] for row in rows]]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    print(f"\n{title}")
    for line in lines:
        cells = [
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def shown(cell: Any) -> str:
    """A cell as text; nothing for None."""
    if cell is None:
        return ""
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.3g}"


def save(path: Path, section: str | None, result: Result) -> None:
    """Write a result; with a section, the file's other sections stay."""
    whole = json.loads(path.read_text(encoding="utf-8")) if section and path.exists() else {}
    whole = {**whole, section: result} if section else result
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written: {os.path.relpath(path)}", file=sys.stderr)
