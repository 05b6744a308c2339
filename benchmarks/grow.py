"""Grow a small corpus to any size, with copies near enough to be duplicates and copies that are not.

    python benchmarks/grow.py raw-00.parquet raw-01.parquet OUT_FOLDER --bytes 1GB
    python benchmarks/grow.py jobs/sample/manuals-00.parquet OUT_FOLDER --rows 1000000 --tiny

Copy 0 is the corpus itself. In copy n a share of the words, SHARES[n % len(SHARES)], is replaced by made-up words;
which, follows from a hash of copy, document and word, so the same call gives the same bytes. A share of 0.02 leaves a
5-word-shingle similarity of about 0.8, one of 0.3 about 0.1. Ids are the document's own followed by -n.

--mixed takes the share by document and not by copy, copy 0 included: every copy then has the same mix of texts, so that
what a megabyte costs can be compared between sizes.

--tiny writes rows of a few words instead, one after the other from the corpus: for what is spent per row and not per
byte.

Works through one batch of input at a time and writes files of about 130 MB of text.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import shutil
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SHARES = [0.3, 0.02, 0.6, 0.1]
FILE_BYTES = 130_000_000
GROUP_BYTES = 16_000_000
TINY_WORDS = 4
SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string())])
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ["a", "e", "i", "o", "u"]]
WORD = re.compile(r"\S+")
Document = tuple[str, str]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("input", nargs="+", type=Path, help="Parquet files with columns id and text")
    parser.add_argument("output", type=Path, help="a folder")
    parser.add_argument("--bytes", type=size, help="UTF-8 bytes of text, as 500MB or 1GB (powers of 1000)")
    parser.add_argument("--rows", type=int, help="documents")
    parser.add_argument("--tiny", action="store_true", help=f"rows of {TINY_WORDS} words")
    parser.add_argument("--replace", action="store_true", help="empty the folder first if this script wrote it")
    parser.add_argument("--mixed", action="store_true", help="every copy has the same mix of changed texts")
    parser.add_argument("--keep", action="store_true", help="do nothing if the folder is what this call would make")
    args = parser.parse_args()
    if not args.bytes and not args.rows:
        parser.error("say how much: --bytes or --rows")
    marker = args.output / ".grown"
    call = json.dumps([[(file.name, file.stat().st_size) for file in args.input], args.bytes, args.rows, args.tiny, args.mixed])
    if args.keep and marker.exists() and marker.read_text() == call:
        return 0
    if args.output.exists() and any(args.output.iterdir()):
        if not (args.replace and marker.exists()):
            parser.error(f"{args.output} is not empty")
        shutil.rmtree(args.output)
    args.output.mkdir(parents=True, exist_ok=True)
    marker.touch()
    documents = (tiny if args.tiny else copies)(args.input, args.mixed)
    rows, written, files = write(args.output, limit(documents, args.rows, args.bytes))
    marker.write_text(call)
    print(f"{args.output}: {rows} documents, {written / 1e6:.1f} MB of text, {files} files")
    return 0


def size(text: str) -> int:
    """Bytes from a number with KB, MB or GB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|K|M|G)B?", text.strip().upper())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500MB")
    return int(float(match[1]) * {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[match[2]])


def read(files: list[Path]) -> Iterator[Document]:
    """The documents of these files in order, a batch in memory at a time."""
    for file in files:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_size=1024, columns=["id", "text"]):
                yield from zip(batch["id"].to_pylist(), batch["text"].to_pylist(), strict=True)


def copies(files: list[Path], mixed: bool) -> Iterator[Document]:
    """The corpus over and over, each time with another share of its words replaced."""
    for copy in itertools.count():
        some = False
        for number, (name, text) in enumerate(read(files)):
            some = True
            share = SHARES[(copy + mixed * number) % len(SHARES)] if copy or mixed else 0.0
            yield f"{name}-{copy}", replaced(text, f"{copy}/{name}", share) if share else text
        if not some:
            raise SystemExit("the input has no documents")


def replaced(text: str, seed: str, share: float) -> str:
    """The text with about this share of its words exchanged; spaces and line breaks stay."""
    state = zlib.crc32(seed.encode())
    limit = int(share * (1 << 32))

    def exchange(match: re.Match[str]) -> str:
        nonlocal state
        # a 64-bit linear congruential step: a hash per word would take longer than the benchmark
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        if state >> 32 >= limit:
            return match[0]
        return "".join(SYLLABLES[(state >> shift) % len(SYLLABLES)] for shift in (8, 16, 24))

    return WORD.sub(exchange, text)


def tiny(files: list[Path], mixed: bool) -> Iterator[Document]:
    """A few words each, from the copies of the corpus in order."""
    for name, text in copies(files, mixed):
        words = text.split()
        for start in range(0, len(words), TINY_WORDS):
            yield f"{name}-{start}", " ".join(words[start : start + TINY_WORDS])


def limit(documents: Iterator[Document], rows: int | None, text_bytes: int | None) -> Iterator[Document]:
    """Documents until there are so many of them, or so many bytes."""
    total = 0
    for count, (name, text) in enumerate(documents):
        if (rows is not None and count >= rows) or (text_bytes is not None and total >= text_bytes):
            return
        total += len(text.encode())
        yield name, text


def write(folder: Path, documents: Iterator[Document]) -> tuple[int, int, int]:
    """Write them as Parquet files; returns rows, bytes of text and files."""
    rows = written = files = 0
    in_file = FILE_BYTES
    writer: pq.ParquetWriter | None = None
    for group in groups(documents):
        text_bytes = sum(len(text.encode()) for _, text in group)
        if writer is None or in_file >= FILE_BYTES:
            if writer is not None:
                writer.close()
            writer = pq.ParquetWriter(folder / f"grown-{files:05d}.parquet", SCHEMA, compression="zstd", compression_level=1)
            in_file, files = 0, files + 1
        names, texts = zip(*group, strict=True)
        writer.write_table(pa.table({"id": pa.array(names, pa.string()), "text": pa.array(texts, pa.string())}, schema=SCHEMA))
        in_file, written, rows = in_file + text_bytes, written + text_bytes, rows + len(group)
    if writer is not None:
        writer.close()
    return rows, written, files


def groups(documents: Iterator[Document]) -> Iterator[list[Document]]:
    """Row groups of about GROUP_BYTES, of 100,000 documents at most."""
    group: list[Document] = []
    held = 0
    for name, text in documents:
        group.append((name, text))
        held += len(text)
        if held >= GROUP_BYTES or len(group) >= 100_000:
            yield group
            group, held = [], 0
    if group:
        yield group


if __name__ == "__main__":
    sys.exit(main())
