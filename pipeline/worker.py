"""One unit of work, from documents in to finished parts. Both engines call this and nothing else."""

import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import registry
from pipeline.attempts import MARKS_BEFORE_ISOLATION, Attempt, unit_name
from pipeline.batches import Batch, byte_lengths
from pipeline.cuts import cut_out
from pipeline.isolate import find_poison
from pipeline.memory import choose_pool, release_memory
from pipeline.origins import distinct, origins_of
from pipeline.part_writer import PartWriter
from pipeline.segment import Segment, read_counts
from pipeline.steps import Steps
from pipeline.tally import add, merge
from pipeline.units import CHUNKS, ROWS
from pipeline.verdicts import read_decision
from pipeline.watch import WATCH
from schemas.errors import StageError

Unit = dict[str, Any]

_opened: dict[str, Steps] = {}
_opening = Lock()


def run_unit(segment: Segment, unit: Unit, marks: int = MARKS_BEFORE_ISOLATION) -> dict[str, Any]:
    """Do one unit: read it, run the segment's steps on it, write its parts. Returns what was counted, part by part.

    marks  so many attempts by processes that died make this one look for the document that killed them

    Raises `StageError` and other `SluiceError`s; nothing of an unfinished part stays.
    """
    unit, finished = _up_to_date(segment, unit)
    if finished:
        return {"unit": unit_name(unit), "parts": []}
    attempt = Attempt(segment.folder, unit)
    dead = attempt.begin()
    try:
        steps = opened(segment)
        poison = _poison(segment, unit) if dead >= marks else _known_poison(segment, unit)
        parts = _run(segment, steps, unit, attempt, poison)
    except BaseException:
        attempt.failed()
        raise
    attempt.done()
    release_memory()
    return {"unit": unit_name(unit), "parts": parts}


def _up_to_date(segment: Segment, unit: Unit) -> tuple[Unit, bool]:
    """The unit with the chunks that stand by now, and whether they are all: an engine may try a unit again that it lost."""
    done = unit.get("chunks_done", 0)
    while segment.folder_of_part(part_number(unit, done)).is_dir():
        if "part" in unit or read_counts(segment.folder, part_number(unit, done))["last"]:
            return unit, True
        done += 1
    return {**unit, "chunks_done": done}, False


def run_units(segment: Segment, marks: int, units: Sequence[Unit]) -> dict[str, Any]:
    """Do some units; what entered and left them, in [documents, bytes]."""
    total: dict[str, Any] = {"units": len(units), "in": [0, 0], "out": [0, 0]}
    for unit in units:
        for part in run_unit(segment, unit, marks)["parts"]:
            merge(total, {"in": part["in"], "out": part["out"]})
    return total


def opened(segment: Segment) -> Steps:
    """The segment's stages, opened once in this process."""
    with _opening:
        if segment.fingerprint not in _opened:
            if segment.user_folder:
                registry.add_to_path(Path(segment.user_folder))
            choose_pool()
            _opened.clear()  # one segment runs at a time; models of the one before are let go
            _opened[segment.fingerprint] = Steps(segment.nodes, segment.globals)
        return _opened[segment.fingerprint]


def batches_in_progress(segment: Segment, unit: Unit) -> Iterator[Batch]:
    """What a worker that died was at: the first chunk of the unit that does not stand."""
    for chunk, batch in _in_chunks(segment, read_unit(segment, unit)):
        if chunk > unit["chunks_done"]:
            return
        if chunk == unit["chunks_done"]:
            yield batch


def read_unit(segment: Segment, unit: Unit) -> Iterator[Batch]:
    """Batches of a unit: of the input for the first segment, of the documents of the one before for later ones."""
    if segment.reader is not None:
        return iter(segment.reader.read(unit))
    return _read_documents(segment, unit["part"])


