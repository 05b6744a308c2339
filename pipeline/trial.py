"""One batch through a stage, outside of any run: what comes back is checked for its form and can be compared."""

import pickle
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.step_checks import check_edits
from pipeline.verdicts import fault_of_copies, fault_of_cuts
from schemas.columns import COPIES, CUT, VERDICT
from schemas.edits import NO_PLACE
from stages.core.docs import Docs
from stages.core.stage import Edited, Expand, Filter, Global, Processed, Stage


class Broken(Exception):
    """A stage does not keep a contract; the message says how."""


class MemorySketches:
    """Sketches in memory, one table with `row`, `source` and `id` for each part, and the documents they are made of."""

    def __init__(self, parts: Sequence[pa.Table], documents: Sequence[pa.Table]) -> None:
        self._parts = parts
        self._documents = documents
        self._folder = tempfile.TemporaryDirectory(prefix="sluice-trial-")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_folder": None}  # in a worker it is only read from

    def parts(self) -> list[int]:
        """Part numbers, ascending."""
        return list(range(len(self._parts)))

    def read(self, part: int, columns: Sequence[str]) -> pa.Table:
        """Columns of one part's sketch."""
        return self._parts[part].select(list(columns))

    def rows(self) -> int:
        """Number of documents in all parts."""
        return sum(table.num_rows for table in self._parts)

    def documents(self, part: int, rows: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """Columns of the documents at these rows of one part."""
        return self._documents[part].select(list(columns)).take(pa.array(rows, pa.int64()))

    def round(
        self, name: str, function: Callable[[Any], pa.Table], items: Sequence[Any], model_bytes: int = 0
    ) -> "list[MemoryTable]":
        """Tables made of the items; function and items are pickled as for a worker."""
        return [MemoryTable(pickle.loads(pickle.dumps(function))(pickle.loads(pickle.dumps(item)))) for item in items]

    def folder(self) -> Path:
        """A folder that goes with this object."""
        return Path(self._folder.name)

    def progress(self, what: str, units: int) -> Callable[[int], None]:
        """Nothing is shown."""
        return lambda done: None

    def cluster(self) -> None:
        """All is done in this process."""


@dataclass(frozen=True)
class MemoryTable:
    """`Saved` in memory."""

    table: pa.Table

    def read(self) -> pa.Table:
        """The table."""
        return self.table


class MemoryVerdicts:
    """Verdicts in memory; refuses what the worker would refuse."""

    def __init__(self, sizes: Sequence[int], columns: dict[str, pa.DataType] | None = None) -> None:
        self._sizes = sizes
        self._columns = pa.schema([("row", pa.int32()), *(columns or {}).items()])
        self.values: dict[int, pa.Table] = {}
        self.tables: dict[int, pa.Table] = {}
        self.cuts: dict[int, pa.Table] = {}
        self.copies: dict[int, pa.Table] = {}

    def write(self, part: int, verdicts: pa.Table) -> None:
        """Keep one part's verdicts. Raises `Broken` if they are not as `VERDICT` asks."""
        if not 0 <= part < len(self._sizes) or part in self.tables:
            raise Broken(f"solve wrote verdicts for part {part} " + ("twice" if part in self.tables else "that does not exist"))
        if not verdicts.schema.equals(VERDICT):
            raise Broken(f"verdicts have the schema {brief(verdicts.schema)}, expected VERDICT: {brief(VERDICT)}")
        rows = verdicts.column("row").to_pylist()
        if rows != sorted(set(rows)) or (rows and not 0 <= rows[0] <= rows[-1] < self._sizes[part]):
            raise Broken(
                f"verdict rows of part {part} are {rows[:10]}, expected ascending, each once, in its {self._sizes[part]}"
            )
        self.tables[part] = verdicts

    def cut(self, part: int, cuts: pa.Table) -> None:
        """Keep what goes of one part's texts. Raises `Broken` if it is not as `CUT` asks."""
        if not 0 <= part < len(self._sizes) or part in self.cuts:
            raise Broken(f"solve cut part {part} " + ("twice" if part in self.cuts else "that does not exist"))
        if not cuts.schema.equals(CUT):
            raise Broken(f"cuts have the schema {brief(cuts.schema)}, expected CUT: {brief(CUT)}")
        if fault := fault_of_cuts(cuts):
            raise Broken(f"the cuts of part {part} {fault}")
        if dropped := set(cuts["row"].to_pylist()) & set(self.tables[part]["row"].to_pylist() if part in self.tables else []):
            raise Broken(f"row {min(dropped)} of part {part} is cut and dropped")
        self.cuts[part] = cuts

    def repeat(self, part: int, copies: pa.Table) -> None:
        """Keep how often one part's documents are there. Raises `Broken` if it is not as `COPIES` asks."""
        if not 0 <= part < len(self._sizes) or part in self.copies:
            raise Broken(f"solve repeated part {part} " + ("twice" if part in self.copies else "that does not exist"))
        if not copies.schema.equals(COPIES):
            raise Broken(f"copies have the schema {brief(copies.schema)}, expected COPIES: {brief(COPIES)}")
        if fault := fault_of_copies(copies):
            raise Broken(f"the copies of part {part} {fault}")
        self.copies[part] = copies

    def add(self, part: int, values: Iterable[pa.Table]) -> None:
        """Keep one part's values. Raises `Broken` if they are not as `columns_written` says."""
        if not 0 <= part < len(self._sizes) or part in self.values:
            raise Broken(f"solve gave values for part {part} " + ("twice" if part in self.values else "that does not exist"))
        table = pa.concat_tables([self._columns.empty_table(), *(one.select(self._columns.names) for one in values)])
        rows = table.column("row").to_pylist()
        if rows != sorted(set(rows)) or (rows and not 0 <= rows[0] <= rows[-1] < self._sizes[part]):
            raise Broken(f"rows of values for part {part} are {rows[:10]}, expected ascending, each once, in the part")
        self.values[part] = table


@dataclass
class Outcome:
    """What a stage made of a batch, in a form that can be put together and compared."""

    table: pa.Table
    parents: list[int] = field(default_factory=list)
    gone: list[tuple[int, str]] = field(default_factory=list)
    """row and reason; for an edit that a Map tells of, row and what it tells"""

    def shifted(self, start: int) -> "Outcome":
        """The same, for a batch that begins at row `start`."""
        return Outcome(self.table, [row + start for row in self.parents], [(row + start, why) for row, why in self.gone])


def apply(stage: Stage, table: pa.Table, opened: Callable[[Any], Any] | None = None) -> Outcome:
    """One batch through a node. Raises `Broken` if what comes back has the wrong form."""
    call: Any = opened or stage.open()  # type: ignore[attr-defined]
    result = call(Docs(table) if isinstance(stage, Filter | Global) else table)
    if isinstance(stage, Filter):
        return Outcome(_measures(stage, result, table.num_rows))
    if isinstance(result, Processed):
        gone = [(row, drop.reason) for row, drop in result.dropped] + [(row, str(error)) for row, error, _ in result.failed]
        return Outcome(result.table, list(result.parents), gone)
    if isinstance(stage, Expand):
        children, parents = result
        rows = [int(row) for row in parents]
        if len(rows) != children.num_rows or rows != sorted(rows) or set(rows) != set(range(table.num_rows)):
            raise Broken("parents of an Expand must name every document, ascending, one for each child")
        return Outcome(children, rows)
    edits: list[tuple[int, str]] = []
    if isinstance(result, Edited):
        check_edits(stage.name(), result, table.num_rows)
        told = zip(result.row.tolist(), result.type, result.offset.tolist(), result.length.tolist(), strict=True)
        edits = [
            (row, f"{length} {name}" if offset == NO_PLACE else f"{name} at {offset}, {length} long")
            for row, name, offset, length in told
        ]
        result = result.table
    if not isinstance(result, pa.Table):
        raise Broken(f"it gave {type(result).__name__}, expected a pyarrow Table")
    if result.num_rows != table.num_rows:
        raise Broken(f"it got {table.num_rows} documents and gave {result.num_rows}")
    if isinstance(stage, Global) and not result.schema.equals(stage.sketch_schema()):
        raise Broken(f"the sketch has {brief(result.schema)}, expected {brief(stage.sketch_schema())}")
    return Outcome(result, gone=edits)


def _measures(stage: Filter, measures: Any, rows: int) -> pa.Table:
    declared = stage.measures()
    if set(measures) != set(declared):
        raise Broken(f"measure gave {sorted(measures)}, expected {sorted(declared)} as in measures()")
    for name, kind in declared.items():
        values = measures[name]
        if not isinstance(values, np.ndarray) or values.ndim != 1 or len(values) != rows:
            raise Broken(f"measure {name!r}: expected a NumPy array of {rows} numbers, one for each document")
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise Broken(f"measure {name!r} is declared as {kind}, expected an integer or a float")
        if pa.from_numpy_dtype(values.dtype) != kind:
            raise Broken(f"measure {name!r} is {values.dtype}, expected {kind} as in measures()")
        if values.dtype.kind == "f" and np.isnan(values).any():
            at = int(np.flatnonzero(np.isnan(values))[0])
            raise Broken(f"measure {name!r} is nan for document {at} of a batch; a measure is always a number")
    return pa.table({name: measures[name] for name in declared}) if declared else pa.table({"none": [None] * rows})


def brief(schema: pa.Schema) -> str:
    """A schema in one line."""
    return ", ".join(f"{column.name}: {column.type}{'' if column.nullable else ' not null'}" for column in schema)
