"""Answers to prompts, and better answers to conversations."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from stages.core.generation import Generation


class Respond(Generation):
    """Have a chat model answer each document, taken as a user's request; or write the last answer of a conversation anew.

        respond: {samples: 4, sampling: {temperature: 0.8}, endpoint: {base_url: ..., model: ...}}
        annotate: {prompt: response_quality, column: rating, endpoint: ...}
        best_of: {by: rating, pairs: true}

    write: response  the document is the request; `system` is a message before it
    write: rewrite   the document is a conversation whose last answer is improved; with a column `messages` that turn is
    replaced

    `messages` of what is made has the conversation as chat sets have it, `text` its turns one after another.
    """

    example: ClassVar[dict[str, Any]] = {"script": {}}

    write: Literal["response", "rewrite"] = Field("response", description="an answer to a request, or a better last answer")
    system: str | None = Field(None, description="system message of the conversation")
    refusals: Literal["retry", "keep"] = Field(
        "keep", description="an answer that refuses is an answer like any other, or is asked for again and then set aside"
    )

    def prompt_names(self) -> Sequence[str]:
        return ("respond" if self.write == "response" else "rewrite_response",)

    def values(self) -> dict[str, Any]:
        return {"system": self.system or ""}

    def more_columns(self) -> Sequence[str]:
        return ("messages",) if self.write == "rewrite" else ()

    def conversation_of(self, text: str, row: dict[str, Any]) -> list[dict[str, str]] | None:
        system = [{"role": "system", "content": self.system}] if self.system else []
        if self.write == "rewrite":
            before = json.loads(row["messages"])[:-1] if row["messages"] else [{"role": "user", "content": row["text"] or ""}]
        else:
            before = [*system, {"role": "user", "content": (row["text"] or "").strip()}]
        return [*before, {"role": "assistant", "content": text}]
