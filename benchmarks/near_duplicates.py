"""Near-duplicates with known truth: what minhash_dedup finds and drops, beside datatrove, text-dedup and datasketch.

    python benchmarks/near_duplicates.py --data ../shared/data/dedup

The data are git revisions of real files (revisions.parquet), and every pair of them with an exact Jaccard similarity of 0.3 or
more (revisions_pairs.parquet), of the sets of 5 words of `\\w+` in lower case.

pairs found        of the pairs at 0.8 or more, those of which at most one document stays
below              dropped documents that are less similar than 0.8 to the one that is named, or kept, in their place, and
                   documents without a word in common with it, by the exact similarity of the same sets
ARI                adjusted Rand index of the clusters against connected components of the pairs at 0.8 or more

sluice             as it is by default; with chains: true; with verify: signature and none
datatrove          0.10, its defaults (14 x 8), in its four stages; the cluster's document that it keeps stands for the others
text-dedup         0.4, threshold 0.8, 5 words
datasketch         MinHashLSH(threshold=0.8, num_perm=128): a document is dropped if the index of those kept has a match

Peers run in environments of their own in benchmarks/.envs, made on first use. Writes benchmarks/results/near_duplicates.json.
"""

from __future__ import annotations

import argparse
import json
import pickle
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datatrove_chain
import harness
from harness import Result

