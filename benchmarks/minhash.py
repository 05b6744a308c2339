"""MinHash signatures of the same documents by Sluice, datasketch and rensa; prints seconds and MB/s of one thread.

    python benchmarks/minhash.py --input raw-00.parquet --runs 5

Every run is a process of its own; contenders take turns, every second round in the opposite order. A run is the median of as
many passes over all documents as take two seconds, of a slow contender one; the table has medians of runs. Timed is the way
from the texts in memory (an Arrow column for Sluice, Python strings for the others) to the signatures of word shingles, by one
thread. Not timed: starting, reading, imports and compiled kernels, which are made or loaded by a first small batch.

sluice             minhash_dedup as it is by default, in batches of 16 MB; its keys of bands included
sluice, 64 bits    the same with bits: 64
sluice, datasketch the same with mode: datasketch; the run fails unless its signatures are those of datasketch
datasketch         MinHash.generator over lists of shingles, its default hash (SHA-1)
datasketch, xxh32  the same with hashfunc=xxhash.xxh32_intdigest, the fast hash that its documentation advises to bring along
rensa              RMinHash.digest_matrix_from_token_sets over lists of shingles

The peers' shingles are words of text.lower().split() joined by spaces. Each peer has an environment of its own in
benchmarks/.envs, made on first use. Writes benchmarks/results/minhash.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import harness
from harness import HERE, Result

RESULTS = harness.RESULTS / "minhash.json"
PEERS = {"datasketch": ["datasketch>=2.0,<3", "xxhash<4"], "rensa": ["rensa>=0.5,<0.6"]}
CONTENDERS = ["sluice", "sluice, 64 bits", "sluice, datasketch", "datasketch", "datasketch, xxh32", "rensa"]
BATCH_BYTES = 16_000_000
BATCH_TEXTS = 1000
"""lists of shingles that rensa gets at once: enough for its call, and little memory"""
LEAST_SECONDS = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", action="append", type=Path, help="a Parquet file with a column text; may be repeated")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--permutations", type=int, default=112, help="a multiple of 8")
    parser.add_argument("--shingle-size", type=int, default=5)
    parser.add_argument("--only", action="append", choices=CONTENDERS, help="default: all")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--step", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        print(json.dumps(measure(args)))
        return 0
    missing = [str(path) for path in args.input or [] if not path.is_file()]
    if missing or not args.input:
        parser.error(f"no such file: {', '.join(missing)}" if missing else "--input is needed")
    names = [name for name in CONTENDERS if name in (args.only or CONTENDERS)]
    pythons = {name: harness.environment(name, PEERS[name]) for name in PEERS if any(one.startswith(name) for one in names)}
    runs: dict[str, list[Result]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="minhash-") as folder:
        texts = read_texts(args.input)
        file = Path(folder) / "texts.pickle"
        file.write_bytes(pickle.dumps(texts))
        for turn in range(args.runs):
            for name in names if turn % 2 == 0 else reversed(names):
                runs[name].append(run(name, pythons.get(name.partition(",")[0], Path(sys.executable)), file, args))
                print(f"{name}: {runs[name][-1]['cpu_seconds']:.2f} s", file=sys.stderr, flush=True)
    report = summary(runs, texts, args)
    show(report)
    harness.save(args.results, None, report)
    return 0


def read_texts(inputs: list[Path]) -> list[str]:
    import pyarrow.parquet as pq

    return [text or "" for path in inputs for text in pq.read_table(path, columns=["text"])["text"].to_pylist()]


def run(name: str, python: Path, texts: Path, args: argparse.Namespace) -> Result:
    """One process of one contender."""
    command = [str(python), str(Path(__file__).resolve()), "--step", name, "--texts", str(texts)]
    command += ["--permutations", str(args.permutations), "--shingle-size", str(args.shingle_size)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "RAYON_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(f"{name} stopped with status {done.returncode}")
    result: Result = json.loads(done.stdout)
    return result


def measure(args: argparse.Namespace) -> Result:
    """In the contender's process: seconds of a pass, of the process's CPU time and of the clock, and what was made."""
    texts = pickle.loads(args.texts.read_bytes())
    make = {"sluice": sluice, "datasketch": datasketch, "rensa": rensa}[args.step.partition(",")[0]]
    warm, _ = make(args.step, texts[:50], args)
    warm()
    work, version = make(args.step, texts, args)
    passes: list[tuple[float, float]] = []
    while sum(cpu for cpu, _ in passes) < LEAST_SECONDS:
        start = time.process_time(), time.monotonic()
        documents, signatures = work()
        passes.append((time.process_time() - start[0], time.monotonic() - start[1]))
    if documents != len(texts):
        raise SystemExit(f"{args.step} made {documents} signatures of {len(texts)} texts")
    digest = hashlib.sha256(b"".join(signatures)).hexdigest()
    cpu, clock = map(statistics.median, zip(*passes, strict=True))
    return {"cpu_seconds": cpu, "seconds": clock, "version": version, "sha256_of_signatures": digest}


def sluice(name: str, texts: list[str], args: argparse.Namespace) -> tuple[Callable[[], Any], str]:
    sys.path.insert(0, str(HERE.parent))
    from importlib.metadata import version

    import numpy as np
    import pyarrow as pa

    from stages.core.docs import Docs
    from stages.minhash_dedup import MinhashDedup

    keys: dict[str, Any] = {"sluice, 64 bits": {"bits": 64}, "sluice, datasketch": {"mode": "datasketch"}}.get(name, {})
    stage = MinhashDedup(bands=args.permutations // 8, rows=8, shingle_size=args.shingle_size, **keys)
    column = pa.array(texts, pa.large_string())
    number = np.cumsum([len(text.encode()) for text in texts]) // BATCH_BYTES  # of the batch that a text is in
    bounds = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(texts)]
    batches = [pa.table({"text": column.slice(at, end - at)}) for at, end in pairwise(bounds)]

    def work() -> Any:
        columns = [stage.sketch(Docs(batch))["signature"] for batch in batches]
        # a text without shingles has a null; below it, as in datasketch, the largest number everywhere
        return sum(map(len, columns)), [chunk.buffers()[1] for column in columns for chunk in column.chunks]

    return work, version("sluice")


def shingles_of(texts: list[str], size: int) -> Iterator[list[str]]:
    for text in texts:
        words = text.lower().split()
        yield [" ".join(words[at : at + size]) for at in range(len(words) - size + 1)]


def datasketch(name: str, texts: list[str], args: argparse.Namespace) -> tuple[Callable[[], Any], str]:
    from importlib.metadata import version

    import xxhash
    from datasketch import MinHash

    options = {"hashfunc": xxhash.xxh32_intdigest} if name.endswith("xxh32") else {}

    def work() -> Any:
        lists = ([shingle.encode() for shingle in shingles] for shingles in shingles_of(texts, args.shingle_size))
        made = MinHash.generator(lists, num_perm=args.permutations, seed=1, **options)
        signatures = [one.hashvalues for one in made]
        return len(signatures), signatures

    return work, version("datasketch")


def rensa(_name: str, texts: list[str], args: argparse.Namespace) -> tuple[Callable[[], Any], str]:
    from importlib.metadata import version

    from rensa import RMinHash

    def work() -> Any:
        made = []
        for at in range(0, len(texts), BATCH_TEXTS):
            lists = list(shingles_of(texts[at : at + BATCH_TEXTS], args.shingle_size))
            made.append(RMinHash.digest_matrix_from_token_sets(lists, args.permutations, 1))
        return sum(matrix.len() for matrix in made), []

    return work, version("rensa")


def summary(runs: dict[str, list[Result]], texts: list[str], args: argparse.Namespace) -> Result:
    """Medians, and how many times as fast as each peer Sluice's default is."""
    size = sum(len(text.encode()) for text in texts)
    if {"sluice, datasketch", "datasketch"} <= runs.keys() and (
        runs["sluice, datasketch"][0]["sha256_of_signatures"] != runs["datasketch"][0]["sha256_of_signatures"]
    ):
        raise SystemExit("mode: datasketch gives other signatures than datasketch")
    rows = {}
    for name, of in runs.items():
        cpu, clock = (harness.median(one[key] for one in of) for key in ("cpu_seconds", "seconds"))
        each = [round(one["cpu_seconds"], 3) for one in of]
        rows[name] = {"version": of[0]["version"], "cpu_seconds": round(cpu, 3), "seconds": round(clock, 3)}
        rows[name] |= {"mb_per_cpu_second": round(size / 1e6 / cpu, 1), "cpu_seconds_of_each_run": each}
    for row in rows.values():
        if "sluice" in rows:
            row["times_sluice_cpu"] = round(row["cpu_seconds"] / rows["sluice"]["cpu_seconds"], 1)
    return {
        "inputs": [path.name for path in args.input],
        "documents": len(texts),
        "text_bytes": size,
        "permutations": args.permutations,
        "shingle_size": args.shingle_size,
        "runs": args.runs,
        "load_when_done": round(os.getloadavg()[0], 1),
        **harness.facts(),
        "contenders": rows,
    }


def show(report: Result) -> None:
    title = (
        f"{report['documents']} documents, {report['text_bytes'] / 1e6:.1f} MB of text, {report['permutations']} permutations, "
    )
    title += f"shingles of {report['shingle_size']} words, medians of {report['runs']} runs"
    keys = ["version", "cpu_seconds", "seconds", "mb_per_cpu_second", "times_sluice_cpu"]
    rows = [[name, *(row.get(key) for key in keys)] for name, row in report["contenders"].items()]
    harness.print_table(title, ["", "version", "CPU s", "wall s", "MB/CPU s", "CPU / sluice"], rows)


if __name__ == "__main__":
    sys.exit(main())
