"""Gopher's, C4's and FineWeb's filters together: MB of text for each second of CPU, ours beside datatrove's and NeMo Curator's.

    python benchmarks/text_filters.py --input raw-00.parquet --input raw-01.parquet --lang en --runs 5

Ours goes from the Arrow column to measures and decisions: GopherRepetition, GopherQuality, C4's edit and rules without its
end-of-line rule, FineWebQuality on what C4 left, each rule on every document, in batches of about 4 MB, in one thread; once
in the default mode, once in datatrove's. datatrove runs the same four filters, each on every document, and again with its
early exit. NeMo Curator runs its own English heuristic recipe (28 filters): other rules, for the same purpose.

A pass runs in a fork of a process that has loaded and compiled everything and has seen none of these texts. Interpreters,
imports, compiled kernels, spaCy's tables and reading the files are not timed. Peers may run on a sample (--peer-bytes), chosen
by hash of the id; MB are of the text each one saw. Documents of blank text are left out, since peers raise on them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import datatrove_chain
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from grow import size
from harness import (
    HERE,
    RESULTS,
    Child,
    PeerMissing,
    Result,
    alternate,
    environment,
    facts,
    forked,
    in_sample,
    median,
    print_table,
    save,
)

from filters.c4_quality import C4Quality
from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from filters.gopher_repetition import GopherRepetition
from pipeline.judge import judge
from pipeline.memory import choose_pool
from stages.core.docs import Docs
from stages.core.stage import Filter, Map, Stage

BATCH_BYTES = 4_000_000
SEED = "filters"
NEMO = ["loguru", "pandas>=2.1", "pyarrow", "ray>=2.57", "regex"]
NEMO_ALONE = ["nemo-curator==1.4.0", "cosmos-xenna==0.2.0"]
WARM = "These words are in no file. They only make every kernel load.\nA second line, and a third one.\n\nThe end of it.\n" * 3
TARGETS = {"sluice": (60, 200), "sluice, datatrove mode": (35, 100)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", action="append", required=True, type=Path, help="a Parquet file with columns id and text")
    parser.add_argument("--lang", default="en", help="documents of this `lang`, where there is such a column; '' for all")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-bytes", type=size, default=4_000_000, help="text of the peers' sample, about (0: all)")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--results", type=Path, default=RESULTS / "filters.json")
    args = parser.parse_args()
    pa.set_cpu_count(1)
    choose_pool()  # as a worker does
    table = documents(args.input, args.lang)
    whole = text_bytes(table)
    fraction = 1.0 if not args.peer_bytes else min(1.0, args.peer_bytes / max(1, whole))
    sample = table.filter(pa.array([in_sample(name, fraction, SEED) for name in table["id"].to_pylist()]))
    missing: dict[str, str] = {}
    with ExitStack() as open_peers:
        peers, versions = ({}, {}) if args.no_peers else start_peers(sample, open_peers, missing)
        passes = {**ours(table), **peers, **steps(table), **(ours(sample, " (sample)") if fraction < 1 else {})}
        runs = alternate(passes, args.runs)
    result = {
        **facts(),
        "peer_versions": versions,
        "peers_missing": missing,
        "inputs": [path.name for path in args.input],
        "lang": args.lang,
        "documents": table.num_rows,
        "text_bytes": whole,
        "sample": {
            "fraction": round(fraction, 4),
            "documents": sample.num_rows,
            "text_bytes": text_bytes(sample),
            "seed": SEED,
        },
        "runs": {name: summary(of, sample if from_sample(name, peers) else table) for name, of in runs.items()},
    }
    result["times_faster"] = ratios(result["runs"])
    show(result)
    save(args.results, None, result)
    return 0


def documents(files: Sequence[Path], lang: str) -> pa.Table:
    """id and text of the documents of this language, without blank ones, in one chunk."""
    tables = []
    for file in files:
        names = [name for name in pq.read_schema(file).names if name in ("id", "text", "lang")]
        table = pq.read_table(file, columns=names)
        if lang and "lang" in names:
            table = table.filter(pc.equal(table["lang"], lang))
        tables.append(table.select(["id", "text"]).cast(pa.schema([("id", pa.string()), ("text", pa.large_string())])))
    table = pa.concat_tables(tables)
    table = table.filter(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(table["text"].fill_null(""))), 0))
    if not table.num_rows:
        raise SystemExit(f"no documents with lang {lang!r} in {', '.join(map(str, files))}: --lang '' takes all")
    return table.combine_chunks()


def text_bytes(table: pa.Table) -> int:
    return int(pc.sum(pc.binary_length(table["text"])).as_py() or 0)


def batches(table: pa.Table) -> Iterator[pa.Table]:
    """Slices of about BATCH_BYTES of text."""
    ends = np.cumsum(pc.binary_length(table["text"]).to_numpy())
    start = 0
    while start < table.num_rows:
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + BATCH_BYTES, side="right")))
        yield table.slice(start, stop - start)
        start = stop


def chain(mode: str) -> list[Stage]:
    """The recipe's text steps: its two Gopher filters, C4's Map and Filter, FineWeb's filter."""
    filters: list[Stage] = [GopherRepetition(mode=mode), GopherQuality(mode=mode)]
    filters += [C4Quality(mode=mode, terminal_punctuation=False), FinewebQuality(mode=mode)]
    return [node for stage in filters for node in stage.nodes()]


def open_chain(nodes: Sequence[Stage]) -> list[tuple[Stage, Callable[[Any], Any]]]:
    opened = []
    for node in nodes:
        assert isinstance(node, Filter | Map)
        opened.append((node, node.open()))
    return opened


