"""Quality classifiers: how well they rank documents, beside rules, perplexity and length; and their speed beside fastText.

    python benchmarks/quality.py --labels good_bad_documents.jsonl.gz --human dclm_human_labels.jsonl.gz \\
        --corpus raw-00.parquet raw-01.parquet --runs 5

--labels  documents with `text` and `label` (1 good, 0 not). `sluice train quality` trains on them, and the AUC is that of the
          fifth it holds back. Nothing else is trained on them but this model and, on the good ones, a KenLM trigram model.
--human   documents judged by people, with the same columns, which no model has seen. AUC, with 95 % intervals of 1000
          resamples, of: both classifiers; the number of rules of gopher_quality, gopher_repetition and fineweb_quality that a
          document breaks; perplexity by KenLM of a model of the good documents of --labels and of one of the English prose and
          manuals of --corpus (lower-cased words and marks); the length in code points.
--corpus  the texts on which speed is measured, English ones where there is a column `lang`.

Speed: `score_fasttext` on batches of about 4 MB, from the Arrow column to the column of scores, in one thread; the library
(fasttext 0.9.3 in an environment of its own) document by document, as its users call it, line breaks as spaces, which is
in its time. Loading is not. Both run by turns; figures are of CPU time, the median, and the fastest beside it. Models: the one
that ships, and one of DCLM's size made here (pairs of words, 2 million buckets, 100 numbers, one epoch of the corpus).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import RESULTS, Child, Result, alternate, environment, facts, print_table, save, serve

LIBRARY = ["fasttext==0.9.3", "numpy<2"]
KENLM = ["kenlm"]
OPTIONS = {"held-back": 0.2, "epochs": 20, "lr": 0.5, "buckets": 200_000}
BATCH_BYTES = 4_000_000
RESAMPLES = 1000
WORDS = re.compile(r"\w+|[^\w\s]")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--human", type=Path)
    parser.add_argument("--corpus", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side")
    parser.add_argument("--output", type=Path, default=RESULTS / "quality.json")
    parser.add_argument("--peer", choices=["fasttext", "kenlm"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        serve(library if args.peer == "fasttext" else perplexities)
        return 0
    if not (args.labels and args.human and args.corpus):
        parser.error("--labels, --human and --corpus are needed")
    corpus = [row for path in args.corpus for row in read(path) if row.get("lang", "en") == "en"]
    with tempfile.TemporaryDirectory(prefix="quality-") as made:
        folder = Path(made)
        with Child([str(environment("fasttext", LIBRARY)), __file__, "--peer", "fasttext"], "fasttext") as child:
            found = {"ranking": ranking(args, corpus, folder, child), "speed": speed(args, corpus, folder, child)}
    save(args.output, None, {**facts(), "library": LIBRARY[0], "load_average": round(os.getloadavg()[0], 1), **found})
    return 0


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def ranking(args: Any, corpus: list[dict[str, Any]], folder: Path, child: Child) -> Result:
    import numpy as np

    labelled, human = read(args.labels), read(args.human)
    card = train(labelled, folder)
    texts = [row["text"] for row in human]
    positive = np.array([row["label"] == 1 for row in human])
    model = str(folder / "labels.bin")
    good = [row["text"] for row in labelled if row["label"] == 1]
    prose = [row["text"] for row in corpus if row["kind"] in ("prose", "docs")]
    scores = {
        "fastText, trained on --labels": score(model, texts),
        "fastText, quality-en": score("quality-en", texts),
        "Gopher and FineWeb rules broken": [-count for count in rules_broken(texts)],
        "KenLM perplexity, good of --labels": [-value for value in kenlm(good, texts, folder / "good.arpa")],
        "KenLM perplexity, prose of --corpus": [-value for value in kenlm(prose, texts, folder / "prose.arpa")],
        "length": [len(text) for text in texts],
    }
    rows = compare({name: np.asarray(values, np.float64) for name, values in scores.items()}, positive)
    shown = [
        [name, *(row[key] for key in ("auc", "low", "high", "ahead", "ahead_low", "ahead_high"))] for name, row in rows.items()
    ]
    head = ["documents judged by people", "AUC", "from", "to", "ahead of the best baseline", "from", "to"]
    print_table(
        f"{len(texts)} documents, {int(positive.sum())} good", head, [[row[0], *(f"{x:.4f}" for x in row[1:])] for row in shown]
    )
    held = card["figures"]["auc"]
    print(f"held back of --labels: AUC {held['value']:.4f} ({held['low']:.4f} to {held['high']:.4f})")
    library = child.ask({"do": "scores", "model": model, "texts": texts, "label": "hq"})
    difference = max(abs(a - b) for a, b in zip(scores["fastText, trained on --labels"], library["scores"], strict=True))
    print(f"largest difference from the library's scores: {difference:.1e}")
    return {
        "held_back": {"options": card["options"], "classes": card["classes"], "figures": card["figures"]},
        "human": {"documents": len(texts), "good": int(positive.sum()), "scores": rows},
        "largest_difference_from_library": difference,
    }


def train(labelled: list[dict[str, Any]], folder: Path) -> Result:
    """By the command, as a user would."""
    for name, label in (("good", 1), ("other", 0)):
        lines = (json.dumps({"text": row["text"]}) + "\n" for row in labelled if row["label"] == label)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    command = [sys.executable, "-m", "jobs.cli", "train", "quality", "--json", "--output", str(folder / "labels.bin")]
    command += ["--positive", str(folder / "good.jsonl"), "--negative", str(folder / "other.jsonl")]
    command += [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"training failed: {done.stderr}")
    card: Result = json.loads(done.stdout)
    for count in card["classes"].values():
        count.pop("files")
    return card


def score(model: str, texts: list[str]) -> list[float]:
    import pyarrow as pa

    from stages.score_fasttext import ScoreFasttext

    table = pa.table({"text": pa.array(texts, pa.large_string())})
    found: list[float] = ScoreFasttext(model=model, label="hq").apply(table)["quality_score"].to_pylist()
    return found


def rules_broken(texts: list[str]) -> list[int]:
    import pyarrow as pa

    from filters.fineweb_quality import FinewebQuality
    from filters.gopher_quality import GopherQuality
    from filters.gopher_repetition import GopherRepetition
    from pipeline.judge import judge
    from stages.core.docs import Docs

    table = pa.table({"text": pa.array(texts, pa.large_string()), "language": ["en"] * len(texts)})
    counts = [0] * len(texts)
    for stage in (GopherQuality(), GopherRepetition(), FinewebQuality()):
        for broken in judge("rules", stage.rules(), stage.measure(Docs(table)), table):
            for row in broken.rows.tolist():
                counts[row] += 1
    return counts


def kenlm(trained_on: list[str], texts: list[str], path: Path) -> list[float]:
    from pipeline.kneser_ney import estimate, write_arpa
    from pipeline.ngram_counts import count

    model = estimate(count((line for text in trained_on for line in sentences(text)), 3, 2, path.parent), path.parent)
    write_arpa(model, path)
    print(f"{path.name}: {[order['ngrams'] for order in model.facts()]} n-grams", file=sys.stderr)
    lines = [[" ".join(words) for words in sentences(text)] for text in texts]
    with Child([str(environment("kenlm", KENLM)), __file__, "--peer", "kenlm"], "kenlm") as child:
        found: list[float] = child.ask({"model": str(path), "texts": lines})["perplexities"]
    return found


def sentences(text: str) -> Iterator[list[str]]:
    """Lines, lower-cased, as words and marks."""
    for line in text.lower().splitlines():
        words = WORDS.findall(line)
        if words:
            yield words


def compare(scores: dict[str, Any], positive: Any) -> Result:
    """AUC of each, and how far ahead of the best baseline it is, in the same resamples of documents."""
    import numpy as np

    from stages.core.classifier_figures import auc

    random = np.random.Generator(np.random.Philox(1))
    good, other = np.flatnonzero(positive), np.flatnonzero(~positive)
    names, drawn = list(scores), []
    for resample in range(RESAMPLES + 1):
        chosen = np.concatenate([good, other])
        if resample:
            chosen = np.concatenate([group[random.integers(0, len(group), len(group))] for group in (good, other)])
        drawn.append([auc(scores[name][chosen], positive[chosen]) for name in names])
    areas = np.array(drawn)
    baselines = [at for at, name in enumerate(names) if not name.startswith("fastText")]
    best = baselines[int(np.argmax(areas[0, baselines]))]
    found = {}
    for at, name in enumerate(names):
        ahead = areas[:, at] - areas[:, best]
        low, high = np.quantile(areas[1:, at], [0.025, 0.975])
        ahead_low, ahead_high = np.quantile(ahead[1:], [0.025, 0.975])
        row = {
            "auc": areas[0, at],
            "low": low,
            "high": high,
            "ahead": ahead[0],
            "ahead_low": ahead_low,
            "ahead_high": ahead_high,
        }
        found[name] = {key: round(float(value), 4) for key, value in row.items()}
    return found


def speed(args: Any, corpus: list[dict[str, Any]], folder: Path, child: Child) -> Result:
    from stages.score_fasttext import ScoreFasttext

    texts = [row["text"] for row in corpus]
    size = sum(len(text.encode()) for text in texts)
    given, large = folder / "texts.json", folder / "large.bin"
    given.write_text(json.dumps(texts), encoding="utf-8")
    lines = folder / "large.txt"
    with lines.open("w", encoding="utf-8") as out:
        for row in corpus:
            label = "hq" if row["kind"] in ("prose", "docs") else "cc"
            out.write(f"__label__{label} {' '.join(row['text'].replace('__label__', '').split())}\n")
    child.ask({"do": "train", "input": str(lines), "output": str(large)})
    (shipped,) = ScoreFasttext().files()
    found: Result = {"documents": len(texts), "bytes": size, "runs": args.runs}
    for name, path in (("quality-en", shipped), ("DCLM's size", str(large))):
        found[name] = beside(path, texts, given, size, args.runs, child)
        found[name]["model_bytes"] = Path(path).stat().st_size
    head = [
        f"{len(texts)} documents, {size / 1e6:.1f} MB",
        "MB/s",
        "fastest",
        "library",
        "fastest",
        "times",
        "largest difference",
    ]
    rows = [
        [name, row["ours"]["mb_per_cpu_second"], row["ours"]["fastest"], row["library"]["mb_per_cpu_second"],
         row["library"]["fastest"], row["times"], f"{row['largest_difference']:.1e}"]
        for name, row in found.items() if isinstance(row, dict)
    ]  # fmt: skip
    print_table("one core", head, rows)
    return found


def beside(model: str, texts: list[str], given: Path, size: int, runs: int, child: Child) -> Result:
    from stages.score_fasttext import ScoreFasttext

    apply = ScoreFasttext(model=model, label="hq").open()
    tables = batches(texts)
    answers: dict[str, Any] = {}

    def ours() -> float:
        start = time.process_time()
        answers["ours"] = [apply(table)["quality_score"] for table in tables]
        return time.process_time() - start

    def theirs() -> float:
        told = child.ask({"do": "time", "model": model, "texts": str(given), "label": "hq"})
        answers["library"] = told["scores"]
        return float(told["cpu_seconds"])

    apply(tables[0])  # compiles, or loads what was compiled
    times = alternate({"ours": ours, "library": theirs}, runs)
    scores = [value for column in answers["ours"] for value in column.to_pylist()]
    difference = max(abs(a - b) for a, b in zip(scores, answers["library"], strict=True))
    rows = {
        side: {
            "mb_per_cpu_second": round(size / 1e6 / statistics.median(seconds), 1),
            "fastest": round(size / 1e6 / min(seconds), 1),
            "all_cpu_seconds": [round(one, 3) for one in seconds],
        }
        for side, seconds in times.items()
    }
    ratio = statistics.median(times["library"]) / statistics.median(times["ours"])
    return {**rows, "times": round(ratio, 2), "largest_difference": difference}


def batches(texts: list[str]) -> list[Any]:
    import pyarrow as pa

    made, part, held = [], [], 0
    for text in texts:
        part.append(text)
        held += len(text.encode())
        if held >= BATCH_BYTES:
            made.append(part)
            part, held = [], 0
    return [pa.table({"text": pa.array(part, pa.large_string())}) for part in [*made, part] if part]


loaded: dict[str, Any] = {}


def library(request: dict[str, Any]) -> Result:
    """The library's side, in its own environment."""
    import fasttext

    fasttext.FastText.eprint = lambda *_: None
    if request["do"] == "train":
        options = {"wordNgrams": 2, "dim": 100, "bucket": 2_000_000, "epoch": 1, "verbose": 0}
        # ten threads fill the whole matrix; how good it is does not matter here
        fasttext.train_supervised(request["input"], thread=10, **options).save_model(request["output"])
        return {}
    if request["model"] not in loaded:
        loaded.clear()
        loaded[request["model"]] = fasttext.load_model(request["model"])
    model, label = loaded[request["model"]], f"__label__{request['label']}"
    texts = request["texts"] if request["do"] == "scores" else _texts(request["texts"])
    start = time.process_time()
    found = [model.predict(text.replace("\n", " "), k=2) for text in texts]
    seconds = time.process_time() - start
    return {
        "cpu_seconds": seconds,
        "scores": [float(dict(zip(labels, scores, strict=True)).get(label, 0.0)) for labels, scores in found],
    }


def _texts(path: str) -> list[str]:
    if path not in loaded:
        loaded[path] = json.loads(Path(path).read_text(encoding="utf-8"))
    texts: list[str] = loaded[path]
    return texts


def perplexities(request: dict[str, Any]) -> Result:
    import kenlm

    model = kenlm.Model(request["model"])
    found = []
    for lines in request["texts"]:
        # the end of each line is a word, too
        words = sum(len(line.split()) + 1 for line in lines)
        total = sum(model.score(line) for line in lines)
        found.append(10 ** min(-total / max(words, 1), 300))
    return {"perplexities": found}


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
