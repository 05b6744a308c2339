"""Add a vector of each text: its embedding by a model."""

from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from stages.core.embedding_models import EXAMPLE, Embed, EmbeddingModel, unit_vectors
from stages.core.model import Answer


class EmbedText(EmbeddingModel):
    """Write an embedding of each text into a column, normalised to length 1.

    The model is a folder of sentence-transformers, or of model2vec: static vectors, averaged over a text, some forty times as
    fast on a CPU. Which of the two it is stands in its files. Nothing is downloaded. A text is read up to `max_tokens`; a text
    without a known token has a vector of zeros.

    The column is read by semantic_dedup and other stages; with a name that begins with `_` it is no column of the training set.
    On CPUs each process has one thread, so that the same text has the same vector with any number of workers; where there
    is a GPU it is used. Vectors from a CPU and from a GPU differ in the last bits.
    """

    example: ClassVar[dict[str, Any]] = {"model": EXAMPLE}

    column: str = Field("_embedding", description="column that is written", min_length=1)
    precision: Literal["float16", "float32"] = Field("float16", description="type of the numbers that are written")

    @model_validator(mode="after")
    def _column_is_free(self) -> Self:
        if self.column in ("id", "source", "text"):
            raise ValueError(f"column: {self.column} is a column of every document; name another")
        return self

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.list_(pa.float16() if self.precision == "float16" else pa.float32(), self.dimensions())}

    def load(self) -> Answer:
        embed = self.load_model()
        return lambda documents: self._answer(documents, embed)

    def _answer(self, documents: pa.Table, embed: Embed) -> pa.Table:
        texts = [self.prefix + (text or "") for text in documents.column("text").to_pylist()]  # models take Python's strings
        (kind,) = self.columns_written().values()
        vectors = embed(texts) if texts else np.zeros((0, kind.list_size), np.float32)
        if vectors.shape != (len(texts), kind.list_size):
            raise ValueError(f"{self.model} gave {vectors.shape[1]} numbers for a text, its files say {kind.list_size}")
        values = pa.array(unit_vectors(vectors).astype(kind.value_type.to_pandas_dtype()).ravel())
        return pa.table({self.column: pa.FixedSizeListArray.from_arrays(values, type=kind)})
