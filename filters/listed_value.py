"""Documents whose value in a column is on a list, or is not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from schemas.errors import InputError
from schemas.rule import Rule, at_most
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures


class ListedValue(Filter):
    """Keep documents whose value in `column` is allowed and not denied: licences that may be used, ids that must go.

    not_allowed  1 if there is a list of what is allowed, and the value is not on it
    denied       1 if the value is on the list of what is denied
    missing      1 where there is no value; it is neither allowed nor denied

    Values are compared as a whole, in any case, without blanks around them. A file has one value a line; empty lines and
    lines that begin with # do not count. What is taken out is in the ledger with the rule `allow`, `deny` or `missing`, and
    a file's content is part of the fingerprint: a longer list of removals is a new run from this step on.

        listed_value: {column: license, allow_files: [licences.txt], missing: drop}
        listed_value: {column: id, deny_files: [removals.txt]}
    """

    unit = "document"
    example: ClassVar[dict[str, Any]] = {"column": "source", "allow": ["web"]}
    column: str = Field(description="name of a column of strings, or of whole numbers")
    allow: tuple[str, ...] = Field((), description="values that are kept; with none, here or in files, every value is")
    allow_files: tuple[str, ...] = Field((), description="files of such values")
    deny: tuple[str, ...] = Field((), description="values that are dropped")
    deny_files: tuple[str, ...] = Field((), description="files of such values")
    missing: Literal["keep", "drop"] = Field("keep", description="what to do with documents without a value")

    @model_validator(mode="after")
    def _some_list(self) -> Self:
        if not (self.allow or self.allow_files or self.deny or self.deny_files):
            raise ValueError("no list, expected at least one value or file in allow, allow_files, deny or deny_files")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return (self.column,)

    def files(self) -> tuple[str, ...]:
        return tuple(str(Path(name).expanduser()) for name in (*self.allow_files, *self.deny_files))

    def measures(self) -> dict[str, pa.DataType]:
        return {"not_allowed": pa.int8(), "denied": pa.int8(), "missing": pa.int8()}

    def measure(self, docs: Docs) -> Measures:
        measured: Measures = self.open()(docs)
        return measured

    def open(self) -> Callable[[Docs], Measures]:
        allowed, denied = _values(self.allow, self.allow_files), _values(self.deny, self.deny_files)

        def measure(docs: Docs) -> Measures:
            column = docs.table.column(self.column)
            if not (
                pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_integer(column.type)
            ):
                raise ValueError(f"listed_value: column {self.column!r} is {column.type}, expected strings or whole numbers")
            values = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.large_string())))
            missing = _bits(pc.fill_null(pc.equal(values, ""), True))
            listed = [_bits(pc.is_in(values, pa.array(sorted(names), pa.large_string()))) for names in (allowed, denied)]
            not_allowed = (1 - listed[0]) * (1 - missing) if self.allow or self.allow_files else np.zeros_like(missing)
            return {"not_allowed": not_allowed, "denied": listed[1], "missing": missing}

        return measure

    def rules(self) -> Sequence[Rule]:
        return (
            at_most("not_allowed", 0 if self.allow or self.allow_files else None, "allow"),
            at_most("denied", 0 if self.deny or self.deny_files else None, "deny"),
            at_most("missing", 0 if self.missing == "drop" else None, "missing"),
        )


def _bits(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.cast(pa.int8()).to_numpy())


def _values(named: Sequence[str], files: Sequence[str]) -> frozenset[str]:
    """All values in lower case, without blanks around them."""
    values = list(named)
    for path in (Path(name).expanduser() for name in files):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise InputError(f"listed_value: the list {path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"listed_value: the list {path} is not UTF-8 at byte {error.start}") from error
        values += [line for line in lines if not line.lstrip().startswith("#")]
    return frozenset(value.strip().lower() for value in values if value.strip())
