"""Tokens of each document."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.columns import TOKEN_COUNT
from stages.core.stage import Map
from stages.core.tokenizer import load_tokenizer, read_tokenizer
from stages.kernels.text import text_of

_CHUNK_BYTES = 4 << 20


class CountTokens(Map):
    """Write the number of tokens of each document to `token_count`.

    With `tokenizer`, the tokens of that tokenizer, without the special tokens it would add. Without, an estimate:
    UTF-8 bytes / `bytes_per_token`, rounded up, so 0 for an empty text only.
    """

    tokenizer: str | None = Field(None, description="path of a tokenizer.json (Hugging Face tokenizers); null: estimate")
    bytes_per_token: float = Field(
        4.0, description="for the estimate", gt=0, allow_inf_nan=False, json_schema_extra={"unit": "bytes of UTF-8 per token"}
    )

    def columns_written(self) -> dict[str, pa.DataType]:
        return {TOKEN_COUNT.name: TOKEN_COUNT.type}

    def files(self) -> tuple[str, ...]:
        return () if self.tokenizer is None else (str(Path(self.tokenizer).expanduser()),)

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return () if self.tokenizer is None else (("tokenizers", "tokenizers"),)

    def counter(self) -> str:
        """What counted the tokens, for the manifest."""
        if self.tokenizer is None:
            return f"estimate: UTF-8 bytes / {self.bytes_per_token}"
        path = Path(self.files()[0])
        return f"{path.name} sha256:{hashlib.sha256(read_tokenizer(path)).hexdigest()}"

    def apply(self, table: pa.Table) -> pa.Table:
        return self.open()(table)

    def open(self) -> Callable[[pa.Table], pa.Table]:
        if self.tokenizer is None:
            return lambda table: _with_counts(table, self._estimate(table))
        tokenizer = load_tokenizer(Path(self.files()[0]))
        return lambda table: _with_counts(table, _count(tokenizer, table.column("text")))

    def _estimate(self, table: pa.Table) -> np.ndarray:
        sizes = np.diff(text_of(table.column("text")).offsets)
        return np.asarray(np.ceil(sizes / self.bytes_per_token).astype(np.int64))


def _with_counts(table: pa.Table, counts: np.ndarray) -> pa.Table:
    values = pa.array(counts, TOKEN_COUNT.type)
    at = table.schema.get_field_index(TOKEN_COUNT.name)
    return table.append_column(TOKEN_COUNT, values) if at < 0 else table.set_column(at, TOKEN_COUNT, values)


def _count(tokenizer: Any, column: pa.ChunkedArray) -> np.ndarray:
    counts = np.zeros(len(column), np.int64)
    ends = text_of(column).offsets
    start = 0
    # the library takes a list of Python strings; in slices, since it gives back every token
    while start < len(column):
        end = max(start + 1, int(np.searchsorted(ends, ends[start] + _CHUNK_BYTES, "right")) - 1)
        texts = [text or "" for text in column.slice(start, end - start).to_pylist()]
        counts[start:end] = [len(encoding) for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        start = end
    return counts
