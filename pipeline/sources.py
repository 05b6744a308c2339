"""What a recipe's inputs are on disk: every file that will be read, and every file that will not, with the reason."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISREG

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import registry
from schemas.errors import InputError
from schemas.recipe import Column, Input

FORMATS = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "text",
    ".md": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".warc": "warc",
    ".wet": "warc",
    ".arc": "warc",
}
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
            for root, path in _paths(pattern, left_out):
                _add(path, root, index, entry, pattern, files, left_out)
        if len(files) == before:
            reasons = "".join(f"\n  {item.path}: {item.reason}" for item in left_out[:5])
            raise InputError(f"{', '.join(entry.paths())}: no file to read; known endings: {', '.join(_endings())}{reasons}")
    unique = _told_apart(_each_once(files, left_out))
    ordered = sorted(unique, key=lambda file: (file.input, file.relative, file.path))
    return [_with_footer(file, inputs[file.input]) for file in ordered], left_out


def _each_once(files: Sequence[InputFile], left_out: list[LeftOut]) -> list[InputFile]:
    """Without files that an input reaches twice, by two of its paths or by a link."""
    seen: dict[str, InputFile] = {}
    folders: dict[str, str] = {}
    for file in files:
        folder, name = os.path.split(file.path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        real = os.path.realpath(file.path) if os.path.islink(file.path) else os.path.join(folders[folder], name)
        first = seen.setdefault(real, file)
        if first.input != file.input:
            raise InputError(f"{file.path} belongs to two inputs; its documents would be counted twice")
        if os.path.normpath(first.path) != os.path.normpath(file.path):
            left_out.append(LeftOut(file.path, f"the same file as {first.path}"))
    return list(seen.values())


def _told_apart(files: Sequence[InputFile]) -> list[InputFile]:
    """Files whose made ids would be equal (same source, same path below different roots) get more of their path into them."""
    same: dict[tuple[str, str], list[InputFile]] = {}
    for file in files:
        same.setdefault((file.source, file.relative), []).append(file)
    if len(same) == len(files):
        return list(files)
    told = []
    for group in same.values():
        paths = [os.path.abspath(file.path) for file in group]
        common = os.path.commonpath(paths)
        told += [
            replace(file, relative=os.path.relpath(path, common)) if len(group) > 1 else file
            for file, path in zip(group, paths, strict=True)
        ]
    return told


def _endings() -> list[str]:
    return [*FORMATS, *(f"{name}{end}" for name in (".jsonl", ".txt", ".warc") for end in COMPRESSIONS)]


def _paths(pattern: str, left_out: list[LeftOut]) -> Iterator[tuple[str, str]]:
    """(root, path) of each file that a path or glob stands for; the root is what ids do not contain."""
    path = os.path.expanduser(pattern)
    if os.path.isdir(path):
        for found in _below(path, left_out):
            yield path, found
    elif os.path.exists(path):
        yield os.path.dirname(path), path
    elif glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            raise InputError(f"{pattern}: no file matches")
        root = glob.escape(path).split("[", 1)[0]
        root = os.path.dirname(root)
        for match in matches:
            if os.path.isdir(match):
                # `**` gives every folder and what is in it; `*` a folder of parts, as Spark writes them
                for found in () if "**" in pattern else _below(match, left_out):
                    yield root, found
            else:
                yield root, match
    else:
        parent = Path(path).parent
        siblings = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
        where = registry.nearest(Path(path).name, siblings) if siblings else f" (the folder {parent} does not exist)"
        raise InputError(f"{pattern}: no such file or folder{where}")


def _below(path: str, left_out: list[LeftOut]) -> Iterator[str]:
    """All files below a folder, in order. Hidden folders are left out, and links back to a folder that is being read."""
    visited = set()

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error

    for folder, folders, names in os.walk(path, followlinks=True, onerror=refuse):
        visited.add(os.path.realpath(folder))
        keep = []
        for name in sorted(folders):
            below = os.path.join(folder, name)
            if name.startswith((".", "_")):
                left_out.append(LeftOut(_shown(below), "hidden folder"))
            elif os.path.islink(below) and os.path.realpath(below) in visited:
                left_out.append(LeftOut(_shown(below), "a link to a folder that is read already"))
            else:
                keep.append(name)
        folders[:] = keep
        for name in sorted(names):
            yield os.path.join(folder, name)


def _shown(path: str) -> str:
    """The path as valid text, whatever bytes are in it."""
    return os.fsencode(path).decode(errors="replace")


def _add(path: str, root: str, index: int, entry: Input, pattern: str, files: list[InputFile], left_out: list[LeftOut]) -> None:
    name = os.path.basename(path)
    if _shown(path) != path:
        left_out.append(LeftOut(_shown(path), "its name is not UTF-8; rename it"))
        return
    stem, compression = name, None
    for ending, kind in COMPRESSIONS.items():
        if name.lower().endswith(ending):
            stem, compression = name[: -len(ending)], kind
    found = FORMATS.get(os.path.splitext(stem)[1].lower())
    named = os.path.normpath(os.path.expanduser(pattern)) == os.path.normpath(path)
    if name.startswith((".", "_")) and not named:
        left_out.append(LeftOut(path, "hidden file"))
        return
    if os.path.splitext(stem)[1].lower() == ".wat":
        reason = "a WAT file describes records and has no text: read the WARC or WET file it was made of"
        left_out.append(LeftOut(path, reason))
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
        if not S_ISREG(stat.st_mode):
            left_out.append(LeftOut(path, "not a regular file"))
            return
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
            if entry.other_columns == "error":
                check_all_mapped(mapping, schema.names, file.path)
            text = _leaf(metadata, mapping["text"][0])
            groups = []
            for index in range(metadata.num_row_groups):
                group = metadata.row_group(index)
                groups.append((group.num_rows, group.column(text).total_uncompressed_size))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file.path}: not a Parquet file that can be read ({file.size} bytes): {error}") from error
    return replace(file, rows=metadata.num_rows, groups=tuple(groups))


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
        near = registry.nearest("text", names) if get_close_matches("text", names) else ""
        raise InputError(
            f"{where}: there is no column 'text'{near}; its columns are {', '.join(names)}. Map one: `columns: {{text: ...}}`"
        )
    return mapping


def check_types(mapping: dict[str, tuple[str, str]], schema: pa.Schema, where: str) -> None:
    """Refuse a text column that does not hold strings, and a column that cannot be read as the type it is mapped to."""
    for ours, (column, wanted) in mapping.items():
        if schema.names.count(column) > 1:
            raise InputError(f"{where}: there are {schema.names.count(column)} columns {column!r}")
        kind = schema.field(column).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_null(kind):
            continue
        if ours == "text" and not holds_bytes(kind):
            raise InputError(f"{where}: the text column {column!r} is {kind}, expected string")
        if not _READS[wanted](kind):
            raise InputError(f"{where}: column {column!r} for {ours!r} is {kind}, expected {wanted}")


def check_all_mapped(mapping: dict[str, tuple[str, str]], names: Sequence[str], where: str) -> None:
    """Refuse columns that nothing maps, for `other_columns: error`."""
    known = {theirs for theirs, _ in mapping.values()}
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"{where}: other_columns is error, and nothing maps {', '.join(map(repr, unknown))}")


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a type holds strings, or bytes that may be strings."""
    checks = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view", "fixed_size_binary")
    return any(getattr(pa.types, f"is_{check}")(kind) for check in checks)


_READS = {
    "string": lambda kind: holds_bytes(kind) or not pa.types.is_nested(kind),
    "int64": pa.types.is_integer,
    "float64": lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind),
    "bool": pa.types.is_boolean,
}
"""Types of a Parquet column that can be read as a recipe's"""


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
