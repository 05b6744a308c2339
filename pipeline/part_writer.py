"""The files of one finished part. They appear together, by one rename of their folder."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.batches import Fault, byte_lengths, cut_rows
from pipeline.curriculum import ORDER_KEY
from pipeline.examples import Examples
from pipeline.origins import distinct
from pipeline.outcome import Dropped, Edits, Failed, Lineage, Measured, Outcome
from pipeline.segment import Segment
from pipeline.tally import Tally
from schemas.columns import COPY, DROPS, EDITS, LINEAGE, QUARANTINED
from stages.kernels.hashing import order_keys

LEDGER_ROWS = 4096
"""Rows of a row group in ledger files: a lookup by id reads one of them for each part."""


class PartWriter:
    """Collects what became of the documents of one part, and writes it."""

    def __init__(self, segment: Segment, part: int, bins: int) -> None:
        self.segment = segment
        self.part = part
        self.tally = Tally()
        self.examples = Examples()
        self._bins = bins
        self._final = segment.folder_of_part(part)
        self._folder = self._final.with_name(f".{self._final.name}.{secrets.token_hex(4)}")
        self._folder.mkdir(parents=True)
        self._documents: pq.ParquetWriter | None = None
        self._sketches: list[pq.ParquetWriter | None] = [None] * len(segment.globals)
        self._held: list[pa.Table] = []
        self._groups: list[list[int]] = []
        self._drops: list[pa.Table] = []
        self._quarantined: list[pa.Table] = []
        self._measures: dict[tuple[str, ...], list[pa.Table]] = {}
        self._edits: list[pa.Table] = []
        self._lineage: list[pa.Table] = []
        self._row = 0

    def add(self, outcome: Outcome) -> None:
        """Take over the result of a batch."""
        for dropped in outcome.dropped:
            self._drops.append(self._drop_rows(dropped))
        for edits in outcome.edits:
            self.add_edits(edits)
        self._lineage += [table for lineage in outcome.lineage for table in self._lineage_rows(lineage)]
        for failed in outcome.failed:
            self._quarantined.append(self._failed_rows(failed))
        for measured in outcome.measured:
            self._measure_rows(measured)
            self.examples.add(measured)
        table = outcome.table
        self.tally.left[0] += distinct(outcome.origins())
        self.tally.left[1] += int(byte_lengths(table.column("text")).sum())
        if self.segment.is_last:
            self.tally.by_source(table, "out")
            self.tally.by_language(table)
        for index, sketch in enumerate(outcome.sketches):
            self._write_sketch(index, sketch, table)
        self._row += table.num_rows
        if self.segment.is_last:
            self._held.append(table)
        elif table.num_rows:
            self._write_documents(table, 0)

    def add_edits(self, edits: Edits) -> None:
        """Take over what a step told of its edits."""
        self._edits.append(self._edit_rows(edits))

    def add_faults(self, faults: Sequence[Fault]) -> None:
        """Take over rows of input that are no documents."""
        rows = [{**fault.__dict__, "part": self.part, "step": "read", "trace": None} for fault in faults]
        if rows:
            self._quarantined.append(pa.Table.from_pylist(rows, QUARANTINED))

    def add_poison(self, table: pa.Table, rows: np.ndarray, causes: dict[int, str]) -> None:
        """Take over documents that killed or hung their worker."""
        errors = [("WorkerDied", causes[int(row)], "") for row in rows]
        self._quarantined.append(self._failed_rows(Failed("worker", table, rows, errors)))

    def add_verdict_drops(self, label: str, table: pa.Table, rows: np.ndarray, verdicts: pa.Table) -> None:
        """Take over documents that a Global of the segment before drops."""
        columns = {name: verdicts.column(name) for name in verdicts.column_names if name != "row"}
        sizes = byte_lengths(table.column("text"))
        self._drops.append(self._ledger(table, sizes, rows, DROPS, {**columns, "step": label, "rank": 0}))

    def commit(self, last: bool) -> None:
        """Write what is held, then let the part appear. A part that another worker finished first is left as it is."""
        if self.segment.is_last:
            self._write_last()
        if self._documents is None:
            self._documents = self._open("docs", self.segment.schema)
        for index, writer in enumerate(self._sketches):
            if writer is None:
                self._sketches[index] = self._open(f"sketch-{index}", sketch_file_schema(self.segment, index))
        for open_writer in (self._documents, *self._sketches):
            assert open_writer is not None
            open_writer.close()
        self._write_ledger("drops", self._drops, DROPS)
        self._write_ledger("quarantined", self._quarantined, QUARANTINED)
        self._write_ledger("edits", self._edits, EDITS)
        self._write_ledger("lineage", self._lineage, LINEAGE)
        for number, tables in enumerate(self._measures.values()):
            self._write_ledger(f"measures-{number}", tables, tables[0].schema)
        if rows := self.examples.table():
            self._write_ledger("examples", [rows], rows.schema)
        counts = {"part": self.part, "last": last, "groups": self._groups, **self.tally.as_json()}
        (self._folder / "counts.json").write_bytes(orjson.dumps(counts))
        try:
            os.rename(self._folder, self._final)
        except OSError:
            if not self._final.is_dir():
                raise
            shutil.rmtree(self._folder)

    def abandon(self) -> None:
        """Remove what was written so far."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        plain = [field.name for field in schema if field.name in ("source", "language", "date")]
        return pq.ParquetWriter(
            self._folder / f"{name}.parquet",
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=plain,
            write_statistics=False,
        )

    def _write_documents(self, table: pa.Table, bin_: int) -> None:
        if self._documents is None:
            self._documents = self._open("docs", self.segment.schema)
        self._documents.write_table(
            table.select(self.segment.schema.names).cast(self.segment.schema), row_group_size=table.num_rows
        )
        tokens = int(pc.sum(table.column("token_count")).as_py() or 0) if "token_count" in table.column_names else 0
        self._groups.append([bin_, table.num_rows, int(byte_lengths(table.column("text")).sum()), tokens])

    def _write_last(self) -> None:
        """The part's survivors in the order of the output; where a row group ends does not depend on the batches.

        Seeded: by key, one row group for each range of keys (bin). As in the source: one for each so many bytes.
        """
        table = pa.concat_tables(self._held) if self._held else self.segment.schema.empty_table()
        self._held.clear()
        if not table.num_rows:
            return
        if self.segment.order_seed is None:
            cost = byte_lengths(table.column("text")) + 64
            if self.segment.piece_rows:
                cost = np.maximum(cost, self.segment.piece_bytes // self.segment.piece_rows)
            edges = cut_rows(cost, self.segment.piece_bytes)
        else:
            keys = table_keys(table, self.segment.order_seed)
            order = np.argsort(keys, kind="stable")
            table = table.take(pa.array(order))
            starts = np.arange(1, self._bins, dtype=np.uint64) * np.uint64(2**64 // max(2, self._bins))
            edges = [0, *np.searchsorted(keys[order], starts).tolist(), len(keys)]
        for bin_, (start, stop) in enumerate(pairwise(edges)):
            if stop > start:
                self._write_documents(table.slice(start, stop - start), bin_)

    def _write_sketch(self, index: int, sketch: pa.Table, table: pa.Table) -> None:
        writer = self._sketches[index]
        if writer is None:
            writer = self._sketches[index] = self._open(f"sketch-{index}", sketch_file_schema(self.segment, index))
        rows = pa.array(np.arange(self._row, self._row + table.num_rows, dtype=np.int32))
        columns = [rows, table.column("source"), table.column("id"), *sketch.columns]
        if table.num_rows:
            writer.write_table(pa.Table.from_arrays(columns, schema=sketch_file_schema(self.segment, index)))

    def _drop_rows(self, dropped: Dropped) -> pa.Table:
        """One row for each broken rule, in the order of documents, then of rules."""
        at = np.concatenate([item.rows for item in dropped.broken])
        number = np.concatenate([np.full(len(item.rows), index) for index, item in enumerate(dropped.broken)])
        order = np.lexsort((number, at))
        at, number = at[order], number[order]
        first = np.r_[True, at[1:] != at[:-1]]
        starts = np.maximum.accumulate(np.where(first, np.arange(len(at)), 0))
        rules = [item.rule for item in dropped.broken]

        def named(names: Sequence[str | None]) -> pa.Array:
            return pa.array(names, pa.string()).take(pa.array(number))

        columns: dict[str, Any] = {
            "step": named([item.step for item in dropped.broken]),
            "rule": named([rule.name for rule in rules]),
            "rank": np.arange(len(at)) - starts,
            "measure": named([rule.measure or None for rule in rules]),
            "op": named([rule.op if rule.measure else None for rule in rules]),
            "value": _nullable(np.concatenate([item.values for item in dropped.broken])[order]),
            "limit": _nullable(np.concatenate([item.limits for item in dropped.broken])[order]),
        }
        return self._ledger(dropped.table.take(pa.array(at)), dropped.sizes[at], dropped.rows[at], DROPS, columns)

    def _failed_rows(self, failed: Failed) -> pa.Table:
        text = pc.utf8_slice_codeunits(failed.table.column("text"), 0, 200)
        columns = {
            "place": [f"part {self.part} row {row}" for row in failed.rows],
            "step": failed.label,
            "error": [error for error, _, _ in failed.errors],
            "message": [message for _, message, _ in failed.errors],
            "trace": [trace for _, _, trace in failed.errors],
            "excerpt": text,
        }
        sizes = byte_lengths(failed.table.column("text"))
        return self._ledger(failed.table, sizes, failed.rows, QUARANTINED, columns)

    def _edit_rows(self, edits: Edits) -> pa.Table:
        told = edits.edited
        columns = {"step": edits.label, "type": list(told.type), "offset": told.offset, "length": told.length}
        return self._ledger(edits.table, np.zeros(0), edits.rows, EDITS, columns)

    def _lineage_rows(self, lineage: Lineage) -> Iterator[pa.Table]:
        """From the document that was made, then from the one that it was made of."""
        child, parent = lineage.table.column("id"), lineage.table.column("parent")
        for relation, own, other in (("made_from", child, parent), ("made_into", parent, child)):
            table = pa.table({"source": lineage.table.column("source"), "id": own})
            columns = {
                "step": lineage.label,
                "relation": relation,
                "other_id": other,
                "how": pa.array(lineage.how, pa.string()),
            }
            yield self._ledger(table, np.zeros(0), lineage.rows, LINEAGE, columns)

    def _measure_rows(self, measured: Measured) -> None:
        columns = {
            "source": measured.table.column("source"),
            "id": measured.table.column("id"),
            "part": pa.array(np.full(len(measured.rows), self.part, np.int64)),
            "row": pa.array(measured.rows.astype(np.int32)),
            **{name: pa.array(values) for name, values in measured.values.items()},
        }
        self._measures.setdefault(tuple(columns), []).append(pa.table(columns))

    def _ledger(
        self, table: pa.Table, sizes: np.ndarray, rows: np.ndarray, schema: pa.Schema, columns: dict[str, Any]
    ) -> pa.Table:
        """A ledger table: what identifies the documents, then `columns`; a single value is repeated, a missing one is null."""
        count = table.num_rows
        values: dict[str, Any] = {
            "source": table.column("source"),
            "id": table.column("id"),
            "part": np.full(count, self.part, np.int64),
            "row": rows.astype(np.int32),
            "bytes": sizes,
            **columns,
        }
        arrays = []
        for field in schema:
            value = values.get(field.name)
            if value is None or isinstance(value, str | int):
                value = [value] * count
            column = value if isinstance(value, pa.ChunkedArray | pa.Array) else pa.array(value, field.type)
            arrays.append(column.cast(field.type))
        return pa.Table.from_arrays(arrays, schema=schema)

    def _write_ledger(self, name: str, tables: Sequence[pa.Table], schema: pa.Schema) -> None:
        if not tables:
            return
        table = pa.concat_tables(tables)
        keys = [("id", "ascending"), ("source", "ascending")]
        keys += [("rank", "ascending")] if "rank" in table.column_names else []
        table = table.sort_by(keys).combine_chunks() if "id" in table.column_names else table
        strings = [
            field.name
            for field in schema
            if pa.types.is_string(field.type) and field.name not in ("id", "survivor_id", "excerpt")
        ]
        pq.write_table(
            table,
            self._folder / f"{name}.parquet",
            row_group_size=LEDGER_ROWS,
            compression="zstd",
            use_dictionary=strings,
            write_page_index=True,
        )


def sketch_file_schema(segment: Segment, index: int) -> pa.Schema:
    """Columns of a sketch's file: the address's row, who it is, then the sketch."""
    stage = segment.globals[index].stage
    fields = [pa.field("row", pa.int32()), pa.field("source", pa.string()), pa.field("id", pa.string())]
    return pa.schema([*fields, *stage.sketch_schema()])  # type: ignore[attr-defined]


def table_keys(table: pa.Table, seed: int | None) -> np.ndarray:
    """The key of each document in the output's order: the one it was given, else a hash."""
    if ORDER_KEY in table.column_names:
        return np.asarray(table.column(ORDER_KEY).to_numpy())
    copies = table.column(COPY.name).to_numpy() if COPY.name in table.column_names else 0
    return order_keys(seed or 0, "order", table.column("source").combine_chunks(), table.column("id").combine_chunks(), copies)


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)
