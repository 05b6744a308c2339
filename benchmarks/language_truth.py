"""Language identification against the true language: macro F1, and what is answered at which length of text.

    python benchmarks/language_truth.py --input ud_sentences.jsonl.gz --input xquad_paragraphs.jsonl.gz

Each --input is JSON lines (gzipped or not) with the columns `text` and `lang`. Ours is the stage `detect_language`, with
`min_chars: 0` (every text gets a label) and as it is by default (short texts are `und`); beside it the fastText library with
the same model, fed as in language.py. Macro F1 is the mean over the true languages; a wrong answer counts against the
language it names only if that is one of them. Writes benchmarks/results/language_truth.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from datatrove_chain import environment
from harness import RESULTS, print_table, save
from language import CLASSES, PACKAGES, batches, name, ours, turn

from schemas.languages import find_language
from stages.detect_language import packaged_model

Answer = str | None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", action="append", required=True, type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS / "language_truth.json")
    args = parser.parse_args()
    missing = [str(path) for path in args.input if not path.is_file()]
    if missing:
        parser.error(f"no such file: {', '.join(missing)}")
    for path in args.input:
        save(args.results, path.name, compare(path))
    return 0


def compare(path: Path) -> dict[str, Any]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = [row["text"] for row in rows]
    truth = [find_language(row["lang"]) or row["lang"] for row in rows]
    answers: dict[str, list[Answer]] = {"library": library(texts)}
    answers["ours, min_chars 0"] = told(texts, min_chars=0)
    answers["ours"] = told(texts)
    result: dict[str, Any] = {"documents": len(rows), "languages": len(set(truth)), "sides": {}}
    for side, found in answers.items():
        answered = [pair for pair in zip(truth, found, strict=True) if pair[1] is not None]
        right = sum(a == b for a, b in answered)
        result["sides"][side] = {
            "macro_f1": round(macro_f1(truth, found), 4),
            "answered": round(len(answered) / len(rows), 4),
            "right_of_answered": round(right / max(len(answered), 1), 4),
            "by_chars": by_length(texts, truth, found),
        }
    table = [[side, row["macro_f1"], row["answered"], row["right_of_answered"]] for side, row in result["sides"].items()]
    title = f"{path.name}: {len(rows)} texts, {result['languages']} languages"
    print_table(title, ["", "macro F1", "answered", "right of answered"], table)
    rows_by = [
        [
            chars,
            *(
                f"{row['by_chars'][chars]['answered']:.3f} / {row['by_chars'][chars]['right']:.3f}"
                for row in result["sides"].values()
            ),
        ]
        for chars in result["sides"]["ours"]["by_chars"]
    ]
    print_table("answered / right of answered, by code points", ["", *result["sides"]], rows_by)
    return result


def told(texts: list[str], **keys: Any) -> list[Answer]:
    found, _, _ = ours(batches(texts), **keys)
    return [None if label == "und" else label for label, _ in found]


def library(texts: list[str]) -> list[Answer]:
    python = environment("fasttext", PACKAGES)
    with tempfile.TemporaryDirectory(prefix="language-") as folder:
        given, answers = Path(folder) / "texts.json", Path(folder) / "answers.json"
        given.write_text(json.dumps(texts), encoding="utf-8")
        script = Path(__file__).with_name("language.py")
        command = [str(python), str(script), "--peer", str(packaged_model()), str(given), str(answers)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            turn(process)
        return [find_language(label) or label for label, _ in json.loads(answers.read_text(encoding="utf-8"))]


def macro_f1(truth: list[str], found: list[Answer]) -> float:
    """The mean of 2 * right / (true + said) over the true languages."""
    true, said = Counter(truth), Counter(found)
    right = Counter(a for a, b in zip(truth, found, strict=True) if a == b)
    return sum(2 * right[language] / (true[language] + said[language]) for language in true) / len(true)


def by_length(texts: list[str], truth: list[str], found: list[Answer]) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = {}
    for text, language, answer in zip(texts, truth, found, strict=True):
        row = counts.setdefault(name(max(low for low in CLASSES if low <= len(text))), Counter())
        row.update(texts=1, answered=answer is not None, right=answer == language)
    order = sorted(counts, key=lambda chars: int(chars.split()[0].replace(",", "")))
    return {
        chars: {
            "texts": counts[chars]["texts"],
            "answered": round(counts[chars]["answered"] / counts[chars]["texts"], 4),
            "right": round(counts[chars]["right"] / max(counts[chars]["answered"], 1), 4),
        }
        for chars in order
    }


if __name__ == "__main__":
    sys.exit(main())