def _run(segment: Segment, steps: Steps, unit: Unit, attempt: Attempt, poison: dict[int, str]) -> list[dict[str, Any]]:
    """Write the unit's parts. Those that an earlier attempt finished are read over."""
    parts: list[dict[str, Any]] = []
    writer: PartWriter | None = None

    def close(last: bool) -> None:
        nonlocal writer
        if writer is not None:
            writer.commit(last)
            parts.append({"part": writer.part, **writer.tally.as_json()})
            writer = None

    try:
        chunk = 0
        for chunk, batch in _in_chunks(segment, read_unit(segment, unit)):
            if chunk < unit["chunks_done"]:
                continue
            if writer is not None and writer.part != part_number(unit, chunk):
                close(last=False)
            writer = writer or PartWriter(segment, part_number(unit, chunk), unit["bins"])
            _run_batch(segment, steps, batch, writer, attempt, poison)
        writer = writer or PartWriter(segment, part_number(unit, max(chunk, unit["chunks_done"])), unit["bins"])
        close(last=True)
    except BaseException:
        if writer is not None:
            writer.abandon()
        raise
    return parts


def part_number(unit: Unit, chunk: int) -> int:
    """The part that a unit's chunk becomes; later segments keep the numbers of the first."""
    return int(unit["part"]) if "part" in unit else int(unit["unit"]) * CHUNKS + chunk


def _in_chunks(segment: Segment, batches: Iterator[Batch]) -> Iterator[tuple[int, Batch]]:
    """Batches with the number of the chunk they belong to. Where a chunk ends depends on the documents, not on the batches."""
    if segment.reader is None:
        yield from ((0, batch) for batch in batches)
        return
    chunk = filled = count = 0
    for whole in batches:
        batch: Batch | None = whole
        while batch is not None:
            ends = np.cumsum(byte_lengths(batch.table.column("text")) + 64)
            fits = min(int(np.searchsorted(ends, segment.chunk_bytes - filled, side="right")), ROWS - count)
            if fits < len(ends) and not filled:
                fits = max(fits, 1)
            head, batch = batch.split(fits)
            if head.table.num_rows or head.faults or head.skipped:
                yield chunk, head
                filled += head.bytes() + 64 * head.table.num_rows
                count += head.table.num_rows
            if batch is not None:
                chunk, filled, count = chunk + 1, 0, 0
                if chunk >= CHUNKS:
                    raise StageError(
                        f"a file of more than {CHUNKS} parts: set resources.part_bytes above {segment.chunk_bytes}"
                    )


def _run_batch(
    segment: Segment, steps: Steps, batch: Batch, writer: PartWriter, attempt: Attempt, poison: dict[int, str]
) -> None:
    tally = writer.tally
    entered = distinct(origins_of(batch.table, batch.rows)) + len(batch.faults)
    add(tally.entered, entered, batch.bytes() + sum(fault.bytes for fault in batch.faults))
    merge(tally.skipped, batch.skipped)
    if segment.reader is not None:
        tally.by_source(batch.table, "in")
        for fault in batch.faults:
            add(tally.sources.setdefault(fault.source, {"in": [0, 0], "out": [0, 0]})["in"], 1, fault.bytes)
        if batch.faults:
            counts = tally.step("read")
            add(counts["in"], len(batch.faults), sum(fault.bytes for fault in batch.faults))
            add(counts["quarantined"], len(batch.faults), sum(fault.bytes for fault in batch.faults))
        writer.add_faults(batch.faults)
    table, rows = batch.table, batch.rows
    for decision in batch.decisions:
        table, rows = _apply_verdicts(decision.label, decision.verdicts, table, rows, writer)
        table = cut_out(decision.label, decision.cuts, table, rows, writer)
        table, rows = decision.with_copies(decision.with_values(table, rows), rows)
    if poison and (bad := np.isin(rows, list(poison))).any():
        killed = table.filter(pa.array(bad))
        sizes = byte_lengths(killed.column("text")).sum()
        origins = origins_of(table, rows)
        count = distinct(np.setdiff1d(origins[bad], origins[~bad]))
        add(tally.step("worker")["in"], count, sizes)
        add(tally.step("worker")["quarantined"], count, sizes)
        writer.add_poison(killed, rows[bad], poison)
        table, rows = table.filter(pa.array(~bad)), rows[~bad]
    with WATCH.batch(attempt, segment.failures, f"{'/'.join(segment.steps())} on unit {unit_name({'part': writer.part})}"):
        outcome = steps.run(table, rows, tally, segment.failures.on_error == "stop")
    writer.add(outcome)


