"""The output's order by a score: where each document stands among all, as a key that is spread evenly."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.docs import Docs
from stages.core.exchange import Block, blocks, numpy_of
from stages.core.ranked import LAST, descending
from stages.core.stage import Global, Saved, Sketches, Verdicts
from stages.core.survivors import LiveRows, write_values
from stages.kernels.hashing import order_keys

ORDER_KEY = "_order_key"
"""column with the key (uint64) by which the last segment sorts, in place of a hash"""
_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)


class CurriculumOrder(Global):
    """Adds the key of `output: {order: curriculum}`: the place of a document by its score, of equal scores by hash.

    A key is (documents with a smaller score + share of those with the same score) / documents * 2**64, so that ranges of keys
    hold about as many documents, as those of hashes do. A score that is missing or NaN comes last.

    Sketch: 8 bytes of score. A task holds the scores of half a million documents; the sorted ones of others are mapped.
    """

    by: str = Field(description="column with the score")
    descending: bool = Field(False, description="highest score first")
    order_seed: int = Field(0, description="of the hash")

    def columns_read(self) -> tuple[str, ...]:
        return (self.by,)

    def columns_written(self) -> dict[str, pa.DataType]:
        return {ORDER_KEY: pa.uint64()}

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([("score", pa.float64())])

    def sketch(self, docs: Docs) -> pa.Table:
        return pa.table([docs.table.column(self.by).cast(pa.float64()).fill_null(np.nan)], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        parts = blocks(rows)
        scores = sketches.round("scores", partial(self._scores, rows), parts)
        placed = sketches.round("places", partial(self._places, rows, scores), parts)
        for block, saved in zip(parts, placed, strict=True):
            write_values(rows, block, saved.read(), verdicts)
        return {"documents": len(rows)}

    def _keys(self, table: pa.Table) -> np.ndarray:
        score = table["score"].to_numpy().astype(np.float64)
        return descending(score if self.descending else -score)

    def _scores(self, rows: LiveRows, block: Block) -> pa.Table:
        keys = [np.zeros(0, np.uint64), *(self._keys(rows.read(at, ["score"])) for at in range(*block))]
        return pa.table({"key": np.sort(np.concatenate(keys))})

    def _places(self, rows: LiveRows, scores: Sequence[Saved], block: Block) -> pa.Table:
        tables = [rows.read(at, ["row", "source", "id", "score"]) for at in range(*block)]
        table = pa.concat_tables(tables)
        keys, hashes = self._keys(table), order_keys(self.order_seed, "order", table["source"], table["id"])
        before, same = np.zeros(len(keys), np.uint64), np.zeros(len(keys), np.uint64)
        for saved in scores:
            others = numpy_of(saved.read()["key"])
            left = np.searchsorted(others, keys, side="left").astype(np.uint64)
            before += left
            same += np.searchsorted(others, keys, side="right").astype(np.uint64) - left
        step = np.uint64(LAST // max(1, len(rows)))
        key = before * step + _share(same * step, hashes)
        return pa.table({"row": numpy_of(table["row"]).astype(np.int32), ORDER_KEY: key})


def _share(whole: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """`whole` * hash / 2**64, from 32 bits at a time; never falls where the hash grows, and is always below `whole`."""
    high, low = whole >> _HALF, whole & _LOW
    left, right = hashes >> _HALF, hashes & _LOW
    return np.asarray(high * left + ((high * right) >> _HALF) + ((low * left) >> _HALF))
