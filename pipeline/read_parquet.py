"""Row ranges of Parquet files as documents."""

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.batches import Batch, Fault, make_ids
from pipeline.sources import InputFile, column_mapping, holds_bytes
from schemas.columns import TEXT
from schemas.recipe import Input


def read_parquet(file: InputFile, entry: Input, start: int, stop: int, schema: pa.Schema, batch_bytes: int) -> Iterator[Batch]:
    """Rows `start` to `stop` of the file. Rows that cannot be decoded are faults, one each."""
    with pq.ParquetFile(file.path, pre_buffer=False, buffer_size=1 << 20) as parquet:
        names = parquet.schema_arrow.names
        mapping = column_mapping(entry, names, file.path)
        others = [name for name in names if name not in {theirs for theirs, _ in mapping.values()}]
        others = others if entry.other_columns == "extra" else []
        columns = [theirs for theirs, _ in mapping.values()] + others
        first = 0
        for group, (count, size) in enumerate(file.groups):
            low, high = max(start, first), min(stop, first + count)
            if low < high:
                rows = max(1, int(batch_bytes / (size / count + 64)))
                done = low
                for raw in _rows(parquet, group, columns, low - first, high - first, rows):
                    if isinstance(raw, Exception):
                        faults = _damaged(file, group, done, high, start, raw)
                        yield Batch(schema.empty_table(), np.zeros(0, np.int64), faults)
                        break
                    numbers = np.arange(done, done + raw.num_rows)
                    good, faults = _without_bad_extras(raw, mapping, others, file, numbers, start, schema)
                    if faults:
                        raw, numbers = raw.filter(pa.array(good)), numbers[good]
                    yield Batch(_conform(raw, mapping, others, file, numbers, schema), numbers - start, faults)
                    done += len(good)
            first += count


def _rows(
    parquet: pq.ParquetFile, group: int, columns: Sequence[str], low: int, high: int, rows: int
) -> Iterator[pa.Table | Exception]:
    """Tables of rows `low` to `high` of a row group; at damage, the error, and nothing more."""
    at = 0
    try:
        for raw in parquet.iter_batches(rows, row_groups=[group], columns=list(columns), use_threads=False):
            begin, end = max(low - at, 0), min(high - at, raw.num_rows)
            at += raw.num_rows
            if begin < end:
                table = pa.Table.from_batches([raw.slice(begin, end - begin)])
                yield table.cast(pa.schema([field.with_type(_not_a_view(field.type)) for field in table.schema]))
            if at >= high:
                return
    except (pa.ArrowException, OSError) as error:
        yield error


def _not_a_view(kind: pa.DataType) -> pa.DataType:
    """View types as plain ones: Arrow cannot take rows of a view."""
    if pa.types.is_string_view(kind):
        return TEXT
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def _damaged(file: InputFile, group: int, low: int, high: int, start: int, error: Exception) -> list[Fault]:
    ids = make_ids(file, np.arange(low, high)).to_pylist()
    message = f"row group {group} is damaged: {error}"
    return [
        Fault(row - start, id_, file.source, f"{file.path}: row {row}", "Damaged", message, "", 0)
        for row, id_ in zip(range(low, high), ids, strict=True)
    ]


def _without_bad_extras(
    raw: pa.Table,
    mapping: dict[str, tuple[str, str]],
    others: Sequence[str],
    file: InputFile,
    numbers: np.ndarray,
    start: int,
    schema: pa.Schema,
) -> tuple[np.ndarray, list[Fault]]:
    """Which rows can go into JSON: strings of the other columns are looked at here, since JSON is written without a check."""
    good = np.ones(raw.num_rows, bool)
    faults: list[Fault] = []
    for name in others:
        column = raw.column(name).combine_chunks()
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            for at in np.flatnonzero(good):  # only where something is wrong: each row alone
                try:
                    column.take(pa.array([at])).validate(full=True)
                except pa.ArrowInvalid as error:
                    good[at] = False
                    row = int(numbers[at])
                    ids = _conform(raw.slice(at, 1), mapping, (), file, numbers[at : at + 1], schema).column("id")
                    identity = ids.cast(pa.binary())[0].as_py().decode(errors="replace")
                    message = f"column {name!r}: {error}"
                    place = f"{file.path}: row {row}"
                    faults.append(Fault(row - start, identity, file.source, place, "InvalidUtf8", message, "", 0))
    return good, sorted(faults, key=lambda fault: fault.row)


def _conform(
    table: pa.Table,
    mapping: dict[str, tuple[str, str]],
    others: Sequence[str],
    file: InputFile,
    rows: np.ndarray,
    schema: pa.Schema,
) -> pa.Table:
    """A source's table with our columns and types."""
    columns = []
    for ours in schema:
        if ours.name in mapping:
            theirs, _ = mapping[ours.name]
            column = table.column(theirs)
            column = _cast(_plain(column), ours.type)
        elif ours.name == "extra" and others:
            column = _as_json(table, others)
        else:
            column = pa.nulls(table.num_rows, ours.type)
        if ours.name == "source":
            column = pc.fill_null(column, file.source)
        if ours.name == "id":
            column = pc.coalesce(column, make_ids(file, rows))
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionaries decoded, and all that holds bytes as large_string without a check: invalid rows are set aside one by one."""
    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type)
    if holds_bytes(column.type):
        return pa.chunked_array([chunk.cast(pa.large_binary()).view(TEXT) for chunk in column.chunks], TEXT)
    return column


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column as another type that holds it (`check_types` has seen to that); a number beyond int64 is null."""
    if pa.types.is_uint64(column.type) and kind == pa.int64():
        fits = pc.less(column, pa.scalar(2**63, pa.uint64()))
        column = pc.if_else(fits, column, pa.scalar(None, column.type))
    # view types and large_string to string: valid UTF-8 is checked by the reader, row by row
    return column.cast(kind, safe=False) if pa.types.is_floating(column.type) else column.cast(kind)


def _as_json(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """One JSON object for each row, of the given columns; nulls are left out of no row, so that all rows have the same keys.

    Bytes become base64.
    """
    table = table.select(list(names))
    for index, field in enumerate(table.schema):
        if holds_bytes(field.type) and not _is_text(field.type):
            encoded = [None if raw is None else base64.b64encode(raw).decode() for raw in table.column(index).to_pylist()]
            table = table.set_column(index, field.name, pa.array(encoded, pa.large_string()))
    if any(_has_bytes(field.type) for field in table.schema):  # bytes inside structs: polars cannot write them
        return pa.array([orjson.dumps(row, default=_plain_value).decode() for row in table.to_pylist()], pa.string())
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_arrow().cast(pa.string())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _has_bytes(kind: pa.DataType) -> bool:
    if kind.num_fields:
        return any(_has_bytes(kind.field(index).type) for index in range(kind.num_fields))
    return holds_bytes(kind) and not _is_text(kind)


def _plain_value(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
