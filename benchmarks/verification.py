"""Filters of generated text on a labelled set: precision and recall by fault.

    PYTHONPATH=. python benchmarks/verification.py --data ../shared/data

The set is made of real text (`verification_set.py`, `verification_faults.py`): true rephrasings, passages of sentences that
editors of Wikipedia split in two, and paraphrases of English prose by rule, and the same with one fault each. Names are hashed
to two halves: on the first the filters were tuned, figures are of the second. A fault is found if any rule of the filter that
is responsible is broken. Precision is against the true rephrasings, as if there were as many of them as faulty ones:
recall / (recall + share of true ones that the same filter drops).

Where there is an embedding model (`--model`, a folder), `source_similarity` is measured, too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import RESULTS, facts, print_table, save
from verification_faults import faulty
from verification_phrasings import LEAKS, REFUSALS
from verification_set import Item, in_other_languages, in_reported_half, true_rephrasings

RESPONSIBLE = {
    "changed numbers": "grounded",
    "swapped numbers": "grounded",
    "changed names": "grounded",
    "flipped negations": "grounded",
    "added facts": "grounded",
    "copies": "source_overlap",
    "unrelated": "source_overlap",
    "refusals": "refusal",
    "chat around the text": "refusal",
    "cut endings": "cut_ending",
    "loops": "cut_ending",
    "other language": "language_unchanged",
}
BY_EMBEDDING = ("unrelated", "other language")
"""faults that `source_similarity` is measured on, beside the true ones; a vector takes a tenth of a second"""
TARGETS = ("changed numbers", "copies", "refusals", "cut endings")
TARGET = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with corpus/, dedup/ and langid/")
    parser.add_argument("--most", type=int, default=400, help="faulty texts of each kind in each half")
    parser.add_argument("--half", choices=("reported", "tuning"), default="reported")
    parser.add_argument("--model", help="folder of an embedding model, for source_similarity")
    parser.add_argument(
        "--show", help="print texts of this fault that are not found (`true`: true ones that are dropped), and end"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "verification.json")
    args = parser.parse_args()
    if not (args.data / "dedup" / "sentence_rewrites.jsonl.gz").exists():
        print(f"{args.data} does not hold the text that the set is made of (dedup/, corpus/, langid/): nothing is measured")
        return 1
    true = true_rephrasings(args.data, 1000)
    items = [*true, *faulty(true, args.most), *in_other_languages(args.data / "langid" / "xquad_paragraphs.jsonl.gz")]
    half = [item for item in items if item.is_reported == (args.half == "reported")]
    broken, speeds = judged(half, args.model)
    if args.show:
        show(half, broken, args.show)
        return 0
    result: dict[str, Any] = {
        **facts(),
        "half": args.half,
        "faults": scores(half, broken, args.model),
        "true": dropped(half, broken),
    }
    result["rules"] = by_rule(half, broken)
    result["answers_per_second"] = speeds
    result["phrasings"] = {"refusals": phrasings(REFUSALS, args.half), "chat around the text": phrasings(LEAKS, args.half)}
    tables(result)
    if args.half == "reported":
        save(args.output, None, result)
    return 0


def phrasings(several: Sequence[str], half: str) -> int:
    """How many different phrasings there are in a half."""
    return sum(in_reported_half(one) == (half == "reported") for one in several)


def judged(items: Sequence[Item], model: str | None) -> tuple[list[dict[str, list[str]]], dict[str, float]]:
    """For each item and filter the rules that it breaks; for each filter the answers in a second of one thread."""
    import pyarrow as pa

    from filters.source_similarity import SourceSimilarity
    from pipeline import registry
    from pipeline.judge import judge
    from stages.core.docs import Docs
    from stages.core.generated import FINISH_REASON, KIND, PARENT_TEXT, SYNTHETIC

    table = pa.table(
        {
            "text": pa.array([item.text for item in items], pa.large_string()),
            PARENT_TEXT: pa.array([item.source for item in items], pa.large_string()),
            KIND: pa.array([SYNTHETIC] * len(items)),
            FINISH_REASON: pa.array([item.finish_reason for item in items]),
        }
    )
    everything = list(range(len(items)))
    stages: list[tuple[Any, list[int]]] = [(registry.find(name)(), everything) for name in sorted(set(RESPONSIBLE.values()))]
    if model:
        few = [row for row in everything if items[row].fault in ("", *BY_EMBEDDING)]
        stages.append((SourceSimilarity(model=model), few))
    broken: list[dict[str, list[str]]] = [{} for _ in items]
    speeds = {}
    for stage, rows in stages:
        mine, opened = table.take(rows), stage.open()
        opened(Docs(mine.slice(0, 10)))
        start = time.thread_time()
        measures = opened(Docs(mine))
        speeds[stage.name()] = round(len(rows) / (time.thread_time() - start))
        for found in judge(stage.name(), stage.rules(), measures, mine):
            for row in found.rows.tolist():
                broken[rows[row]].setdefault(stage.name(), []).append(found.rule.name)
    return broken, speeds


def scores(items: Sequence[Item], broken: Sequence[dict[str, list[str]]], model: str | None) -> dict[str, Any]:
    """Recall, the share of true rephrasings that the filter drops, and precision, for each fault."""
    table: dict[str, Any] = {}
    pairs = [*RESPONSIBLE.items(), *((fault, "source_similarity") for fault in BY_EMBEDDING if model)]
    for fault, name in pairs:
        mine = [rules for item, rules in zip(items, broken, strict=True) if item.fault == fault]
        wrong = share([name in rules for item, rules in zip(items, broken, strict=True) if not item.fault])
        recall = share([name in rules for rules in mine])
        key = fault if RESPONSIBLE[fault] == name else f"{fault}, by embeddings"
        table[key] = {
            "filter": name,
            "texts": len(mine),
            "found": sum(name in rules for rules in mine),
            "recall": recall,
            "precision": round(recall / (recall + wrong), 4) if recall + wrong else None,
            "true_dropped_fraction": wrong,
        }
        if fault in TARGETS:
            table[key]["target_met"] = min(recall, table[key]["precision"] or 0.0) >= TARGET
    return table


def dropped(items: Sequence[Item], broken: Sequence[dict[str, list[str]]]) -> dict[str, Any]:
    """How many true rephrasings of each origin there are, and the share that each filter drops."""
    table: dict[str, Any] = {}
    for origin in ("editors", "rule"):
        mine = [rules for item, rules in zip(items, broken, strict=True) if not item.fault and item.origin == origin]
        names = sorted({name for rules in broken for name in rules})
        table[origin] = {"texts": len(mine), **{name: share([name in rules for rules in mine]) for name in names}}
        table[origin]["any"] = share([bool(rules) for rules in mine])
    return table


def by_rule(items: Sequence[Item], broken: Sequence[dict[str, list[str]]]) -> dict[str, Any]:
    """The share of each fault's texts, and of true ones, that break each rule."""
    sizes = Counter(item.fault or "true" for item in items)
    counts: dict[str, Counter[str]] = {}
    for item, rules in zip(items, broken, strict=True):
        for name, several in rules.items():
            for rule in several:
                counts.setdefault(f"{name}.{rule}", Counter())[item.fault or "true"] += 1
    return {
        rule: {fault: round(count / sizes[fault], 4) for fault, count in sorted(found.items())}
        for rule, found in sorted(counts.items())
    }


