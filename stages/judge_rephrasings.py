"""Ask a chat model whether what find_rephrasings found is an item of an evaluation set."""

import re
from collections.abc import Callable
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from stages.core.chat import Answer as Reply
from stages.core.chat import Chat, Endpoint
from stages.core.model import Answer, Model

QUESTION = """Below are a question of an examination and a passage of another text.

Question:
{item}

Passage:
{text}

Does the passage hold this question in other words, or with other names and numbers, so that who has learnt the passage could
answer the question from memory? Answer with one word, yes or no."""

SAME, DIFFERENT, UNANSWERED = "same", "different", "unanswered"


class JudgeRephrasings(Model):
    """Write of each candidate of `find_rephrasings` whether a chat model takes it for the item: same, different or unanswered.

    A call that is not answered, or not with yes or no, is `unanswered`, which counts as suspect, never as clean:

        find_rephrasings: {model: FOLDER, sets: [...]}
        judge_rephrasings: {endpoint: {base_url: "http://localhost:8000/v1", model: NAME}}
        listed_value: {column: rephrasing_verdict, deny: [same, unanswered]}

    rephrasing_verdict  null where there is no candidate: nothing is asked then

    Answers are stored unit by unit before they are used; a run that is begun again asks for none a second time. Each worker has
    `endpoint.concurrency` requests in flight. The manifest counts the verdicts.
    """

    example: ClassVar[dict[str, Any]] = {"endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "none", "attempts": 1}}

    endpoint: Endpoint = Field(description="base_url, model, and how it is asked")
    question: str = Field(QUESTION, description="what is asked; {item} and {text} are filled in")

    def columns_read(self) -> tuple[str, ...]:
        return ("text", "rephrasing_of", "rephrasing_text", "rephrasing_item")

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"rephrasing_verdict": pa.string()}

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("httpx", "llm"),)

    def load(self) -> Answer:
        chat = Chat(self.endpoint)
        return lambda documents: self.judged(documents, chat.ask)

    def judged(self, documents: pa.Table, ask: Callable[[list[list[dict[str, str]]]], list[Reply]]) -> pa.Table:
        """`rephrasing_verdict` of each document, as `ask` answers."""
        # as Python's values: a model is asked about each
        rows = documents.select(["rephrasing_of", "rephrasing_text", "rephrasing_item"]).to_pylist()
        asked = [at for at, row in enumerate(rows) if row["rephrasing_of"] is not None]
        prompts = [self._prompt(rows[at]) for at in asked]
        verdicts: list[str | None] = [None] * len(rows)
        for at, reply in zip(asked, ask([[{"role": "user", "content": prompt}] for prompt in prompts]), strict=True):
            verdicts[at] = verdict_of(reply.text)
        return pa.table({"rephrasing_verdict": pa.array(verdicts, pa.string())})

    def _prompt(self, row: dict[str, str | None]) -> str:
        filled = {"{item}": row["rephrasing_item"], "{text}": row["rephrasing_text"]}
        return re.sub(r"\{item\}|\{text\}", lambda found: filled[found[0]] or "", self.question)


def verdict_of(text: str | None) -> str:
    """What a reply says: its first word is yes or no."""
    found = re.match(r"\W*(yes|no)\b", text or "", re.IGNORECASE)
    if found is None:
        return UNANSWERED
    return SAME if found[1].lower() == "yes" else DIFFERENT
