"""Have a chat model say which criteria a prompt meets."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import pyarrow as pa
from pydantic import BaseModel, Field, model_validator

from stages.core.chains import Asked
from stages.core.judging import Judging, answer_of
from stages.core.stage import Saved

KEY_CRITERIA = (
    "specificity",
    "domain_knowledge",
    "complexity",
    "problem_solving",
    "creativity",
    "technical_accuracy",
    "real_world",
)


class JudgeCriteria(Judging):
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

    @model_validator(mode="after")
    def _criteria_have_names(self) -> Self:
        if not self.criteria or len(set(self.criteria)) < len(self.criteria):
            raise ValueError("criteria: expected at least one name, each once")
        if odd := [name for name in self.criteria if not name.isidentifier() or name.startswith("_") or name == "reason"]:
            raise ValueError(f"criteria: {odd[0]!r} cannot be a key of the answer; expected a name such as real_world")
        return self

    def answer(self) -> type[BaseModel]:
        return answer_of(*((name, bool) for name in self.criteria))

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.int64(), f"{self.column}_met": pa.string(), f"{self.column}_reason": pa.string()}

    def columns(self, documents: pa.Table, asked: list[list[Asked]]) -> pa.Table:
        read = list(self.read(asked))
        met = [None if answer is None else [name for name in self.criteria if getattr(answer, name)] for answer, _ in read]
        counts = pa.array([None if names is None else len(names) for names in met], pa.int64())
        names = pa.array([None if names is None else ",".join(names) for names in met], pa.string())
        reasons = pa.array([why for _, why in read], pa.string())
        return pa.table([counts, names, reasons], schema=pa.schema(list(self.columns_written().items())))

    def facts_of(self, answers: Sequence[Saved]) -> dict[str, Any]:
        counts: Counter[int] = Counter()
        met: Counter[str] = Counter()
        for saved in answers:
            table = saved.read()
            counts.update(table[self.column].drop_null().to_pylist())
            named = table[f"{self.column}_met"].drop_null().to_pylist()
            met.update(name for names in named for name in names.split(",") if name)
        by_count = {str(key): counts[key] for key in sorted(counts)}
        return {"met": by_count, "criteria": {name: met[name] for name in self.criteria}, **self.told(answers)}
