"""Files of battles."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from schemas.errors import InputError
from stages.core.battles import COLUMNS, refuse_missing

BLOCK = 1 << 26
"""bytes read at a time: a row must fit, and answers are long"""


def read_battles(path: Path, covariates: Sequence[tuple[str, str]] = ()) -> pa.Table:
    """The columns of a file that battles need: Parquet, JSON lines (also .gz or .zst) or CSV with a head line (also .gz).

    Raises `InputError` for a file that cannot be read or lacks a column.
    """
    stem = path.name.removesuffix(".gz").removesuffix(".zst")
    wanted = [*dict.fromkeys([*COLUMNS, *(column for pair in covariates for column in pair)])]
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        if stem.endswith(".parquet"):
            return _read_parquet(path, wanted, covariates)
        if stem.endswith(".csv"):
            return _read_csv(path, wanted, covariates)
        if stem.endswith((".jsonl", ".ndjson", ".json")):
            return _read_json(path, wanted, covariates)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    raise InputError(f"{path}: expected a file that ends with .parquet, .jsonl, .jsonl.gz, .jsonl.zst or .csv")


def _read_parquet(path: Path, wanted: list[str], covariates: Sequence[tuple[str, str]]) -> pa.Table:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        refuse_missing(file.schema_arrow.names, covariates, str(path))
        return file.read(columns=wanted)


def _read_csv(path: Path, wanted: list[str], covariates: Sequence[tuple[str, str]]) -> pa.Table:
    import pyarrow.csv as csv

    parse = csv.ParseOptions(newlines_in_values=True)
    read = csv.ReadOptions(block_size=BLOCK)
    types = {column: pa.string() for column in COLUMNS}
    with pa.input_stream(str(path)) as stream, csv.open_csv(stream, read_options=read, parse_options=parse) as head:
        refuse_missing(head.schema.names, covariates, str(path))
    convert = csv.ConvertOptions(include_columns=wanted, column_types=types, strings_can_be_null=True, null_values=[""])
    with pa.input_stream(str(path)) as stream:
        return csv.read_csv(stream, read_options=read, parse_options=parse, convert_options=convert)


def _read_json(path: Path, wanted: list[str], covariates: Sequence[tuple[str, str]]) -> pa.Table:
    import pyarrow.json as json

    schema = pa.schema([(column, pa.string() if column in COLUMNS else pa.float64()) for column in wanted])
    parse = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    read = json.ReadOptions(block_size=BLOCK)
    with pa.input_stream(str(path)) as stream:
        table = json.read_json(stream, read_options=read, parse_options=parse)
    if any(column.null_count == table.num_rows for column in table.columns):
        # what is not there at all is read as nulls
        infer = json.ParseOptions(unexpected_field_behavior="infer")
        with pa.input_stream(str(path)) as stream, json.open_json(stream, read_options=read, parse_options=infer) as head:
            refuse_missing(head.schema.names, covariates, str(path))
    return table
