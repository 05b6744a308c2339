"""Language identification beside the fastText library: seconds of both on the same texts, and how often they agree.

    python benchmarks/language.py --input raw-00.parquet raw-01.parquet --input sentences.jsonl.gz

Each --input is one set of files (Parquet, or JSON lines, gzipped or not) with a column `text`, measured on its own. The
library (fasttext 0.9.3, in an environment of its own, made on first use in benchmarks/.envs/fasttext) is fed as datatrove
does: line breaks as spaces, the whole text, k=1, one call for each text; replacing the line breaks is in its time, loading
the model is not. Ours is the stage `detect_language` with `min_chars: 0` on batches of about 4 MB, from the Arrow column
to the columns of languages and scores. It keeps nothing from batch to batch but the model. Both have lid.176.ftz and run
by turns, each in one thread of its own process; figures are medians, and the fastest run beside them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from datatrove_chain import HERE, environment, machine

PACKAGES = ["fasttext==0.9.3", "numpy<2"]
LIMIT = 0.65
TOLERANCE = 0.001
CLASSES = [0, 10, 50, 200, 1000, 10_000]
CAPS = [1000, 10_000]
BATCH_BYTES = 4_000_000
EXAMPLES = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", action="append", nargs="+", type=Path, help="one set of files; may be repeated")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "language.json")
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        peer(*map(Path, args.peer))
        return 0
    if not args.input:
        parser.error("--input is missing")
    missing = [str(path) for files in args.input for path in files if not path.is_file()]
    if missing:
        parser.error(f"no such file: {', '.join(missing)}")
    python = environment("fasttext", PACKAGES)
    sets = []
    for files in args.input:
        result = compare(python, files, args.runs)
        show(result)
        sets.append(result)
    found: dict[str, Any] = {"tool": "fasttext", "version": PACKAGES[0].split("==")[1], "machine": machine(), "sets": sets}
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def read(files: list[Path]) -> list[str]:
    import pyarrow.parquet as pq

    texts: list[str] = []
    for path in files:
        if path.suffix == ".parquet":
            texts += [text or "" for text in pq.read_table(path, columns=["text"])["text"].to_pylist()]
        else:
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt", encoding="utf-8", newline="\n") as lines:
                texts += [json.loads(line)["text"] or "" for line in lines]
    return texts


def compare(python: Path, files: list[Path], runs: int) -> dict[str, Any]:
    from stages.detect_language import packaged_model

    texts = read(files)
    size = sum(len(text.encode()) for text in texts)
    tables = batches(texts)
    with tempfile.TemporaryDirectory(prefix="language-") as folder:
        given, answers = Path(folder) / "texts.json", Path(folder) / "answers.json"
        given.write_text(json.dumps(texts), encoding="utf-8")
        command = [str(python), str(Path(__file__).resolve()), "--peer", str(packaged_model()), str(given), str(answers)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            ours(tables[:1], min_chars=0)  # compiles, or loads what was compiled
            times: dict[str, list[list[float]]] = {"ours": [], "library": []}
            for _ in range(runs):
                found, cpu, wall = ours(tables, min_chars=0)
                times["ours"].append([cpu, wall])
                times["library"].append(turn(process))
        theirs = json.loads(answers.read_text(encoding="utf-8"))
    result: dict[str, Any] = {"files": [path.name for path in files], "documents": len(texts), "bytes": size, "runs": runs}
    result |= {side: speed(rows, size) for side, rows in times.items()}
    result["load_average"] = round(os.getloadavg()[0], 1)  # of all processes of the machine, ours included
    result["ratio_cpu"] = round(result["library"]["cpu_seconds"] / result["ours"]["cpu_seconds"], 2)
    result["ratio_wall"] = round(result["library"]["wall_seconds"] / result["ours"]["wall_seconds"], 2)
    result["agreement"] = agreement(texts, found, theirs)
    result["options"] = [option(tables, size, found, runs, min_chars=10)]
    result["options"] += [option(tables, size, found, runs, min_chars=0, max_bytes=cap) for cap in CAPS]
    return result


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


def ours(tables: list[Any], **keys: Any) -> tuple[list[tuple[str, float]], float, float]:
    """Languages and scores, seconds of CPU and of the clock."""
    from stages.detect_language import DetectLanguage

    detect = DetectLanguage(**keys).open()
    cpu, wall = time.process_time(), time.monotonic()
    after = [detect(table) for table in tables]
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    found = [
        pair for table in after for pair in zip(table["language"].to_pylist(), table["language_score"].to_pylist(), strict=True)
    ]
    return found, cpu, wall


def turn(process: subprocess.Popen[str]) -> list[float]:
    """One run of the library: a line asks for it, a line says its seconds."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("run\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"the library's process ended with status {process.wait()}")
    return [float(number) for number in line.split()]


def peer(model: Path, given: Path, answers: Path) -> None:
    """The library's side, in its own environment."""
    import fasttext

    fasttext.FastText.eprint = lambda *_: None
    library = fasttext.load_model(str(model))
    texts = json.loads(given.read_text(encoding="utf-8"))
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.monotonic()
        found = [library.predict(text.replace("\n", " "), k=1) for text in texts]
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        pairs = [(labels[0].removeprefix("__label__"), float(scores[0])) if labels else ("", 0.0) for labels, scores in found]
        answers.write_text(json.dumps(pairs), encoding="utf-8")
        print(cpu, wall, flush=True)


