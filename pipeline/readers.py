"""From a unit of input to documents, each row either a document or a fault with its place."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.batches import EXCERPT, Batch, Fault, byte_lengths, cut_rows
from pipeline.read_lines import read_jsonl, read_text_files, read_text_lines
from pipeline.read_parquet import read_parquet
from pipeline.read_warc import read_html, read_warc
from pipeline.sources import InputFile
from schemas.recipe import Input
from stages.kernels.hashing import order_keys

FILES_AT_ONCE = 1000


@dataclass(frozen=True)
class Selection:
    """A part of the input, chosen by hash of (seed, source, id), so that it does not depend on the cutting into files."""

    limit: int | None = None
    sample: float | None = None
    ids: tuple[str, ...] = ()
    seed: int = 0
    max_key: int | None = None
    """largest key that is taken; for `limit` it is found by a pass over the ids before the run"""

    def as_json(self) -> dict[str, Any]:
        """What enters the fingerprint."""
        chosen = self.limit is not None or self.sample is not None
        return {"limit": self.limit, "sample": self.sample, "ids": list(self.ids), "seed": self.seed if chosen else None}

    def apply(self, batch: Batch) -> Batch:
        """The chosen documents and faults of a batch."""
        table, faults = batch.table, batch.faults
        largest = self.max_key if self.sample is None else min(int(self.sample * 2**64), self.max_key or 2**64)
        if largest is None and not self.ids:
            return batch
        keep = np.ones(table.num_rows, bool)
        if self.ids:
            wanted = pa.array(self.ids, pa.string())
            keep &= pc.is_in(table.column("id"), wanted).to_numpy()
            faults = [fault for fault in faults if fault.id in self.ids]
        if largest is not None:
            keep &= self.keys(table.column("source").combine_chunks(), table.column("id").combine_chunks()) <= largest
            if faults:
                keys = self.keys(pa.array([fault.source for fault in faults]), pa.array([fault.id for fault in faults]))
                faults = [fault for fault, key in zip(faults, keys, strict=True) if key <= largest]
        return Batch(table.filter(pa.array(keep)), batch.rows[keep], faults, skipped=batch.skipped)

    def keys(self, source: pa.Array, id_: pa.Array) -> np.ndarray:
        """uint64 for each document."""
        return order_keys(self.seed, "select", source, id_)


@dataclass(frozen=True)
class Reader:
    """How units are read: the files, the inputs they belong to, the columns of the result."""

    files: tuple[InputFile, ...]
    inputs: tuple[Input, ...]
    schema: pa.Schema
    batch_bytes: int
    max_document_bytes: int
    selection: Selection = Selection()

    def read(self, unit: dict[str, Any]) -> Iterator[Batch]:
        """Batches of about `batch_bytes` of text. Rows are numbered from 0 through the unit."""
        base = 0
        pending: list[Batch] = []
        held = 0
        for files, start, stop in self._pieces(unit):
            count = 0
            for raw in self._read_piece(files, start, stop):
                count += raw.table.num_rows + len(raw.faults)
                batch = self.selection.apply(self._checked(raw, files[0], start)).shifted(base)
                pending.append(batch)
                held += batch.bytes() + 64 * (batch.table.num_rows + len(batch.faults))
                if held >= self.batch_bytes:
                    yield from self._flush(pending)
                    pending, held = [], 0
            base += count
        yield from self._flush(pending)

    def _pieces(self, unit: dict[str, Any]) -> Iterator[tuple[list[InputFile], int, int]]:
        """(files, start, stop) of what is read in one go: a slice of a file, or many small text files."""
        together: list[InputFile] = []
        held = 0
        for piece in unit["slices"]:
            file = self.files[piece["file"]]
            if file.format == "html" or (file.format == "text" and self.inputs[file.input].text_documents == "file"):
                if together and (held + file.size > self.batch_bytes or len(together) >= FILES_AT_ONCE):
                    yield together, 0, 0
                    together, held = [], 0
                together.append(file)
                held += file.size
                continue
            if together:
                yield together, 0, 0
                together, held = [], 0
            yield [file], piece["start"], piece["stop"]
        if together:
            yield together, 0, 0

    def _flush(self, pending: list[Batch]) -> Iterator[Batch]:
        """The pending pieces as batches that hold at most `batch_bytes`, or one document."""
        if not pending:
            return
        table = pa.concat_tables([batch.table for batch in pending])
        rows = np.concatenate([batch.rows for batch in pending])
        faults = [fault for batch in pending for fault in batch.faults]
        sizes = byte_lengths(table.column("text")) + 64
        edges = cut_rows(sizes, self.batch_bytes)
        skipped: Counter[str] = Counter()
        for batch in pending:
            skipped.update(batch.skipped)
        for start, stop in pairwise(edges):
            yield Batch(table.slice(start, stop - start).combine_chunks(), rows[start:stop], faults, skipped=dict(skipped))
            faults, skipped = [], Counter()
        if faults or skipped:
            yield Batch(table.slice(0, 0), rows[:0], faults, skipped=dict(skipped))

    def _read_piece(self, files: list[InputFile], start: int, stop: int) -> Iterator[Batch]:
        file = files[0]
        entry = self.inputs[file.input]
        if file.format == "parquet":
            return read_parquet(file, entry, start, stop, self.schema, self.batch_bytes)
        if file.format == "jsonl":
            return read_jsonl(file, entry, start, stop, self.schema, self.batch_bytes, self.max_document_bytes)
        if file.format == "warc":
            return read_warc(file, entry, start, stop, self.schema, self.batch_bytes, self.max_document_bytes)
        if file.format == "html":
            return iter([read_html(files, self.schema, self.max_document_bytes)])
        if entry.text_documents == "line":
            return read_text_lines(file, self.schema, self.max_document_bytes)
        return iter([read_text_files(files, self.schema, self.max_document_bytes)])

    def _checked(self, batch: Batch, file: InputFile, start: int) -> Batch:
        """Set aside documents without text, too long, or with a column that is not UTF-8."""
        table = batch.table
        text = table.column("text")
        sizes = byte_lengths(table.column("text"))
        reasons: dict[int, tuple[str, str, bytes]] = {}
        if text.null_count:
            nulls = np.flatnonzero(text.is_null().to_numpy(zero_copy_only=False))
            reasons.update((int(row), ("NoText", "the text is null", b"")) for row in nulls)
        for row in np.flatnonzero(sizes > self.max_document_bytes):
            message = f"{sizes[row]} bytes of text, more than max_document_bytes {self.max_document_bytes}"
            reasons[int(row)] = ("TooLong", message, b"")
        for field in table.schema:
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                column = table.column(field.name)
                # to combine would copy even a single chunk
                column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
                try:
                    column.validate(full=True)
                except pa.ArrowInvalid:
                    reasons.update(_invalid_utf8(field.name, column))
        if not reasons:
            return batch
        faults = list(batch.faults)
        ids = table.column("id").cast(pa.binary())
        for at, (kind, message, raw) in reasons.items():
            number = int(batch.rows[at])
            place = f"{file.path}: row {start + number}" if file.format == "parquet" else file.path
            place = batch.place(at) if batch.place else place
            excerpt = raw.decode(errors="replace")
            identity = ids[at].as_py().decode(errors="replace")
            faults.append(Fault(number, identity, file.source, place, kind, message, excerpt, int(sizes[at])))
        keep = np.ones(table.num_rows, bool)
        keep[list(reasons)] = False
        sorted_faults = sorted(faults, key=lambda fault: fault.row)
        return Batch(table.filter(pa.array(keep)), batch.rows[keep], sorted_faults, skipped=batch.skipped)


def _invalid_utf8(name: str, column: pa.Array) -> dict[int, tuple[str, str, bytes]]:
    """The rows whose bytes are not UTF-8. Only called where there are some: each document is looked at in Python."""
    found = {}
    for row, raw in enumerate(column.cast(pa.large_binary()).to_pylist()):
        try:
            (raw or b"").decode()
        except UnicodeDecodeError as error:
            message = (
                f"byte {error.start} of {'the text' if name == 'text' else repr(name)} is 0x{raw[error.start]:02x}, not UTF-8"
            )
            found[row] = ("InvalidUtf8", message, raw[:EXCERPT])
    return found