def run_batch(opened: Sequence[tuple[Stage, Callable[[Any], Any]]], table: pa.Table) -> np.ndarray:
    """All steps on a batch; which documents some rule drops."""
    docs, dropped = Docs(table), np.zeros(table.num_rows, np.bool_)
    for stage, call in opened:
        if isinstance(stage, Filter):
            for broken in judge(stage.name(), stage.rules(), call(docs), docs.table):
                dropped[broken.rows] = True
        else:
            docs = Docs(call(docs.table))
    return dropped


def ours(table: pa.Table, ending: str = "") -> dict[str, Callable[[], Result]]:
    """A pass in each mode."""
    return {
        f"sluice{ending}": ready(chain("sluice"), table),
        f"sluice, datatrove mode{ending}": ready(chain("datatrove"), table),
    }


def steps(table: pa.Table) -> dict[str, Callable[[], Result]]:
    """A pass of each filter alone, in each mode; FineWeb's on the text that C4 has edited."""
    runs = {}
    for mode in ["sluice", "datatrove"]:
        repetition, quality, edit, rules, fineweb = chain(mode)
        assert isinstance(edit, Map)
        edited = edit.open()(table).combine_chunks()
        alone = [("gopher_repetition", [repetition]), ("gopher_quality", [quality]), ("c4_quality", [edit, rules])]
        for name, nodes in alone:
            runs[f"{name} alone, {mode} mode"] = ready(nodes, table)
        runs[f"fineweb_quality alone, {mode} mode"] = ready([fineweb], edited)
    return runs


def ready(nodes: Sequence[Stage], table: pa.Table) -> Callable[[], Result]:
    """A pass over the table, with kernels loaded."""
    opened = open_chain(nodes)
    warm = pa.table({"id": ["warm"], "text": pa.array([WARM], pa.large_string())})
    for name in table.column_names[2:]:
        warm = warm.append_column(name, pa.array([0], table.schema.field(name).type))
    run_batch(opened, warm)

    def work() -> Result:
        return {"dropped": int(sum(run_batch(opened, batch).sum() for batch in batches(table)))}

    return partial(forked, work)


def start_peers(
    sample: pa.Table, opened: ExitStack, missing: dict[str, str]
) -> tuple[dict[str, Callable[[], Result]], dict[str, Any]]:
    """Passes of the peers, each in a process of its own environment that has read the sample; and their versions."""
    folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="filters-")))
    path = folder / "documents.jsonl"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for text in sample["text"].to_pylist():
            file.write(json.dumps({"text": text}) + "\n")
    runs, versions = {}, {}
    makers = {
        "datatrove": datatrove_chain.environment,
        "nemo_curator": partial(environment, "nemo_curator", NEMO, NEMO_ALONE),
    }
    for name, make in makers.items():
        try:
            python = make()
        except PeerMissing as error:
            print(error, file=sys.stderr)
            missing[name] = str(error)
            continue
        child = opened.enter_context(Child([str(python), str(HERE / "text_filters_peers.py"), name, str(path)], name))
        versions[name] = child.ask("versions")
        runs[f"{name}, every filter on every document"] = partial(child.ask, "every")
        runs[f"{name}, early exit"] = partial(child.ask, "exit")
    return runs, versions


def from_sample(name: str, peers: dict[str, Any]) -> bool:
    return name in peers or name.endswith("(sample)")


def summary(runs: Sequence[Result], table: pa.Table) -> Result:
    """Medians; `each` are CPU seconds."""
    seconds = median(run["cpu_seconds"] for run in runs)
    return {
        "cpu_seconds": round(seconds, 4),
        "each": [round(run["cpu_seconds"], 4) for run in runs],
        "documents": table.num_rows,
        "text_bytes": text_bytes(table),
        "mb_per_cpu_second": round(text_bytes(table) / 1e6 / seconds, 3),
        "dropped": runs[-1]["dropped"],
        "raised": runs[-1].get("raised", 0),
    }


def ratios(runs: dict[str, Result]) -> dict[str, dict[str, float]]:
    """How many times the MB per CPU second of each peer."""
    peers = [name for name in runs if name.startswith(("datatrove,", "nemo_curator,"))]
    rate = {name: run["mb_per_cpu_second"] for name, run in runs.items()}
    return {name: {peer: round(rate[name] / rate[peer], 1) for peer in peers} for name in TARGETS}


def show(result: Result) -> None:
    sample = result["sample"]
    title = f"{result['documents']} documents, {result['text_bytes'] / 1e6:.1f} MB of text, {result['machine']}"
    if sample["documents"] < result["documents"]:
        title += f"; peers on a sample of {sample['documents']} documents, {sample['text_bytes'] / 1e6:.1f} MB"
    keys = ["documents", "cpu_seconds", "mb_per_cpu_second", "dropped", "raised"]
    rows = [[name, len(run["each"]), *(run[key] for key in keys)] for name, run in result["runs"].items()]
    print_table(title, ["", "runs", "documents", "CPU s", "MB/CPU s", "dropped", "raised"], rows)
    lines = []
    for name, by_peer in result["times_faster"].items():
        speed, times = TARGETS[name]
        lines.append([f"{name}: MB/CPU s", result["runs"][name]["mb_per_cpu_second"], speed])
        for peer, ratio in by_peer.items():
            lines.append([f"{name}: times {peer}", ratio, times if peer.startswith("datatrove, every") else None])
    print_table("of these", ["", "found", "target, at least"], lines)
    for name, why in result["peers_missing"].items():
        print(f"{name}: not measured. {why}")


if __name__ == "__main__":
    sys.exit(main())