def _apply_verdicts(
    label: str, verdicts: pa.Table, table: pa.Table, rows: np.ndarray, writer: PartWriter
) -> tuple[pa.Table, np.ndarray]:
    """Drop what a Global of the segment before decided to drop, and tell the ledger."""
    counts = writer.tally.step(label)
    sizes = byte_lengths(table.column("text"))
    at = np.asarray(verdicts.column("row").to_numpy())
    hit = np.isin(rows, at)
    origins = origins_of(table, rows)
    entered, left = distinct(origins), distinct(origins[~hit])
    add(counts["in"], entered, sizes.sum())
    add(counts["dropped"], entered - left, sizes[hit].sum())
    add(counts["out"], left, sizes[~hit].sum())
    if not hit.any():
        return table, rows
    mine = verdicts.take(pa.array(np.searchsorted(at, rows[hit])))
    for rule, number in zip(*np.unique(mine.column("rule").to_pylist(), return_counts=True), strict=True):
        totals = writer.tally.rule(label, str(rule))
        for key in totals:
            totals[key] += int(number)
    writer.add_verdict_drops(label, table.filter(pa.array(hit)), rows[hit], mine)
    return table.filter(pa.array(~hit)), rows[~hit]


def _read_documents(segment: Segment, part: int) -> Iterator[Batch]:
    """The documents of one part of the segment before, with the verdicts on them."""
    assert segment.parent is not None
    decisions = [read_decision(solve, part) for solve in segment.parent.solves]
    row = 0
    with pq.ParquetFile(Path(segment.parent.folder, "parts", f"{part:012d}", "docs.parquet"), pre_buffer=False) as documents:
        for group in range(documents.metadata.num_row_groups):
            table = documents.read_row_group(group, use_threads=False)
            yield Batch(table, np.arange(row, row + table.num_rows), decisions=decisions)
            row += table.num_rows
        if not row:
            yield Batch(documents.schema_arrow.empty_table(), np.zeros(0, np.int64), decisions=decisions)


def _known_poison(segment: Segment, unit: Unit) -> dict[int, str]:
    path = _poison_file(segment, unit)
    if not path.is_file():
        return {}
    return {int(row): cause for row, cause in zip(*_read_columns(path, "row", "cause"), strict=True)}


def _read_columns(path: Path, *names: str) -> list[list[Any]]:
    table = pq.read_table(path, columns=list(names))
    return [table.column(name).to_pylist() for name in names]


def _poison_file(segment: Segment, unit: Unit) -> Path:
    return Path(segment.folder) / "poison" / f"{unit_name(unit)}.parquet"


def _poison(segment: Segment, unit: Unit) -> dict[int, str]:
    """Run the unit in child processes to find the documents that kill or hang their worker; remember them."""
    print(
        f"sluice: unit {unit_name(unit)} ended its process before; looking for the document in child processes", file=sys.stderr
    )
    known = _known_poison(segment, unit)
    found = {**known, **find_poison(segment, unit, known)}
    path = _poison_file(segment, unit)
    path.parent.mkdir(exist_ok=True)
    table = pa.table({"row": pa.array(list(found), pa.int64()), "cause": pa.array(list(found.values()), pa.string())})
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    pq.write_table(table, staged)
    staged.rename(path)
    return found
