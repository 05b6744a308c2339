"""Sketches as `solve` reads them, and verdicts as it writes them: files by part, so that nobody holds them all."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.origins import origins_of, with_origins
from pipeline.segment import Segment, SolveFolder, committed_parts
from schemas.columns import COPIES, COPY, CUT, VERDICT
from schemas.errors import StageError
from stages.core.requests import Cluster
from stages.core.stage import Global

Mapped = Callable[[Callable[[Any], Any], Sequence[Any], int], Iterator[Any]]
"""How an engine runs a function on items, with the memory of its model; results come in any order."""


Shown = Callable[[str, int], Callable[[int], None]]
"""How progress of something in so many units is shown: see `Sketches.progress`."""


def in_turn(function: Callable[[Any], Any], items: Sequence[Any], model_bytes: int) -> Iterator[Any]:
    """`Mapped` without an engine."""
    return map(function, items)


def not_shown(what: str, units: int) -> Callable[[int], None]:
    """`Shown` to nobody."""
    return lambda done: None


@dataclass(frozen=True)
class Decision:
    """What a Global of the segment before decided on one part. `values` are mapped into memory, not read.

    repeats  whether it may repeat documents, those in `copies`
    """

    label: str
    verdicts: pa.Table
    cuts: pa.Table
    values: pa.Table
    repeats: bool
    copies: pa.Table

    def with_values(self, table: pa.Table, rows: np.ndarray) -> pa.Table:
        """The documents at these rows of the part with the columns that were added, in the place of any of the same name."""
        names = [name for name in self.values.column_names if name != "row"]
        if not names:
            return table
        known = self.values["row"].to_numpy()
        at = np.searchsorted(known, rows)
        found = at < len(known)
        found[found] = known[at[found]] == rows[found]
        added = self.values.select(names).take(pa.array(at, mask=~found))
        for name, column in zip(names, added.columns, strict=True):
            number = table.schema.get_field_index(name)
            table = table.append_column(name, column) if number < 0 else table.set_column(number, name, column)
        return table

    def with_copies(self, table: pa.Table, rows: np.ndarray) -> tuple[pa.Table, np.ndarray]:
        """Documents and their rows, each as often as it is to be there, copies numbered and one behind the other."""
        if not self.repeats:
            return table, rows
        known, counts = self.copies["row"].to_numpy(), np.ones(len(rows), np.int64)
        mine = np.isin(rows, known)
        counts[mine] = self.copies["copies"].to_numpy()[np.searchsorted(known, rows[mine])]
        at = np.repeat(np.arange(len(rows)), counts)
        number = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
        origins = origins_of(table, rows)[at]
        table = with_origins(table.take(pa.array(at)), origins)
        column = pa.array(number, COPY.type)
        place = table.schema.get_field_index(COPY.name)
        return table.append_column(COPY, column) if place < 0 else table.set_column(place, COPY, column), rows[at]


def read_decision(solve: SolveFolder, part: int) -> Decision:
    """What stands of one part."""
    folder, columns = solve.folder, pa.schema([("row", pa.int32()), *([] if solve.repeats else solve.columns)])
    path = folder / f"{part:012d}-values.arrow"
    values = SavedTable(path).read() if path.is_file() else columns.empty_table()
    path = folder / f"{part:012d}-copies.parquet"
    copies = pq.read_table(path, use_threads=False) if path.is_file() else COPIES.empty_table()
    return Decision(solve.label, read_verdicts(folder, part), read_cuts(folder, part), values, solve.repeats, copies)


def read_verdicts(folder: Path, part: int) -> pa.Table:
    """The verdicts of one Global on one part, sorted by row; most parts of most corpora have some."""
    path = folder / f"{part:012d}.parquet"
    return pq.read_table(path, use_threads=False) if path.is_file() else VERDICT.empty_table()


def read_cuts(folder: Path, part: int) -> pa.Table:
    """What one Global cuts out of the texts of one part."""
    path = folder / f"{part:012d}-cuts.parquet"
    return pq.read_table(path, use_threads=False) if path.is_file() else CUT.empty_table()


class PartSketches:
    """`Sketches` over the files of a segment; what earlier Globals of the segment drop is left out."""

    def __init__(
        self,
        segment: Segment,
        index: int,
        mapped: Mapped = in_turn,
        shown: Shown = not_shown,
        cluster: Cluster | None = None,
    ) -> None:
        self._segment = segment
        self._index = index
        self._parts = committed_parts(segment.folder)
        self._mapped = mapped
        self._shown = shown
        self._cluster = cluster
        self._rounds: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None, "_shown": None, "_cluster": None}  # in a worker it is only read from

    def parts(self) -> list[int]:
        """Part numbers, ascending."""
        return self._parts

    def read(self, part: int, columns: Sequence[str]) -> pa.Table:
        """Columns of one part's sketch, live documents only."""
        path = self._segment.folder_of_part(part) / f"sketch-{self._index}.parquet"
        earlier = [read_verdicts(self._segment.solve_folder(index), part) for index in range(self._index)]
        names = list(columns)
        if not any(table.num_rows for table in earlier):
            return _columns(path, names)
        table = _columns(path, names if "row" in names else [*names, "row"])
        dropped = np.concatenate([verdicts.column("row").to_numpy() for verdicts in earlier])
        return table.filter(pa.array(~np.isin(table.column("row").to_numpy(), dropped))).select(names)

    def rows(self) -> int:
        """Number of live documents."""
        total = 0
        for part in self._parts:
            total += pq.read_metadata(self._segment.folder_of_part(part) / f"sketch-{self._index}.parquet").num_rows
            for index in range(self._index):
                total -= read_verdicts(self._segment.solve_folder(index), part).num_rows
        return total

    def documents(self, part: int, rows: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """Columns of the documents at these rows of a part, row group by row group, of which only those asked for are read."""
        path = self._segment.folder_of_part(part) / "docs.parquet"
        with pq.ParquetFile(path, pre_buffer=False) as file:
            tables, start = [], 0
            for group in range(file.metadata.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                low, high = np.searchsorted(rows, (start, stop))
                if low < high:
                    table = file.read_row_group(group, list(columns), use_threads=False)
                    whole = high - low == table.num_rows
                    tables.append(table if whole else table.take(pa.array(rows[low:high] - start)))
                start = stop
            return pa.concat_tables(tables) if tables else file.schema_arrow.empty_table().select(list(columns))

    def round(
        self, name: str, function: Callable[[Any], pa.Table], items: Sequence[Any], model_bytes: int = 0
    ) -> "list[SavedTable]":
        """Tables made of the items, stored in the order of their completion."""
        if name in self._rounds:
            raise StageError(f"two rounds of {self._segment.globals[self._index].label} are called {name!r}")
        self._rounds.add(name)
        folder = self.folder()
        saved = [SavedTable(folder / f"{name}-{number:06d}.arrow") for number in range(len(items))]
        todo = [(table, item) for table, item in zip(saved, items, strict=True) if not table.path.is_file()]
        for _ in self._mapped(partial(_save, function), todo, model_bytes) if todo else ():
            pass
        return saved

    def folder(self) -> Path:
        """Where a solve keeps files of its own until it has ended."""
        folder = self._segment.rounds_folder(self._index)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def progress(self, what: str, units: int) -> Callable[[int], None]:
        """Begin to show something that is done in this process."""
        return self._shown(what, units)

    def cluster(self) -> Cluster | None:
        """The engine's, if it has one."""
        return self._cluster


@dataclass(frozen=True)
class SavedTable:
    """`Saved` as a file in Arrow's own format."""

    path: Path

    def read(self) -> pa.Table:
        """The table over the mapped file."""
        with pa.memory_map(str(self.path)) as file:
            return pa.ipc.open_file(file).read_all()


def _save(function: Callable[[Any], pa.Table], item: tuple[SavedTable, Any]) -> None:
    path, table = item[0].path, function(item[1])
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with pa.OSFile(str(staged), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    staged.rename(path)


def _columns(path: Path, names: list[str]) -> pa.Table:
    """Columns of a small file: without what `read_table` makes for whole datasets, which takes three times as long."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        return file.read(names, use_threads=False).select(names)


class VerdictFiles:
    """`Verdicts` into a folder."""

    def __init__(self, folder: Path, label: str, columns: pa.Schema) -> None:
        self._folder = folder
        self._label = label
        self._columns = pa.schema([("row", pa.int32()), *columns])
        self.count = 0

    def write(self, part: int, verdicts: pa.Table) -> None:
        """The documents of one part to drop."""
        table = verdicts.select(VERDICT.names).cast(VERDICT)
        rows = table.column("row").to_numpy()
        if (np.diff(rows) <= 0).any():
            raise StageError(f"{self._label}: the verdicts on part {part} are not sorted by row, each once")
        self._store(part, "", "verdicts", table)
        self.count += table.num_rows

    def cut(self, part: int, cuts: pa.Table) -> None:
        """What goes of the texts of one part."""
        table = cuts.select(CUT.names).cast(CUT)
        if fault := fault_of_cuts(table):
            raise StageError(f"{self._label}: the cuts of part {part} {fault}")
        self._store(part, "-cuts", "cuts", table)

    def add(self, part: int, values: Iterable[pa.Table]) -> None:
        """Columns for the documents of one part."""
        path = self._folder / f"{part:012d}-values.arrow"
        if path.exists():
            raise StageError(f"{self._label}: two sets of values for part {part}")
        last = -1
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, self._columns) as writer:
            for table in values:
                rows = table.column("row").to_numpy()
                if (np.diff(rows, prepend=last) <= 0).any():
                    raise StageError(f"{self._label}: the values for part {part} are not sorted by row, each once")
                last = rows[-1] if len(rows) else last
                writer.write_table(table.select(self._columns.names).cast(self._columns))

    def repeat(self, part: int, copies: pa.Table) -> None:
        """How often documents of one part are there."""
        table = copies.select(COPIES.names).cast(COPIES)
        if fault := fault_of_copies(table):
            raise StageError(f"{self._label}: the copies of part {part} {fault}")
        self._store(part, "-copies", "copies", table)

    def _store(self, part: int, suffix: str, what: str, table: pa.Table) -> None:
        path = self._folder / f"{part:012d}{suffix}.parquet"
        if path.exists():
            raise StageError(f"{self._label}: two sets of {what} on part {part}")
        if table.num_rows:
            pq.write_table(table, path, compression="zstd")


def fault_of_copies(copies: pa.Table) -> str | None:
    """What is wrong with copies, if anything."""
    row, count = (copies.column(name).to_numpy() for name in COPIES.names)
    if (np.diff(row) <= 0).any():
        return "are not sorted by row, each once"
    return "are fewer than one" if (count < 1).any() else None


def fault_of_cuts(cuts: pa.Table) -> str | None:
    """What is wrong with cuts, if anything."""
    row, start, stop = (cuts.column(name).to_numpy() for name in ("row", "start", "stop"))
    if (start >= stop).any() or (start < 0).any():
        return "have spans that end before they begin"
    same = row[1:] == row[:-1]
    if (np.diff(row) < 0).any() or (same & (start[1:] < stop[:-1])).any():
        return "are not sorted by row and start, or overlap"
    return None


def solve(
    segment: Segment,
    index: int,
    mapped: Mapped = in_turn,
    shown: Shown = not_shown,
    cluster: Cluster | None = None,
) -> dict[str, Any]:
    """Let one Global decide, its rounds run by `mapped`; its verdicts appear by rename. Returns its facts."""
    node = segment.globals[index]
    assert isinstance(node.stage, Global)
    final = segment.solve_folder(index)
    if (facts := solved(segment, index)) is not None:
        return facts
    folder = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
    folder.mkdir(parents=True)
    try:
        verdicts = VerdictFiles(folder, node.label, pa.schema(list(node.stage.columns_written().items())))
        facts = node.stage.solve(PartSketches(segment, index, mapped, shown, cluster), verdicts)
        stored = sum(file.stat().st_size for file in segment.rounds_folder(index).glob("*.arrow"))
        facts = {**facts, "dropped": verdicts.count, "round_bytes": stored}
        (folder / "facts.json").write_bytes(orjson.dumps(facts, option=orjson.OPT_SERIALIZE_NUMPY))
        os.rename(folder, final)
        shutil.rmtree(segment.rounds_folder(index), ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return facts


def solved(segment: Segment, index: int) -> dict[str, Any] | None:
    """The facts of a Global that has decided, or None."""
    path = segment.solve_folder(index) / "facts.json"
    if not path.is_file():
        return None
    facts: dict[str, Any] = orjson.loads(path.read_bytes())
    return facts
