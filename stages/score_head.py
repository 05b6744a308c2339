"""Scores of each document by a head on its embedding."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.columns import DOCUMENT
from schemas.errors import InputError
from stages.core.embedding_models import EXAMPLE as EXAMPLE_MODEL
from stages.core.embedding_models import Embed, fingerprint, unit_vectors, vectors_of
from stages.core.heads import FACTS, WEIGHTS, Head, read_head
from stages.core.model import Answer, Model
from stages.embed_text import EmbedText

EXAMPLE = str(Path(__file__).parent / "core" / "example_head")
"""a head on the example's embeddings, for trials of stages"""


class ScoreHead(Model):
    """Write what a head trained by `sluice train head` says of each document's embedding: a score, or a class.

    head_score   of regression the score as the head gives it, which may leave the labels' scale a little, as in
                 FineWeb-Edu; of classes the calibrated probability of `label`; `column` names it otherwise

    With `label_column` the most likely label is written there, and its probability to `column`.

    The embedding is computed by `model`, cut and prefixed as in training, or read from the column `embedding`, where an
    `embed_text` before it has written one: then nothing is computed twice, and with its float16 scores differ from those of
    training in the third or fourth digit. Another model than the one the head was trained on is refused by the hash of its
    files; of a column only the length is known.
    """

    example: ClassVar[dict[str, Any]] = {"head": EXAMPLE, "model": EXAMPLE_MODEL}

    head: str = Field(description="folder written by `sluice train head`")
    model: str | None = Field(None, description="folder of the embedding model it was trained on")
    embedding: str | None = Field(None, description="instead of `model`, the column with embeddings by that model")
    label: str | None = Field(None, description="of classes: label whose probability is written; null: the second of two")
    column: str = Field("head_score", description="name of the column of scores", min_length=1)
    label_column: str | None = Field(None, description="write the most likely label to this column, and its score to `column`")
    batch_size: int = Field(32, description="texts that go through the embedding model at once", ge=1)

    @model_validator(mode="after")
    def _head_fits(self) -> Self:
        if (self.model is None) == (self.embedding is None):
            raise ValueError("expected either `model`, which embeds texts, or `embedding`, a column with embeddings")
        if not (Path(self.head) / FACTS).is_file():
            raise ValueError(f"head: {self.head} is no folder of a head: there is no {FACTS}")
        try:
            head = self._head()
        except InputError as error:
            raise ValueError(str(error)) from error
        self._check_columns(head)
        if self.model is not None and (found := self._embedder(head).dimensions()) != head.dimensions:
            raise ValueError(f"model: its vectors have {found} numbers, the head takes {head.dimensions}")
        return self

    def _check_columns(self, head: Head) -> None:
        if head.target == "regression" and (self.label is not None or self.label_column is not None):
            raise ValueError("the head gives a score, no classes: label and label_column must be null")
        if self.label is not None and self.label_column is not None:
            raise ValueError("label asks for one label's score, label_column for the best label's: expected one of them")
        if self.label is not None and self.label not in head.labels:
            raise ValueError(f"label: the head has no {self.label!r}; its labels are {', '.join(map(repr, head.labels))}")
        if head.target == "classes" and len(head.labels) > 2 and self.label is None and self.label_column is None:
            raise ValueError(f"the head knows {len(head.labels)} labels: name one in `label`, or ask for the best one's column")
        for name in (self.column, self.label_column):
            if name is not None and (not name or name in (*DOCUMENT.names, self.embedding)):
                raise ValueError(f"there is a column {name!r} already; name another")
        if self.column == self.label_column:
            raise ValueError(f"column and label_column are both {self.column!r}")

    def _head(self) -> Head:
        return read_head(Path(self.head))

    def _embedder(self, head: Head) -> EmbedText:
        assert self.model is not None
        told = head.embedding
        return EmbedText(
            model=self.model,
            prefix=told["prefix"],
            max_tokens=told["max_tokens"],
            batch_size=self.batch_size,
            precision="float32",
        )

    def columns_read(self) -> tuple[str, ...]:
        return ("text",) if self.embedding is None else ("text", self.embedding)

    def columns_written(self) -> dict[str, pa.DataType]:
        labels = {} if self.label_column is None else {self.label_column: pa.string()}
        return labels | {self.column: pa.float64()}

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return () if self.model is None else self._embedder(self._head()).requirements()

    def files(self) -> tuple[str, ...]:
        own = tuple(str(Path(self.head) / name) for name in (FACTS, WEIGHTS))
        return own if self.model is None else (*own, *self._embedder(self._head()).files())

    def facts(self) -> dict[str, Any]:
        head = self._head()
        return {"kind": head.kind, "target": head.target, "labels": list(head.labels), "embedding": head.embedding}

    def load(self) -> Answer:
        head = self._head()
        if self.model is None:
            return partial(self._answer, head, None)
        embedder = self._embedder(head)
        if (found := fingerprint(embedder)) != head.embedding["sha256"]:
            raise InputError(
                f"score_head: {self.model} is not the model that {self.head} was trained on"
                f" (its files' hash is {found[:12]}, expected {head.embedding['sha256'][:12]})"
            )
        return partial(self._answer, head, embedder.load_model())

    def _answer(self, head: Head, embed: Embed | None, documents: pa.Table) -> pa.Table:
        if embed is None:
            vectors = vectors_of(documents.column(self.embedding), head.dimensions, "score_head")
        else:
            vectors = self._embed(documents, head, embed)
        scores = head.scores(vectors)
        if self.label_column is not None:
            best = np.argmax(scores, axis=1)
            names = pa.array(head.labels, pa.string()).take(pa.array(best))
            return pa.table({self.label_column: names, self.column: scores[np.arange(len(best)), best]})
        if head.target == "classes":
            scores = scores[:, 1 if self.label is None else head.labels.index(self.label)]
        return pa.table({self.column: pa.array(scores, pa.float64())})

    def _embed(self, documents: pa.Table, head: Head, embed: Embed) -> np.ndarray:
        prefix = head.embedding["prefix"]
        texts = [prefix + (text or "") for text in documents.column("text").to_pylist()]  # models take Python's strings
        return unit_vectors(embed(texts)) if texts else np.zeros((0, head.dimensions), np.float32)
