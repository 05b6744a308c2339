"""Ask each of datatrove's filters about every document, whatever the others said; writes reasons as gzipped JSON.

    python benchmarks/datatrove_decisions.py --input raw-00.parquet --output answers.json.gz
    python benchmarks/datatrove_decisions.py --sample

--sample asks about the frozen sample of the tests (`sample_documents`) and writes tests/parity/datatrove_sample.json.gz.

The file holds the versions, the SHA-256 of ids and texts, and by filter a reason for each document in their order: null if
it is kept, `raises NAME` where datatrove raises. Of C4, which edits, also the first 8 hex digits of the SHA-256 of the text
that is left in documents that are kept. datatrove runs in the environment of datatrove_chain.py.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import hashlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from datatrove_chain import environment

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "jobs" / "sample"
SAMPLE_ANSWERS = HERE.parent / "tests" / "parity" / "datatrove_sample.json.gz"
SAMPLE_DOCUMENTS = 1000
FILTERS = ["gopher_repetition", "gopher_quality", "c4_quality", "c4_quality_any_line_end", "fineweb_quality"]
PIECE = 250
Answers = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", action="append", type=Path, help="a Parquet file with columns id and text; may be repeated")
    parser.add_argument("--output", type=Path, help="the file to write")
    parser.add_argument("--sample", action="store_true", help="ask about the sample of the tests")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--python", type=Path, help="an interpreter that has datatrove already")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        answer_pieces(args.work, args.workers)
        return 0
    if args.sample:
        documents, output = sample_documents(), SAMPLE_ANSWERS
    elif args.input and args.output:
        documents, output = read(args.input), args.output
    else:
        parser.error("expected --sample, or --input and --output")
    answers = ask(documents, args.workers, args.python)
    write(answers, output)
    print(f"{output}: {len(documents)} documents, datatrove {answers['datatrove']}, spaCy {answers['spacy']}")
    return 0


def read(files: list[Path]) -> list[tuple[str, str]]:
    """Ids and texts of Parquet files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables([pq.read_table(file, columns=["id", "text"]) for file in files])
    return list(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))


def sample_documents() -> list[tuple[str, str]]:
    """1,000 documents of jobs/sample: all languages, half from each file, those with the smallest SHA-256 of their id."""
    import pyarrow.parquet as pq

    manuals = pq.read_table(SAMPLE / "manuals-00.parquet", columns=["id", "text"]).to_pylist()
    with gzip.open(SAMPLE / "snippets-00.jsonl.gz", "rt", encoding="utf-8") as file:
        snippets = [json.loads(line) for line in file]
    long = [(row["id"], row["text"]) for row in manuals]
    short = [(row["doc_id"], row["content"]) for row in snippets]

    def by_hash(document: tuple[str, str]) -> str:
        return hashlib.sha256(document[0].encode()).hexdigest()

    half = SAMPLE_DOCUMENTS // 2
    return [*sorted(long, key=by_hash)[:half], *sorted(short, key=by_hash)[:half]]


def digest(documents: list[tuple[str, str]]) -> str:
    """SHA-256 over ids and texts, in order."""
    whole = hashlib.sha256()
    for document in documents:
        for field in document:
            whole.update(len(field.encode()).to_bytes(8, "little"))
            whole.update(field.encode())
    return whole.hexdigest()


def ask(documents: list[tuple[str, str]], workers: int = 2, python: Path | None = None) -> Answers:
    """datatrove's answers, from worker processes in its environment."""
    work = Path(tempfile.mkdtemp(prefix="datatrove-"))
    try:
        for piece, start in enumerate(range(0, len(documents), PIECE)):
            texts = [text for _, text in documents[start : start + PIECE]]
            (work / f"{piece:05d}.texts.json").write_text(json.dumps(texts), encoding="utf-8")
        command = [str(python or environment()), str(Path(__file__).resolve()), "--work", str(work), "--workers", str(workers)]
        subprocess.run(command, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"})
        pieces = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(work.glob("*.answers.json"))]
        versions = json.loads((work / "versions.json").read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    together = {key: [answer for piece in pieces for answer in piece[key]] for key in pieces[0]}
    return {**versions, "documents": len(documents), "sha256": digest(documents), **together}


def write(answers: Answers, output: Path) -> None:
    """Gzipped JSON, the same bytes for the same answers."""
    output.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in answers.items())
    output.write_bytes(gzip.compress(("{" + lines + "}\n").encode(), 9, mtime=0))


def load(file: Path) -> Answers:
    """What `write` wrote."""
    answers: Answers = json.loads(gzip.decompress(file.read_bytes()))
    return answers


def answer_pieces(work: Path, workers: int) -> None:
    """In datatrove's environment: the answers of every piece."""
    from importlib.metadata import version

    pieces = sorted(work.glob("*.texts.json"))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, _ in enumerate(pool.imap_unordered(answer_piece, pieces), 1):
            print(f"datatrove: {done} of {len(pieces)} pieces", file=sys.stderr, flush=True)
    versions = {name: version(name) for name in ["datatrove", "spacy"]}
    (work / "versions.json").write_text(json.dumps(versions), encoding="utf-8")


def cut_once() -> None:
    """Let the English tokenizer remember its last texts: filters that ask for the words of the same one get them at once."""
    from datatrove.utils.typeshelper import Languages
    from datatrove.utils.word_tokenizers import load_word_tokenizer

    english = load_word_tokenizer(Languages.english)
    if not hasattr(english.word_tokenize, "cache_info"):
        english.word_tokenize = functools.lru_cache(maxsize=1)(english.word_tokenize)
        english.sent_tokenize = functools.lru_cache(maxsize=20_000)(english.sent_tokenize)


def answer_piece(file: Path) -> None:
    """Ask all filters about the texts of a piece."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
    from datatrove.pipeline.filters.base_filter import get_filter_result

    filters = {
        "gopher_repetition": GopherRepetitionFilter(),
        "gopher_quality": GopherQualityFilter(),
        "c4_quality": C4QualityFilter(),
        "c4_quality_any_line_end": C4QualityFilter(filter_no_terminal_punct=False),
        "fineweb_quality": FineWebQualityFilter(),
    }
    cut_once()
    answers: Answers = defaultdict(list)
    for text in json.loads(file.read_text(encoding="utf-8")):
        for name, asked in filters.items():
            document = Document(text=text, id="0")
            try:
                keep, reason = get_filter_result(asked.filter(document))
            except Exception as error:  # what it raises is its answer
                keep, reason = False, f"raises {type(error).__name__}"
            answers[name].append(None if keep else reason)
            if name.startswith("c4"):
                answers[f"{name}_text"].append(hashlib.sha256(document.text.encode()).hexdigest()[:8] if keep else None)
    target = file.with_name(file.name.replace(".texts.", ".answers."))
    target.write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
