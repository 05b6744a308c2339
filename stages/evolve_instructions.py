"""Evol-instruct: requests made harder, or rarer."""

import re
import string
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar, Literal

from pydantic import Field

from stages.core.generation import Generation
from stages.core.passages import STOP_WORDS
from stages.core.requests import Request

Operation = Literal["constraint", "deepen", "concrete", "reasoning", "breadth"]
LEAKED = re.compile(r"\b(given|new|rewritten|created) (prompt|request)\b|#\s*\w+ prompt\s*#", re.IGNORECASE)


class EvolveInstructions(Generation):
    """Make of each document, taken as a user's request, a harder one (depth) or a rarer one (breadth), by a chat model.

        evolve_instructions: {operations: [constraint, deepen, breadth], endpoint: {base_url: ..., model: ...}}

    Evol-instruct (Xu et al. 2023, WizardLM, section 3.2). An evolved request is told to be at fault, and asked for again, by
    their rules of elimination that can be seen in the request itself: it says the same as the one before (the words but for
    case, punctuation and stop words), it has nothing but punctuation and stop words, or it takes over words of the prompt
    ("given prompt", "#Rewritten Prompt#"). The rule on answers (a short one with "sorry") is `refusal` behind `respond`.
    """

    example: ClassVar[dict[str, Any]] = {"script": {}, "operations": ["deepen", "breadth"]}

    operations: tuple[Operation, ...] = Field(
        ("constraint", "deepen", "concrete", "reasoning", "breadth"), description="one new request by each", min_length=1
    )

    def prompt_names(self) -> Sequence[str]:
        return tuple(f"evolve_{name}" for name in self.operations)

    def text_fault(self, text: str, request: Request) -> str | None:
        if (fault := super().text_fault(text, request)) is not None:
            return fault
        content = content_words(text)
        if not content:
            return "it has nothing but punctuation and stop words"
        if found := LEAKED.search(text):
            return f"it has {found[0]!r} in it, which speaks of these instructions"
        before = next(content for role, content in request.messages if role == "user").rpartition("\n\nText:\n")[2]
        if content == content_words(before):
            return "it says the same as the request that was given"
        return None


@lru_cache(maxsize=1024)  # an answer is looked at whenever its chain is followed
def content_words(text: str) -> tuple[str, ...]:
    """Words in lower case, without punctuation and stop words."""
    words = (word.strip(string.punctuation + "“”‘’«»。、？！").casefold() for word in text.split())
    return tuple(word for word in words if word and word not in STOP_WORDS)
