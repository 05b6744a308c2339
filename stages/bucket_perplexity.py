"""Sort documents into head, middle and tail by the perplexity of their language."""

from typing import Any, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.columns import DOCUMENT
from stages.core.docs import Docs
from stages.core.exchange import numpy_of
from stages.core.quantiles import group_sizes, select
from stages.core.stage import Global, Sketches, Verdicts


class BucketPerplexity(Global):
    """Write the bucket of each document: `head` up to the first quantile of its language's perplexities, `tail` above the last.

    perplexity_bucket   one of `labels`; null where there is no perplexity

    The quantile at q is the smallest perplexity such that at least the share q of the language's documents has it or less;
    a document that has it belongs to the lower bucket. Documents without language are one of their own, `null` in the manifest,
    which holds the limits of each. Quantiles are those of the documents that come here: CCNet (Wenzek et al. 2020, section 3.4)
    has terciles of a fixed sample of each language, found once, and calls what has no model `all`.

    Keep some of them with `listed_value: {column: perplexity_bucket, allow: [head, middle]}`.

    Sketch: 8 bytes and the language's name; six passes over them, and nothing of the documents in memory.
    """

    column: str = Field("perplexity", description="column with the perplexity", min_length=1)
    by: str | None = Field("language", description="column of whose each value quantiles are taken; null: of all together")
    quantiles: tuple[float, ...] = Field(
        (0.33, 0.67), description="shares of the documents up to the ends of all buckets but the last, ascending", min_length=1
    )
    labels: tuple[str, ...] = Field(("head", "middle", "tail"), description="names of the buckets, one more than quantiles")
    bucket_column: str = Field("perplexity_bucket", description="name of the column that is written", min_length=1)

    @model_validator(mode="after")
    def _buckets_make_sense(self) -> Self:
        if any(not 0 < share < 1 for share in self.quantiles) or list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError(f"quantiles are {list(self.quantiles)}, expected ascending shares above 0 and below 1")
        if len(self.labels) != len(self.quantiles) + 1 or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels are {list(self.labels)}, expected {len(self.quantiles) + 1} different ones")
        if self.bucket_column in (*DOCUMENT.names, self.column, self.by):
            raise ValueError(f"bucket_column: there is a column {self.bucket_column!r} already; name another")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return (self.column, *((self.by,) if self.by else ()))

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.bucket_column: pa.string()}

    def sketch_parameters(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"column", "by"})

    def sketch_schema(self) -> pa.Schema:
        groups = [pa.field("group", pa.string(), nullable=False)] if self.by else []
        return pa.schema([pa.field("perplexity", pa.float64()), *groups])

    def sketch(self, docs: Docs) -> pa.Table:
        columns = [docs.table.column(self.column).cast(pa.float64())]
        if self.by:
            columns.append(docs.table.column(self.by).cast(pa.string()).fill_null("null"))
        return pa.table(columns, schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        group = "group" if self.by else None
        sizes = group_sizes(sketches, "perplexity", group, self.by)
        limits = select(sketches, "perplexity", group, sizes, [100 * share for share in self.quantiles])
        totals = {name: np.zeros(len(self.labels), np.int64) for name in sizes}
        for part in sketches.parts():
            table = sketches.read(part, ["row", *self.sketch_schema().names])
            if table.num_rows:
                buckets = self._buckets(table, limits, totals)
                verdicts.add(part, [pa.table({"row": numpy_of(table["row"]).astype(np.int32), self.bucket_column: buckets})])
        told = {
            name: {
                "documents": dict(zip(self.labels, totals[name].tolist(), strict=True)),
                "limits": dict(zip(self.labels, limits[name], strict=False)),
            }
            for name in sizes
        }
        missing = sketches.rows() - sum(sizes.values())
        return {"documents": sketches.rows(), "without_perplexity": missing, "by": self.by, "groups": told}

    def _buckets(self, table: pa.Table, limits: dict[str, list[float]], totals: dict[str, np.ndarray]) -> pa.Array:
        values = table["perplexity"].to_numpy()
        bucket = np.full(len(values), -1)
        names = table["group"] if self.by else pa.chunked_array([[""] * len(values)], pa.string())
        coded = names.combine_chunks().dictionary_encode()
        codes, known = coded.indices.to_numpy(zero_copy_only=False), ~np.isnan(values)
        for code, name in enumerate(coded.dictionary.to_pylist()):
            mine = np.flatnonzero((codes == code) & known)
            if len(mine):
                bucket[mine] = np.searchsorted(limits[name], values[mine], side="left")
                totals[name] += np.bincount(bucket[mine], minlength=len(self.labels))
        return pa.array(self.labels, pa.string()).take(pa.array(bucket, pa.int64(), mask=bucket < 0))
