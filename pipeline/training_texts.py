"""Documents to train on: read as a run reads them, counted, and laid on one of two sides by a hash of their text."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.batches import document_schema
from pipeline.readers import Reader
from pipeline.sources import InputFile, list_files, mapped_columns
from pipeline.units import cut
from schemas.errors import InputError, OutputError, RecipeError
from schemas.recipe import Column, Input

UNIT_BYTES, BATCH_BYTES, MOST_BYTES = 128_000_000, 8_000_000, 1_000_000_000


@dataclass
class Seen:
    """What was read: documents, their bytes, rows that are no documents, and the files with their hashes."""

    documents: int = 0
    bytes: int = 0
    faults: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)


def read_documents(
    paths: Sequence[str], text: str, seen: Seen, columns: Mapping[str, Column] | None = None
) -> Iterator[dict[str, Any]]:
    """Each document as its text (`text`, never null) and the values of further columns, under our names.

    Raises `InputError` where there are no documents.
    """
    wanted: dict[str, str | Column] = dict(columns or {})
    if text != "text":
        wanted["text"] = text
    entry = Input(path=tuple(paths), columns=wanted, other_columns="drop")
    files, _ = list_files([entry])
    reader = Reader(tuple(files), (entry,), document_schema(mapped_columns([entry])), BATCH_BYTES, MOST_BYTES)
    seen.files += [{"path": file.path, "bytes": file.size, "sha256": _digest(file)} for file in files]
    names = ["text", *(name for name in columns or {} if name != "text")]
    before = seen.documents
    for unit in cut(files, UNIT_BYTES):
        for batch in reader.read(unit):
            seen.faults += len(batch.faults)
            # once for each document: what trains takes Python's strings
            for document in batch.table.select(names).to_pylist():
                document["text"] = document["text"] or ""
                seen.documents += 1
                seen.bytes += len(document["text"].encode())
                yield document
    if seen.documents == before:
        raise InputError(f"{', '.join(paths)}: no documents with a column {text!r}")


def digest(text: str, seed: int) -> str:
    """The hash of a text with a seed, 16 bytes as hexadecimal digits; the second half decides on its side."""
    return hashlib.blake2b(text.encode(), digest_size=16, key=seed.to_bytes(8, "little")).hexdigest()


def is_held_back(hashed: str, fraction: float) -> bool:
    """Whether a text with this hash is judged instead of trained on, as this share of all texts is."""
    return int(hashed[16:], 16) < fraction * 2**64


def check_held_back(fraction: float) -> None:
    """Raise `RecipeError` if it is no share of documents."""
    if not 0 < fraction < 1:
        raise RecipeError(f"held back is {fraction}, expected a share above 0 and below 1")


@contextmanager
def new_folder(output: Path, force: bool) -> Iterator[Path]:
    """A folder beside the output to write into, which takes its place at the end. An earlier one only goes with `force`."""
    if output.exists() and not force:
        raise OutputError(f"{output} exists; --force writes over it")
    if output.exists() and not (output / "card.json").is_file():
        raise OutputError(f"{output} is no folder with a model's card.json: it is not written over")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".training-", dir=output.parent) as made:
        folder = Path(made) / "new"
        folder.mkdir()
        yield folder
        if output.exists():
            os.replace(output, Path(made) / "old")
        os.replace(folder, output)


def file_facts(path: Path) -> dict[str, Any]:
    """Name, bytes and SHA-256 of a file that was written."""
    with path.open("rb") as content:
        hashed = hashlib.file_digest(content, "sha256").hexdigest()
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": hashed}


def copy_file(path: Path, to: Path) -> None:
    """Copy what belongs to a model. Raises `InputError` if it cannot be read."""
    try:
        shutil.copyfile(path, to)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _digest(file: InputFile) -> str:
    with open(file.path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
