"""Judgments of a chat model on documents, one answer in JSON for each."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, create_model

from stages.core.asking import Asking
from stages.core.chains import Asked
from stages.core.prompts import Prompt
from stages.core.requests import Reply, Request, Sampling
from stages.core.splitting import split_text
from stages.core.stage import Saved
from stages.core.structured import parse, schema_of
from stages.core.tokenizer import token_counter


@lru_cache(maxsize=32)
def answer_of(*keys: tuple[str, Any]) -> type[BaseModel]:
    """An answer with a reason and these keys, each with its annotated type."""
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in keys}
    return create_model("Answer", __config__=ConfigDict(strict=True), reason=(str, ""), **fields)


class Judging(Asking):
    """Base of stages that write what a model says of each document: `prompt`, `column`, and the keys of `answer`.

    Of a document longer than `max_text_tokens` the beginning is shown, to the end of a paragraph if there is one. Where no
    answer can be read after all retries, `<column>_reason` says why, and everything else is null: never a guess.
    """

    prompt: str = Field(description="prompt file, or the name of one that comes with Sluice")
    column: str = Field(description="column that is written", pattern=r"^_?[a-z][a-z0-9_]*$")
    max_text_tokens: int = Field(1024, description="tokens of a document that are shown", ge=1)
    tokenizer: str | None = Field(None, description="path of the model's tokenizer.json; null: a token is 3 bytes")
    sampling: Sampling = Field(Sampling(max_tokens=256), description="max_tokens, temperature, top_p, stop, seed")

    def answer(self) -> type[BaseModel]:
        """What an answer has to be: `answer_of` of something, so that it is the same class for each document."""
        raise NotImplementedError

    def files(self) -> tuple[str, ...]:
        return (*super().files(), str(Prompt.read(self.prompt).path), *((self.tokenizer,) if self.tokenizer else ()))

    def requirements(self) -> tuple[tuple[str, str], ...]:
        tokenizer = (("tokenizers", "tokenizers"),) if self.tokenizer else ()
        return (*super().requirements(), ("json_repair", "llm"), *tokenizer)

    def columns_read(self) -> tuple[str, ...]:
        return ("text", *sorted(Prompt.read(self.prompt).variables() - {"text"}))

    def questions(self, documents: pa.Table) -> list[list[Request]]:
        prompt, schema, count = Prompt.read(self.prompt), schema_of(self.answer()), token_counter(self.tokenizer)
        found: list[list[Request]] = []
        # as Python's values: a model is asked about each
        for row in documents.select(list(self.columns_read())).to_pylist():
            shown = split_text((row["text"] or "").strip(), self.max_text_tokens, count)[:1]
            found.append([self.request(prompt.messages({**row, "text": each.strip()}), 0, schema) for each in shown])
        return found

    def fault_of(self, request: Request, reply: Reply) -> str | None:
        return parse(self.answer(), reply)[1] or None

    def read(self, asked: list[list[Asked]]) -> Iterator[tuple[Any, str | None]]:
        """Of each document the answer, or None; and its reason, or why there is none, or None where nothing was asked."""
        for of_document in asked:
            answer: Any = parse(self.answer(), of_document[0].reply)[0] if of_document else None
            yield answer, answer.reason if answer is not None else of_document[0].fault if of_document else None

    def told(self, answers: Sequence[Saved]) -> dict[str, Any]:
        """How many answers could not be read, and the prompt, for the manifest."""
        tables = [saved.read() for saved in answers]
        faults = sum(table[self.column].null_count - table[f"{self.column}_reason"].null_count for table in tables)
        prompt = Prompt.read(self.prompt)
        known = {"name": prompt.name, "hash": prompt.hash, "version": prompt.version, "content": prompt.content}
        return {"not_read": faults, "prompt": known}
