"""Runs in processes of their own, which tests may kill: how they are started, watched, ended and compared."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
import pyarrow.parquet as pq
import pytest

from pipeline import verdicts

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MARKER = "SLUICE_TEST_MARKER"
"""An environment variable that a driver hands to all its descendants, so that those that outlive it are found."""


@contextmanager
def ended_after_tables(tables: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A run inside ends, as by Ctrl-C, when rounds have stored so many tables; their names."""
    save, saved = verdicts._save, list[str]()

    def until(function: Any, item: Any) -> None:
        if len(saved) == tables:
            raise KeyboardInterrupt
        save(function, item)
        saved.append(item[0].path.name)

    with monkeypatch.context() as patched:
        patched.setattr(verdicts, "_save", until)
        with pytest.raises(KeyboardInterrupt):
            yield saved


def documents(count: int, words: int = 40, copies: int = 10, near: int = 10, seed: int = 1) -> list[dict[str, Any]]:
    """Texts of random words; every `copies`-th is a copy of the one before, every `near`-th has one word more than it."""
    chance = random.Random(seed)
    vocabulary = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(3000)]
    made: list[dict[str, Any]] = []
    for number in range(count):
        text = " ".join(chance.choices(vocabulary, k=chance.randint(words // 2, 2 * words)))
        if made and number % copies == 3:
            text = made[-1]["text"]
        elif made and number % near == 5:
            text = f"{made[-1]['text']} {chance.choice(vocabulary)}"
        made.append({"id": f"doc-{number:05d}", "text": text})
    return made


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


class Driver:
    """`sluice run` (or another command, or a program) as a process group of its own."""

    def __init__(
        self, folder: Path, *arguments: str, environment: dict[str, str] | None = None, program: str | None = None
    ) -> None:
        self.marker = f"{os.getpid()}-{random.getrandbits(64):x}"
        self._log = open(folder / "driver.log", "ab")  # noqa: SIM115 (closed by `end`)
        self._log_path, self._log_start = folder / "driver.log", self._log.tell()
        path = os.pathsep.join([str(ROOT), str(HERE)])
        self.process = subprocess.Popen(
            [sys.executable, *(["-c", program] if program else ["-m", "jobs.cli"]), *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, MARKER: self.marker, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self, seconds: float) -> int:
        return self.process.wait(seconds)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def log(self) -> str:
        """What this process has printed so far."""
        return self._log_path.read_bytes()[self._log_start :].decode(errors="replace")

    def descendants(self) -> list[psutil.Process]:
        """Every living process that has the driver's marker in its environment, the driver left out."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.pid != self.process.pid and process.environ().get(MARKER) == self.marker
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def end(self) -> None:
        """Whatever is left of it is killed."""
        if self.running:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)
        for process in self.descendants():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._log.close()


@contextmanager
def driver(folder: Path, *arguments: str, environment: dict[str, str] | None = None, program: str | None = None):
    started = Driver(folder, *arguments, environment=environment, program=program)
    try:
        yield started
    finally:
        started.end()


def run_arguments(recipe: Path, output: Path, engine: str = "local", workers: int = 2) -> list[str]:
    return ["run", str(recipe), "--output", str(output), "--engine", engine, "--workers", str(workers), "--quiet"]


def finish(folder: Path, *arguments: str, environment: dict[str, str] | None = None, seconds: float = 90) -> tuple[int, str]:
    """Let a command end by itself; its exit code and what it printed."""
    with driver(folder, *arguments, environment=environment) as started:
        code = started.wait(seconds)
        return code, started.log()


def wait_until(condition, seconds: float, what: str, pause: float = 0.002) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def data_of(run: Path) -> dict[str, str]:
    """SHA-256 of every file below data/, hidden ones too."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((run / "data").rglob("*"))}


def ledger_of(run: Path) -> dict[str, list[str]]:
    """Every row of every table of the ledger, sorted."""
    kinds = {}
    for kind in ("drops", "quarantined", "measures", "examples"):
        rows: list[str] = []
        for path in (run / "ledger" / kind).glob("*.parquet"):
            rows += [json.dumps(row, sort_keys=True) for row in pq.read_table(path).to_pylist()]
        kinds[kind] = sorted(rows)
    return kinds


def numbers_of(run: Path) -> dict[str, Any]:
    """The statistics of a run, without what a clock or a start decides."""
    found = json.loads((run / "manifest.json").read_bytes())
    kept = {
        key: found[key] for key in ("counts", "steps", "sources", "languages", "shards", "inputs", "repeated_ids", "warnings")
    }
    for step in kept["steps"]:
        del step["seconds"]
    return kept


def strays_of(run: Path) -> list[str]:
    """Files and folders that a finished run should not have: staged ones, begun parts, marks."""
    found = [path for path in run.rglob("*") if path.name.startswith(".")]
    segments = run.parent / ".sluice" / "segments"
    found += [path for path in segments.rglob("*") if path.name.startswith(".") or path.parent.name == "attempts"]
    return sorted(str(path.relative_to(run.parent)) for path in found)


def same(run: Path, clean: Path) -> None:
    """Assert that a run is the one that was never disturbed."""
    assert data_of(run) == data_of(clean)
    assert ledger_of(run) == ledger_of(clean)
    assert numbers_of(run) == numbers_of(clean)
    assert strays_of(run) == []


def quarantined(run: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path in (run / "ledger" / "quarantined").glob("*.parquet"):
        rows += pq.read_table(path).to_pylist()
    return sorted(rows, key=lambda row: row["id"])


def ids_of(run: Path) -> list[str]:
    """Ids of the training set, sorted."""
    return sorted(
        name for path in (run / "data").glob("*.parquet") for name in pq.read_table(path, columns=["id"])["id"].to_pylist()
    )
