"""Keep the best share of documents by a score."""

import math
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.docs import Docs
from stages.core.ranked import Order, Place, Placed, Ranking, drop_outside, score_of
from stages.core.stage import Global, Sketches, Verdicts

QUANTILES, MOST_GROUPS = (5.0, 25.0, 50.0, 75.0, 95.0), 200
"""percentiles of the score in each group that the manifest has, and the most groups of which it has them"""


class TopFraction(Global):
    """Keep the documents with the highest scores, a share of all or of each group.

    The share is of documents, of bytes of text, or of tokens. It ends within one document and is never larger than asked for,
    but of documents it is rounded up, so that one stays. Documents with the same score go in the order of a hash of source and
    id. A null or NaN is last.

    The ledger tells a dropped document's score and the lowest score that stayed in its group; the manifest has this, and the
    quantiles of the score before the cut, for each group. `by: language` makes a share of each language, whatever a score's
    scale in it is.

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
        told: dict[str, dict[str, Any]] = {}
        spread: dict[str, dict[str, Any]] = {}
        totals = ranking.totals()
        for name, (documents, weight) in totals.items():
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
            if len(totals) <= MOST_GROUPS:
                scored, values = ranking.quantiles(name, QUANTILES)
                spread[self._label(name)] = {"documents": scored, "values": list(values) if scored else [None] * len(QUANTILES)}
        for part in sketches.parts():
            drop_outside(Placed.of(sketches, part, order), part, order, ends, verdicts, "fraction", self.column)
        limits = {self._label(name): group["lowest_score"] for name, group in told.items()}
        table = {"measure": self.column, "by": self.by or "", "percentiles": list(QUANTILES), "groups": spread}
        resolved = {"fraction": {"by": self.by, "values": limits}}
        facts = {"documents": sketches.rows(), "groups": told, "limits": resolved}
        return {**facts, "quantiles": [{**table, "rules": ["fraction"]}] if spread else []}

    def _label(self, group: str) -> str:
        return group or ("null" if self.by else "all")


def weights(docs: Docs, of: str) -> np.ndarray:
    """What each document weighs (int64)."""
    if of == "tokens":
        return docs.numbers("token_count").astype(np.int64)
    return np.diff(docs.text().offsets).astype(np.int64) if of == "bytes" else np.ones(len(docs), np.int64)
