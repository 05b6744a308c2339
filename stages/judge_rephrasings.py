"""Ask a chat model whether what find_rephrasings found is an item of an evaluation set."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from stages.core.asking import Asking
from stages.core.chains import Asked
from stages.core.requests import Reply, Request, Sampling
from stages.core.stage import Saved

QUESTION = """Below are a question of an examination and a passage of another text.

Question:
{item}

Passage:
{text}

Does the passage hold this question in other words, or with other names and numbers, so that who has learnt the passage could
answer the question from memory? Answer with one word, yes or no."""

SAME, DIFFERENT, UNANSWERED = "same", "different", "unanswered"


class JudgeRephrasings(Asking):
    """Write of each candidate of `find_rephrasings` whether a chat model takes it for the item: same, different or unanswered.

    A call that is not answered, or after all retries not with yes or no, is `unanswered`: suspect, never clean:

        find_rephrasings: {model: FOLDER, sets: [...]}
        judge_rephrasings: {endpoint: {base_url: "http://localhost:8000/v1", model: NAME}}
        listed_value: {column: rephrasing_verdict, deny: [same, unanswered]}

    rephrasing_verdict  null where there is no candidate: nothing is asked then

    Answers are kept as soon as they come, and asked for once. The manifest counts the verdicts.
    """

    example: ClassVar[dict[str, Any]] = {"script": {}}

    question: str = Field(QUESTION, description="what is asked; {item} and {text} are filled in")
    sampling: Sampling = Field(Sampling(max_tokens=16), description="max_tokens, temperature, top_p, stop, seed")

    def columns_read(self) -> tuple[str, ...]:
        return ("text", "rephrasing_of", "rephrasing_text", "rephrasing_item")

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"rephrasing_verdict": pa.string()}

    def questions(self, documents: pa.Table) -> list[list[Request]]:
        # as Python's values: a model is asked about each
        rows = documents.select(["rephrasing_of", "rephrasing_text", "rephrasing_item"]).to_pylist()
        return [[self.request([("user", self._prompt(row))])] if row["rephrasing_of"] is not None else [] for row in rows]

    def fault_of(self, request: Request, reply: Reply) -> str | None:
        return None if verdict_of(reply.text) != UNANSWERED else "it does not begin with yes or no"

    def columns(self, documents: pa.Table, asked: list[list[Asked]]) -> pa.Table:
        verdicts = [verdict_of(of_document[0].reply.text) if of_document else None for of_document in asked]
        return pa.table({"rephrasing_verdict": pa.array(verdicts, pa.string())})

    def facts_of(self, answers: Sequence[Saved]) -> dict[str, Any]:
        counts: Counter[str] = Counter()
        for saved in answers:
            counts.update(saved.read()["rephrasing_verdict"].drop_null().to_pylist())
        return {"verdicts": dict(sorted(counts.items()))}

    def _prompt(self, row: dict[str, str | None]) -> str:
        filled = {"{item}": row["rephrasing_item"], "{text}": row["rephrasing_text"]}
        return re.sub(r"\{item\}|\{text\}", lambda found: filled[found[0]] or "", self.question)


def verdict_of(text: str | None) -> str:
    """What a reply says: its first word is yes or no."""
    found = re.match(r"\W*(yes|no)\b", text or "", re.IGNORECASE)
    if found is None:
        return UNANSWERED
    return SAME if found[1].lower() == "yes" else DIFFERENT
