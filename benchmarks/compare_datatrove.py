"""Run Sluice and datatrove on the same files; prints seconds and documents, or where their decisions differ.

    python benchmarks/compare_datatrove.py --input raw-00.parquet --runs 3
    python benchmarks/compare_datatrove.py --input raw-00.parquet --agreement --reuse-peer runs/bench/datatrove_peer.json

Without --agreement: the recipe as it is, once on each engine in turn, --runs times, beside datatrove
(datatrove_chain.py) in the same session. Seconds are of the whole command: interpreter, Ray and compiled kernels
included; the first run of a machine compiles them. Every run has a new folder, so that nothing is reused. A Ray Data
job that does nothing (bare_ray.py) is timed in the same turns: what Ray itself takes.

With --agreement: Sluice in datatrove mode, where it means to take the same decisions. Each document that only one of
the two keeps is listed with our reason (from the ledger) and theirs. Of a cluster of copies both keep one, not always
the same one: such pairs are counted apart.

Both write benchmarks/results/datatrove.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from harness import (
    HERE,
    RESULTS,
    Result,
    adopt_orphans,
    default_sluice,
    facts,
    machine,
    median,
    print_table,
    save,
    sluice_run,
    timed,
)

RECIPE = HERE.parent / "jobs" / "recipes" / "fineweb_text.yaml"
PARITY = ["*.mode=datatrove", "minhash_dedup.verify=none", "minhash_dedup.hash=sha1"]
Reason = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--input", action="append", required=True, type=Path, help="a Parquet file with columns id and text; may be repeated"
    )
    parser.add_argument("--agreement", action="store_true", help="compare decisions instead of seconds")
    parser.add_argument("--engine", action="append", choices=["ray", "local"], help="default: both; with --agreement: ray")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1, help="of Sluice on each engine")
    parser.add_argument("--peer-runs", type=int, default=1)
    parser.add_argument("--reuse-peer", type=Path, help="a JSON file of datatrove_chain.py on the same input")
    parser.add_argument("--peer-output", type=Path, default=HERE.parent / "runs" / "bench" / "datatrove_peer.json")
    parser.add_argument("--python", type=Path, help="an interpreter that has datatrove")
    parser.add_argument("--sluice", default=default_sluice(), help="the sluice command")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--set", action="append", default=[], metavar="step.key=value", help="passed on to sluice")
    parser.add_argument("--results", type=Path, default=RESULTS / "datatrove.json")
    args = parser.parse_args()
    missing = [str(path) for path in [*args.input, args.recipe] if not path.is_file()]
    if missing:
        parser.error(f"no such file: {', '.join(missing)}")
    adopt_orphans()
    section = agreement(args) if args.agreement else timing(args)
    save(args.results, "agreement" if args.agreement else "timing", section)
    return 0


def timing(args: argparse.Namespace) -> Result:
    """Alternate the engines and the peer; print the table."""
    runs: dict[str, list[Result]] = {}
    bare: list[Result] = []
    if args.reuse_peer:
        runs["datatrove"] = [json.loads(args.reuse_peer.read_text(encoding="utf-8"))]
    for turn in range(max(args.runs, 0 if args.reuse_peer else args.peer_runs)):
        if turn < args.runs:
            for engine in args.engine or ["ray", "local"]:
                runs.setdefault(f"sluice {engine}", []).append(ours(args, engine, args.set))
            bare.append(timed([sys.executable, str(HERE / "bare_ray.py"), "--workers", str(args.workers)]))
        if turn < args.peer_runs and not args.reuse_peer:
            runs.setdefault("datatrove", []).append(peer(args))
    check_same_input(runs)
    text_bytes = input_bytes(args.input)
    base = median(run["seconds"] for run in runs["datatrove"])
    rows = {name: summary(of, text_bytes, base) for name, of in runs.items()}
    reused = " (datatrove from an earlier session)" if args.reuse_peer else ""
    head = ["", "runs", "seconds", "CPU s", "MB/s", "documents", "filtered", "kept", "times faster"]
    keys = ["seconds", "cpu_seconds", "mb_per_second", "documents", "after_filters", "kept", "times_faster"]
    table = [[name, len(row["seconds_each"]), *(row[key] for key in keys)] for name, row in rows.items()]
    print_table(f"{text_bytes / 1e6:.1f} MB of text, {args.workers} workers, {machine()}{reused}", head, table)
    floor = median(run["seconds"] for run in bare)
    print(f"a Ray Data job that does nothing: {floor:.1f} s, which no run on Ray can go below")
    return {
        **facts(),
        "inputs": [path.name for path in args.input],
        "text_bytes": text_bytes,
        "workers": args.workers,
        "set": args.set,
        "peer_reused": bool(args.reuse_peer),
        "bare_ray_seconds": floor,
        "datatrove_version": runs["datatrove"][0]["version"],
        "tools": rows,
    }


def summary(runs: list[Result], text_bytes: int, base: float) -> Result:
    """Medians of one tool's runs; documents of the last."""
    seconds = median(run["seconds"] for run in runs)
    return {
        "seconds": seconds,
        "seconds_each": [run["seconds"] for run in runs],
        "cpu_seconds": median(run["cpu_seconds"] for run in runs),
        "mb_per_second": round(text_bytes / 1e6 / seconds, 4),
        "documents": runs[-1]["documents"],
        "after_filters": len(runs[-1]["kept_after_filters"]),
        "kept": len(runs[-1]["kept"]),
        "times_faster": round(base / seconds, 2),
    }


