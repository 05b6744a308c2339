"""What a run will take, from a trial on some units of its input."""

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.engines import cores
from pipeline.planning import Plan, RecipeLike, plan
from pipeline.results import Run
from pipeline.results_format import size
from pipeline.runner import run
from stages.kernels.hashing import hash_texts
from stages.kernels.text import text_of

SAMPLE_BYTES = 64_000_000
HEADROOM = 1.2
"""times what is expected, that should be free"""


@dataclass(frozen=True)
class Machine:
    """What there is: free bytes on the disk of the run's folder, memory, CPUs."""

    free_disk: int
    memory: int
    workers: int


def estimate(
    recipe: RecipeLike,
    *,
    input: Any = None,
    output: str | Path | None = None,
    set: Iterable[str] = (),
    sample_bytes: int = SAMPLE_BYTES,
    workers: int | None = None,
    progress: Any = "none",
) -> dict[str, Any]:
    """Documents, time, disk and memory of a run, JSON-ready; nothing is left behind.

    Some units of the input, chosen by hash, of `sample_bytes` of text or a little more, are run in this process by one worker,
    in a folder beside `output`, and what they took is multiplied. What grows faster than the input is not foreseen: the share
    of duplicates rises with it. A first run on a machine compiles kernels, half a minute that is in the seconds.

    cpu_seconds  of all workers together, of a core of this machine
    disk         bytes in files: segments (documents, sketches, ledger) and output stay, rounds of deduplication go
    memory       of a process of one worker, and of all of them

    `short` says in words what this machine does not have.
    """
    chosen = int(workers or cores())
    whole = plan(recipe, input=input, output=output, set=set)
    place = Path(output).resolve().parent if output else Path("runs").resolve()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".estimate-", dir=place) as folder:
        units = some_units(whole, sample_bytes)
        cpu, before = time.process_time(), _peak()
        trial = run(
            recipe,
            input=input,
            output=Path(folder) / "run",
            set=set,
            engine="local",
            workers=1,
            progress=progress,
            choose=lambda planned: [planned.units[number] for number in units],
        )
        cpu, peak = time.process_time() - cpu, _peak()
        machine = Machine(shutil.disk_usage(place).free, _memory(), chosen)
        taken = sum(int(whole.units[number]["bytes"]) for number in units)
        return summed_up(whole, taken, trial, Path(folder), cpu, (before, peak), machine)


def some_units(planned: Plan, sample_bytes: int) -> list[int]:
    """Numbers of the units with the smallest hashes, as many as hold so many bytes of text together; at least one."""
    hashes = hash_texts(text_of(pa.array([str(number) for number in range(len(planned.units))])), planned.recipe.keys.seed)
    order = hashes.argsort(kind="stable")
    sizes = np.cumsum([planned.units[number]["bytes"] for number in order])
    return sorted(int(number) for number in order[: np.searchsorted(sizes, sample_bytes) + 1])


def summed_up(
    whole: Plan, taken: int, trial: Run, folder: Path, cpu: float, peaks: tuple[int, int], machine: Machine
) -> dict[str, Any]:
    """The estimate from what a trial on `taken` bytes of text left in its folder."""
    told = trial.manifest
    planned = sum(int(unit["bytes"]) for unit in whole.units)
    times = planned / taken if taken else 0.0
    steps = []
    for step in told["steps"]:
        facts = step["facts"]
        entered = step["in"]["documents"]
        steps.append(
            {
                "step": step["step"],
                "in": _times(step["in"], times),
                "out": _times(step["out"], times),
                "seconds": round(step["seconds"] * times, 1),
                "sketch_bytes_per_document": facts.get("sketch_bytes_per_document"),
                "sketch_bytes": round(facts["sketch_bytes_per_document"] * entered * times)
                if "sketch_bytes_per_document" in facts
                else None,
                "round_bytes": round(facts["round_bytes"] * times) if "round_bytes" in facts else None,
            }
        )
    rounds = max((step["round_bytes"] or 0 for step in steps), default=0)
    segments, data = _size(folder / ".sluice"), _size(trial.path)
    base, peak = peaks
    memory = {"worker": peak, "all": base + machine.workers * max(0, peak - base), "there": machine.memory}
    disk = {
        "segments": round(segments * times),
        "output": round(data * times),
        "rounds": rounds,
        "peak": round((segments + data) * times) + rounds,
        "free": machine.free_disk,
    }
    found = {
        "units": len(whole.units),
        "text_bytes": planned,
        "sample": {"units": told["segments"][0]["units"], "text_bytes": taken, "cpu_seconds": round(cpu, 1), "times": times},
        "in": _times(told["counts"]["in"], times),
        "out": _times(told["counts"]["out"], times),
        "cpu_seconds": round(cpu * times, 1),
        "workers": machine.workers,
        "wall_seconds": round(cpu * times / machine.workers, 1),
        "disk": disk,
        "memory": memory,
        "steps": steps,
    }
    return {**found, "short": _short(disk, memory)}


def _short(disk: dict[str, int], memory: dict[str, int]) -> list[str]:
    found = []
    if disk["peak"] * HEADROOM > disk["free"]:
        found.append(f"disk: {size(disk['peak'] * HEADROOM)} should be free, {size(disk['free'])} are")
    if memory["all"] * HEADROOM > memory["there"]:
        found.append(
            f"memory: {size(memory['all'] * HEADROOM)} should be there, {size(memory['there'])} are; take fewer workers"
        )
    return found


def _times(counts: dict[str, int], times: float) -> dict[str, int]:
    return {name: round(count * times) for name, count in counts.items()}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
