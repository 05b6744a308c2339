"""Compare our filters with datatrove's, each filter on every document: decisions and first reasons; prints a table.

    python benchmarks/decisions.py --input raw-00.parquet --input raw-01.parquet --lang en

Two modes of ours stand beside datatrove: `datatrove`, whose words are meant to be the same, and the default. A reason is the
first rule a document breaks, none if it is kept. Documents at which datatrove raises are counted apart.

Where the default mode differs, the table says which rules decided and, for the filters by words, what in the text is cut into
other words and how many documents each such kind is to blame for (decision_causes.py).

datatrove's answers (datatrove_decisions.py) take minutes; they are kept in runs/bench and asked for again only if the
documents change. Writes benchmarks/results/decisions.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datatrove_decisions import FILTERS, Answers, ask, digest, load, write
from decision_causes import causes

from filters.c4_quality import C4Quality
from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from filters.gopher_repetition import GopherRepetition
from pipeline.judge import judge
from schemas.rule import Rule
from stages.core.docs import Docs
from stages.core.stage import Filter, Map, Measures, Stage

HERE = Path(__file__).resolve().parent
PEER = HERE.parent / "runs" / "bench" / "datatrove_decisions.json.gz"
MODES = ["datatrove", "sluice"]
BATCH = 1000
BY_WORDS = ["gopher_repetition", "gopher_quality", "fineweb_quality"]

# datatrove's reason: our rule
REASONS = {
    "dup_para_frac": "max_duplicate_paragraph_fraction",
    "dup_para_char_frac": "max_duplicate_paragraph_char_fraction",
    "dup_line_frac": "max_duplicate_line_fraction",
    "dup_line_char_frac": "max_duplicate_line_char_fraction",
    **{f"top_{n}_gram": f"max_top_{n}_gram_fraction" for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": f"max_duplicate_{n}_gram_fraction" for n in range(5, 11)},
    "gopher_short_doc": "min_words",
    "gopher_long_doc": "max_words",
    "gopher_below_avg_threshold": "min_mean_word_length",
    "gopher_above_avg_threshold": "max_mean_word_length",
    "gopher_too_many_hashes": "max_hash_fraction",
    "gopher_too_many_ellipsis": "max_ellipsis_fraction",
    "gopher_too_many_bullets": "max_bullet_line_fraction",
    "gopher_too_many_end_ellipsis": "max_ellipsis_line_fraction",
    "gopher_below_alpha_threshold": "min_alpha_word_fraction",
    "gopher_enough_stop_words": "min_stop_words",
    "lorem_ipsum": "lorem_ipsum",
    "curly_bracket": "curly_bracket",
    "too_few_sentences": "min_sentences",
    "empty": "min_lines",
    "line_punct_ratio": "min_terminal_punctuation_fraction",
    "short_line_ratio": "max_short_line_fraction",
    "char_dup_ratio": "max_duplicate_char_fraction",
    "list_ratio": "max_newline_fraction",
}
Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", action="append", required=True, type=Path, help="a Parquet file with columns id and text")
    parser.add_argument("--lang", help="only documents with this value in the column lang")
    parser.add_argument("--peer", type=Path, default=PEER, help="where datatrove's answers are kept")
    parser.add_argument("--python", type=Path, help="an interpreter that has datatrove")
    parser.add_argument("--workers", type=int, default=2, help="of datatrove")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "decisions.json")
    args = parser.parse_args()
    table = read(args.input, args.lang)
    documents = list(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))
    answers = load(args.peer) if args.peer.exists() else {}
    if answers.get("sha256") != digest(documents):
        answers = ask(documents, args.workers, args.python)
        write(answers, args.peer)
    results: Result = {
        "inputs": [path.name for path in args.input],
        "lang": args.lang,
        "documents": len(documents),
        "text_bytes": sum(len(text.encode()) for _, text in documents),
        "datatrove_version": answers["datatrove"],
        "spacy_version": answers["spacy"],
        "filters": {},
    }
    for name in FILTERS:
        ours = {mode: measure(table, stages(mode)[name]) for mode in MODES}
        results["filters"][name] = {mode: compare(table, answers, name, ours[mode], ours["datatrove"]) for mode in MODES}
    report(results)
    args.results.parent.mkdir(parents=True, exist_ok=True)
    args.results.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def read(files: list[Path], lang: str | None) -> pa.Table:
    """Columns id and text of the files, of one language if it is named."""
    columns = ["id", "text", *(["lang"] if lang else [])]
    table = pa.concat_tables([pq.read_table(file, columns=columns) for file in files])
    table = table.filter(pc.equal(table["lang"], lang)) if lang else table
    return table.select(["id", "text"]).cast(pa.schema({"id": pa.large_string(), "text": pa.large_string()}))


def stages(mode: Any) -> dict[str, Stage]:
    """Our counterpart of every filter that datatrove was asked about."""
    return {
        "gopher_repetition": GopherRepetition(mode=mode),
        "gopher_quality": GopherQuality(mode=mode),
        "c4_quality": C4Quality(mode=mode),
        "c4_quality_any_line_end": C4Quality(mode=mode, terminal_punctuation=False),
        "fineweb_quality": FinewebQuality(mode=mode),
    }


class Ours(NamedTuple):
    """What one of our filters says of the documents, in their order."""

    rules: list[Rule]
    reasons: list[str | None]
    """the first broken rule"""
    measures: dict[str, list[float]]
    texts: list[str]
    """what an editing filter leaves"""


def measure(table: pa.Table, stage: Stage) -> Ours:
    """Run a filter, with its Map if it has one."""
    *maps, last = stage.nodes()
    assert isinstance(last, Filter)
    ours = Ours(list(last.rules()), [], defaultdict(list), [])
    for start in range(0, table.num_rows, BATCH):
        batch = table.slice(start, BATCH)
        for node in maps:
            assert isinstance(node, Map)
            batch = node.apply(batch)
        measures = last.measure(Docs(batch))
        ours.reasons.extend(first_of(ours.rules, measures, batch))
        ours.texts.extend(batch.column("text").to_pylist())
        for name, values in measures.items():
            ours.measures[name] += values.tolist()
    return ours


def first_reasons(docs: Docs, stage: Stage) -> list[str | None]:
    """The first rule that each document of a batch breaks."""
    (last,) = stage.nodes()
    assert isinstance(last, Filter)
    return first_of(last.rules(), last.measure(docs), docs.table)


def first_of(rules: Sequence[Rule], measures: Measures, table: pa.Table) -> list[str | None]:
    first: list[str | None] = [None] * table.num_rows
    for broken in judge("step", rules, measures, table):
        for row in broken.rows.tolist():
            first[row] = first[row] or broken.rule.name
    return first


def compare(table: pa.Table, answers: Answers, name: str, ours: Ours, as_datatrove: Ours) -> Result:
    """Counts of equal decisions and reasons, and everything that differs."""
    theirs: list[str | None] = answers[name]
    asked = [row for row, reason in enumerate(theirs) if not (reason or "").startswith("raises ")]
    expected = {row: REASONS[reason] if (reason := theirs[row]) else None for row in asked}
    other = [row for row in asked if ours.reasons[row] != expected[row]]
    decisions = sum((ours.reasons[row] is None) != (expected[row] is None) for row in other)
    result: Result = {
        "documents": len(asked),
        "datatrove_raised": len(theirs) - len(asked),
        "kept_by_datatrove": sum(reason is None for reason in expected.values()),
        "decisions_differ": decisions,
        "reasons_differ": len(other),
        "decision_agreement": 1 - decisions / max(len(asked), 1),
        "reason_agreement": 1 - len(other) / max(len(asked), 1),
    }
    if left := answers.get(f"{name}_text"):
        both = [row for row in asked if left[row] is not None and ours.reasons[row] is None]
        result["texts_differ"] = sum(left[row] != text_digest(ours.texts[row]) for row in both)
    cases: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for row in other:
        pair = (ours.reasons[row] or "kept", expected[row] or "kept")
        cases[pair].append({"id": table["id"][row].as_py(), **values(row, pair, ours, as_datatrove)})
    ordered = sorted(cases.items(), key=lambda item: -len(item[1]))
    result["pairs"] = [{"ours": a, "datatrove": b, "documents": len(of), "examples": of[:5]} for (a, b), of in ordered]
    if ours is not as_datatrove and name in BY_WORDS and other:
        stage = stages("sluice")[name]
        reasons = [[of[row] for row in other] for of in (expected, ours.reasons)]
        result["causes"] = causes(table.take(other), *reasons, lambda docs: first_reasons(docs, stage))
    return result


def values(row: int, pair: tuple[str, str], ours: Ours, as_datatrove: Ours) -> Result:
    """The limits of the rules named, and what the two modes of ours measure there."""
    return {
        rule.name: {
            "limit": rule.limit,
            "measured": ours.measures[rule.measure][row],
            "with_datatroves_words": as_datatrove.measures[rule.measure][row],
        }
        for rule in ours.rules
        if rule.name in pair
    }


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def report(results: Result) -> None:
    """Print the table, then what differs."""
    print(
        f"{results['documents']} documents, {results['text_bytes'] / 1e6:.1f} MB, "
        f"beside datatrove {results['datatrove_version']} (spaCy {results['spacy_version']})"
    )
    print(f"{'':24}{'mode':11}{'documents':>10}{'raised':>8}{'decision differs':>18}{'reason differs':>16}{'texts differ':>14}")
    for name, modes in results["filters"].items():
        for mode, of in modes.items():
            decisions = f"{of['decisions_differ']} ({100 * of['decision_agreement']:.2f} %)"
            reasons = f"{of['reasons_differ']} ({100 * of['reason_agreement']:.2f} %)"
            print(
                f"{name:24}{mode:11}{of['documents']:10}{of['datatrove_raised']:8}{decisions:>18}{reasons:>16}"
                f"{of.get('texts_differ', ''):>14}"
            )
    for name, modes in results["filters"].items():
        for mode, of in modes.items():
            if of["pairs"]:
                print(f"\n{name}, {mode} mode")
            for pair in of["pairs"]:
                print(f"  {pair['documents']:6}  ours {pair['ours']}, datatrove {pair['datatrove']}")
                for example in pair["examples"][:2]:
                    print(f"          {example}")
            for kind in of.get("causes", {"kinds": []})["kinds"]:
                alone, together = (kind[key] for key in ["set_right_alone", "set_right_with_those_before"])
                print(
                    f"  datatrove's words in {kind['pieces']:6} pieces ({kind['our_words_more']:+}) set right "
                    f"{alone['reasons']} reasons ({alone['decisions']} decisions), with those before {together['reasons']} "
                    f"({together['decisions']}): {kind['kind']}  {kind['ours_and_datatroves'][:4]}"
                )
            for shape in of.get("causes", {"shapes": []})["shapes"]:
                print(
                    f"  {shape['pieces']:6} in {shape['documents']:4} documents, {shape['our_words_more']:+6} words: "
                    f"{shape['shape']:14}{shape['example']}"
                )


if __name__ == "__main__":
    sys.exit(main())
