"""How fast minhash_dedup is from Parquet to verdicts, and what its solve takes at ten million signatures.

    python benchmarks/dedup_scale.py --speed grown/             # a folder of Parquet, 1 GB of text or more (benchmarks/grow.py)
    python benchmarks/dedup_scale.py --signatures 10000000

--speed        a run of `minhash_dedup` alone, one local worker, median of --runs: CPU seconds of the process up to the
               verdicts, with the start of the interpreter, reading, and storing the documents for the step after it; and of
               the solve alone
--signatures   no text: signatures of so many documents, a third of them near-copies, are made as they are read; one process
               solves them by signature. Prints seconds of each round, the process's peak memory, and the bytes that rounds
               store

From both, --estimate prints what 8 TB of text in 4 billion documents would take. Writes benchmarks/results/dedup_scale.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harness
from harness import Result

sys.path.insert(0, str(harness.HERE.parent))
RESULTS = harness.RESULTS / "dedup_scale.json"
PART = 65_536
"""documents of a made part"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speed", type=Path, help="folder of Parquet files")
    parser.add_argument("--signatures", type=int, action="append", help="documents; may be repeated")
    parser.add_argument("--estimate", action="store_true", help="from the results that are there")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--step", choices=["speed", "signatures"], help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        print(json.dumps(speed(args) if args.step == "speed" else signatures(args.signatures[0], args.work)))
        return 0
    if args.speed:
        passes = [child(["--step", "speed", "--speed", str(args.speed.resolve())]) for _ in range(args.runs)]
        result = {key: harness.median(one[key] for one in passes) for key in passes[0]}
        for key in ("cpu_seconds", "solve_cpu_seconds", "sketch_cpu_seconds"):
            result[key.replace("cpu_seconds", "mb_per_cpu_second")] = round(result["megabytes"] / result[key], 1)
        harness.print_table("minhash_dedup, one worker", ["", ""], [[key, value] for key, value in result.items()])
        harness.save(args.results, "speed", {**harness.facts(), **result})
    if args.signatures:
        rows = [child(["--step", "signatures", "--signatures", str(count)]) for count in args.signatures]
        keys = ("documents", "seconds", "peak_mb", "stored_mb", "dropped")
        harness.print_table("solve of made signatures, one process", list(keys), [[row[key] for key in keys] for row in rows])
        harness.save(args.results, "signatures", {**harness.facts(), "runs": rows})
    if args.estimate:
        estimate(json.loads(args.results.read_text(encoding="utf-8")))
    return 0


def child(words: list[str]) -> Result:
    with tempfile.TemporaryDirectory(prefix="dedup-scale-") as folder:
        command = [sys.executable, str(Path(__file__).resolve()), *words, "--work", folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} stopped with status {done.returncode}")
        answer: Result = json.loads(done.stdout.splitlines()[-1])
        return answer


def speed(args: argparse.Namespace) -> Result:
    """CPU seconds of a run of this process up to its verdicts."""
    import pipeline
    from pipeline import runner

    class Decided(Exception):
        pass

    told: Result = {}
    solve = runner._solve

    def timed(*words: Any) -> None:
        told["sketch_cpu_seconds"] = time.process_time()
        solve(*words)
        told["cpu_seconds"] = time.process_time()
        told["solve_cpu_seconds"] = told["cpu_seconds"] - told["sketch_cpu_seconds"]
        raise Decided

    runner._solve = timed  # type: ignore[assignment]
    recipe = {"name": "speed", "input": str(args.speed), "stages": ["minhash_dedup"]}
    with contextlib.suppress(Decided):
        pipeline.run(recipe, output=args.work / "run", engine="local", workers=1, progress="none")
    counts = [json.loads(path.read_text()) for path in args.work.rglob("counts.json")]
    told["megabytes"] = sum(one["in"][1] for one in counts) / 1e6
    told["documents"] = sum(one["in"][0] for one in counts)
    return told


