"""A batch of documents as stages see it: Arrow columns, and views of the text that are made once for all filters."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from stages.kernels.text import Text, text_of

View = TypeVar("View")


class Docs:
    """A read-only batch. Views (words, lines, ...) are computed at first use and shared by all stages of a group."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._views: dict[Any, Any] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def text(self, column: str = "text") -> Text:
        """Offsets and bytes of a string column; a null is an empty text."""
        return self.view(("text", column), lambda: text_of(self.table.column(column)))

    def numbers(self, column: str) -> np.ndarray:
        """A numeric column as NumPy array. Raises `ValueError` naming the column if it has nulls."""
        array = self.table.column(column)
        if array.null_count:
            raise ValueError(f"column {column!r} has {array.null_count} nulls")
        return np.asarray(array.to_numpy())

    def has_view(self, key: Any) -> bool:
        """Whether `view` has made this one."""
        return key in self._views

    def view(self, key: Any, make: Callable[[], View]) -> View:
        """The view kept under `key`, made by `make` at first use. Views must be treated as read-only."""
        if key not in self._views:
            self._views[key] = make()
        view: View = self._views[key]
        return view
