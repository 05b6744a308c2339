"""What a recipe's inputs are on disk: every file that will be read, and every file that will not, with the reason."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import registry
from schemas.errors import InputError
from schemas.recipe import Column, Input

FORMATS = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "text", ".md": "text"}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
CORE_COLUMNS = ("id", "source", "text", "url", "date")


@dataclass(frozen=True)
class InputFile:
    """One file to read. `relative` is the path below the input's root: with the source's name it makes ids."""

    path: str
    relative: str
    source: str
    format: str
    compression: str | None
    size: int
    modified: int
    input: int
    rows: int | None = None
    groups: tuple[tuple[int, int], ...] = ()
    """Parquet: (rows, bytes of the text column uncompressed) of each row group"""


@dataclass(frozen=True)
class LeftOut:
    """A file below an input that is not read, and why."""

    path: str
    reason: str


def list_files(inputs: Sequence[Input]) -> tuple[list[InputFile], list[LeftOut]]:
    """All files of the inputs in a fixed order (input, path), and those left out. Raises `InputError` for what is missing."""
    files: list[InputFile] = []
    left_out: list[LeftOut] = []
    for index, entry in enumerate(inputs):
        before = len(files)
        for pattern in entry.paths():
            for root, path in _paths(pattern):
                _add(path, root, index, entry, pattern, files, left_out)
        if len(files) == before:
            reasons = "".join(f"\n  {item.path}: {item.reason}" for item in left_out[:5])
            raise InputError(f"{', '.join(entry.paths())}: no file to read; known endings: {', '.join(_endings())}{reasons}")
    seen: dict[str, int] = {}
    for file in files:
        if seen.setdefault(os.path.realpath(file.path), file.input) != file.input:
            raise InputError(f"{file.path} belongs to two inputs; its documents would be counted twice")
    unique = {file.path: file for file in files}
    ordered = sorted(unique.values(), key=lambda file: (file.input, file.relative, file.path))
    return [_with_footer(file, inputs[file.input]) for file in ordered], left_out


def _endings() -> list[str]:
    return [*FORMATS, *(f".jsonl{end}" for end in COMPRESSIONS), *(f".txt{end}" for end in COMPRESSIONS)]


def _paths(pattern: str) -> Iterator[tuple[str, str]]:
    """(root, path) of each file that a path or glob stands for; the root is what ids do not contain."""
    path = os.path.expanduser(pattern)
    if os.path.isdir(path):
        for folder, folders, names in os.walk(path, followlinks=True):
            folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
            for name in sorted(names):
                yield path, os.path.join(folder, name)
    elif os.path.exists(path):
        yield os.path.dirname(path), path
    elif glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            raise InputError(f"{pattern}: no file matches")
        root = glob.escape(path).split("[", 1)[0]
        root = os.path.dirname(root)
        for match in matches:
            if os.path.isfile(match):
                yield root, match
    else:
        parent = Path(path).parent
        siblings = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
        where = registry.nearest(Path(path).name, siblings) if siblings else f" (the folder {parent} does not exist)"
        raise InputError(f"{pattern}: no such file or folder{where}")


def _add(path: str, root: str, index: int, entry: Input, pattern: str, files: list[InputFile], left_out: list[LeftOut]) -> None:
    name = os.path.basename(path)
    stem, compression = name, None
    for ending, kind in COMPRESSIONS.items():
        if name.endswith(ending):
            stem, compression = name.removesuffix(ending), kind
    found = FORMATS.get(os.path.splitext(stem)[1].lower())
    named = os.path.normpath(os.path.expanduser(pattern)) == os.path.normpath(path)
    if name.startswith((".", "_")) and not named:
        left_out.append(LeftOut(path, "hidden file"))
        return
    if entry.format != "auto" and (named or found is None or found == entry.format):
        format_: str = entry.format
    elif entry.format == "auto" and found:
        format_ = found
    else:
        expected = f"the input's format is {entry.format}" if entry.format != "auto" else "not a known ending"
        left_out.append(
            LeftOut(path, f"{os.path.splitext(stem)[1] or 'no ending'}: {expected}; `format:` reads it all the same")
        )
        return
    try:
        stat = os.stat(path)
        if not os.access(path, os.R_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    source = entry.source or _default_source(entry)
    relative = os.path.relpath(path, root or ".")
    files.append(InputFile(path, relative, source, format_, compression, stat.st_size, stat.st_mtime_ns, index))


def _default_source(entry: Input) -> str:
    path = os.path.normpath(os.path.expanduser(entry.paths()[0]))
    if glob.has_magic(path):
        path = os.path.dirname(path.split("*", 1)[0]) or "input"
    name = os.path.basename(os.path.abspath(path))
    return name if os.path.isdir(path) else name.split(".")[0]


def _with_footer(file: InputFile, entry: Input) -> InputFile:
    """A Parquet file with its row groups; the schema is checked here, before anything runs."""
    if file.format != "parquet":
        return file
    try:
        with pq.ParquetFile(file.path) as parquet:
            metadata, schema = parquet.metadata, parquet.schema_arrow
            mapping = column_mapping(entry, schema.names, file.path)
            check_types(mapping, schema, file.path)
            text = _leaf(metadata, mapping["text"][0])
            groups = []
            for index in range(metadata.num_row_groups):
                group = metadata.row_group(index)
                groups.append((group.num_rows, group.column(text).total_uncompressed_size))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{file.path}: not a Parquet file that can be read ({file.size} bytes): {error}") from error
    return InputFile(**{**file.__dict__, "rows": metadata.num_rows, "groups": tuple(groups)})


def _leaf(metadata: pq.FileMetaData, column: str) -> int:
    for index in range(metadata.num_columns):
        if metadata.schema.column(index).path.split(".")[0] == column:
            return index
    raise InputError(f"no column {column!r}")


def column_mapping(entry: Input, names: Sequence[str], where: str) -> dict[str, tuple[str, str]]:
    """Our column -> (the source's, type), for the core columns the source has and all that the recipe maps."""
    mapping = {name: (name, "string") for name in CORE_COLUMNS if name in names and name != "source"}
    for ours, spec in entry.columns.items():
        theirs = spec if isinstance(spec, Column) else Column(column=spec)
        if theirs.column not in names:
            raise InputError(
                f"{where}: there is no column {theirs.column!r} for {ours!r}{registry.nearest(theirs.column, names)}"
            )
        mapping[ours] = (theirs.column, theirs.type)
    if "text" not in mapping:
        raise InputError(
            f"{where}: there is no column 'text'; its columns are {', '.join(names)}. Map one: `columns: {{text: ...}}`"
        )
    return mapping


def check_types(mapping: dict[str, tuple[str, str]], schema: pa.Schema, where: str) -> None:
    """Refuse a text column that does not hold strings."""
    column = mapping["text"][0]
    kind = schema.field(column).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    checks = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
    )
    if not any(check(kind) for check in (*checks, pa.types.is_null)):
        raise InputError(f"{where}: the text column {column!r} is {kind}, expected string")


def mapped_columns(inputs: Sequence[Input]) -> dict[str, str]:
    """Columns beyond the core that some input maps, with their types, in order. Raises if two inputs disagree on a type."""
    columns: dict[str, str] = {}
    for entry in inputs:
        for ours, spec in entry.columns.items():
            kind = spec.type if isinstance(spec, Column) else "string"
            if ours in CORE_COLUMNS:
                if kind != "string":
                    raise InputError(f"column {ours!r} is always a string; it cannot be mapped as {kind}")
            elif columns.setdefault(ours, kind) != kind:
                raise InputError(f"column {ours!r} is mapped as {columns[ours]} and as {kind}")
    if clash := [name for name in columns if name in ("extra", "token_count") or name.startswith("_")]:
        raise InputError(f"column {clash[0]!r} is Sluice's own; map it to another name")
    return columns
