"""Keep the best share of documents by a score."""

import math
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.docs import Docs
from stages.core.ranked import Order, Place, Placed, Ranking, drop_outside, score_of
from stages.core.stage import Global, Sketches, Verdicts


class TopFraction(Global):
    """Keep the documents with the highest scores, a share of all or of each group.

    The share is of documents, of bytes of text, or of tokens. It ends within one document and is never larger than asked for,
    but of documents it is rounded up, so that one stays. Documents with the same score go in the order of a hash of source and
    id. A null or NaN is last.

    The ledger tells a dropped document's score and the lowest score that stayed in its group.

    Sketch: 8 bytes of weight, 8 of score, and the group's name. In memory: nothing of the documents but running sums, mapped
    from files; 32 bytes for each of half a million documents while a block is sorted.
    """

    example: ClassVar[dict[str, Any]] = {"column": "score", "fraction": 0.5}

    column: str = Field(description="column with the score", min_length=1)
    fraction: float = Field(description="share that stays", ge=0, le=1)
    of: Literal["documents", "bytes", "tokens"] = Field(
        "documents", description="what the share is of; tokens need count_tokens before"
    )
    by: str | None = Field(None, description="column, such as source or language, of whose each value the share stays")
    seed: int | None = Field(None, description="orders equal scores; null: from the recipe's seed and the step's name", ge=0)

    def columns_read(self) -> tuple[str, ...]:
        weight = ("token_count",) if self.of == "tokens" else ()
        return tuple(dict.fromkeys(("text", self.column, *weight, *((self.by,) if self.by else ()))))

    def sketch_parameters(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"column", "of", "by"})

    def sketch_schema(self) -> pa.Schema:
        fields = [("weight", pa.int64()), ("score", pa.float64()), *([("group", pa.string())] if self.by else [])]
        return pa.schema(fields)

    def sketch(self, docs: Docs) -> pa.Table:
        score = docs.table.column(self.column).cast(pa.float64()).fill_null(math.nan)
        columns = [pa.array(weights(docs, self.of), pa.int64()), score]
        if self.by:
            columns.append(docs.table.column(self.by).cast(pa.string()))
        return pa.table(columns, schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        order = Order(grouped=bool(self.by), scored=True, seed=self.seed or 0, salt="top_fraction")
        ranking = Ranking(sketches, order)
        ends: dict[str, Place] = {}
        told = {}
        for name, (documents, weight) in ranking.totals().items():
            budget = math.ceil(self.fraction * weight) if self.of == "documents" else math.floor(self.fraction * weight)
            taken = ranking.prefix(name, budget)
            ends[name] = taken.end
            lowest = score_of(taken.end.key) if taken.documents else None
            told[name] = {
                "documents": documents,
                self.of: weight,
                "kept_documents": taken.documents,
                f"kept_{self.of}": taken.weight,
                "lowest_score": None if lowest is None or math.isnan(lowest) else lowest,
            }
        for part in sketches.parts():
            drop_outside(Placed.of(sketches, part, order), part, order, ends, verdicts, "fraction", self.column)
        return {"documents": sketches.rows(), "groups": told}


def weights(docs: Docs, of: str) -> np.ndarray:
    """What each document weighs (int64)."""
    if of == "tokens":
        return docs.numbers("token_count").astype(np.int64)
    return np.diff(docs.text().offsets).astype(np.int64) if of == "bytes" else np.ones(len(docs), np.int64)
