"""Row ranges of Parquet files as documents."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.batches import Batch, make_ids
from pipeline.sources import InputFile, column_mapping
from schemas.columns import TEXT
from schemas.errors import InputError
from schemas.recipe import Input


def read_parquet(file: InputFile, entry: Input, start: int, stop: int, schema: pa.Schema, batch_bytes: int) -> Iterator[Batch]:
    with pq.ParquetFile(file.path, pre_buffer=False, buffer_size=1 << 20) as parquet:
        names = parquet.schema_arrow.names
        mapping = column_mapping(entry, names, file.path)
        others = [name for name in names if name not in {theirs for theirs, _ in mapping.values()}]
        columns = [theirs for theirs, _ in mapping.values()] + (others if entry.other_columns == "extra" else [])
        groups: list[int] = []
        skip = seen = 0
        for index, (count, _) in enumerate(file.groups):
            if seen < stop and seen + count > start:
                if not groups:
                    skip = start - seen
                groups.append(index)
            seen += count
        if not groups:
            return
        size = sum(file.groups[index][1] for index in groups) / max(1, sum(file.groups[index][0] for index in groups))
        number, wanted = 0, stop - start
        for raw in parquet.iter_batches(
            max(1, int(batch_bytes / (size + 64))), row_groups=groups, columns=columns, use_threads=False
        ):
            if skip >= raw.num_rows:
                skip -= raw.num_rows
                continue
            raw = raw.slice(skip, wanted - number)
            skip = 0
            rows = np.arange(number, number + raw.num_rows)
            yield Batch(_conform(pa.Table.from_batches([raw]), mapping, others, entry, file, rows + start, schema), rows)
            number += raw.num_rows
            if number >= wanted:
                return


def _conform(
    table: pa.Table,
    mapping: dict[str, tuple[str, str]],
    others: Sequence[str],
    entry: Input,
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
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            if ours.name == "text" and pa.types.is_binary(column.type) | pa.types.is_large_binary(column.type):
                column = _view_as_text(column)
            try:
                column = column.cast(ours.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise InputError(
                    f"{file.path}: column {theirs!r} ({column.type}) cannot be read as {ours.type}: {error}"
                ) from error
        elif ours.name == "extra" and others and entry.other_columns == "extra":
            column = _as_json(table, others)
        else:
            column = pa.nulls(table.num_rows, ours.type)
        if ours.name == "source":
            column = pc.fill_null(column, file.source)
        if ours.name == "id":
            column = pc.coalesce(column, make_ids(file, rows))
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _view_as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Binary as large_string without a check; the check that follows sets invalid documents aside one by one."""
    return pa.chunked_array([chunk.cast(pa.large_binary()).view(TEXT) for chunk in column.chunks], TEXT)


def _as_json(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """One JSON object for each row, of the given columns; nulls are left out of no row, so that all rows have the same keys."""
    frame = pl.from_arrow(table.select(list(names)))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_arrow().cast(pa.string())
