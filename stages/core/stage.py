"""What a stage is: a frozen, validated object whose fields are the recipe's keys.

A stage is a Map, an Expand, a Filter or a Global. `open` is called once per worker and loads what is heavy;
it returns the function that is then called on batches, by several threads at once.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, model_validator

from schemas import fineweb2
from schemas.columns import Drop
from schemas.rule import Percentile, Rule, Table
from stages.core.docs import Docs
from stages.core.requests import Cluster

Measures = dict[str, np.ndarray]
Unit = Literal["char", "word", "line", "document"]


class Stage(BaseModel):
    """Base of all stages. Subclasses are pure: the same documents give the same answer in any batch, on any machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)

    version: ClassVar[int] = 1
    """Raised when the same parameters begin to give another answer, so that old results are not reused."""

    extra: ClassVar[str | None] = None
    """The install extra that `open` needs, if any; checked before anything runs."""

    @classmethod
    def name(cls) -> str:
        """The name in recipes and in the ledger: the class in snake case, which is also its file."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    def columns_read(self) -> tuple[str, ...]:
        """Columns that must exist before this stage."""
        return ("text",)

    def columns_written(self) -> dict[str, pa.DataType]:
        """Columns this stage adds or rewrites, with their types."""
        return {}

    def nodes(self) -> "Sequence[Stage]":
        """The steps this recipe entry stands for: itself, or for a published set that also edits, a Map and a Filter."""
        return (self,)

    def files(self) -> tuple[str, ...]:
        """Paths of model or data files whose contents decide the answer; they enter the fingerprint by hash."""
        return ()

    def deciding_parameters(self) -> dict[str, Any]:
        """JSON-ready: the parameters that the answer depends on. Those that say how it is come by are left out."""
        return self.model_dump(mode="json")

    def requirements(self) -> tuple[tuple[str, str], ...]:
        """(module, extra) pairs these parameters need beyond the base install, e.g. ("spacy", "parity")."""
        return ()

    @model_validator(mode="after")
    def _limits_in_range(self) -> Self:
        for key, field in type(self).model_fields.items():
            bounds = field.json_schema_extra
            if not isinstance(bounds, dict) or "low" not in bounds:
                continue
            if getattr(self, key) == "fineweb2" and not fineweb2.known(self.name(), key):
                raise ValueError(f"{key}: FineWeb-2 has no such limit by language; expected a number, a percentile or a table")
            for number in _numbers(getattr(self, key)):
                low, high = bounds["low"], bounds["high"]
                if (low is not None and number < low) or (high is not None and number > high):  # type: ignore[operator]
                    expected = f"from {low} to {high}" if high is not None else f"at least {low}"
                    raise ValueError(f"{key} is {number}, expected {expected} ({bounds['unit']})")
        return self


def _numbers(limit: Any) -> Iterator[float]:
    if isinstance(limit, Table):
        yield from (number for number in (*limit.values.values(), limit.default) if number is not None)
    elif isinstance(limit, int | float):
        yield limit


class Edited(NamedTuple):
    """What a Map may give in the place of a table: the table, and its edits for the ledger, one of each array for an edit.

    row     of the batch, ascending
    type    what was edited, in the stage's own words
    offset  code points of the text, as it was before, in front of the edited ones; NO_PLACE: stands for all of its type
    length  edited code points, as they were before; with NO_PLACE the number of the edits
    """

    table: pa.Table
    row: np.ndarray
    type: Sequence[str]
    offset: np.ndarray
    length: np.ndarray


class Map(Stage):
    """Rewrites or adds columns; never loses, adds or reorders documents."""

    def apply(self, table: pa.Table) -> pa.Table | Edited:
        """The same rows, with the columns of `columns_written` set; with them, if the stage tells, what was edited."""
        raise NotImplementedError

    def open(self) -> Callable[[pa.Table], pa.Table | Edited]:
        """Load what is heavy; return the function that is called on each batch."""
        return self.apply


@dataclass
class Processed:
    """What became of a batch: the rows that are left and whose children they are, and the rows that were dropped or failed.

    failed   row of the batch, what went wrong, and a trace or whatever shows it
    lineage  for each row of the table how it was made of its parent, as JSON, or None; () if nothing is told
    """

    table: pa.Table
    parents: list[int]
    dropped: list[tuple[int, Drop]]
    failed: list[tuple[int, BaseException, str]]
    lineage: Sequence[str | None] = ()


class Expand(Stage):
    """Gives one or more documents for each. Children follow their parents' order, and may have ids of their own."""

    def apply(self, table: pa.Table) -> tuple[pa.Table, np.ndarray] | Processed:
        """The children, and for each the row of its parent (int64, ascending; every parent occurs); or with what failed."""
        raise NotImplementedError

    def open(self) -> Callable[[pa.Table], tuple[pa.Table, np.ndarray] | Processed]:
        """Load what is heavy; return the function that is called on each batch."""
        return self.apply