def ours(args: argparse.Namespace, engine: str, settings: list[str]) -> Result:
    """One run of Sluice in a new folder, read back from its data and its ledger."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    try:
        command = sluice_run(args, engine, args.workers, args.input, folder)
        command += [word for setting in settings for word in ("--set", setting)]
        spent = timed(command, cwd=folder)
        print(f"sluice {engine}: {spent['seconds']:.1f} s", file=sys.stderr, flush=True)
        return {"seconds": spent["seconds"], "cpu_seconds": spent["cpu_seconds"], **decisions(folder / "run")}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def decisions(run: Path) -> Result:
    """Who was kept, and why the others were not, in the form of the peer's result."""
    import pyarrow.parquet as pq

    kept = [
        name
        for file in sorted((run / "data").glob("*.parquet"))
        for name in pq.read_table(file, columns=["id"])["id"].to_pylist()
    ]
    dropped: dict[str, Reason] = {}
    for file in sorted((run / "ledger" / "drops").glob("**/*.parquet")):
        for row in pq.ParquetFile(file).read().to_pylist():
            if row["rank"] == 0:
                dropped[row["id"]] = {key: row[key] for key in ["step", "rule", "value", "limit", "survivor_id"]}
    set_aside = sum(pq.read_metadata(file).num_rows for file in (run / "ledger" / "quarantined").glob("**/*.parquet"))
    copies = {name for name, reason in dropped.items() if reason["step"].startswith("minhash_dedup")}
    return {
        "documents": len(kept) + len(dropped) + set_aside,
        "kept": kept,
        "kept_after_filters": kept + sorted(copies),
        "dropped": {name: reason for name, reason in dropped.items() if name not in copies},
        "copies": {name: dropped[name] for name in copies},
    }


def peer(args: argparse.Namespace) -> Result:
    """One run of datatrove, kept in --peer-output."""
    command = [
        sys.executable,
        str(HERE / "datatrove_chain.py"),
        "--workers",
        str(args.workers),
        "--output",
        str(args.peer_output),
    ]
    command += [word for path in args.input for word in ("--input", str(path))]
    command += ["--python", str(args.python)] if args.python else []
    subprocess.run(command, check=True, stdout=sys.stderr)
    result: Result = json.loads(args.peer_output.read_text(encoding="utf-8"))
    return result


def check_same_input(runs: dict[str, list[Result]]) -> None:
    """Two tools that saw different numbers of documents are not compared."""
    counts = {name: of[0]["documents"] for name, of in runs.items()}
    if len(set(counts.values())) > 1:
        raise SystemExit(f"not the same input: {counts}")


