"""Spans that substring_dedup cuts out, beside those that exact ranks of all runs of tokens give.

    python benchmarks/substrings.py --input ../shared/data/corpus/raw-00.parquet --megabytes 20

The other side is that of a suffix array cut off at 50 tokens: ranks of runs of 1, 2, 4 ... tokens, each from pairs of the ranks
before (Karp, Miller and Rosenberg 1972), all in memory, without a hash. Texts are cut into tokens by a regular expression over
Unicode's categories. Both must cut the same characters out of the same documents; the number of differences is printed, and the
seconds of our whole run. Writes benchmarks/results/substrings.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import unicodedata
from pathlib import Path
from typing import Any

import harness
import numpy as np

sys.path.insert(0, str(harness.HERE.parent))
from stages.kernels.unicode import UNSPACED, classes

SIZE = 50
Span = tuple[str, int, int]
"""id, offset and length in characters"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", action="append", type=Path, required=True, help="a Parquet file with id and text")
    parser.add_argument("--megabytes", type=float, default=20, help="text to take")
    parser.add_argument("--sluice", default=harness.default_sluice(), help="the command")
    parser.add_argument("--results", type=Path, default=harness.RESULTS / "substrings.json")
    args = parser.parse_args()
    texts = read_texts(args.input, int(args.megabytes * 1e6))
    with tempfile.TemporaryDirectory(prefix="substrings-") as folder:
        ours, dropped, seconds = run(args, texts, Path(folder))
    began = time.monotonic()
    expected, emptied, runs = ranked(texts)
    report = {
        "documents": len(texts),
        "megabytes": round(sum(len(text.encode()) for text in texts.values()) / 1e6, 1),
        "tokens_of_a_run": SIZE,
        "repeated_runs": runs,
        "spans": len(expected),
        "documents_emptied": len(emptied),
        "characters": sum(length for _, _, length in expected),
        "missed": len(expected - ours) + len(emptied - dropped),
        "more": len(ours - expected) + len(dropped - emptied),
        "seconds_sluice": round(seconds, 1),
        "seconds_ranks": round(time.monotonic() - began, 1),
    }
    harness.print_table("substring_dedup beside exact ranks", ["", ""], [[key, value] for key, value in report.items()])
    harness.save(args.results, None, {**harness.facts(), **report})
    return int(report["missed"] or report["more"])


def read_texts(inputs: list[Path], most: int) -> dict[str, str]:
    import pyarrow.parquet as pq

    texts: dict[str, str] = {}
    size = 0
    for path in inputs:
        for row in pq.read_table(path, columns=["id", "text"]).to_pylist():
            if size < most and row["id"] not in texts:
                texts[row["id"]] = row["text"] or ""
                size += len(texts[row["id"]].encode())
    return texts


def run(args: argparse.Namespace, texts: dict[str, str], folder: Path) -> tuple[set[Span], set[str], float]:
    """Spans, documents of which nothing is left, and seconds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": list(texts), "text": list(texts.values())}), folder / "in.parquet")
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"name: substrings\ninput:\n  - path: {folder}/in.parquet\nstages:\n  - substring_dedup: {{min_tokens: {SIZE}}}\n"
    )
    command = [args.sluice, "run", str(recipe), "--output", str(folder / "run"), "--engine", "local", "--quiet"]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=sys.stderr)
    seconds = time.monotonic() - began

    def rows(kind: str) -> list[dict[str, Any]]:
        return [row for file in (folder / "run/ledger" / kind).glob("*.parquet") for row in pq.read_table(file).to_pylist()]

    spans = {(row["id"], row["offset"], row["length"]) for row in rows("edits")}
    return spans, {row["id"] for row in rows("drops")}, seconds


def ranked(texts: dict[str, str]) -> tuple[set[Span], set[str], int]:
    """The same by ranks; and how many different runs are repeated."""
    spans = {name: tokens(text) for name, text in texts.items()}
    numbers: dict[str, int] = {}
    ranks = []
    for name, text in texts.items():
        ranks += [numbers.setdefault(text[a:b], len(numbers)) for a, b in spans[name]] + [-1]
    one = np.array(ranks, np.int64)
    ends = np.flatnonzero(one < 0)
    one[ends] = len(numbers) + np.arange(len(ends))  # no run that crosses the end of a text is repeated
    length, rank = 1, one
    while 2 * length <= SIZE:
        rank = paired(rank, length)
        length *= 2
    rank = paired(rank, SIZE - length) if length < SIZE else rank
    _, which, counts = np.unique(rank, return_inverse=True, return_counts=True)
    repeated = counts[which] > 1
    first = np.zeros(len(rank), bool)
    first[np.unique(which, return_index=True)[1]] = True
    gone = mark(np.flatnonzero(repeated & ~first), len(one)) & ~mark(np.flatnonzero(repeated & first), len(one))
    found: set[Span] = set()
    emptied, at = set(), 0
    for name, places in spans.items():
        mine = gone[at : at + len(places)]
        at += len(places) + 1
        if len(places) and mine.all():
            emptied.add(name)
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[False], mine, [False]]).astype(np.int8)))
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            start = places[a][0] if b < len(places) else places[a - 1][1]
            stop = places[b][0] if b < len(places) else places[b - 1][1]
            found.add((name, start, stop - start))
    return found, emptied, int((counts > 1).sum())


def paired(rank: np.ndarray, apart: int) -> np.ndarray:
    """Ranks of the pairs of ranks that stand so far apart."""
    pairs = rank[:-apart] * (int(rank.max()) + 1) + rank[apart:]
    return np.asarray(np.unique(pairs, return_inverse=True)[1], np.int64)


def mark(places: np.ndarray, count: int) -> np.ndarray:
    steps = np.zeros(count + 1, np.int64)
    steps[places] += 1
    steps[np.minimum(places + SIZE, count)] -= 1
    return np.asarray(np.cumsum(steps[:-1]) > 0)


def tokens(text: str) -> list[tuple[int, int]]:
    """Start and stop in characters."""
    table = classes()
    found: list[tuple[int, int]] = []
    begin, alone = -1, False
    for at, char in enumerate(text + " "):
        category = unicodedata.category(char)
        unspaced = bool(table[ord(char)] & UNSPACED)
        mark_ = category[0] == "M" or (category == "Cf" and char not in "\u200b\ufeff")
        if begin >= 0 and not (mark_ or (category[0] in "LN" and not unspaced and not alone)):
            found.append((begin, at))
            begin = -1
        if begin < 0 and not char.isspace():
            begin, alone = at, not (category[0] in "LN" or mark_) or unspaced
    return found


if __name__ == "__main__":
    raise SystemExit(main())
