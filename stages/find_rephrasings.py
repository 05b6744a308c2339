"""Find documents that hold items of evaluation sets in other words, by embeddings."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from stages.core.embedding_models import EXAMPLE as EXAMPLE_MODEL
from stages.core.embedding_models import Embed, EmbeddingModel
from stages.core.evaluation_sets import EvaluationSet, Item, check_sets, read_items
from stages.core.model import Answer
from stages.core.vectors import nearest, squared_lengths, whole
from stages.core.windows import windows
from stages.decontaminate import EXAMPLE as EXAMPLE_ITEMS

EXCERPT = 800
"""characters of a window and of an item that are written"""


class FindRephrasings(EmbeddingModel):
    """Write how near a document comes to the questions of evaluation sets: the largest cosine of a window of it and a question.

    N-grams (`decontaminate`) find what stands there word for word; Yang et al. 2023 (LLM decontaminator) show that rephrased
    items pass them, and retrieve candidates by embeddings. What is near is a suspect, not a proof: a question of the same kind
    is near, too. Judge by `threshold` on `rephrasing_similarity`, or read the two excerpts.

    rephrasing_similarity  cosine, from -1 to 1; -1 of a text without words
    rephrasing_of          the nearest item, `set:number`; null below `min_similarity`, as are the next two
    rephrasing_text        the window, its first 800 characters
    rephrasing_item        the question, its first 800 characters

    Each window costs a pass through the model: of 1,000 words there are 19 by default. What a window is longer than the model
    reads is not seen: all-MiniLM-L6-v2 reads 256 tokens.
    """

    example: ClassVar[dict[str, Any]] = {
        "model": EXAMPLE_MODEL,
        "sets": [{"name": "example", "path": str(EXAMPLE_ITEMS), "question": "question"}],
    }

    sets: tuple[EvaluationSet, ...] = Field(description="evaluation sets: name, path, question, answer", min_length=1)
    window_words: int = Field(100, description="words of a window", ge=5)
    stride_words: int = Field(50, description="words from the beginning of a window to that of the next", ge=1)
    min_similarity: float = Field(0.55, description="cosine from which on item and excerpts are written", ge=-1, le=1)

    @model_validator(mode="after")
    def _sets_have_items(self) -> Self:
        check_sets(self.sets)
        if self.stride_words > self.window_words:
            raise ValueError(
                f"stride_words {self.stride_words} is above window_words {self.window_words}: words would be left out"
            )
        return self

    def files(self) -> tuple[str, ...]:
        return (*super().files(), *(one.path for one in self.sets))

    def columns_written(self) -> dict[str, pa.DataType]:
        excerpts = dict.fromkeys(("rephrasing_of", "rephrasing_text", "rephrasing_item"), pa.string())
        return {"rephrasing_similarity": pa.float64(), **excerpts}

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "items": {one.name: len(read_items(one)) for one in self.sets}}

    def load(self) -> Answer:
        embed = self.load_model()
        items = [item for one in self.sets for item in read_items(one) if item.question.strip()]
        vectors = whole(embed([self.prefix + item.question for item in items]).astype(np.float64))
        return lambda documents: self._answer(documents, embed, items, vectors)

    def _answer(self, documents: pa.Table, embed: Embed, items: Sequence[Item], vectors: np.ndarray) -> pa.Table:
        texts = [text or "" for text in documents.column("text").to_pylist()]  # models take Python's strings
        places = [
            (row, *place) for row, text in enumerate(texts) for place in windows(text, self.window_words, self.stride_words)
        ]
        found: list[dict[str, Any]] = [{**dict.fromkeys(self.columns_written()), "rephrasing_similarity": -1.0} for _ in texts]
        if places:
            own = whole(embed([self.prefix + texts[row][start:stop] for row, start, stop in places]).astype(np.float64))
            item, product = nearest(own, vectors)
            lengths = np.sqrt((squared_lengths(own) * squared_lengths(vectors)[item]).astype(np.float64))
            cosine = np.divide(product, lengths, out=np.full(len(own), -1.0), where=lengths > 0)
            for at, (row, start, stop) in enumerate(places):
                if cosine[at] > found[row]["rephrasing_similarity"]:
                    excerpt = texts[row][start:stop][:EXCERPT] if cosine[at] >= self.min_similarity else None
                    found[row] = _told(float(cosine[at]), items[item[at]], excerpt)
        return pa.Table.from_pylist(found, pa.schema(list(self.columns_written().items())))


def _told(cosine: float, item: Item, excerpt: str | None) -> dict[str, Any]:
    near = excerpt is not None
    return {
        "rephrasing_similarity": cosine,
        "rephrasing_of": item.label if near else None,
        "rephrasing_text": excerpt,
        "rephrasing_item": item.question.strip()[:EXCERPT] if near else None,
    }
