"""JSONL and plain text as documents, from plain, gzip and zstd files."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.batches import EXCERPT, Batch, Fault, id_prefix, make_ids
from pipeline.decompress import Damaged, blocks
from pipeline.sources import InputFile
from schemas.columns import TEXT
from schemas.recipe import Input

BLOCK = 4_000_000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def _lines(file: InputFile, start: int, stop: int, longest: int) -> Iterator[tuple[list[bytes], list[int], Fault | None]]:
    """Blocks of whole lines with the byte where each starts, without their ends; a line belongs to the range it starts in.

    A line longer than `longest` is given as its beginning only, and the fault of a damaged file comes with the last block.
    """
    carried = 0
    carry: list[bytes] = []
    line_start = max(0, start - 1)  # one byte early: a range that starts with a line must not skip it
    skipping = start > 0
    stream = blocks(file, line_start, BLOCK)
    while True:
        fault = None
        try:
            block = next(stream, b"")
        except Damaged as error:
            block = b""
            message = f"the file is damaged after byte {line_start + carried} of its content: {error}; what came before is kept"
            fault = Fault(0, f"{file.relative}#damaged", file.source, file.path, "Damaged", message, "", 0)
        pieces = block.split(b"\n")
        lines, starts = [], []
        for piece in pieces[:-1]:
            if not skipping and (file.compression or line_start < stop):
                lines.append(_whole([*carry, piece], line_start))
                starts.append(line_start)
            line_start += carried + len(piece) + 1
            skipping, carry, carried = False, [], 0
        if sum(len(piece) for piece in carry) <= longest:
            carry.append(pieces[-1])
        carried += len(pieces[-1])
        at_end = not block or (not file.compression and line_start >= stop and not skipping)
        if at_end and not block and carried and not skipping and fault is None and (file.compression or line_start < stop):
            lines.append(_whole(carry, line_start))
            starts.append(line_start)
        if lines or fault:
            yield lines, starts, fault
        if at_end:
            return


def _whole(pieces: list[bytes], start: int) -> bytes:
    """A line from its pieces; the mark that some editors put before the first is not part of it."""
    line = b"".join(pieces)
    return line if start else line.removeprefix(BYTE_ORDER_MARK)


def _line_number(file: InputFile, position: int) -> int:
    """Number of the line that starts at a byte of the content, from 1. Only for messages: it reads the file up to there."""
    count = 1
    for block in blocks(file, 0, BLOCK):
        count += block.count(b"\n", 0, position)
        position -= len(block)
        if position <= 0:
            break
    return count


def read_jsonl(
    file: InputFile, entry: Input, start: int, stop: int, schema: pa.Schema, batch_bytes: int, longest: int
) -> Iterator[Batch]:
    number = line_number = 0
    before: int | None = 0 if start == 0 else None
    """lines of the file before this range, once a message needs it"""
    for lines, starts, damage in _lines(file, start, stop, longest):
        good: list[dict[str, Any]] = []
        rows: list[int] = []
        positions: list[int] = []
        faults: list[Fault] = []
        # orjson needs one call for each line; it runs at several hundred MB/s.
        for line, position in zip(lines, starts, strict=True):
            line_number += 1
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
                if before is None:  # read once, however many lines are bad
                    before = _line_number(file, position) - line_number
                place = f"{file.path}:{before + line_number}"
                excerpt = line[:EXCERPT].decode(errors="replace")
                own = value.get(_theirs(entry, "id")) if isinstance(value, dict) else None
                identity = _cast(own, "string") or make_ids(file, np.array([position]))[0].as_py()
                faults.append(Fault(number, identity, file.source, place, *problem, excerpt, len(line)))
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
        if entry.other_columns == "error":
            return _unknown_key(value, entry)
        return None
    if column not in value:
        return "NoText", f"there is no key {column!r}; keys: {', '.join(list(value)[:20])}"
    return (
        ("NoText", "the text is null")
        if text is None
        else ("WrongType", f"{column!r} is {type(text).__name__}, expected string")
    )


def _unknown_key(value: dict[str, Any], entry: Input) -> tuple[str, str] | None:
    known = {_theirs(entry, ours) for ours in ("id", "text", "url", "date", *entry.columns)}
    unknown = [key for key in value if key not in known]
    return ("UnknownColumn", f"the key {unknown[0]!r} is not mapped, and other_columns is error") if unknown else None


def _cast(value: Any, kind: str) -> Any:
    """A JSON value as a column's type, or None where it is of another type."""
    if value is None:
        return None
    if kind == "string":
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    if kind == "bool" or isinstance(value, bool):
        return value if kind == "bool" and isinstance(value, bool) else None
    if kind == "int64":
        return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
    return float(value) if isinstance(value, int | float) else None


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


def read_text_lines(file: InputFile, schema: pa.Schema, longest: int) -> Iterator[Batch]:
    """Every line that is not blank as a document."""
    number = line_number = 0
    for lines, starts, damage in _lines(file, 0, file.size, longest):
        # one look at each line, blank ones are no documents; as fast as splitting it off was
        keep = [at for at, line in enumerate(lines) if line.strip()]
        faults = [replace(damage, row=number + len(keep))] if damage else []
        ids = make_ids(file, np.array([starts[at] for at in keep], np.int64))
        table = _from_bytes([lines[at].removesuffix(b"\r") for at in keep], ids, file.source, schema)
        numbers = np.array(keep, np.int64) + line_number + 1
        yield Batch(table, np.arange(number, number + len(keep)), faults, place=partial(_place_of_line, file.path, numbers))
        number += len(keep) + len(faults)
        line_number += len(lines)


def _place_of_line(path: str, numbers: np.ndarray, at: int) -> str:
    return f"{path}:{numbers[at]}"


def read_text_files(files: Sequence[InputFile], schema: pa.Schema, longest: int) -> Batch:
    """Each of the files, all of one source, as a document."""
    contents: list[bytes] = []
    rows: list[int] = []
    faults: list[Fault] = []
    # a file is opened and read in Python anyway; everything after is done for all of them at once
    for row, file in enumerate(files):
        try:
            contents.append(content_of(file, longest))
            rows.append(row)
        except Damaged as error:
            message = f"the file is damaged: {error}"
            faults.append(Fault(row, file_id(file), file.source, file.path, "Damaged", message, "", 0))
    ids = pa.array([file_id(files[row]) for row in rows], pa.string())
    table = _from_bytes(contents, ids, files[0].source, schema)
    return Batch(table, np.array(rows, np.int64), faults, place=lambda at: files[rows[at]].path)


def content_of(file: InputFile, longest: int) -> bytes:
    """The file's content; of one that is too long, so much that this can be seen."""
    read: list[bytes] = []
    held = 0
    for block in blocks(file, 0, min(BLOCK, longest + 1)):
        read.append(block)
        held += len(block)
        if held > longest:
            break
    return b"".join(read).removeprefix(BYTE_ORDER_MARK)


def file_id(file: InputFile) -> str:
    return f"{id_prefix(file)}0"


def _from_bytes(texts: list[bytes], ids: pa.Array, source: str, schema: pa.Schema) -> pa.Table:
    values: dict[str, Any] = {
        "id": ids,
        "source": pa.array([source] * len(texts), pa.string()),
        "text": pa.array(texts, pa.large_binary()).view(TEXT),
    }
    return pa.Table.from_arrays(
        [values[column.name] if column.name in values else pa.nulls(len(texts), column.type) for column in schema],
        schema=schema,
    )
