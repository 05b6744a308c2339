"""Limits on a column that is already there."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from schemas.rule import Limit, Percentile, Rule, Table, at_least, at_most
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures


class Threshold(Filter):
    """Keep documents whose number in `column` lies from `min_value` to `max_value`, both included.

    value        the number as float64
    value_below  the same, for `max_value`, where values may be missing
    missing      1 where it is null or not a number, else 0

    By default a missing value is an error: whether it is good or bad cannot be told from here. Where `missing` is `keep` or
    `drop`, such a document breaks no limit (its `value` is infinity and its `value_below` minus infinity), and with
    `drop` it breaks the rule `missing`. A percentile needs every value, so it goes with `error` only.
    """

    unit = "document"
    example: ClassVar[dict[str, Any]] = {"column": "score", "min_value": 0.5}
    column: str = Field(description="name of a column of numbers (or true and false)")
    min_value: Limit | None = Field(None, description="keep documents with this value or more")
    max_value: Limit | None = Field(None, description="keep documents with this value or less")
    missing: Literal["error", "keep", "drop"] = Field("error", description="what to do with documents without a value")

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        low, high = self.min_value, self.max_value
        if low is None and high is None:
            raise ValueError("threshold has no limit, expected min_value or max_value or both")
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            raise ValueError(f"min_value {low} is above max_value {high}, so no document would be kept")
        if self.missing != "error" and (isinstance(low, Percentile) or isinstance(high, Percentile)):
            raise ValueError(f"a percentile needs every value: `missing` is {self.missing!r}, expected 'error'")
        return self

    def columns_read(self) -> tuple[str, ...]:
        tables = (limit.by for limit in (self.min_value, self.max_value) if isinstance(limit, Table))
        return tuple(dict.fromkeys((self.column, *tables)))

    def measures(self) -> dict[str, pa.DataType]:
        if self.missing == "error":
            return {"value": pa.float64()}
        return {"value": pa.float64(), "value_below": pa.float64(), "missing": pa.int8()}

    def measure(self, docs: Docs) -> Measures:
        column = docs.table.column(self.column)
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise ValueError(f"threshold: column {self.column!r} is {kind}, expected numbers")
        numbers = column.cast(pa.uint8()) if pa.types.is_boolean(kind) else column
        values = np.asarray(pc.fill_null(numbers.cast(pa.float64(), safe=False), np.nan).to_numpy())
        missing = np.isnan(values)
        if self.missing == "error":
            if missing.any():
                raise ValueError(
                    f"threshold: column {self.column!r} has no value in {missing.sum()} documents; "
                    "set `missing: keep` or `missing: drop`"
                )
            return {"value": values}
        return {
            "value": np.where(missing, np.inf, values),
            "value_below": np.where(missing, -np.inf, values),
            "missing": missing.astype(np.int8),
        }

    def rules(self) -> Sequence[Rule]:
        below = "value" if self.missing == "error" else "value_below"
        limits = at_least("value", self.min_value, "min_value"), at_most(below, self.max_value, "max_value")
        return (
            limits
            if self.missing == "error"
            else (at_most("missing", 0 if self.missing == "drop" else None, "missing"), *limits)
        )
