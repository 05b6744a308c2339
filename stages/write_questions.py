"""Questions and answers that stand in the text."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from stages.core.generation import Generation
from stages.core.requests import Request


class Pair(BaseModel):
    """A question with its answer, and the words of the text from which it follows."""

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    quote: str = Field(min_length=1)


class Pairs(BaseModel):
    """What is answered to the prompt `write_questions`."""

    pairs: list[Pair] = Field(min_length=1)


class WriteQuestions(Generation):
    """Make a document of questions and answers of each document, every answer proved by words of the text.

        write_questions: {pairs: 5, endpoint: {base_url: ..., model: ...}}

    The model gives with each answer the words of the text from which it follows. A pair whose quote is not in the text (but for
    case, spaces and quotation marks) is told to the model and asked for again; what is still not there is left out, and a
    document of which no pair is left is quarantined with the raw answer.
    """

    example: ClassVar[dict[str, Any]] = {"script": {}}

    pairs: int = Field(5, description="questions for each document, or for each piece of a long one", ge=1, le=50)

    def prompt_names(self) -> Sequence[str]:
        return ("write_questions",)

    def values(self) -> dict[str, Any]:
        return {"pairs": self.pairs}

    def answer_model(self) -> str | None:
        return "stages.write_questions:Pairs"

    def object_fault(self, answer: Any, request: Request) -> str | None:
        text = _plain(request.messages[1][1].partition("\n\nText:\n")[2])
        missing = [number for number, pair in enumerate(answer.pairs, 1) if _plain(pair.quote) not in text]
        asked_before = len(request.messages) > 2
        if not missing or (asked_before and len(missing) < len(answer.pairs)):
            return None
        return f"the quote of pair {', '.join(map(str, missing))} is not in the text; copy it exactly"

    def document_of(self, answer: Any, row: dict[str, Any]) -> str:
        text = _plain(row["text"] or "")
        proved = [pair for pair in answer.pairs if _plain(pair.quote) in text]
        return "\n\n".join(f"Question: {pair.question}\nAnswer: {pair.answer}" for pair in proved)


@lru_cache(maxsize=64)  # a text is looked at for each of its pieces
def _plain(text: str) -> str:
    """Without what a copyist changes."""
    return re.sub(r"\s+", " ", re.sub(r"[‘’`´]", "'", re.sub(r"[“”„«»]", '"', text))).strip().casefold()