THRESHOLD = 0.8
OURS: dict[str, list[str]] = {
    "sluice": [],
    "sluice, chains": ["minhash_dedup.chains=true"],
    "sluice, verify: signature": ["minhash_dedup.verify=signature"],
    "sluice, verify: none": ["minhash_dedup.verify=none"],
}
PEERS = {
    "datatrove": datatrove_chain.PACKAGES,
    "text-dedup": ["text-dedup==0.4.0", "torch==2.13.0"],
    "datasketch": ["datasketch==2.0.0"],
}
Survivors = dict[str, str]
"""dropped document -> the one that stays in its place"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of revisions.parquet and revisions_pairs.parquet")
    parser.add_argument("--sluice", default=harness.default_sluice(), help="the command")
    parser.add_argument("--only", action="append", choices=[*OURS, *PEERS], help="may be repeated")
    parser.add_argument("--results", type=Path, default=harness.RESULTS / "near_duplicates.json")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        STEPS[args.step](args.work)
        return 0
    if args.data is None or not (args.data / "revisions_pairs.parquet").is_file():
        parser.error("--data must be a folder with revisions.parquet and revisions_pairs.parquet")
    truth = Truth(args.data)
    report: dict[str, Result] = {}
    for name in args.only or [*OURS, *PEERS]:
        print(f"  {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="near-duplicates-") as folder:
            work = Path(folder)
            if name in OURS:
                survivors, clusters, facts = ours(args, OURS[name], work)
            else:
                survivors, clusters = peer(name, truth, work)
                facts = {}
        report[name] = {**truth.judge(survivors, clusters), **facts}
    show(report, truth)
    harness.save(args.results, None, {**harness.facts(), "documents": len(truth.texts), "contenders": report})
    return 0


class Truth:
    """Documents, their pairs, and what an answer is worth."""

    def __init__(self, data: Path) -> None:
        import pyarrow.parquet as pq

        documents = pq.read_table(data / "revisions.parquet", columns=["id", "text", "gold_80"]).to_pydict()
        self.texts: dict[str, str] = dict(zip(documents["id"], documents["text"], strict=True))
        self.gold: list[Any] = documents["gold_80"]
        pairs = pq.read_table(data / "revisions_pairs.parquet").to_pylist()
        self.pairs = [(pair["id_a"], pair["id_b"]) for pair in pairs if pair["jaccard_w5"] >= THRESHOLD]
        self._sets: dict[str, set[tuple[str, ...]]] = {}

    def judge(self, survivors: Survivors, clusters: dict[str, str]) -> Result:
        below = [pair for pair in survivors.items() if self.similarity(*pair) < THRESHOLD]
        missed = sum(a not in survivors and b not in survivors for a, b in self.pairs)
        return {
            "dropped": len(survivors),
            "pairs": len(self.pairs),
            "pairs_found": round(1 - missed / len(self.pairs), 5),
            "below": len(below),
            "nothing_in_common": sum(self.similarity(*pair) == 0 for pair in below),
            "survivors_that_were_dropped": sum(one in survivors for one in survivors.values()),
            "ari": round(adjusted_rand(self.gold, [clusters.get(name, name) for name in self.texts]), 5),
        }

    def similarity(self, a: str, b: str) -> float:
        left, right = self._set(a), self._set(b)
        return len(left & right) / max(1, len(left | right))

    def _set(self, name: str) -> set[tuple[str, ...]]:
        if name not in self._sets:
            words = re.findall(r"\w+", self.texts[name].lower())
            self._sets[name] = {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
        return self._sets[name]


def adjusted_rand(left: list[Any], right: list[Any]) -> float:
    """Hubert and Arabie, 1985."""

    def pairs(counts: Counter[Any]) -> int:
        return sum(count * (count - 1) // 2 for count in counts.values())

    both, ours_, theirs = pairs(Counter(zip(left, right, strict=True))), pairs(Counter(left)), pairs(Counter(right))
    expected = ours_ * theirs / (len(left) * (len(left) - 1) / 2)
    return float((both - expected) / ((ours_ + theirs) / 2 - expected))


def ours(args: argparse.Namespace, settings: list[str], work: Path) -> tuple[Survivors, dict[str, str], Result]:
    import pyarrow.parquet as pq

    recipe = work / "recipe.yaml"
    recipe.write_text(
        f"name: revisions\ninput:\n  - path: {(args.data / 'revisions.parquet').resolve()}\nstages: [minhash_dedup]\n"
    )
    command = [args.sluice, "run", str(recipe), "--output", str(work / "run"), "--engine", "local", "--quiet"]
    subprocess.run([*command, *(word for one in settings for word in ("--set", one))], check=True, stdout=sys.stderr)
    drops = [row for file in (work / "run/ledger/drops").glob("*.parquet") for row in pq.read_table(file).to_pylist()]
    kept = [name for file in (work / "run/data").glob("*.parquet") for name in pq.read_table(file)["id"].to_pylist()]
    (step,) = [
        step for step in json.loads((work / "run/manifest.json").read_text())["steps"] if step["step"] == "minhash_dedup"
    ]
    named = ("bands", "rows", "threshold", "verify", "expected_recall", "kept_by_verification")
    clusters = {row["id"]: row["cluster"].partition(":")[2] for row in drops} | {name: name for name in kept}
    return {row["id"]: row["survivor_id"] for row in drops}, clusters, {key: step["facts"][key] for key in named}


def peer(name: str, truth: Truth, work: Path) -> tuple[Survivors, dict[str, str]]:
    python = harness.environment(name.replace("-", "_"), PEERS[name])
    (work / "texts.json").write_text(json.dumps(truth.texts))
    command = [str(python), str(Path(__file__).resolve()), "--step", name, "--work", str(work)]
    subprocess.run(command, check=True, stdout=sys.stderr, cwd=work)
    survivors, clusters = json.loads((work / "answer.json").read_text())
    return survivors, clusters


def datatrove(work: Path) -> None:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    config = MinhashConfig()
    texts = read_texts(work)
    (work / "in").mkdir()
    rows = (json.dumps({"id": name, "text": text}) + "\n" for name, text in texts.items())
    (work / "in/texts.jsonl").write_text("".join(rows))
    reader = JsonlReader(str(work / "in"))
    last = [
        MinhashDedupFilter(
            str(work / "c"), exclusion_writer=JsonlWriter(str(work / "gone"), compression=None), load_cluster_ids=True
        ),
        JsonlWriter(str(work / "kept"), compression=None),
    ]
    for name, steps, tasks in (
        ("s", [reader, MinhashDedupSignature(str(work / "s"), config=config)], 1),
        ("b", [MinhashDedupBuckets(str(work / "s"), str(work / "b"), config=config)], config.num_buckets),
        ("c", [MinhashDedupCluster(str(work / "b"), str(work / "c"), config=config, save_cluster_id=True)], 1),
        ("f", [reader, *last], 1),
    ):
        LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=str(work / "logs" / name)).run()

    def clusters(folder: str) -> dict[str, int]:
        lines = [line for file in (work / folder).glob("*.jsonl") for line in file.read_text().split("\n") if line]
        found = {row["id"]: row["metadata"].get("minhash_cluster_id", -1) for row in map(json.loads, lines)}
        return {name: cluster for name, cluster in found.items() if cluster >= 0}

    roots = {cluster: name for name, cluster in clusters("kept").items()}
    gone = {name: roots[cluster] for name, cluster in clusters("gone").items()}
    answer(work, gone, gone | {root: root for root in roots.values()})


def text_dedup(work: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(texts := read_texts(work))
    pq.write_table(pa.table({"text": list(texts.values())}), work / "texts.parquet")
    command = [sys.executable, "-m", "text_dedup.minhash", "--path", "parquet", "--data_files", str(work / "texts.parquet")]
    command += ["--split", "train", "--output", str(work / "out"), "--cache_dir", str(work / "cache"), "--debug"]
    command += ["--column", "text", "--threshold", str(THRESHOLD), "--ngram", "5", "--num_proc", "1"]
    subprocess.run(command, check=True, cwd=work)
    with (work / "out/uf.pkl").open("rb") as file:
        forest = pickle.load(file)
    roots = {name: names[forest.find(at)] for at, name in enumerate(names)}
    answer(work, {name: root for name, root in roots.items() if root != name}, roots)


def datasketch(work: Path) -> None:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    made: dict[str, MinHash] = {}
    survivors: Survivors = {}
    for name, text in read_texts(work).items():
        words = re.findall(r"\w+", text.lower())
        shingles = [" ".join(words[at : at + 5]).encode() for at in range(len(words) - 4)]
        if not shingles:
            continue
        one = MinHash(num_perm=128)
        one.update_batch(shingles)
        found = index.query(one)
        if found:
            survivors[name] = max(found, key=lambda other: made[other].jaccard(one))
        else:
            index.insert(name, one)
            made[name] = one
    answer(work, survivors, survivors | {name: name for name in made})


def read_texts(work: Path) -> dict[str, str]:
    texts: dict[str, str] = json.loads((work / "texts.json").read_text())
    return texts


def answer(work: Path, survivors: Survivors, clusters: dict[str, str]) -> None:
    (work / "answer.json").write_text(json.dumps([survivors, clusters]))


STEPS: dict[str, Callable[[Path], None]] = {"datatrove": datatrove, "text-dedup": text_dedup, "datasketch": datasketch}


def show(report: dict[str, Result], truth: Truth) -> None:
    head = ["", "dropped", "pairs found", "below 0.8", "nothing in common", "kept by verification", "ARI"]
    keys = ["dropped", "pairs_found", "below", "nothing_in_common", "kept_by_verification", "ari"]
    rows = [[name, *[result.get(key) for key in keys]] for name, result in report.items()]
    harness.print_table(f"{len(truth.texts)} documents, {len(truth.pairs)} pairs at {THRESHOLD} or more", head, rows)


if __name__ == "__main__":
    raise SystemExit(main())