def input_bytes(files: list[Path]) -> int:
    """UTF-8 bytes of text in the input."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    return sum(pc.sum(pc.binary_length(pq.read_table(file, columns=["text"])["text"])).as_py() for file in files)


def agreement(args: argparse.Namespace) -> Result:
    """Compare every decision; print the counts and each document that only one keeps."""
    theirs = json.loads(args.reuse_peer.read_text(encoding="utf-8")) if args.reuse_peer else peer(args)
    engine = (args.engine or ["ray"])[0]
    mine = ours(args, engine, [*PARITY, *args.set])
    check_same_input({"sluice": [mine], "datatrove": [theirs]})
    report = compare(mine, theirs)
    counts = report["counts"]
    print(
        f"\n{mine['documents']} documents, sluice ({engine}, {' '.join([*PARITY, *args.set])}) "
        f"beside datatrove {theirs['version']}"
    )
    for name, value in counts.items():
        print(f"  {value:8}  {name.replace('_', ' ')}")
    for name in ["filters_differ", "deduplication_differs"]:
        for case in report[name]:
            print(f"  {case['id']}  only {case['kept_by']} keeps it; {case['dropped_by']}: {case['reason']}")
    return {"inputs": [path.name for path in args.input], "datatrove_version": theirs["version"], "engine": engine, **report}


def compare(mine: Result, theirs: Result) -> Result:
    """Counts, and the differing documents of the filters and of the deduplication after them."""
    filtered, peer_filtered = set(mine["kept_after_filters"]), set(theirs["kept_after_filters"])
    kept, peer_kept = set(mine["kept"]), set(theirs["kept"])
    filters = [difference(name, "sluice", "datatrove", peer_reason(theirs, name)) for name in sorted(filtered - peer_filtered)]
    filters += [
        difference(name, "datatrove", "sluice", mine["dropped"].get(name, "no entry"))
        for name in sorted(peer_filtered - filtered)
    ]
    both = filtered & peer_filtered
    swapped, rest = other_survivors(mine, theirs, both)
    copies = [difference(name, "sluice", "datatrove", peer_reason(theirs, name)) for name in sorted(rest & kept)]
    copies += [difference(name, "datatrove", "sluice", mine["copies"][name]) for name in sorted(rest & peer_kept)]
    dropped = set(mine["dropped"]) & set(theirs["dropped"])
    same_step = sum(mine["dropped"][name]["step"].partition(".")[0] == theirs["dropped"][name][0] for name in dropped)
    steps = Counter((mine["dropped"][name]["step"], theirs["dropped"][name][0]) for name in dropped)
    counts = {
        "documents": mine["documents"],
        "kept_after_filters_by_both": len(both),
        "kept_after_filters_by_sluice_alone": len(filtered - peer_filtered),
        "kept_after_filters_by_datatrove_alone": len(peer_filtered - filtered),
        "dropped_by_filters_of_both": len(dropped),
        "dropped_by_both_in_the_same_step": same_step,
        "kept_at_the_end_by_both": len(kept & peer_kept),
        "kept_at_the_end_by_sluice_alone": len(kept - peer_kept),
        "kept_at_the_end_by_datatrove_alone": len(peer_kept - kept),
        "pairs_that_are_another_survivor_of_the_same_copies": len(swapped),
    }
    table = [{"sluice": a, "datatrove": b, "documents": count} for (a, b), count in steps.most_common()]
    return {
        "counts": counts,
        "filters_differ": filters,
        "deduplication_differs": copies,
        "other_survivors": [{"sluice": a, "datatrove": b} for a, b in swapped],
        "steps_of_common_drops": table,
    }


def difference(name: str, kept_by: str, dropped_by: str, reason: Any) -> Result:
    return {"id": name, "kept_by": kept_by, "dropped_by": dropped_by, "reason": reason}


def peer_reason(theirs: Result, name: str) -> Reason:
    """What the peer's exclusion files say of the document; it skips empty texts without a word."""
    if name in theirs["dropped"]:
        step, reason = theirs["dropped"][name]
        return {"step": step, "rule": reason}
    if name in theirs["clusters"]:
        return {"step": "minhash", "cluster": theirs["clusters"][name]}
    return {"step": "reader", "rule": "skipped, as it skips empty texts"}


def other_survivors(mine: Result, theirs: Result, both: set[str]) -> tuple[list[tuple[str, str]], set[str]]:
    """Pairs (our survivor, theirs) of one cluster of the peer's where we kept another member, and what remains unexplained."""
    kept, peer_kept = set(mine["kept"]) & both, set(theirs["kept"]) & both
    only_ours, only_theirs = kept - peer_kept, peer_kept - kept
    survivor = {theirs["clusters"][name]: name for name in only_theirs if name in theirs["clusters"]}
    pairs = []
    for name in sorted(only_ours):
        other = survivor.get(theirs["clusters"].get(name, -1))
        if other is not None and mine["copies"][other]["survivor_id"] in members(theirs, name):
            pairs.append((name, other))
            del survivor[theirs["clusters"][name]]
    explained = {name for pair in pairs for name in pair}
    return pairs, (only_ours | only_theirs) - explained


def members(theirs: Result, name: str) -> set[str]:
    """The peer's cluster of this document."""
    cluster = theirs["clusters"][name]
    return {other for other, number in theirs["clusters"].items() if number == cluster}


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
