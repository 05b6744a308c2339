"""Have a chat model rate documents by a rubric."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
from annotated_types import Interval
from pydantic import BaseModel, Field

from stages.core.chains import Asked
from stages.core.judging import Judging, answer_of
from stages.core.requests import Request
from stages.core.stage import Saved
from stages.kernels.hashing import hash_unit, order_keys


class Annotate(Judging):
    """Write a chat model's rating of each document, or of a sample: a whole number by the rubric of a prompt.

        annotate: {prompt: educational_value, sample: 0.05, column: label, endpoint: {base_url: ..., model: ...}}

    <column>         the rating, null where none was asked for, or where no answer could be read after all retries: never a
                     guess
    <column>_reason  what the model said for it

    Prompts that come with Sluice: `educational_value`, additive from 0 to 5 as FineWeb-Edu's rubric (Penedo et al. 2024,
    section 4), in words of our own; `writing_quality`; `response_quality`. One of yours asks for JSON with `reason` and
    `score`.

    Of a document longer than `max_text_tokens` the beginning is shown, to the end of a paragraph if there is one (FineWeb-Edu
    shows 1,000 characters). The manifest has the distribution of ratings and how many could not be read, by fault.
    """

    example: ClassVar[dict[str, Any]] = {"script": {}}

    prompt: str = Field("educational_value", description="prompt file, or the name of one that comes with Sluice")
    column: str = Field("annotation", description="column that is written", pattern=r"^_?[a-z][a-z0-9_]*$")
    lowest: int = Field(0, description="lowest rating")
    highest: int = Field(5, description="highest rating")
    sample: float = Field(1.0, description="share of the documents, chosen by hash", gt=0, le=1)
    seed: int | None = Field(None, description="of the sample; null: from the recipe's seed and the step")

    def answer(self) -> type[BaseModel]:
        return answer_of(("score", Annotated[int, Interval(ge=self.lowest, le=self.highest)]))

    def columns_read(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("source", "id", *super().columns_read())))

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.int64(), f"{self.column}_reason": pa.string()}

    def questions(self, documents: pa.Table) -> list[list[Request]]:
        if self.sample == 1:
            return super().questions(documents)
        names = [documents.column(name).combine_chunks() for name in ("source", "id")]
        chosen = np.flatnonzero(hash_unit(order_keys(self.seed or 0, "annotate", *names)) < self.sample)
        found: list[list[Request]] = [[] for _ in range(documents.num_rows)]
        for row, questions in zip(chosen.tolist(), super().questions(documents.take(pa.array(chosen))), strict=True):
            found[row] = questions
        return found

    def columns(self, documents: pa.Table, asked: list[list[Asked]]) -> pa.Table:
        read = list(self.read(asked))
        scores = pa.array([None if answer is None else answer.score for answer, _ in read], pa.int64())
        return pa.table({self.column: scores, f"{self.column}_reason": pa.array([why for _, why in read], pa.string())})

    def facts_of(self, answers: Sequence[Saved]) -> dict[str, Any]:
        ratings: Counter[int] = Counter()
        for saved in answers:
            ratings.update(saved.read()[self.column].drop_null().to_pylist())
        return {"ratings": {str(key): ratings[key] for key in sorted(ratings)}, **self.told(answers)}
