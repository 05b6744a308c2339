"""CPU seconds for each MB and peak memory at 1x, 4x and 16x of an input, with 1 and 2 workers.

    python benchmarks/scaling.py --input raw-00.parquet --input raw-01.parquet --input raw-02.parquet --runs 3

The input is repeated by grow.py with `--mixed`, so that every size has the same mix of changed texts, near-duplicates
included. CPU is that of the command and of all that it started; the CPU of the same command on a few documents is taken off it.
Memory is the peak of memory.py, from the same runs. Writes benchmarks/results/scaling.json.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from compare_datatrove import input_bytes
from grow import size
from harness import (
    HERE,
    RESULTS,
    Result,
    adopt_orphans,
    alternate,
    default_sluice,
    facts,
    median,
    print_table,
    save,
    sluice_run,
)
from memory import measure
from plain_copy import RECIPE, few_documents, files_of

LIMITS = {"cpu": 0.10, "memory": 0.15}
START = 0
"""the size that stands for a few documents"""
Case = tuple[str, int, int]
"""engine, workers, how many times the input"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", action="append", required=True, type=Path, help="a Parquet file with columns id and text")
    parser.add_argument("--bytes", type=size, help="text at 1x; default: that of the input")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--engine", action="append", choices=["ray", "local"], help="default: both")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=HERE.parent / "runs" / "bench" / "scaling", help="for the grown inputs")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--sluice", default=default_sluice(), help="the sluice command")
    parser.add_argument("--results", type=Path, default=RESULTS / "scaling.json")
    args = parser.parse_args()
    adopt_orphans()
    base = args.bytes or input_bytes(args.input)
    files = {times: grown(args, times, base * times) for times in args.times}
    args.folder.mkdir(parents=True, exist_ok=True)
    files[START] = [few_documents(files[args.times[0]][0], args.folder)]
    cases = [
        (engine, workers, times)
        for engine in args.engine or ["local", "ray"]
        for workers in args.workers
        for times in [START, *args.times]
    ]
    alternate({"kernels loaded": partial(run, args, cases[0], files[START])}, 1)
    passes: dict[str, Callable[[], Result]] = {key(case): partial(run, args, case, files[case[2]]) for case in cases}
    measured = alternate(passes, args.runs)
    sizes = {times: input_bytes(files[times]) for times in files}
    rows = [row(case, measured, sizes[case[2]]) for case in cases]
    against_first(rows, args.times[0])
    inputs = [path.name for path in args.input]
    result = {**facts(), "inputs": inputs, "recipe": args.recipe.name, "limits": LIMITS, "runs": rows}
    show(result)
    save(args.results, None, result)
    return 0


def key(case: Case) -> str:
    engine, workers, times = case
    return f"{engine}, {workers} workers, {'start-up' if times == START else f'{times}x'}"


def grown(args: argparse.Namespace, times: int, text_bytes: int) -> list[Path]:
    """The files of this size, made once."""
    folder = args.folder / f"{times}x"
    command = [sys.executable, str(HERE / "grow.py"), *map(str, args.input), str(folder)]
    subprocess.run([*command, "--bytes", str(text_bytes), "--mixed", "--keep", "--replace"], check=True)
    return files_of([folder])


def run(args: argparse.Namespace, case: Case, files: Sequence[Path]) -> Result:
    """One run in a new folder."""
    engine, workers, _ = case
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    try:
        command = sluice_run(args, engine, workers, files, folder)
        with (folder / "log.txt").open("w+") as log:
            found = measure(command, cwd=folder, stdout=log)
            log.seek(0)
            if found["status"]:
                raise SystemExit(f"{' '.join(command)}\nstopped with status {found['status']}:\n{log.read()[-4000:]}")
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def row(case: Case, measured: dict[str, list[Result]], text_bytes: int) -> Result:
    """Medians of one case."""
    engine, workers, times = case
    runs, starts = measured[key(case)], measured[key((engine, workers, START))]
    cpu, start = median(one["cpu_seconds"] for one in runs), median(one["cpu_seconds"] for one in starts)
    return {
        "engine": engine,
        "workers": workers,
        "times": times,
        "text_bytes": text_bytes,
        "seconds": median(one["seconds"] for one in runs),
        "cpu_seconds": cpu,
        "cpu_seconds_each": [one["cpu_seconds"] for one in runs],
        "cpu_seconds_per_mb": round((cpu - start) / (text_bytes / 1e6), 5) if times != START else None,
        "peak_mb": median(one["peak_mb"] for one in runs),
        "peak_mb_each": [one["peak_mb"] for one in runs],
    }


def against_first(rows: Sequence[Result], first: int) -> None:
    """How much each size needs of what the first size of the same engine and workers needs."""
    bases = {(one["engine"], one["workers"]): one for one in rows if one["times"] == first}
    for one in rows:
        base = bases[one["engine"], one["workers"]]
        if one["times"] == START:
            continue
        one["memory_of_first"] = round(one["peak_mb"] / base["peak_mb"], 3)
        # of an input so small that start-up hides it, no share can be told
        if base["cpu_seconds_per_mb"] > 0:
            one["cpu_of_first"] = round(one["cpu_seconds_per_mb"] / base["cpu_seconds_per_mb"], 3)


def show(result: Result) -> None:
    names = ["seconds", "cpu_seconds", "cpu_seconds_per_mb", "cpu_of_first", "peak_mb", "memory_of_first"]
    rows = []
    for one in result["runs"]:
        case = key((one["engine"], one["workers"], one["times"]))
        rows.append([case, len(one["cpu_seconds_each"]), one["text_bytes"] / 1e6, *(one.get(name) for name in names)])
    head = ["", "runs", "MB", "seconds", "CPU s", "CPU s/MB", "of the first", "peak MB", "of the first"]
    print_table(f"{result['recipe']}, {result['machine']}; start-up taken off CPU s/MB", head, rows)
    print(f"targets at the largest size: CPU within {LIMITS['cpu']:.0%} of the first, memory within {LIMITS['memory']:.0%}")


if __name__ == "__main__":
    sys.exit(main())
