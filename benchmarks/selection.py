"""What DSIR's weights select for a target of documentation prose, beside chance and the shipped quality model.

    python benchmarks/selection.py --input ../shared/data/corpus/raw-00.parquet

The target are half of the English documents of the kind that is wanted. The other half, with all other kinds, is selected from:
a tenth of the documents by `score_importance` (with and without noise, whole and by
n-gram), by `score_fasttext`, and by chance.

wanted      share of the selected documents that are of the kind
KL          divergence of the selection from the target in nats, of single words in 65,536 buckets: not what was selected by
bytes       mean length

Writes benchmarks/results/selection.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import harness
from harness import Result

sys.path.insert(0, str(harness.HERE.parent))
FRACTION, BUCKETS = 0.1, 2**16
WAYS: dict[str, dict[str, Any]] = {
    "score_importance": {},
    "the best, without noise": {"noise": False},
    "the best by n-gram": {"noise": False, "per_ngram": True},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, action="append", required=True, help="Parquet with id, text, kind and lang")
    parser.add_argument("--kind", default="docs", help="the kind that is wanted")
    args = parser.parse_args()
    import polars as pl

    table = pl.concat([pl.read_parquet(path, columns=["id", "text", "kind", "lang"]) for path in args.input])
    table = table.filter(pl.col("lang") == "en").unique("id", keep="first", maintain_order=True)
    half = pl.Series([harness.in_sample(name, 0.5, "target") for name in table["id"]])
    target = table.filter((pl.col("kind") == args.kind) & half)
    corpus = table.filter(~((pl.col("kind") == args.kind) & half))
    with tempfile.TemporaryDirectory(prefix="selection-") as folder:
        place = Path(folder)
        target.select("text").write_parquet(place / "target.parquet")
        corpus.select("id", "text").write_parquet(place / "corpus.parquet")
        scores = {name: scored(place, number, keys) for number, (name, keys) in enumerate(WAYS.items())}
        scores["score_fasttext"] = scored(place, len(WAYS), None)
    scores["chance"] = {name: hash_share(name) for name in corpus["id"]}
    report = {name: judged(corpus, found, target["text"].to_list(), args.kind) for name, found in scores.items()}
    report["all"] = judged(corpus, dict.fromkeys(corpus["id"], 0.0), target["text"].to_list(), args.kind, 1.0)
    rows = [[name, *[result[key] for key in ("documents", "wanted", "kl", "bytes")]] for name, result in report.items()]
    head = ["", "documents", "wanted", "KL", "bytes"]
    harness.print_table(f"{len(corpus)} documents, a target of {len(target)} of the kind {args.kind}", head, rows)
    harness.save(harness.RESULTS / "selection.json", None, {**harness.facts(), "kind": args.kind, "selections": report})
    return 0


def hash_share(name: str) -> float:
    import hashlib

    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") / 2**64


def scored(place: Path, number: int, keys: dict[str, Any] | None) -> dict[str, float]:
    """Score by id: of `score_importance` with these keys, or of `score_fasttext`."""
    import pipeline

    importance = {"score_importance": {"target": str(place / "target.parquet"), **(keys or {})}}
    stage: Any = "score_fasttext" if keys is None else importance
    column = "quality_score" if keys is None else "importance"
    recipe = {"name": "selection", "input": str(place / "corpus.parquet"), "stages": [stage]}
    run = pipeline.run(recipe, output=place / "runs" / str(number), engine="local", progress="none")
    table = run.table(["id", column]).collect()
    return dict(zip(table["id"].to_list(), table[column].to_list(), strict=True))


def judged(corpus: Any, scores: dict[str, float], target: list[str], kind: str, fraction: float = FRACTION) -> Result:
    """The documents with the highest scores."""
    count = round(fraction * len(corpus))
    order = sorted(range(len(corpus)), key=lambda row: (-scores[corpus["id"][row]], row))[:count]
    kinds, texts = (corpus[name].gather(order).to_list() for name in ("kind", "text"))
    return {
        "documents": count,
        "wanted": round(kinds.count(kind) / count, 4),
        "kinds": dict(Counter(kinds).most_common()),
        "kl": round(divergence(target, texts), 4),
        "bytes": round(sum(len(text.encode()) for text in texts) / count),
    }


def divergence(target: list[str], texts: list[str]) -> float:
    import numpy as np
    import pyarrow as pa

    from stages.kernels.shingles import shingles
    from stages.kernels.text import text_of
    from stages.score_importance import kullback_leibler

    def counts(given: list[str]) -> Any:
        hashes, _ = shingles(text_of(pa.array(given, pa.large_string())), 1, "word", 64, "plain")
        return np.bincount((hashes >> np.uint64(48)).astype(np.int64), minlength=BUCKETS)

    return kullback_leibler(counts(target), counts(texts))


if __name__ == "__main__":
    raise SystemExit(main())
