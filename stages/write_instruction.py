"""Instruction back-translation: the request to which a text is the answer."""

from collections.abc import Sequence
from typing import Any, ClassVar

from stages.core.generation import Generation


class WriteInstruction(Generation):
    """Make a conversation of each document: a chat model writes the request to which the text is the answer.

        write_instruction: {endpoint: {base_url: ..., model: ...}}
        annotate: {prompt: response_quality, column: fit, endpoint: ...}
        threshold: {column: fit, min_value: 4, missing: drop}

    Instruction back-translation (Li et al. 2023, "Self-alignment with instruction backtranslation"): the answer is text of
    people, the request is made; their curation step is the rating that follows. `messages` has both turns, `text` both one
    after another.
    """

    example: ClassVar[dict[str, Any]] = {"script": {}}

    def prompt_names(self) -> Sequence[str]:
        return ("write_instruction",)

    def conversation_of(self, text: str, row: dict[str, Any]) -> list[dict[str, str]] | None:
        return [{"role": "user", "content": text}, {"role": "assistant", "content": (row["text"] or "").strip()}]
