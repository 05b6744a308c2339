"""What a model has made, as the filters that verify it read it: the text, its parent's text, and which documents are meant."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import pyarrow as pa

PARENT_TEXT = "_parent_text"
"""the text from which a document was made; null where it is no model's"""

KIND = "kind"
"""`synthetic` where a model made the document, else `real`"""

SYNTHETIC = "synthetic"

FINISH_REASON = "finish_reason"
"""why the model stopped: `stop`, `length`, ...; null where there was no model"""

Found = TypeVar("Found")


def made_from(table: pa.Table, measure: Callable[[str, str], Found], real: Found) -> list[Found]:
    """What `measure` says of each text and its parent's; `real` where there is no parent's text.

    A loop over documents in Python, as all that verifies answers: a model's answer costs a thousand times more than its check.
    """
    texts, parents = table.column("text").to_pylist(), table.column(PARENT_TEXT).to_pylist()
    return [
        real if parent is None else measure(text or "", parent)  # a null text is an empty one
        for text, parent in zip(texts, parents, strict=True)
    ]


def synthetic(table: pa.Table) -> Iterator[tuple[int, str, str | None]]:
    """Row, text and parent's text of each document that a model made, by the column `kind`; one without a kind is real."""
    columns = (table.column(name).to_pylist() for name in (KIND, "text", PARENT_TEXT))
    for row, (kind, text, parent) in enumerate(zip(*columns, strict=True)):
        if kind == SYNTHETIC:
            yield row, text or "", parent