def speed(rows: list[list[float]], size: int) -> dict[str, Any]:
    cpu, wall = (statistics.median(column) for column in zip(*rows, strict=True))
    fastest = min(row[0] for row in rows)
    return {
        "cpu_seconds": round(cpu, 4),
        "wall_seconds": round(wall, 4),
        "mb_per_cpu_second": round(size / 1e6 / cpu, 2),
        "mb_per_cpu_second_fastest": round(size / 1e6 / fastest, 2),
        "all_cpu_seconds": [round(row[0], 4) for row in rows],
    }


def agreement(texts: list[str], found: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> dict[str, Any]:
    """By length in code points: documents, and how many have another label, score or decision."""
    rows = {low: Counter[str]() for low in CLASSES}
    causes: Counter[str] = Counter()
    examples: list[dict[str, Any]] = []
    largest = 0.0
    for text, (label, score), (expected, expected_score) in zip(texts, found, theirs, strict=True):
        row = rows[max(low for low in CLASSES if low <= len(text))]
        row["documents"] += 1
        if label == expected:
            largest = max(largest, abs(score - expected_score))
        differs = {
            "label": label != expected,
            "score": abs(score - expected_score) > TOLERANCE,
            "decision": is_english(label, score) != is_english(expected, expected_score),
        }
        row.update(name for name, is_so in differs.items() if is_so)
        if any(differs.values()):
            cause = why(label, expected, score, expected_score)
            causes[cause] += 1
            if sum(example["cause"] == cause for example in examples) < EXAMPLES:
                what = {"text": text[:60], "chars": len(text), "ours": [label, score], "library": [expected, expected_score]}
                examples.append({"cause": cause, **what})
    total: Counter[str] = sum(rows.values(), Counter())
    table = {name(low): counts(row) for low, row in rows.items() if row["documents"]} | {"all": counts(total)}
    largest_difference = {"largest_score_difference_at_equal_labels": largest}
    return {"by_chars": table, "causes": dict(causes), "examples": examples, **largest_difference}


def is_english(label: str, score: float) -> bool:
    return label == "en" and score >= LIMIT


def why(label: str, expected: str, score: float, expected_score: float) -> str:
    if abs(score - expected_score) <= TOLERANCE:
        return "two labels, or a score and the limit, closer than rounding"
    return "unexplained"


def name(low: int) -> str:
    higher = [other for other in CLASSES if other > low]
    return f"{low} to {higher[0] - 1}" if higher else f"from {low}"


def counts(row: Counter[str]) -> dict[str, int]:
    return {key: row[key] for key in ("documents", "label", "score", "decision")}


def option(tables: list[Any], size: int, whole: list[tuple[str, float]], runs: int, **keys: Any) -> dict[str, Any]:
    """What an option costs and changes, beside the whole texts with `min_chars: 0`."""
    times = []
    for _ in range(runs):
        found, cpu, wall = ours(tables, **keys)
        times.append([cpu, wall])
    pairs = list(zip(found, whole, strict=True))
    return {
        "options": keys,
        **speed(times, size),
        "labels_differ": sum(a[0] != b[0] for a, b in pairs) / len(pairs),
        "undetermined": sum(a[0] == "und" != b[0] for a, b in pairs) / len(pairs),
        "decisions_differ": sum(is_english(*a) != is_english(*b) for a, b in pairs) / len(pairs),
    }


def show(result: dict[str, Any]) -> None:
    print(f"\n{', '.join(result['files'])}: {result['documents']} documents, {result['bytes'] / 1e6:.1f} MB")
    print(f"{'':28s}{'CPU s':>9s}{'wall s':>9s}{'MB/s':>8s}{'fastest':>9s}")
    for side in ("ours", "library"):
        row = result[side]
        print(f"{side:28s}{row['cpu_seconds']:9.2f}{row['wall_seconds']:9.2f}", end="")
        print(f"{row['mb_per_cpu_second']:8.1f}{row['mb_per_cpu_second_fastest']:9.1f}")
    print(f"{'ratio':28s}{result['ratio_cpu']:9.1f}{result['ratio_wall']:9.1f}")
    for row in result["options"]:
        keys = ", ".join(f"{key}: {value}" for key, value in row["options"].items())
        print(f"{keys:28s}{row['cpu_seconds']:9.2f}{row['wall_seconds']:9.2f}{row['mb_per_cpu_second']:8.1f}", end="")
        print(f"{row['mb_per_cpu_second_fastest']:9.1f}  labels that differ {row['labels_differ']:.3%}", end="")
        print(f" ({row['undetermined']:.3%} now `und`), decisions {row['decisions_differ']:.3%}")
    print(f"{'characters':>16s}{'documents':>11s}{'other label':>13s}{'other score':>13s}{'other decision':>16s}")
    for length, row in result["agreement"]["by_chars"].items():
        print(f"{length:>16s}{row['documents']:11d}{row['label']:13d}{row['score']:13d}{row['decision']:16d}")
    for cause, count in result["agreement"]["causes"].items():
        print(f"{count:6d}  {cause}")
    largest = result["agreement"]["largest_score_difference_at_equal_labels"]
    print(f"largest difference of scores where labels are equal: {largest:.1e}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
