"""Have a chat model say which criteria a prompt meets."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from stages.core.asking import Asking
from stages.core.chains import Asked
from stages.core.prompts import Prompt
from stages.core.requests import Reply, Request, Sampling
from stages.core.splitting import split_text
from stages.core.stage import Saved
from stages.core.structured import parse
from stages.core.tokenizer import token_counter

KEY_CRITERIA = (
    "specificity",
    "domain_knowledge",
    "complexity",
    "problem_solving",
    "creativity",
    "technical_accuracy",
    "real_world",
)


class JudgeCriteria(Asking):
    """Write how many criteria a chat model finds met by each document, which is a prompt, and which they are.

        judge_criteria: {endpoint: {base_url: ..., model: ...}}
        select_prompts: {prompts: 500}

    The seven of BenchBuilder (Li et al. 2024, section 4), in words of our own: specificity, domain knowledge, complexity,
    problem solving, creativity, technical accuracy, real-world use. With `criteria` and a `prompt` of your own, others: the
    prompt asks for JSON with `reason` and true or false for each of them.

    <column>         how many are met; null where no answer could be read after all retries: never a guess
    <column>_met     their names, with commas between them, in the order of `criteria`
    <column>_reason  what the model said for it, or why there is no answer

    Of a prompt longer than `max_text_tokens` the beginning is shown. The manifest has how many prompts meet how many criteria,
    and how many each of them.
    """

    example: ClassVar[dict[str, Any]] = {"script": {}}

    criteria: tuple[str, ...] = Field(KEY_CRITERIA, description="names of the criteria, as the prompt asks for them")
    prompt: str = Field("key_criteria", description="prompt file, or the name of one that comes with Sluice")
    column: str = Field("criteria", description="column that is written", pattern=r"^_?[a-z][a-z0-9_]*$")
    max_text_tokens: int = Field(2048, description="tokens of a prompt that are shown", ge=1)
    tokenizer: str | None = Field(None, description="path of the model's tokenizer.json; null: a token is 3 bytes")
    sampling: Sampling = Field(Sampling(max_tokens=256), description="max_tokens, temperature, top_p, stop, seed")

    @model_validator(mode="after")
    def _criteria_have_names(self) -> Self:
        if not self.criteria or len(set(self.criteria)) < len(self.criteria):
            raise ValueError("criteria: expected at least one name, each once")
        if odd := [name for name in self.criteria if not name.isidentifier() or name.startswith("_") or name == "reason"]:
            raise ValueError(f"criteria: {odd[0]!r} cannot be a key of the answer; expected a name such as real_world")
        return self

    def files(self) -> tuple[str, ...]:
        return (*super().files(), str(Prompt.read(self.prompt).path), *((self.tokenizer,) if self.tokenizer else ()))

    def requirements(self) -> tuple[tuple[str, str], ...]:
        tokenizer = (("tokenizers", "tokenizers"),) if self.tokenizer else ()
        return (*super().requirements(), ("json_repair", "llm"), *tokenizer)

    def columns_read(self) -> tuple[str, ...]:
        return ("text", *sorted(Prompt.read(self.prompt).variables() - {"text"}))

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.int64(), f"{self.column}_met": pa.string(), f"{self.column}_reason": pa.string()}

    def questions(self, documents: pa.Table) -> list[list[Request]]:
        prompt, schema, count = Prompt.read(self.prompt), self._answer().model_json_schema(), token_counter(self.tokenizer)
        found: list[list[Request]] = []
        # as Python's values: a model is asked about each
        for row in documents.select(list(self.columns_read())).to_pylist():
            shown = split_text((row["text"] or "").strip(), self.max_text_tokens, count)[:1]
            found.append([self.request(prompt.messages({**row, "text": each.strip()}), 0, schema) for each in shown])
        return found

    def fault_of(self, request: Request, reply: Reply) -> str | None:
        return parse(self._answer(), reply)[1] or None

    def columns(self, documents: pa.Table, asked: list[list[Asked]]) -> pa.Table:
        counts: list[int | None] = []
        names: list[str | None] = []
        reasons: list[str | None] = []
        for of_document in asked:
            answer: Any = parse(self._answer(), of_document[0].reply)[0] if of_document else None
            met = None if answer is None else [name for name in self.criteria if getattr(answer, name)]
            counts.append(None if met is None else len(met))
            names.append(None if met is None else ",".join(met))
            reasons.append(answer.reason if answer is not None else of_document[0].fault if of_document else None)
        columns = [pa.array(counts, pa.int64()), pa.array(names, pa.string()), pa.array(reasons, pa.string())]
        return pa.table(columns, schema=pa.schema(list(self.columns_written().items())))

    def facts_of(self, answers: Sequence[Saved]) -> dict[str, Any]:
        counts: Counter[int] = Counter()
        met: Counter[str] = Counter()
        faults = 0
        for saved in answers:
            table = saved.read()
            counts.update(table[self.column].drop_null().to_pylist())
            met.update(
                name for names in table[f"{self.column}_met"].drop_null().to_pylist() for name in names.split(",") if name
            )
            faults += table[self.column].null_count - table[f"{self.column}_reason"].null_count
        prompt = Prompt.read(self.prompt)
        told = {"name": prompt.name, "hash": prompt.hash, "version": prompt.version, "content": prompt.content}
        by_count = {str(key): counts[key] for key in sorted(counts)}
        return {"met": by_count, "criteria": {name: met[name] for name in self.criteria}, "not_read": faults, "prompt": told}

    def _answer(self) -> type[BaseModel]:
        met: dict[str, Any] = {name: (bool, ...) for name in self.criteria}
        return create_model("Criteria", __config__=ConfigDict(strict=True), reason=(str, ""), **met)
