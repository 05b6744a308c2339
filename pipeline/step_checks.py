"""What the engine holds stages to: each check raises a `StageError` that names the step and what it was to give."""

from typing import Any

import numpy as np
import pyarrow as pa

from schemas.errors import StageError
from stages.core.stage import Edited, Filter


def check_measures(label: str, stage: Filter, measures: Any, count: int) -> None:
    """Every declared measure is there, with a number for each document; NaN is none."""
    declared = stage.measures()
    if not isinstance(measures, dict) or set(measures) != set(declared):
        given = ", ".join(sorted(map(str, measures))) if isinstance(measures, dict) else type(measures).__name__
        raise StageError(f"{label} measures {given}; it declares {', '.join(sorted(declared))} in measures()")
    for name, column in measures.items():
        values = np.asarray(column)
        if values.shape != (count,):
            raise StageError(f"{label}: the measure {name!r} has shape {values.shape} for {count} documents")
        if values.dtype.kind not in "iufb":
            raise StageError(f"{label}: the measure {name!r} is {values.dtype}, expected numbers")
        if values.dtype.kind == "f" and (bad := np.isnan(values)).any():
            raise StageError(
                f"{label}: the measure {name!r} of {bad.sum()} documents is NaN, of which nothing can be decided; a document"
                " that cannot be measured is an error that measure() raises"
            )


def check_rewritten(label: str, before: pa.Table, after: Any) -> None:
    """A Map gives back the documents that it got, in their order."""
    if not isinstance(after, pa.Table):
        raise StageError(f"{label}: a Map gave {type(after).__name__}, expected a pyarrow Table")
    if after.num_rows != before.num_rows:
        raise StageError(f"{label}: a Map got {before.num_rows} documents and gave {after.num_rows}")
    for name in ("id", "source"):
        if name in after.column_names and not after.column(name).equals(before.column(name)):
            raise StageError(f"{label}: a Map gave back another {name!r} column: documents keep their ids and their order")


def check_edits(label: str, edited: Edited, count: int) -> None:
    """Every edit is of a document of the batch, in their order, and has a type, an offset and a length."""
    rows = np.asarray(edited.row)
    if not len(rows) == len(edited.type) == len(edited.offset) == len(edited.length):
        lengths = ", ".join(str(len(column)) for column in edited[1:])
        raise StageError(f"{label}: row, type, offset and length of its edits are {lengths} long, expected one of each")
    if len(rows) and (rows[0] < 0 or rows[-1] >= count or (np.diff(rows) < 0).any()):
        raise StageError(f"{label}: rows of its edits must ascend and be of its batch of {count} documents")


def check_parents(label: str, parents: np.ndarray, count: int) -> None:
    """Every document has a child, and children stand in the order of their parents."""
    if len(np.unique(parents)) != count or (np.diff(parents) < 0).any():
        raise StageError(f"{label}: an Expand must give every document at least one child, in order")


def document_error(label: str, table: pa.Table, row: int, error: BaseException, trace: str) -> StageError:
    """The error that ends a run under `on_error: stop`: which document, how it begins, and how to see it again."""
    document = table.slice(row, 1).select(["source", "id", "text"]).to_pylist()[0]
    begin = (document["text"] or "")[:200]
    return StageError(
        f"{label} raised {type(error).__name__}: {error}\n  document {document['id']!r} of source {document['source']!r},"
        f" which begins: {begin!r}\n  see it again with: sluice run RECIPE --engine local --id {document['id']}\n{trace}"
    )
