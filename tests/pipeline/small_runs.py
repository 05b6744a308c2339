"""Small inputs, and what became of them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import run
from pipeline.batches import document_schema
from pipeline.readers import Reader
from pipeline.results import Run
from pipeline.sources import list_files, mapped_columns
from pipeline.units import Unit, cut
from schemas.recipe import Input

LENIENT = {"max_fraction": 1.0}


def jsonl(path: Path, rows: Iterable[Any]) -> Path:
    """Write a file of one JSON value a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    """Write a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def curate(folder: Path, entry: Any, stages: Sequence[Any] = (), /, **keys: Any) -> Run:
    """A run on the local engine in which any share of documents may fail. Keys are the recipe's, or those of `run`."""
    options = {name: keys.pop(name) for name in ("engine", "workers", "limit", "sample", "ids", "force") if name in keys}
    recipe = {"name": "try", "input": entry, "stages": list(stages), "failures": LENIENT, **keys}
    return run(recipe, output=folder, progress="none", **{"engine": "local", "workers": 1, **options})


def documents(result: Run) -> list[dict[str, Any]]:
    """What came out, in order."""
    return [row for shard in sorted(result.path.glob("data/*.parquet")) for row in pq.read_table(shard).to_pylist()]


def quarantined(result: Run) -> list[dict[str, Any]]:
    """The ledger's documents that failed, in the order of the input."""
    rows: list[dict[str, Any]] = pq.read_table(result.path / "ledger/quarantined").to_pylist()
    return sorted(rows, key=lambda row: (row["part"], row["row"]))


def counts(result: Run) -> dict[str, int]:
    """Documents in, out, dropped and quarantined; the equation is checked here."""
    told = result.manifest["counts"]
    found = {name: told[name]["documents"] for name in ("in", "out", "dropped", "quarantined")}
    assert found["in"] == found["out"] + found["dropped"] + found["quarantined"]
    return found


def read_all(entry: Input, part_bytes: int = 1 << 30, batch_bytes: int = 1 << 20) -> tuple[pa.Table, list[Any], list[Unit]]:
    """Documents, faults and units of one input, as the workers read them."""
    files, _ = list_files([entry])
    units = cut(files, part_bytes)
    schema = document_schema(mapped_columns([entry]))
    reader = Reader(tuple(files), (entry,), schema, batch_bytes, 1 << 30)
    batches = [batch for unit in units for batch in reader.read(unit)]
    tables = [batch.table for batch in batches]
    return pa.concat_tables([schema.empty_table(), *tables]), [fault for batch in batches for fault in batch.faults], units
