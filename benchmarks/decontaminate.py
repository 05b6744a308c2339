"""What decontamination finds of 1,100 documents with known contents, beside datatrove's n-gram decontamination.

    python benchmarks/decontaminate.py --data ../shared/data/benchmarks

contamination_labelled.parquet has real documents with items of evaluation sets put into them: question and answer, the question
alone, with other case and punctuation, its first half, rephrased; hard negatives (items of a training set of the same kind) and
documents that are clean. The sets are gsm8k, humaneval, mt_bench and vicuna_bench; two more are looked for.

The share of each kind that is found is its recall; of hard negatives and clean documents it is that of false findings.

sluice      decontaminate as it is by default
datatrove   0.10, NGramsDecontFilter with its defaults (12 words, answers and what overlaps them), and with find_query_ngrams

Prints precision estimated from the same set, too. Writes benchmarks/results/decontaminate.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of contamination_labelled.parquet and the evaluation sets")
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

    documents = pq.read_table(args.data / "contamination_labelled.parquet").to_pydict()
    with tempfile.TemporaryDirectory(prefix="decontaminate-") as folder:
        found = {"sluice": ours(args.data, documents["text"]), **peer(args.data, documents["text"], Path(folder))}
    report = {name: judged(documents["how"], flags) for name, flags in found.items()}
    kinds = sorted(set(documents["how"]), key=lambda kind: (kind in CLEAN, kind))
    rows = [[name, *[result[kind] for kind in kinds], result["precision"]] for name, result in report.items()]
    harness.print_table(
        f"share of each kind that is found, of {len(documents['text'])} documents", ["", *kinds, "precision"], rows
    )
    harness.save(args.results, None, {**harness.facts(), "contenders": report})
    return 0


def judged(kinds: list[str], flags: list[bool]) -> Result:
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for kind, flag in zip(kinds, flags, strict=True):
        by_kind[kind].append(flag)
    right = sum(flag for kind, flag in zip(kinds, flags, strict=True) if kind not in CLEAN)
    shares = {kind: round(sum(found) / len(found), 4) for kind, found in by_kind.items()}
    return {**shares, "precision": round(right / max(1, sum(flags)), 4)}


def ours(data: Path, texts: list[str]) -> list[bool]:
    sys.path.insert(0, str(harness.HERE.parent))
    import pyarrow as pa

    from stages.decontaminate import Decontaminate

    stage = Decontaminate.model_validate({"sets": [{**one, "path": str(data / one["path"])} for one in SETS]})
    (marks,) = stage.nodes()
    table = marks.open()(pa.table({"text": pa.array(texts, pa.large_string())})).table  # type: ignore[attr-defined]
    return [label is not None for label in table["contaminated_by"].to_pylist()]


def peer(data: Path, texts: list[str], work: Path) -> dict[str, list[bool]]:
    sys.path.insert(0, str(harness.HERE.parent))
    from stages.core.evaluation_sets import EvaluationSet, read_items

    items = [
        item for one in SETS for item in read_items(EvaluationSet.model_validate({**one, "path": str(data / one["path"])}))
    ]
    python = harness.environment("datatrove", datatrove_chain.PACKAGES)
    told = {"texts": texts, "items": [[item.name, item.question, item.answer] for item in items]}
    (work / "in.json").write_text(json.dumps(told))
    command = [str(python), str(Path(__file__).resolve()), "--step", "datatrove", "--work", str(work)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    answer: dict[str, list[bool]] = json.loads((work / "out.json").read_text())
    return answer


def datatrove(work: Path) -> None:
    import numpy as np
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer

    NGramsDecontIndexer._requires_dependencies = []  # lighteval is asked for items only, which are here
    told = json.loads((work / "in.json").read_text())
    found: dict[str, Any] = {}
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
        found[name] = [step.filter(Document(text=text, id=str(at))) is not True for at, text in enumerate(told["texts"])]
    (work / "out.json").write_text(json.dumps(found))


if __name__ == "__main__":
    raise SystemExit(main())
