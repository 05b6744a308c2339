"""Translate documents."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from stages.core.generation import Generation


class Translate(Generation):
    """Translate documents by a chat model.

        translate: {to: German, keep_source: true, endpoint: {base_url: ..., model: ...}}
        check_translation: {endpoint: ..., language: English}
        threshold: {column: back_translation_similarity, min_value: 0.6, missing: keep}

    Long documents are translated in pieces cut at paragraphs. `check_translation` translates back and compares.
    """

    example: ClassVar[dict[str, Any]] = {"to": "German", "script": {}}

    to: str = Field(description="name of the language, as the model knows it", min_length=1)

    def prompt_names(self) -> Sequence[str]:
        return ("translate",)

    def values(self) -> dict[str, Any]:
        return {"language_name": self.to}
