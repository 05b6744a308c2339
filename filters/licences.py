"""Documents whose licence is on a list of those that may be used."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.rule import Rule, at_most
from stages.core.docs import Docs
from stages.core.licence_names import is_allowed, is_stated, spdx
from stages.core.stage import Filter, Measures
from stages.core.url_lists import texts


class Licences(Filter):
    """Keep documents under a licence that is allowed, however it is spelt: `Apache License 2.0` is Apache-2.0.

    not_allowed   1 if a licence is stated and not allowed
    unknown       1 where nothing is stated: null, empty, `unknown`, NOASSERTION and the like

    Names, SPDX identifiers and addresses of licences are compared as SPDX identifiers (stages/core/licence_names.py). Of `MIT
    OR GPL-2.0` one that is allowed is enough, of `MIT AND CC-BY-4.0` all must be; what stands behind WITH is not looked at. A
    family without a version, such as `CC BY`, is allowed only if it stands so on the list. GPL-3.0 is GPL-3.0-only, so a list
    names GPL-3.0-or-later as well. A name that is none of these is allowed only if the list has it, too, in any case.

    A file has one licence a line; empty lines and what follows # do not count. Whether the licence that a source states is the
    right one, nobody can see here.

        licences: {allow_files: [licences.txt], column: license}
    """

    unit = "document"
    example: ClassVar[dict[str, Any]] = {"allow": ["MIT", "CC-BY-4.0"], "column": "source"}
    column: str = Field("license", description="column with the licence, of strings", min_length=1)
    allow: tuple[str, ...] = Field((), description="licences that are allowed")
    allow_files: tuple[str, ...] = Field((), description="files of such licences")
    unknown: Literal["drop", "keep"] = Field("drop", description="what to do with documents that state no licence")

    @model_validator(mode="after")
    def _some_list(self) -> Self:
        if not (self.allow or self.allow_files):
            raise ValueError("no list, expected at least one licence in allow or a file in allow_files")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return (self.column,)

    def files(self) -> tuple[str, ...]:
        return tuple(str(Path(name).expanduser()) for name in self.allow_files)

    def measures(self) -> dict[str, pa.DataType]:
        return {"not_allowed": pa.int8(), "unknown": pa.int8()}

    def measure(self, docs: Docs) -> Measures:
        measured: Measures = self.open()(docs)
        return measured

    def open(self) -> Callable[[Docs], Measures]:
        allowed = frozenset(spdx(name) for name in (*self.allow, *_lines(self.allow_files)))

        def measure(docs: Docs) -> Measures:
            column = docs.table.column(self.column)
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                raise ValueError(f"licences: column {self.column!r} is {column.type}, expected strings")
            coded = column.combine_chunks().dictionary_encode()
            # a loop over licences, of which there are few, not over documents
            names = [*coded.dictionary.to_pylist(), None]
            unknown = np.array([not is_stated(name) for name in names], np.int8)
            refused = [is_stated(name) and not is_allowed(name, allowed.__contains__) for name in names]
            codes = coded.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
            return {"not_allowed": np.array(refused, np.int8)[codes], "unknown": unknown[codes]}

        return measure

    def rules(self) -> Sequence[Rule]:
        return (
            at_most("not_allowed", 0, "allow"),
            at_most("unknown", 0 if self.unknown == "drop" else None, "unknown"),
        )


def _lines(files: Sequence[str]) -> list[str]:
    lines = [line for text in texts("licences", tuple(Path(name).expanduser() for name in files)) for line in text.splitlines()]
    return [name for line in lines if (name := line.partition("#")[0].strip())]
