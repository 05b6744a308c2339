"""Score documents by how much more likely they are in a target text than in the corpus (DSIR)."""

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.errors import InputError
from stages.core.docs import Docs
from stages.core.evaluation_sets import rows_of
from stages.core.exchange import Block, batches, blocks, numpy_of
from stages.core.stage import Global, Sketches, Verdicts
from stages.core.survivors import LiveRows, write_values
from stages.decontaminate import EXAMPLE
from stages.kernels.hashing import order_keys
from stages.kernels.shingles import shingles
from stages.kernels.text import Text, text_of

PARTS, TEXT_BYTES = 32, 2**23
"""parts that one task reads, and text whose n-grams are hashed at once"""
FRACTION = 2**20
"""logarithms are rounded to this part of one: sums of whole numbers do not depend on an order"""


class ScoreImportance(Global):
    """Write the logarithm of a document's importance weight for a target, as DSIR has it (Xie et al. 2023, sections 2 to 4).

    Words, and pairs of words that follow each other, are counted in `buckets` by hash, in the target and in the corpus as it
    comes here; a document's weight is the product, over its own, of their probability in the target over that in the corpus
    (add-one smoothing; DSIR adds 1e-8). With `noise` a Gumbel number is added, by hash of source and id: the highest scores are
    then a sample without replacement in proportion to the weights (section 3), where without it they are the best.

    importance  natural logarithm; 0 for a text without words, without noise

    Select with `top_fraction: {column: importance}` or `mix: {rank: importance}`. A weight is that of the whole text, as in
    DSIR: long texts have larger ones, for better and worse. `per_ngram` divides by the number of n-grams; noise comes on top.

    Texts are read twice. A task holds 8 MB of text and its hashes, and two numbers for each bucket.
    """

    example: ClassVar[dict[str, Any]] = {"target": str(EXAMPLE), "target_text": "question"}

    target: str = Field(description="Parquet, JSON lines (also .gz or .zst) or CSV with texts like those that are wanted")
    target_text: str = Field("text", description="field of it that holds the text")
    buckets: int = Field(10_000, description="counters of n-grams", ge=2, le=10_000_000)
    noise: bool = Field(True, description="sample in proportion to the weights instead of taking the best")
    per_ngram: bool = Field(False, description="the mean over the n-grams instead of the sum")
    seed: int | None = Field(None, description="of the noise; null: from the recipe's seed and the step's name", ge=0)

    def columns_read(self) -> tuple[str, ...]:
        return ("text",)

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"importance": pa.float64()}

    def files(self) -> tuple[str, ...]:
        return (self.target,)

    def sketch_parameters(self) -> dict[str, Any]:
        return {}

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([pa.field("text_bytes", pa.int64(), nullable=False)])

    def sketch(self, docs: Docs) -> pa.Table:
        return pa.table([pa.array(np.diff(docs.text().offsets))], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        parts = blocks(rows, PARTS)
        wanted = self.target_counts()
        counted = sketches.round("counts", partial(self._counts, rows), parts)
        corpus = sum((numpy_of(saved.read()["count"]) for saved in counted), np.zeros(self.buckets, np.int64))
        scored = sketches.round("scores", partial(self._scores, rows, log_ratios(wanted, corpus)), parts)
        for block, saved in zip(parts, scored, strict=True):
            write_values(rows, block, saved.read(), verdicts)
        ngrams = {"target_ngrams": int(wanted.sum()), "ngrams": int(corpus.sum())}
        return {"documents": len(rows), **ngrams, "divergence": kullback_leibler(wanted, corpus)}

    def target_counts(self) -> np.ndarray:
        """N-grams of the target by bucket (int64). Raises `InputError` where there are none."""
        texts = []
        for number, row in enumerate(rows_of(self.target)):
            if self.target_text not in row:
                there = ", ".join(map(str, row))
                raise InputError(f"{self.target}: row {number} has no field {self.target_text!r}; it has {there}")
            texts.append(str(row[self.target_text] or ""))
        found = self._bucket_counts(text_of(pa.array(texts, pa.large_string())))
        if not found.any():
            raise InputError(f"{self.target} has no words in {self.target_text!r}: there is no target")
        return found

    def _bucket_counts(self, text: Text) -> np.ndarray:
        return np.asarray(sum(np.bincount(hashes, minlength=self.buckets) for hashes, _ in self._ngrams(text)), np.int64)

    def _ngrams(self, text: Text) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Buckets of words, then of pairs of words, and their offsets by document."""
        for size in (1, 2):
            hashes, bounds = shingles(text, size, "word", 64, "plain")
            yield (hashes % np.uint64(self.buckets)).astype(np.int64), bounds

    def _counts(self, rows: LiveRows, block: Block) -> pa.Table:
        found = np.zeros(self.buckets, np.int64)
        for _, _, text in _texts(rows, block):
            found += self._bucket_counts(text)
        return pa.table({"count": found})

    def _scores(self, rows: LiveRows, ratios: np.ndarray, block: Block) -> pa.Table:
        row, score = [np.zeros(0, np.int32)], [np.zeros(0)]
        for at, numbers, text in _texts(rows, block):
            total, count = np.zeros(len(numbers), np.int64), np.zeros(len(numbers), np.int64)
            for buckets, bounds in self._ngrams(text):
                sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(ratios[buckets])])
                total += sums[bounds[1:]] - sums[bounds[:-1]]
                count += np.diff(bounds)
            weight = total / np.maximum(count, 1) if self.per_ngram else total.astype(np.float64)
            names = rows.read(at, ["row", "source", "id"]).take(pa.array(numbers))
            row.append(numpy_of(names["row"]).astype(np.int32))
            score.append(weight / FRACTION + (self._noise(names) if self.noise else 0))
        return pa.table({"row": np.concatenate(row), "importance": np.concatenate(score)})

    def _noise(self, names: pa.Table) -> np.ndarray:
        keys = order_keys(self.seed or 0, "score_importance", names["source"], names["id"])
        uniform = ((keys >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
        return np.asarray(np.rint(-np.log(-np.log(uniform)) * FRACTION) / FRACTION)


def log_ratios(wanted: np.ndarray, corpus: np.ndarray) -> np.ndarray:
    """Logarithm of each bucket's probability in the target over that in the corpus, in parts of `FRACTION` (int64)."""
    target, raw = ((counts + 1.0) / (counts.sum() + len(counts)) for counts in (wanted, corpus))
    return np.asarray(np.rint((np.log(target) - np.log(raw)) * FRACTION), np.int64)


def kullback_leibler(wanted: np.ndarray, corpus: np.ndarray) -> float:
    """Divergence of the corpus from the target in nats, of smoothed buckets: how much a selection can gain."""
    target = (wanted + 1.0) / (wanted.sum() + len(wanted))
    raw = (corpus + 1.0) / (corpus.sum() + len(corpus))
    return float((target * np.log(target / raw)).sum())


def _texts(rows: LiveRows, block: Block) -> Iterator[tuple[int, np.ndarray, Text]]:
    """Some of a part's documents at a time: which part, which of its live documents, their texts."""
    for at in range(*block):
        table = rows.read(at, ["row", "text_bytes"])
        row, sizes = numpy_of(table["row"]), numpy_of(table["text_bytes"])
        for first, last in batches(sizes, TEXT_BYTES):
            texts = rows.sketches.documents(rows.parts[at], row[first : last + 1], ["text"])["text"]
            yield at, np.arange(first, last + 1), text_of(texts)
