"""Batches of input: documents with their row numbers, and the faults between them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.function import TYPES
from pipeline.sources import InputFile
from pipeline.verdicts import Decision
from schemas.columns import DOCUMENT

EXCERPT = 200


@dataclass(frozen=True)
class Fault:
    """A row of input that is no document: where it stands, what is wrong with it, and how it begins."""

    row: int
    id: str
    source: str
    place: str
    error: str
    message: str
    excerpt: str
    bytes: int


@dataclass
class Batch:
    """Documents with their row numbers in the unit's input, and the faults between them; both share one numbering."""

    table: pa.Table
    rows: np.ndarray
    faults: list[Fault] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    """of each Global of the segment before, in order"""
    place: Callable[[int], str] | None = None
    """where the document at a position of `table` stands, for messages; None: the file's row says it"""
    skipped: dict[str, int] = field(default_factory=dict)
    """records of archives that are no documents, by kind"""

    def shifted(self, by: int) -> "Batch":
        """The same batch with all row numbers moved."""
        faults = [replace(fault, row=fault.row + by) for fault in self.faults]
        return Batch(self.table, self.rows + by, faults, skipped=self.skipped)

    def split(self, count: int) -> "tuple[Batch, Batch | None]":
        """The first `count` documents, and the rest if there are more; faults go with the documents around them."""
        if count >= self.table.num_rows:
            return self, None
        edge = int(self.rows[count])
        before = [fault for fault in self.faults if fault.row < edge]
        after = [fault for fault in self.faults if fault.row >= edge]
        head = Batch(self.table.slice(0, count), self.rows[:count], before, self.decisions, skipped=self.skipped)
        return head, Batch(self.table.slice(count), self.rows[count:], after, self.decisions)

    def bytes(self) -> int:
        """UTF-8 bytes of text."""
        return text_bytes(self.table)


def text_bytes(table: pa.Table) -> int:
    """UTF-8 bytes of a table's text."""
    return int(byte_lengths(table.column("text")).sum())


def byte_lengths(column: pa.ChunkedArray) -> np.ndarray:
    """UTF-8 bytes of each text; a null has none."""
    return np.asarray(pc.fill_null(pc.binary_length(column), 0).cast(pa.int64()).to_numpy())


def cut_rows(sizes: np.ndarray, limit: int) -> list[int]:
    """Edges of runs of rows whose sizes sum to at most `limit`; a row above it is a run of its own."""
    ends = np.cumsum(sizes)
    edges = [0]
    while edges[-1] < len(sizes):
        done = ends[edges[-1] - 1] if edges[-1] else 0
        stop = int(np.searchsorted(ends, done + limit, side="right"))
        edges.append(max(stop, edges[-1] + 1))
    return edges


def make_ids(file: InputFile, rows: np.ndarray) -> pa.Array:
    """Ids for rows that have none: a hash of source and path, and the row (for lines, the byte where the line starts)."""
    return pc.binary_join_element_wise(id_prefix(file), pc.cast(pa.array(rows), pa.string()), "")


def id_prefix(file: InputFile) -> str:
    """What the made ids of a file begin with."""
    name = f"{file.source}\0{file.relative}".encode()
    return f"{hashlib.blake2b(name, digest_size=8).hexdigest()}-"


def document_schema(mapped: dict[str, str]) -> pa.Schema:
    """Columns of every document at the start: the core, what the recipe maps, and `extra` at the end."""
    fields = [column.remove_metadata() for column in DOCUMENT]
    fields[-1:-1] = [pa.field(name, pa.string() if kind == "string" else TYPES[kind]) for name, kind in mapped.items()]
    return pa.schema(fields)
