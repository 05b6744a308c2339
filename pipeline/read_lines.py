"""JSONL and plain text as documents, from plain, gzip and zstd files."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from pipeline.batches import EXCERPT, Batch, Fault, make_ids
from pipeline.sources import InputFile
from schemas.columns import TEXT
from schemas.recipe import Input

BLOCK = 4_000_000


def _open(file: InputFile) -> BinaryIO:
    if file.compression == "gzip":
        return gzip.open(file.path, "rb")  # type: ignore[return-value]
    raw = open(file.path, "rb")  # noqa: SIM115 (closed by the caller, through the stream around it)
    if file.compression == "zstd":
        return zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(raw, read_across_frames=True, closefd=True)
    return raw


def _lines(file: InputFile, start: int, stop: int, longest: int) -> Iterator[tuple[list[bytes], list[int], Fault | None]]:
    """Blocks of whole lines with the byte where each starts, without their ends; a line belongs to the range it starts in.

    A line longer than `longest` is given as its beginning only, and the fault of a damaged file comes with the last block.
    """
    position, carried = start, 0
    carry: list[bytes] = []
    with _open(file) as stream:
        if start:
            stream.seek(start - 1)
            position = start - 1
        skipping = start > 0
        line_start = position
        while True:
            fault = None
            try:
                block = stream.read(BLOCK)
            except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
                block = b""
                message = (
                    f"the file is damaged after byte {position + carried} of its content: {error}; what came before is kept"
                )
                fault = Fault(0, f"{file.relative}#damaged", file.source, file.path, type(error).__name__, message, "", 0)
            pieces = block.split(b"\n")
            lines, starts = [], []
            for piece in pieces[:-1]:
                whole = b"".join([*carry, piece])
                if not skipping and (file.compression or line_start < stop):
                    lines.append(whole)
                    starts.append(line_start)
                line_start = line_start + carried + len(piece) + 1
                position, skipping, carry, carried = line_start, False, [], 0
            if sum(len(piece) for piece in carry) <= longest:
                carry.append(pieces[-1])
            carried += len(pieces[-1])
            at_end = not block or (not file.compression and line_start >= stop and not skipping)
            if at_end and not block and carried and not skipping and fault is None and (file.compression or line_start < stop):
                lines.append(b"".join(carry))
                starts.append(line_start)
            if lines or fault:
                yield lines, starts, fault
            if at_end:
                return


def _line_number(file: InputFile, position: int) -> int:
    """Number of the line that starts at a byte of the content, from 1. Only for messages: it reads the file up to there."""
    count = 1
    with _open(file) as stream:
        while position > 0 and (block := stream.read(min(BLOCK, position))):
            count += block.count(b"\n")
            position -= len(block)
    return count


def read_jsonl(
    file: InputFile, entry: Input, start: int, stop: int, schema: pa.Schema, batch_bytes: int, longest: int
) -> Iterator[Batch]:
    number = 0
    for lines, starts, damage in _lines(file, start, stop, longest):
        good: list[dict[str, Any]] = []
        rows: list[int] = []
        positions: list[int] = []
        faults: list[Fault] = []
        # orjson needs one call for each line; it runs at several hundred MB/s.
        for line, position in zip(lines, starts, strict=True):
            if not line or line.isspace():
                continue
            problem = None
            value: Any = None
            if len(line) > longest:
                problem = ("LineTooLong", f"a line of more than {longest} bytes")
            else:
                try:
                    value = orjson.loads(line)
                    problem = _jsonl_problem(value, entry)
                except orjson.JSONDecodeError as error:
                    problem = ("InvalidJson", str(error))
            if problem is None:
                good.append(value)
                rows.append(number)
                positions.append(position)
            else:
                place = f"{file.path}:{_line_number(file, position)}"
                excerpt = line[:EXCERPT].decode(errors="replace")
                identity = (
                    str(value.get(_theirs(entry, "id")))
                    if isinstance(value, dict) and value.get(_theirs(entry, "id"))
                    else None
                )
                made = make_ids(file, np.array([position]))[0].as_py()
                faults.append(Fault(number, identity or made, file.source, place, *problem, excerpt, len(line)))
            number += 1
        if damage:
            faults.append(replace(damage, row=number))
            number += 1
        yield Batch(_from_objects(good, positions, entry, file, schema), np.array(rows, np.int64), faults)


def _theirs(entry: Input, ours: str) -> str:
    spec = entry.columns.get(ours, ours)
    return spec if isinstance(spec, str) else spec.column


def _jsonl_problem(value: Any, entry: Input) -> tuple[str, str] | None:
    if not isinstance(value, dict):
        return "NotAnObject", f"expected a JSON object, found {type(value).__name__}"
    column = _theirs(entry, "text")
    text = value.get(column)
    if isinstance(text, str):
        return None
    if column not in value:
        return "NoText", f"there is no key {column!r}; keys: {', '.join(list(value)[:20])}"
    return (
        ("NoText", "the text is null")
        if text is None
        else ("WrongType", f"{column!r} is {type(text).__name__}, expected string")
    )


_CASTS = {"int64": int, "float64": float, "bool": bool}


def _cast(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "string":
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    allowed = {"int64": int, "float64": (int, float), "bool": bool}[kind]
    return _CASTS[kind](value) if isinstance(value, allowed) else None  # type: ignore[arg-type]


def _from_objects(
    objects: list[dict[str, Any]], positions: list[int], entry: Input, file: InputFile, schema: pa.Schema
) -> pa.Table:
    specs = {ours: spec if isinstance(spec, str) else spec.column for ours, spec in entry.columns.items()}
    kinds = {ours: "string" if isinstance(spec, str) else spec.type for ours, spec in entry.columns.items()}
    for name in ("id", "text", "url", "date"):
        specs.setdefault(name, name)
        kinds.setdefault(name, "string")
    used = set(specs.values())
    columns = []
    for ours in schema:
        if ours.name == "extra" and entry.other_columns == "extra":
            rest = ({key: value for key, value in item.items() if key not in used} for item in objects)
            column = pa.array([orjson.dumps(item).decode() if item else None for item in rest], ours.type)
        elif ours.name == "text":
            column = pa.array([item[specs["text"]] for item in objects], ours.type)
        elif ours.name in specs:
            theirs, kind = specs[ours.name], kinds[ours.name]
            column = pa.array([_cast(item.get(theirs), kind) for item in objects], ours.type)
        else:
            column = pa.nulls(len(objects), ours.type)
        if ours.name == "source":
            column = pc.fill_null(column, file.source)
        if ours.name == "id":
            column = pc.coalesce(column, make_ids(file, np.array(positions, np.int64)))
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def read_text(file: InputFile, entry: Input, schema: pa.Schema, batch_bytes: int, longest: int) -> Iterator[Batch]:
    if entry.text_documents == "line":
        number = 0
        for lines, starts, damage in _lines(file, 0, file.size, longest):
            keep = [(line.removesuffix(b"\r"), start) for line, start in zip(lines, starts, strict=True) if line.strip()]
            faults = [replace(damage, row=number + len(keep))] if damage else []
            rows = np.arange(number, number + len(keep))
            yield Batch(
                _from_bytes([line for line, _ in keep], np.array([start for _, start in keep], np.int64), file, schema),
                rows,
                faults,
            )
            number += len(keep) + len(faults)
        return
    try:
        with _open(file) as stream:
            content = stream.read(longest + 1)
    except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
        message = f"the file is damaged: {error}"
        yield Batch(schema.empty_table(), np.zeros(0, np.int64), [_damaged(file, type(error).__name__, message)])
        return
    yield Batch(_from_bytes([content], np.zeros(1, np.int64), file, schema), np.zeros(1, np.int64))


def _damaged(file: InputFile, error: str, message: str) -> Fault:
    identity = make_ids(file, np.zeros(1, np.int64))[0].as_py()
    return Fault(0, identity, file.source, file.path, error, message, "", 0)


def _from_bytes(texts: list[bytes], positions: np.ndarray, file: InputFile, schema: pa.Schema) -> pa.Table:
    values: dict[str, Any] = {
        "id": make_ids(file, positions).cast(pa.string()),
        "source": pa.array([file.source] * len(texts), pa.string()),
        "text": pa.array(texts, pa.large_binary()).view(TEXT),
    }
    return pa.Table.from_arrays(
        [values.get(column.name, pa.nulls(len(texts), column.type)) for column in schema], schema=schema
    )
