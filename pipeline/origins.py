"""Which document of the run's input a row comes from: behind an Expand several rows share one, and count as one."""

import numpy as np
import pyarrow as pa

from pipeline.function import Function
from stages.core.stage import Expand, Global, Stage

ORIGIN = "_origin"
"""Column behind an Expand, and of copies: the row, in its part, of the document of the input that a row comes from."""


def origins_of(table: pa.Table, rows: np.ndarray) -> np.ndarray:
    """Which document of the run's input each row comes from: its row, unless an Expand stands before."""
    return np.asarray(table.column(ORIGIN).to_numpy()) if ORIGIN in table.column_names else rows


def distinct(origins: np.ndarray) -> int:
    """Number of documents: children of one document stand next to each other, and count once."""
    return int(len(origins) and 1 + (np.diff(np.sort(origins)) != 0).sum())


def multiplies(stage: Stage) -> bool:
    """Whether a stage may give several documents for one."""
    return (
        isinstance(stage, Expand)
        or (isinstance(stage, Global) and stage.repeats)
        or (isinstance(stage, Function) and not stage.takes_table())
    )


def with_origins(table: pa.Table, origins: np.ndarray) -> pa.Table:
    """The table with the column of origins set."""
    column = pa.array(origins, pa.int32())
    at = table.column_names.index(ORIGIN) if ORIGIN in table.column_names else -1
    return table.set_column(at, ORIGIN, column) if at >= 0 else table.append_column(ORIGIN, column)