class Filter(Stage):
    """Measures documents, then judges them by rules. `gate` ends the group: what it drops is not measured further."""

    unit: ClassVar[Unit | None] = None
    """What its limits count or compare; every filter says so, as the same number means another text in another language."""

    gate: bool = False

    def validated_for(self) -> frozenset[str] | None:
        """Languages (lid.176's labels) for which the chosen limits hold; None if they do not depend on the language."""
        return None

    def measures(self) -> dict[str, pa.DataType]:
        """Names and types of what `measure` gives. Names are unique in a recipe after the step's label is put before them."""
        raise NotImplementedError

    def measure(self, docs: Docs) -> Measures:
        """One number per document and measure: integers, or one float64 division of two integers. Never NaN."""
        raise NotImplementedError

    def rules(self) -> Sequence[Rule]:
        """The rules in order; the first that is broken is the reason of the drop. Rules without limit may be included."""
        raise NotImplementedError

    def open(self) -> Callable[[Docs], Measures]:
        """Load what is heavy; return the function that is called on each batch."""
        return self.measure

    def percentile_rules(self) -> list[Rule]:
        """The rules whose limit has yet to be found in the data."""
        return [rule for rule in self.rules() if isinstance(rule.limit, Percentile)]


class Sketches(Protocol):
    """The sketch of every live document, as `solve` reads it: part by part, never all at once."""

    def parts(self) -> list[int]:
        """Part numbers, ascending. A part may hold no live document."""

    def read(self, part: int, columns: Sequence[str]) -> pa.Table:
        """Columns of one part's sketch, live documents only, in row order.

        Besides the sketch's own columns there are `row` (int32, the row in the part), `source` and `id` (strings).
        """

    def rows(self) -> int:
        """Number of live documents in all parts."""

    def documents(self, part: int, rows: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """Columns of the documents themselves at these rows of one part (ascending), as they come to the Global.

        For a further sketch of few: what a round makes of them is narrow, so that no decision moves text.
        """

    def round(
        self, name: str, function: Callable[[Any], pa.Table], items: Sequence[Any], model_bytes: int = 0
    ) -> "Sequence[Saved]":
        """Tables that the function makes of the items, in their order; each is stored as soon as it is made.

        The engine's workers do it, so function and items are pickled; `self` may be part of them, to read from. A run that is
        killed goes on behind the tables that stand. What a table holds must depend on the sketches alone.

        name         of the round, each once in a solve
        model_bytes  memory of the model that the function loads in its process, if it does: such processes stay, as many as
                     there is memory for, each with a GPU where there are some
        """

    def folder(self) -> Path:
        """Where a solve may keep files of its own until it has ended; what a killed one left is found there."""

    def progress(self, what: str, units: int) -> Callable[[int], None]:
        """Begin to show something that is done in this process; what comes back is called with so many more units done."""

    def cluster(self) -> Cluster | None:
        """Where the engine of a model can run beside this process, if there is such a place."""


class Saved(Protocol):
    """A table that a round has stored; pickled as a path."""

    def read(self) -> pa.Table:
        """The table, mapped into memory where it is a file: what is not looked at is not read."""


class Drops(Protocol):
    """Where it is said which documents are dropped."""

    def write(self, part: int, verdicts: pa.Table) -> None:
        """The documents of one part to drop: a table with the schema `VERDICT`, sorted by row, each row once.

        At most one call for a part.
        """


class Verdicts(Drops, Protocol):
    """Where `solve` puts its answer."""

    def cut(self, part: int, cuts: pa.Table) -> None:
        """Spans of the texts of one part that go, with the schema `CUT`, of documents that stay. At most one call for a part.

        Only for a Global that says `cuts`.
        """

    def add(self, part: int, values: Iterable[pa.Table]) -> None:
        """Values of `columns_written` for the documents of one part: `row` and these columns, rows ascending over all tables.

        A document of which no row is given has nulls. At most one call for a part.
        """

    def repeat(self, part: int, copies: pa.Table) -> None:
        """How often documents of one part are there: `row` (int32, ascending) and `copies` (int32, 1 or more).

        Only for a Global that says `repeats`. A document of which no row is given is there once. At most one call for a part.
        """


class Global(Stage):
    """Decides by looking at all documents, through a narrow sketch of each."""

    cuts: ClassVar[bool] = False
    """Whether it cuts spans out of texts."""

    repeats: ClassVar[bool] = False
    """Whether it repeats documents. Its `columns_written` is then `COPY`, the number of a copy, from 0."""

    def changes_documents(self) -> bool:
        """Whether what follows sees other documents, without what was cut or with more columns: a segment ends with it."""
        return self.cuts or self.repeats or bool(self.columns_written())

    def sketch_parameters(self) -> dict[str, Any]:
        """JSON-ready: the parameters that the sketch depends on. Where only others change, sketches are used again."""
        return self.deciding_parameters()

    def decided_by(self) -> Any:
        """JSON-ready: what else decides, beside parameters and sketches, such as the state of an index."""
        return None

    def sketch_schema(self) -> pa.Schema:
        """Columns of the sketch (not `row`, `source`, `id`, which are added): 8 bytes to about 1 KB for a document."""
        raise NotImplementedError

    def sketch(self, docs: Docs) -> pa.Table:
        """One row per document, with `sketch_schema`."""
        raise NotImplementedError

    def open(self) -> Callable[[Docs], pa.Table]:
        """Load what is heavy; return the function that is called on each batch."""
        return self.sketch

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        """Write the verdicts of all parts; return JSON-ready facts for the manifest and the report.

        The answer must not depend on how documents are cut into parts: ties are broken by (source, id), then by address. Where
        it `cuts`, it may go by the order of the input alone.
        """
        raise NotImplementedError