class Made:
    """`Sketches` of documents that are made as they are read."""

    def __init__(self, count: int, folder: Path, bands: int, rows: int) -> None:
        self.count, self.folder, self.bands, self.values = count, folder, bands, bands * rows
        self.seconds: dict[str, float] = {}

    def parts(self) -> list[int]:
        return list(range(-(-self.count // PART)))

    def rows(self) -> int:
        return self.count

    def read(self, part: int, columns: Sequence[str]) -> Any:
        import numpy as np
        import pyarrow as pa

        from stages.kernels.minhash import band_keys

        numbers = np.arange(part * PART, min(self.count, (part + 1) * PART))
        made: dict[str, Any] = {"row": pa.array(np.arange(len(numbers), dtype=np.int32))}
        made["source"] = pa.array(["made"] * len(numbers))
        made["n_shingles"] = pa.array(np.full(len(numbers), 300, np.int32))
        if "id" in columns:
            made["id"] = pa.array([f"{number:012d}" for number in numbers])
        if "signature" in columns or any(name.startswith("band") for name in columns):
            values = self._values(numbers)
            kind = pa.binary(4 * self.values)
            made["signature"] = pa.FixedSizeBinaryArray.from_buffers(kind, len(numbers), [None, pa.py_buffer(values)])
            for band, keys in enumerate(band_keys(values, self.bands)):
                made[f"band_{band:03d}"] = pa.array(keys, pa.uint64())
        return pa.table({name: made[name] for name in columns})

    def _values(self, numbers: Any) -> Any:
        """Every third document has the values of another one, one in twenty of them changed."""
        import numpy as np

        def mixed(x: Any) -> Any:
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            return x ^ (x >> np.uint64(31))

        numbers = numbers.astype(np.uint64)
        other = mixed(numbers + np.uint64(7)) % np.uint64(self.count)
        base = np.where(numbers % 3 == 2, other - other % 3, numbers)
        places = np.arange(self.values, dtype=np.uint64)
        values = mixed(base[:, None] * np.uint64(1 << 20) + places)
        own = mixed(numbers[:, None] * np.uint64(1 << 20) + places + np.uint64(1 << 19))
        changed = (own % np.uint64(20) == 0) & (numbers % 3 == 2)[:, None]
        return np.where(changed, own, values).astype(np.uint32)

    def documents(self, part: int, rows: Any, columns: Sequence[str]) -> Any:
        raise AssertionError("there is no text")

    def round(self, name: str, function: Callable[[Any], Any], items: Sequence[Any]) -> Any:
        from pipeline.verdicts import SavedTable, _save

        began = time.monotonic()
        saved = [SavedTable(self.folder / f"{name}-{number:06d}.arrow") for number in range(len(items))]
        for table, item in zip(saved, items, strict=True):
            _save(function, (table, item))
        self.seconds[name] = round(time.monotonic() - began, 1)
        print(f"  {name}: {len(items)} tables, {self.seconds[name]} s", file=sys.stderr, flush=True)
        return saved


class Counted:
    """`Verdicts` that are counted."""

    dropped = 0

    def write(self, part: int, verdicts: Any) -> None:
        self.dropped += verdicts.num_rows

    def cut(self, part: int, cuts: Any) -> None:
        raise AssertionError("nothing is cut")


def signatures(count: int, work: Path) -> Result:
    from stages.minhash_dedup import MinhashDedup

    stage = MinhashDedup(verify="signature", alarm="off")
    made, verdicts = Made(count, work, *stage.shape), Counted()
    began = time.monotonic()
    facts = stage.solve(made, verdicts)
    return {
        "documents": count,
        "seconds": round(time.monotonic() - began, 1),
        "rounds": made.seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "stored_mb": sum(path.stat().st_size for path in work.iterdir()) // 10**6,
        "dropped": verdicts.dropped,
        "members": facts["members"],
        "components": facts["components"],
    }


def estimate(results: Result) -> None:
    """8 TB and 4 billion documents, in proportion to what was measured. The step that joins all forests runs in one process."""
    speed_, made = results["speed"], results["signatures"]["runs"][-1]
    scale = 4e9 / made["documents"]
    rounds = {name: seconds * scale for name, seconds in made["rounds"].items()}
    alone = rounds.pop("components")
    sketch_hours = 8e6 / speed_["sketch_mb_per_cpu_second"] / 3600
    solve_hours = sum(rounds.values()) / 3600
    rows = []
    for name, cores in (("one machine, 128 cores", 128), ("16 nodes of 64 cores", 1024)):
        hours = (sketch_hours + solve_hours) / cores + alone / 3600
        rows.append([name, sketch_hours / cores, solve_hours / cores, alone / 3600, hours])
    harness.print_table(
        "8 TB, 4 billion documents: hours", ["", "read and sketch", "solve, by partitions", "joining forests", "all"], rows
    )
    print(f"stored by rounds: {made['stored_mb'] * scale / 1e6:.1f} TB; sketches: {4e9 * 732 / 1e12:.1f} TB")
    print(f"memory of the process that joins forests: about {80 * made['members'] * scale / 1e9:.0f} GB")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main())
