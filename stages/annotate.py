"""Have a chat model rate documents by a rubric."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, create_model

from stages.core.asking import Asking
from stages.core.chains import Asked
from stages.core.prompts import Prompt
from stages.core.requests import Reply, Request, Sampling
from stages.core.splitting import split_text
from stages.core.stage import Saved
from stages.core.structured import parse
from stages.core.tokenizer import token_counter
from stages.kernels.hashing import hash_unit, order_keys


class Annotate(Asking):
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
    max_text_tokens: int = Field(1024, description="tokens of a document that are shown", ge=1)
    tokenizer: str | None = Field(None, description="path of the model's tokenizer.json; null: a token is 3 bytes")
    sampling: Sampling = Field(Sampling(max_tokens=256), description="max_tokens, temperature, top_p, stop, seed")

    def files(self) -> tuple[str, ...]:
        return (*super().files(), str(Prompt.read(self.prompt).path), *((self.tokenizer,) if self.tokenizer else ()))

    def requirements(self) -> tuple[tuple[str, str], ...]:
        tokenizer = (("tokenizers", "tokenizers"),) if self.tokenizer else ()
        return (*super().requirements(), ("json_repair", "llm"), *tokenizer)

    def columns_read(self) -> tuple[str, ...]:
        own = {"text", "source", "id"}
        return (*sorted(own), *sorted(Prompt.read(self.prompt).variables() - own))

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.int64(), f"{self.column}_reason": pa.string()}

    def questions(self, documents: pa.Table) -> list[list[Request]]:
        prompt, schema = Prompt.read(self.prompt), self._answer().model_json_schema()
        chosen = self._chosen(documents)
        found: list[list[Request]] = []
        # as Python's values: a model is asked about each
        for row, mine in zip(documents.select(list(self.columns_read())).to_pylist(), chosen, strict=True):
            text = (row["text"] or "").strip()
            shown = split_text(text, self.max_text_tokens, token_counter(self.tokenizer))[:1] if mine else []
            found.append([self.request(prompt.messages({**row, "text": each.strip()}), 0, schema) for each in shown])
        return found

    def fault_of(self, request: Request, reply: Reply) -> str | None:
        return parse(self._answer(), reply)[1] or None

    def columns(self, documents: pa.Table, asked: list[list[Asked]]) -> pa.Table:
        scores: list[int | None] = []
        reasons: list[str | None] = []
        for of_document in asked:
            answer: Any = parse(self._answer(), of_document[0].reply)[0] if of_document else None
            scores.append(None if answer is None else answer.score)
            # where there is no rating, the reason is why
            reasons.append(answer.reason if answer is not None else of_document[0].fault if of_document else None)
        columns = [pa.array(scores, pa.int64()), pa.array(reasons, pa.string())]
        return pa.table(columns, schema=pa.schema(list(self.columns_written().items())))

    def facts_of(self, answers: Sequence[Saved]) -> dict[str, Any]:
        ratings: Counter[int] = Counter()
        faults = 0
        for saved in answers:
            table = saved.read()
            ratings.update(table[self.column].drop_null().to_pylist())
            faults += table[self.column].null_count - table[f"{self.column}_reason"].null_count
        prompt = Prompt.read(self.prompt)
        told = {"name": prompt.name, "hash": prompt.hash, "version": prompt.version, "content": prompt.content}
        return {"ratings": {str(key): ratings[key] for key in sorted(ratings)}, "not_read": faults, "prompt": told}

    def _chosen(self, documents: pa.Table) -> np.ndarray:
        if self.sample == 1:
            return np.ones(documents.num_rows, bool)
        names = [documents.column(name).combine_chunks() for name in ("source", "id")]
        return np.asarray(hash_unit(order_keys(self.seed or 0, "annotate", *names)) < self.sample)

    def _answer(self) -> type[BaseModel]:
        score = (int, Field(ge=self.lowest, le=self.highest))
        return create_model("Rating", __config__=ConfigDict(strict=True), reason=(str, ""), score=score)
