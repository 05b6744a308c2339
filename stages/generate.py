"""Make new documents with a prompt of your own."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from stages.core.generation import Generation
from stages.core.prompts import render
from stages.core.structured import answer_class


class Generate(Generation):
    """Make new documents of each, as a prompt of yours asks a chat model.

        generate: {prompt: prompts/summary.jinja, endpoint: {base_url: "http://localhost:8000/v1", model: NAME}}

    A prompt is a Jinja template over the document's columns (`{{ text }}`); it is checked before anything runs. A file may have
    blocks named system, user and assistant. Without a slash in its name it is one that comes with Sluice: `sluice prompts`.

    With `answer`, a pydantic model as `package.module:Class`, the model is held to its JSON Schema where the engine can. The
    answer is read, mended and checked; what fails is asked for again with the error. `document` is the template of the document
    that an answer becomes, over `answer` and the columns; without it, the answer as JSON.
    """

    example: ClassVar[dict[str, Any]] = {"prompt": "wikipedia", "script": {}}

    prompt: str | tuple[str, ...] = Field(description="prompt file, or the name of one that comes with Sluice; or several")
    fill: dict[str, Any] = Field({}, description="values for names in the prompt that are no columns")
    answer: str | None = Field(None, description="pydantic model of a structured answer, as package.module:Class")
    document: str | None = Field(None, description="Jinja template of the document that a structured answer becomes")

    def prompt_names(self) -> Sequence[str]:
        return (self.prompt,) if isinstance(self.prompt, str) else self.prompt

    def values(self) -> dict[str, Any]:
        return self.fill

    def answer_model(self) -> str | None:
        if self.answer is not None:
            answer_class(self.answer)
        return self.answer

    def document_of(self, answer: Any, row: dict[str, Any]) -> str:
        if self.document is None:
            return str(answer.model_dump_json())
        return render(self.document, {**row, "answer": answer})
