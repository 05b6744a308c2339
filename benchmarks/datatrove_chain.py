"""Run datatrove's FineWeb text chain on Parquet files; writes what it kept, why it dropped the rest, and the seconds as
JSON.

    python benchmarks/datatrove_chain.py --input raw-00.parquet --output peer.json

The chain is the one of datatrove's examples/fineweb.py after its language step: GopherRepetition, GopherQuality,
C4Quality(filter_no_terminal_punct=False), FineWebQuality, then MinHash (sha1, 64 bit, 14 buckets of 8, word 5-grams) in
its four stages. datatrove runs in an environment of its own, made on first use in benchmarks/.envs/datatrove, because
its pins are not ours; pyarrow is needed in the interpreter that starts this script.

Seconds are those of the whole process, interpreter start and imports included. Not timed: making the environment,
cutting the input into equal pieces of plain JSON lines, its own most common format, so that both of its workers are
busy to the end, and collecting the ids afterwards.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGES = ["datatrove==0.10.0", "spacy>=3.8,<3.9", "orjson>=3.10", "regex", "nltk", "tldextract", "tokenizers", "xxhash<4"]
FILTERS = ["gopher_repetition", "gopher_quality", "c4_quality", "fineweb_quality"]
BUCKETS = 14


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--input", action="append", required=True, type=Path, help="a Parquet file with columns id and text; may be repeated"
    )
    parser.add_argument("--output", required=True, type=Path, help="the JSON file to write")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tasks", type=int, default=8, help="pieces the input is cut into")
    parser.add_argument("--python", type=Path, help="an interpreter that has datatrove already")
    parser.add_argument("--work", type=Path, help="folder for the peer's files (default: a temporary one, removed afterwards)")
    parser.add_argument("--step", choices=["chain", "collect"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        {"chain": chain, "collect": collect}[args.step](args)
        return 0
    missing = [str(path) for path in args.input if not path.is_file()]
    if missing:
        parser.error(f"no such file: {', '.join(missing)}")
    python = args.python or environment("datatrove", PACKAGES)
    work = args.work or Path(tempfile.mkdtemp(prefix="datatrove-"))
    work.mkdir(parents=True, exist_ok=True)
    if any(work.iterdir()):
        parser.error(f"--work {work} is not empty: datatrove would take the tasks done there for its own")
    try:
        result = measure(python, args, work)
    finally:
        if args.work is None:
            shutil.rmtree(work, ignore_errors=True)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    kept = f"{len(result['kept_after_filters'])} after filters, {len(result['kept'])} after deduplication"
    print(f"datatrove {result['version']}: {result['documents']} documents, {kept}, ", end="")
    print(f"{result['seconds']:.1f} s ({result['cpu_seconds']:.1f} s of CPU, {args.workers} workers)")
    return 0


def environment(name: str, packages: list[str]) -> Path:
    """The interpreter of a peer's own environment with these packages, made if it is not there."""
    folder = HERE / ".envs" / name
    python = folder / "bin" / "python"
    stamp = folder / "ready"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == "\n".join(packages):
        return python
    print(f"making {folder} (once)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
    done = subprocess.run(install, stderr=subprocess.PIPE, text=True)
    # pip warns of each unused place of a package mirror
    said = [line for line in done.stderr.splitlines() if not line.startswith("WARNING: Location ")]
    if said:
        print("\n".join(said), file=sys.stderr)
    if done.returncode:
        raise SystemExit(f"{name} could not be installed into {folder}")
    stamp.write_text("\n".join(packages), encoding="utf-8")
    return python


def measure(python: Path, args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Cut, run the chain, collect; the seconds are those of the chain."""
    adopt_orphans()
    base = [str(python), str(Path(__file__).resolve()), "--work", str(work), "--output", str(work / "collected.json")]
    base += ["--workers", str(args.workers), "--tasks", str(args.tasks)]
    for path in args.input:
        base += ["--input", str(path.resolve())]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    documents = cut(args.input, work / "input", args.tasks)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    with (work / "log.txt").open("w") as log:
        done = subprocess.run([*base, "--step", "chain"], stdout=log, stderr=log, env=env)
    seconds = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f"datatrove stopped with status {done.returncode}:\n" + (work / "log.txt").read_text()[-4000:])
    reap()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*base, "--step", "collect"], check=True, env=env)
    collected = json.loads((work / "collected.json").read_text(encoding="utf-8"))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    timing = {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "workers": args.workers, "machine": machine()}
    inputs = [path.name for path in args.input]
    return {"tool": "datatrove", "inputs": inputs, "documents": documents, **timing, **collected}


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


def cut(inputs: list[Path], folder: Path, pieces: int) -> int:
    """Write the input, in order, as files of equal row counts (datatrove's unit of work is the file); returns the rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables([pq.read_table(path, columns=["id", "text"]) for path in inputs])
    if len(set(table["id"].to_pylist())) != table.num_rows:
        raise SystemExit("the input repeats an id: the comparison is by id")
    folder.mkdir()
    step = -(-table.num_rows // pieces)
    for piece in range(pieces):
        with (folder / f"{piece:05d}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for row in table.slice(piece * step, step).to_pylist():
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return int(table.num_rows)


def chain(args: argparse.Namespace) -> None:
    """The timed part: five executors one after the other, as in datatrove's own example."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
    from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig

    work = args.work

    def folder(*parts: str) -> str:
        return str(work.joinpath(*parts))

    def dropped(name: str) -> Any:
        return JsonlWriter(folder("dropped", name), compression=None)

    def run(name: str, steps: list[Any], tasks: int) -> None:
        LocalPipelineExecutor(steps, tasks=tasks, workers=min(args.workers, tasks), logging_dir=folder("logs", name)).run()

    config = MinhashConfig(
        n_grams=5, num_buckets=BUCKETS, hashes_per_bucket=8, hash_config=HashConfig(hash_fc="sha1", precision=64)
    )
    filters = [
        GopherRepetitionFilter(exclusion_writer=dropped(FILTERS[0])),
        GopherQualityFilter(exclusion_writer=dropped(FILTERS[1])),
        C4QualityFilter(filter_no_terminal_punct=False, exclusion_writer=dropped(FILTERS[2])),
        FineWebQualityFilter(exclusion_writer=dropped(FILTERS[3])),
    ]
    run("filters", [JsonlReader(folder("input")), *filters, JsonlWriter(folder("filtered"), compression=None)], args.tasks)
    reader = JsonlReader(folder("filtered"))
    run("signatures", [reader, MinhashDedupSignature(folder("signatures"), config=config)], args.tasks)
    run("buckets", [MinhashDedupBuckets(folder("signatures"), folder("buckets"), config=config)], BUCKETS)
    # cluster ids cost next to nothing and tell which documents the peer holds for copies of each other
    run("clusters", [MinhashDedupCluster(folder("buckets"), folder("clusters"), config=config, save_cluster_id=True)], 1)
    last = MinhashDedupFilter(folder("clusters"), exclusion_writer=dropped("minhash"), load_cluster_ids=True)
    run("deduplicated", [reader, last, JsonlWriter(folder("kept"), compression=None)], args.tasks)


def collect(args: argparse.Namespace) -> None:
    """Ids kept, and for each dropped id the step and the reason; clusters of copies."""
    from importlib.metadata import version

    def rows(name: str) -> list[dict[str, Any]]:
        files = sorted((args.work / name).glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").split("\n") if line]

    dropped: dict[str, list[str]] = {}
    for step in FILTERS:
        for row in rows(f"dropped/{step}"):
            dropped[row["id"]] = [step, row.get("metadata", {}).get("filter_reason", "")]
    copies, kept = rows("dropped/minhash"), rows("kept")
    clusters = {
        row["id"]: row["metadata"]["minhash_cluster_id"]
        for row in copies + kept
        if row["metadata"].get("minhash_cluster_id", -1) >= 0
    }
    result = {
        "version": version("datatrove"),
        "spacy": version("spacy"),
        "kept_after_filters": sorted(row["id"] for row in rows("filtered")),
        "kept": sorted(row["id"] for row in kept),
        "dropped": dict(sorted(dropped.items())),
        "duplicates": sorted(row["id"] for row in copies),
        "clusters": dict(sorted(clusters.items())),
    }
    args.output.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
