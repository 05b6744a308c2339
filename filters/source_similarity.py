"""Answers whose meaning is far from their source, or the same to the word, by the vectors of an embedding model."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from schemas.rule import Limit, Rule, at_least, at_most
from stages.core.docs import Docs
from stages.core.embedding_models import EXAMPLE, Embed
from stages.core.generated import PARENT_TEXT
from stages.core.stage import Filter, Measures
from stages.core.vectors import whole
from stages.embed_text import EmbedText


def _cosine(default: float | None, description: str) -> Any:
    return Field(default, description=description, json_schema_extra={"unit": "cosine", "low": -1.0, "high": 1.0})


class SourceSimilarity(Filter):
    """Keep answers whose embedding is near that of their source, `_parent_text`, but not too near.

    similarity        cosine of the two vectors, at least -1 and at most 1, for `min_similarity`
    similarity_above  the same for `max_similarity`

    Vectors are scaled to whole numbers (stages/core/vectors.py): a cosine is off by some 1/10,000. Each text goes through the
    model alone, as what stands beside it in a batch would change the last bits. A long text is read up to the model's limit;
    where one of the two has no known word their cosine is 0. Static models (model2vec) answer some forty times as fast.

    A document without a parent's text is no model's: it measures 1 and -1 and is kept.
    """

    unit = "document"
    example: ClassVar[dict[str, Any]] = {"model": EXAMPLE}

    model: str = Field(description="folder of a model of sentence-transformers or model2vec")
    prefix: str = Field("", description="put before each text, where the model was trained with one")
    max_tokens: int | None = Field(None, description="tokens of a text that are read; null is the model's own limit", ge=1)
    min_similarity: Limit | None = _cosine(0.6, "keep answers that are as near or nearer")
    max_similarity: Limit | None = _cosine(None, "keep answers that are as far or farther")

    @model_validator(mode="after")
    def _model_is_there(self) -> Self:
        self._embedding()
        return self

    def columns_read(self) -> tuple[str, ...]:
        """The answer and its source."""
        return ("text", PARENT_TEXT)

    def requirements(self) -> tuple[tuple[str, str], ...]:
        """The library of the model."""
        return self._embedding().requirements()

    def files(self) -> tuple[str, ...]:
        """The model's files."""
        return self._embedding().files()

    def measures(self) -> dict[str, pa.DataType]:
        """One cosine, for two limits."""
        return {"similarity": pa.float64(), "similarity_above": pa.float64()}

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        measured: Measures = self.open()(docs)
        return measured

    def open(self) -> Callable[[Docs], Measures]:
        """Load the model."""
        embed = self._embedding().load_model()
        return lambda docs: self._compare(docs, embed)

    def rules(self) -> Sequence[Rule]:
        """Both bounds."""
        return (
            at_least("similarity", self.min_similarity, "min_similarity"),
            at_most("similarity_above", self.max_similarity, "max_similarity"),
        )

    def _embedding(self) -> EmbedText:
        return EmbedText(model=self.model, prefix=self.prefix, max_tokens=self.max_tokens, batch_size=1)

    def _compare(self, docs: Docs, embed: Embed) -> Measures:
        made = np.asarray(docs.table.column(PARENT_TEXT).is_valid().to_numpy())
        pairs = docs.table.filter(pa.array(made))
        left, right = (self._vectors(pairs.column(name), embed) for name in ("text", PARENT_TEXT))
        # lengths of rounded vectors are near LENGTH, not equal to it: a text and itself must have 1, not a little more
        products = (left * right).sum(axis=1)
        squares = (left * left).sum(axis=1) * (right * right).sum(axis=1)
        cosines = np.divide(products, np.sqrt(squares), out=np.zeros(len(products)), where=squares > 0).clip(-1.0, 1.0)
        found: Measures = {}
        for name, real in (("similarity", 1.0), ("similarity_above", -1.0)):
            found[name] = np.full(len(docs), real)
            found[name][made] = cosines
        return found

    def _vectors(self, column: pa.ChunkedArray, embed: Embed) -> np.ndarray:
        """Whole numbers as float64, in which all sums of their products are exact."""
        texts = [self.prefix + text for text in pc.fill_null(column, "").to_pylist()]  # models take Python's strings
        if not texts:
            return np.zeros((0, self._embedding().dimensions()))
        return whole(np.asarray(embed(texts), np.float64)).astype(np.float64)