def share(flags: Sequence[bool]) -> float:
    return round(sum(flags) / len(flags), 4) if flags else 0.0


def tables(result: dict[str, Any]) -> None:
    head = ["fault", "filter", "texts", "found", "recall", "precision", "true ones dropped", "0.95 each"]
    rows = [
        [fault, *list(row.values())[:6], {True: "yes", False: "no", None: None}[row.get("target_met")]]
        for fault, row in result["faults"].items()
    ]
    print_table(f"faults, {result['half']} half", head, rows)
    names = list(result["true"]["rule"])
    rows = [[origin, *(row.get(name) for name in names)] for origin, row in result["true"].items()]
    print_table("share of true rephrasings that are dropped, by how they were made", ["made by", *names], rows)
    faults = ["true", *RESPONSIBLE]
    rows = [[rule, *(found.get(fault) for fault in faults)] for rule, found in result["rules"].items()]
    print_table("share of texts that break a rule", ["rule", *faults], rows)
    print_table(
        "answers in a second of one thread", list(result["answers_per_second"]), [list(result["answers_per_second"].values())]
    )


def show(items: Sequence[Item], broken: Sequence[dict[str, list[str]]], fault: str) -> None:
    """What was missed, or wrongly found, to be read."""
    for item, rules in zip(items, broken, strict=True):
        wrong = bool(rules) if fault == "true" else RESPONSIBLE.get(item.fault, "") not in rules
        if (item.fault or "true") == fault and wrong:
            print(f"{item.name} {item.origin} {rules}\n  source: {item.source}\n  text:   {item.text}\n")


if __name__ == "__main__":
    sys.exit(main())
