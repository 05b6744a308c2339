"""A stage that asks a model about every document: answers are made unit by unit and stored, so that none is made twice."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from stages.core.docs import Docs
from stages.core.exchange import batches, numpy_of
from stages.core.stage import Global, Saved, Sketches, Verdicts

UNIT_DOCUMENTS, UNIT_BYTES = 1024, 2**20
"""documents and bytes of text that a unit has at most: what a kill can cost, and what stands beside a model in memory"""

Answer = Callable[[pa.Table], pa.Table]


class Unit(NamedTuple):
    """Documents of one part: rows of the part, ascending."""

    part: int
    rows: np.ndarray


class ByUnits(Global):
    """Adds the columns of `columns_written` to documents, in units of at most 1,024 and 1 MiB of text of one part each."""

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([pa.field("text_bytes", pa.int64(), nullable=False)])

    def sketch(self, docs: Docs) -> pa.Table:
        return pa.table([pa.array(np.diff(docs.text().offsets))], schema=self.sketch_schema())

    def of_unit(self, unit: Unit, answer: pa.Table) -> pa.Table:
        """What is stored for a unit: its rows, and the columns that are written."""
        written = self.columns_written()
        columns = [pa.array(unit.rows, pa.int32()), *(answer.column(name) for name in written)]
        return pa.table(columns, schema=pa.schema([("row", pa.int32()), *written.items()]))

    def add(self, units: Sequence[Unit], answers: Sequence[Saved], verdicts: Verdicts) -> None:
        """Hand over what was stored for the units, in the order of their documents."""
        of_part: dict[int, list[Saved]] = {}
        for unit, saved in zip(units, answers, strict=True):
            of_part.setdefault(unit.part, []).append(saved)
        for part, tables in of_part.items():
            verdicts.add(part, (saved.read() for saved in tables))


class Model(ByUnits):
    """Adds columns as a model answers from the columns of `columns_read`.

    Units are formed from their part alone: what a model computes depends on what stands beside a document in a batch, so a
    batch is formed in a unit, never across two.
    """

    def model_bytes(self) -> int:
        """Memory of the model, about."""
        return sum(os.path.getsize(path) for path in self.files())

    def load(self) -> Answer:
        """Load the model; return the function that gives for documents (`columns_read`) the columns of `columns_written`.

        Called once in a process; several threads may call what it returns.
        """
        raise NotImplementedError

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        units = [unit for part in sketches.parts() for unit in units_of(sketches, part)]
        answers = sketches.round("answers", _Asked(self, sketches), units, model_bytes=max(1, self.model_bytes()))
        self.add(units, answers, verdicts)
        return {"documents": sum(len(unit.rows) for unit in units), "units": len(units), **self.facts()}

    def facts(self) -> dict[str, Any]:
        """JSON-ready facts of the model for the manifest."""
        return {}


class _Asked:
    """Answers a unit, in a worker."""

    def __init__(self, stage: Model, sketches: Sketches) -> None:
        self.stage = stage
        self.sketches = sketches

    def __call__(self, unit: Unit) -> pa.Table:
        documents = self.sketches.documents(unit.part, unit.rows, self.stage.columns_read())
        return self.stage.of_unit(unit, _loaded(self.stage)(documents))


def units_of(sketches: Sketches, part: int) -> Iterator[Unit]:
    """The units of a part's live documents; its sketch has `text_bytes`."""
    table = sketches.read(part, ["row", "text_bytes"])
    rows, sizes = numpy_of(table["row"]), numpy_of(table["text_bytes"])
    weights = np.maximum(sizes, UNIT_BYTES // UNIT_DOCUMENTS)
    for first, last in batches(weights, UNIT_BYTES):
        yield Unit(part, rows[first : last + 1])


_loading = threading.Lock()


def _loaded(stage: Model) -> Answer:
    """The model of a stage, loaded once in this process; that of another is let go."""
    with _loading:
        return _load(stage)


@lru_cache(maxsize=1)
def _load(stage: Model) -> Answer:
    return stage.load()
