"""Make new documents with a prompt of your own."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from stages.core.choices import Choice
from stages.core.generation import Generation
from stages.core.prompts import render
from stages.core.structured import answer_class


class Generate(Generation):
    """Make new documents of each, as a prompt of yours asks a chat model.

        generate: {prompt: prompts/summary.jinja, endpoint: {base_url: "http://localhost:8000/v1", model: NAME}}

    A prompt is a Jinja template over the document's columns (`{{ text }}`); it is checked before anything runs. A file may have
    blocks named system, user and assistant. Without a slash in its name it is one that comes with Sluice: `sluice prompts`.

    `choose` fills in lines of files, for personas, topics, or the examples of self-instruct (Wang et al. 2023):

        generate: {prompt: persona, choose: {persona: {path: personas.txt}}, samples: 3, sampling: {temperature: 1}, ...}
        generate: {prompt: self_instruct, choose: {examples: {path: seeds.jsonl, column: instruction, number: 6}}, ...}

    With `answer`, a pydantic model as `package.module:Class`, the model is held to its JSON Schema where the engine can. The
    answer is read, mended and checked; what fails is asked for again with the error. `document` is the template of the document
    that an answer becomes, over `answer` and the columns; without it, the answer as JSON.
    """

    example: ClassVar[dict[str, Any]] = {"prompt": "wikipedia", "script": {}}

    prompt: str | tuple[str, ...] = Field(description="prompt file, or the name of one that comes with Sluice; or several")
    fill: dict[str, Any] = Field({}, description="values for names in the prompt that are no columns")
    choose: dict[str, Choice] = Field(
        {}, description="names in the prompt that are filled from files, chosen by hash of id and sample: personas, examples"
    )
    answer: str | None = Field(None, description="pydantic model of a structured answer, as package.module:Class")
    document: str | None = Field(None, description="Jinja template of the document that a structured answer becomes")

    def prompt_names(self) -> Sequence[str]:
        return (self.prompt,) if isinstance(self.prompt, str) else self.prompt

    def values(self) -> dict[str, Any]:
        return self.fill

    def filled(self) -> Sequence[str]:
        return tuple(self.choose)

    def more_columns(self) -> Sequence[str]:
        return ("id", "source") if self.choose else ()

    def chosen(self, row: dict[str, Any], sample: int) -> dict[str, Any]:
        seed = self.sampling.seed
        return {name: file.choose(name, seed, row["source"], row["id"], sample) for name, file in self.choose.items()}

    def files(self) -> tuple[str, ...]:
        return (*super().files(), *(choice.path for choice in self.choose.values()))

    def answer_model(self) -> str | None:
        if self.answer is not None:
            answer_class(self.answer)
        return self.answer

    def document_of(self, answer: Any, row: dict[str, Any]) -> str:
        if self.document is None:
            return str(answer.model_dump_json())
        return render(self.document, {**row, "answer": answer})
