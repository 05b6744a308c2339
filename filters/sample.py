"""A random share of the documents."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.rule import Limit, Rule, Table, at_most
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures
from stages.kernels.hashing import hash_unit, order_keys


class Sample(Filter):
    """Keep about `fraction` of the documents, each by a number that hangs on the seed and its own source and id only.

    position  float64 from 0 to below 1, evenly spread

    A document is kept if its position is at most `fraction`: the documents of a smaller fraction are among those of a larger
    one with the same seed, and a document's fate does not change when others come or go. With a table by a column, each
    value of it gets its own fraction.
    """

    unit = "document"
    example: ClassVar[dict[str, Any]] = {"fraction": 0.5}
    gate: bool = True
    fraction: Limit = Field(
        description="share of the documents to keep", json_schema_extra={"unit": "share", "low": 0.0, "high": 1.0}
    )
    seed: int | None = Field(
        None, description="null: taken from the recipe's seed and the step's label (0 where there is no recipe)"
    )

    def columns_read(self) -> tuple[str, ...]:
        table = (self.fraction.by,) if isinstance(self.fraction, Table) else ()
        return tuple(dict.fromkeys(("source", "id", *table)))

    def measures(self) -> dict[str, pa.DataType]:
        return {"position": pa.float64()}

    def measure(self, docs: Docs) -> Measures:
        keys = order_keys(self.seed or 0, "sample", docs.table.column("source"), docs.table.column("id"))
        return {"position": hash_unit(keys)}

    def rules(self) -> Sequence[Rule]:
        return (at_most("position", self.fraction, "fraction"),)
