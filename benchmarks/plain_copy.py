"""The whole FineWeb recipe, Parquet to Parquet with deduplication, beside a plain copy of the same files with pyarrow.

    python benchmarks/grow.py raw-00.parquet raw-01.parquet raw-02.parquet grown --bytes 1GB
    python benchmarks/plain_copy.py --input grown --runs 3

The copy reads row group after row group and writes it with the zstd level of the recipe's output, in as many threads as the
recipe has workers. Kernels are compiled and files are in the page cache before anything is timed (a round that does not count).
Start-up is the same command on a few documents; `warm` is a command's time without it. `ours / copy` is given for both.

How many tasks run is sampled from the marks that tasks leave while they work (attempts/ of a segment, staged shards in
data/), from the first task to the last; in between, the driver solves and plans. Writes benchmarks/results/copy.json.
"""

from __future__ import annotations

import argparse
import queue
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from compare_datatrove import input_bytes
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
    timed,
)

RECIPE = HERE.parent / "jobs" / "recipes" / "fineweb_text.yaml"
INTERVAL = 0.02
FEW, FEW_BYTES = 50, 100_000
TARGETS = {"ours / copy, at most": 4, "ray / local, at least": 0.85}
Piece = tuple[Path, int, int]
"""a file and a range of its row groups"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", action="append", required=True, type=Path, help="a Parquet file, or a folder of them")
    parser.add_argument("--engine", action="append", choices=["ray", "local"], help="default: both")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--level", type=int, default=3, help="zstd level of the copy; the recipe's default is 3")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--sluice", default=default_sluice(), help="the sluice command")
    parser.add_argument("--results", type=Path, default=RESULTS / "copy.json")
    args = parser.parse_args()
    files = files_of(args.input)
    if not files:
        parser.error(f"no Parquet files: {', '.join(map(str, args.input))}")
    adopt_orphans()
    engines = args.engine or ["local", "ray"]
    with tempfile.TemporaryDirectory(prefix="plain-copy-") as folder:
        few = few_documents(files[0], Path(folder))
        passes: dict[str, Callable[[], Result]] = {"copy": partial(plain_copy, files, args.workers, args.level)}
        for engine in engines:
            passes[engine] = partial(ours, args, engine, files)
            passes[f"{engine}, start-up"] = partial(ours, args, engine, [few])
        alternate({name: run for name, run in passes.items() if name == "copy" or name.endswith("start-up")}, 1)
        runs = alternate(passes, args.runs)
    text = input_bytes(files)
    result = {
        **facts(),
        "files": len(files),
        "text_bytes": text,
        "file_bytes": sum(file.stat().st_size for file in files),
        "workers": args.workers,
        "level": args.level,
        "recipe": args.recipe.name,
        **found(runs, engines),
    }
    show(result, text)
    save(args.results, None, result)
    return 0


def files_of(inputs: Sequence[Path]) -> list[Path]:
    """The files, folders replaced by what is in them."""
    return [file for path in inputs for file in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])]


def few_documents(file: Path, folder: Path) -> Path:
    """A file with the first documents of another, FEW and FEW_BYTES of text at most: what a command costs before it works."""
    path = folder / "few.parquet"
    with pq.ParquetFile(file) as parquet:
        batch = next(parquet.iter_batches(batch_size=FEW))
    ends = np.cumsum(pc.binary_length(batch["text"]).fill_null(0).to_numpy(zero_copy_only=False))
    pq.write_table(pa.Table.from_batches([batch.slice(0, max(1, int((ends <= FEW_BYTES).sum())))]), path)
    return path


def plain_copy(files: Sequence[Path], workers: int, level: int) -> Result:
    """Every row group read and written by threads; a file is cut into pieces where there are fewer files than threads."""
    pieces: queue.SimpleQueue[Piece] = queue.SimpleQueue()
    per_file = -(-workers // len(files))
    for file in files:
        groups = pq.read_metadata(file).num_row_groups
        for start in range(0, groups, -(-groups // per_file)):
            pieces.put((file, start, min(groups, start + -(-groups // per_file))))
    errors: list[BaseException] = []
    with tempfile.TemporaryDirectory(prefix="plain-copy-") as folder:

        def work(number: int) -> None:
            try:
                for count in range(pieces.qsize()):
                    copy_piece(pieces.get_nowait(), Path(folder) / f"{number}-{count}.parquet", level)
            except queue.Empty:
                return
            except (OSError, pa.ArrowException) as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
        cpu, start = time.process_time(), time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = {"seconds": time.monotonic() - start, "cpu_seconds": time.process_time() - cpu}
    if errors:
        raise SystemExit(f"the copy stopped: {errors[0]}")
    return spent


def copy_piece(piece: Piece, target: Path, level: int) -> None:
    file, start, stop = piece
    with (
        pq.ParquetFile(file, pre_buffer=False) as source,
        pq.ParquetWriter(target, source.schema_arrow, compression="zstd", compression_level=level) as writer,
    ):
        for group in range(start, stop):
            writer.write_table(source.read_row_group(group, use_threads=False))


def ours(args: argparse.Namespace, engine: str, files: Sequence[Path]) -> Result:
    """The recipe in a new folder, with the share of the time in which so many tasks run."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    try:
        command = sluice_run(args, engine, args.workers, files, folder)
        samples: list[tuple[float, int]] = []
        stop = threading.Event()
        watch = threading.Thread(target=watch_tasks, args=(folder, samples, stop))
        watch.start()
        try:
            spent = timed(command, cwd=folder)
        finally:
            stop.set()
            watch.join()
        return {"seconds": spent["seconds"], "cpu_seconds": spent["cpu_seconds"], **running(samples)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def watch_tasks(folder: Path, samples: list[tuple[float, int]], stop: threading.Event) -> None:
    """Count marks of tasks every INTERVAL."""
    while not stop.wait(INTERVAL):
        units = {mark.name.partition(".")[0] for mark in folder.glob("segments/*/attempts/*")}
        shards = list(folder.glob("run/data/.part-*"))
        samples.append((time.monotonic(), len(units) + len(shards)))


def running(samples: Sequence[tuple[float, int]]) -> Result:
    """`tasks_seconds`, from the first task to the last, and the share of it in which two or more, one, and none ran."""
    busy = [at for at, (_, count) in enumerate(samples) if count]
    if not busy:
        return {"tasks_seconds": 0.0, "two_fraction": None, "one_fraction": None, "none_fraction": None}
    held = {"two_fraction": 0.0, "one_fraction": 0.0, "none_fraction": 0.0}
    names = ["none_fraction", "one_fraction", "two_fraction"]
    for at in range(busy[0], min(busy[-1] + 1, len(samples) - 1)):
        held[names[min(samples[at][1], 2)]] += samples[at + 1][0] - samples[at][0]
    total = sum(held.values())
    return {"tasks_seconds": round(total, 2), **{name: round(part / max(total, 1e-9), 3) for name, part in held.items()}}


def found(runs: dict[str, list[Result]], engines: Sequence[str]) -> Result:
    """Medians and what they are to be compared by."""
    rows: dict[str, Result] = {}
    for name, of in runs.items():
        rows[name] = {key: round(median(run[key] for run in of), 3) for key in of[0] if of[0][key] is not None}
        rows[name]["seconds_each"] = [round(run["seconds"], 2) for run in of]
    copy = rows["copy"]["seconds"]
    for engine in engines:
        row = rows[engine]
        row["warm_seconds"] = round(row["seconds"] - rows[f"{engine}, start-up"]["seconds"], 2)
        row["times_copy"] = round(row["seconds"] / copy, 2)
        row["warm_times_copy"] = round(row["warm_seconds"] / copy, 2)
    both = {"local", "ray"} <= set(engines)
    ratio = round(rows["local"]["warm_seconds"] / max(rows["ray"]["warm_seconds"], 1e-9), 3) if both else None
    return {"runs": rows, "ray_of_local_warm": ratio, "targets": TARGETS}


def show(result: Result, text: int) -> None:
    keys = ["seconds", "warm_seconds", "cpu_seconds", "times_copy", "warm_times_copy"]
    keys += ["two_fraction", "one_fraction", "none_fraction"]
    rows = []
    for name, row in result["runs"].items():
        speed = None if name.endswith("start-up") else text / 1e6 / row["seconds"]
        rows.append([name, len(row["seconds_each"]), *(row.get(key) for key in keys), speed])
    head = ["", "runs", "seconds", "warm", "CPU s", "/ copy", "warm / copy", "two tasks", "one", "none", "MB/s"]
    title = f"{text / 1e6:.1f} MB of text in {result['files']} files, {result['workers']} workers, {result['machine']}"
    print_table(title, head, rows)
    if result["ray_of_local_warm"] is not None:
        print(f"speed of ray / local, both warm: {result['ray_of_local_warm']} (target: at least 0.85; ours / copy: at most 4)")


if __name__ == "__main__":
    sys.exit(main())
