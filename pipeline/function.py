"""A user's plain function as a stage: `mylab.rules:shorten` in a recipe."""

import importlib
import inspect
import traceback
import typing
from collections.abc import Callable
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from schemas.columns import Drop
from schemas.errors import RecipeError, StageError
from stages.core.stage import Processed, Stage

TYPES = {"string": pa.large_string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}

UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)
"""What Arrow raises for a value that is not of the column's type, lone surrogates in a text among them."""


class Function(Stage):
    """Calls a function on each document (`dict -> dict | None | list[dict] | Drop`) or on an Arrow table (same rows out).

    A document that comes back as None or as `Drop("reason")` is dropped; a list gives children, whose ids are the parent's
    with `/0`, `/1`, ... appended (an empty list drops). New keys must be declared under `writes`, with their types, so that
    every file has one schema.
    """

    function: str = Field(description="package.module:name")
    writes: dict[str, Literal["string", "int64", "float64", "bool"]] = Field(
        {}, description="columns the function adds, with types"
    )
    arguments: dict[str, Any] = Field({}, description="further arguments of the function")

    def columns_read(self) -> tuple[str, ...]:
        return ()

    def columns_written(self) -> dict[str, pa.DataType]:
        return {column: TYPES[name] for column, name in self.writes.items()}

    def files(self) -> tuple[str, ...]:
        return (inspect.getfile(self.load()),)

    def load(self) -> Callable[..., Any]:
        """The function itself."""
        module, _, name = self.function.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function

    def takes_table(self) -> bool:
        """Whether the first parameter is annotated as a pyarrow Table."""
        function = self.load()
        first = next(iter(inspect.signature(function).parameters.values()), None)
        if first is None:
            raise RecipeError(f"{self.function} takes no argument; a stage function takes a document or a table")
        return typing.get_type_hints(function).get(first.name) is pa.Table

    def open(self) -> Callable[[pa.Table], Processed]:
        """The function that is called on each batch."""
        return self._apply_table if self.takes_table() else self._apply_documents

    def _apply_table(self, table: pa.Table) -> Processed:
        result = self.load()(table, **self.arguments)
        if not isinstance(result, pa.Table) or result.num_rows != table.num_rows:
            got = f"{result.num_rows} rows" if isinstance(result, pa.Table) else type(result).__name__
            raise StageError(
                f"{self.function} got {table.num_rows} rows and gave {got}: a table function keeps its rows; write a function"
                " on a document (dict -> dict | None) to drop"
            )
        return Processed(result, list(range(table.num_rows)), [], [])

    def _apply_documents(self, table: pa.Table) -> Processed:
        function = self.load()
        allowed = set(table.column_names) | set(self.writes)
        rows: list[dict[str, Any]] = []
        processed = Processed(table, [], [], [])
        # One Python call for each document is what the author asked for by writing a function on a document.
        for row, document in enumerate(table.to_pylist()):
            before = document["id"], document["source"]
            try:
                result = function(document, **self.arguments)
                if result is None or isinstance(result, Drop) or result == []:
                    reason = (
                        result
                        if isinstance(result, Drop)
                        else Drop("returned None" if result is None else "returned no children")
                    )
                    processed.dropped.append((row, reason))
                    continue
                children = result if isinstance(result, list) else [result]
                for child in children:
                    if not isinstance(child, dict):
                        raise StageError(
                            f"{self.function} returned {type(child).__name__}, expected dict, None, list[dict] or Drop"
                        )
                    if unknown := set(child) - allowed:
                        raise StageError(
                            f"{self.function} returned the key {min(unknown)!r} that nobody declared: add it to `writes`"
                        )
                    if not isinstance(child.get("text"), str):
                        raise StageError(
                            f"{self.function} returned no text: `text` is {type(child.get('text')).__name__}, expected str"
                        )
            except Exception as error:
                processed.failed.append((row, error, traceback.format_exc(limit=-8)))
                continue
            for number, child in enumerate(children):
                identity = f"{before[0]}/{number}" if isinstance(result, list) else before[0]
                rows.append({**child, "id": identity, "source": before[1]})
                processed.parents.append(row)
        fields = {field.name: field for field in table.schema}
        for column, type_ in self.columns_written().items():
            fields[column] = pa.field(column, type_)
        schema = pa.schema(list(fields.values()))
        try:
            processed.table = pa.Table.from_pylist(rows, schema)
        except UNFIT:
            processed.table = _only_fitting(rows, schema, processed)
        return processed


def _only_fitting(rows: list[dict[str, Any]], schema: pa.Schema, processed: Processed) -> pa.Table:
    """The rows of documents whose values have the declared types; the other documents are moved to `failed`."""
    by_parent: dict[int, list[dict[str, Any]]] = {}
    for parent, row in zip(processed.parents, rows, strict=True):
        by_parent.setdefault(parent, []).append(row)
    fitting: list[dict[str, Any]] = []
    processed.parents = []
    # One document at a time, as only a conversion of its own tells which one does not fit.
    for parent, children in by_parent.items():
        try:
            pa.Table.from_pylist(children, schema)
        except UNFIT as error:
            processed.failed.append((parent, error, traceback.format_exc(limit=-8)))
            continue
        fitting += children
        processed.parents += [parent] * len(children)
    processed.failed.sort(key=lambda failure: failure[0])
    return pa.Table.from_pylist(fitting, schema)
