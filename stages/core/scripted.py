"""An engine without a model: answers come from a function, with faults on demand. For trials of a recipe, and for tests."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import StageError
from stages.core.requests import ModelName, Reply, Request

Answers = Callable[[Request], str]


class Faults(BaseModel):
    """Shares of requests, chosen by their keys, whose answers are at fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unanswered: float = Field(0.0, description="no answer comes back", ge=0, le=1)
    empty: float = Field(0.0, description="an empty answer", ge=0, le=1)
    refused: float = Field(0.0, description="a refusal", ge=0, le=1)
    cut: float = Field(0.0, description="the first half, as if max_tokens had been reached", ge=0, le=1)
    malformed: float = Field(0.0, description="JSON, or anything else, without its last fifth", ge=0, le=1)


class Script(BaseModel):
    """A function that answers in the place of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function: str = Field(
        "stages.core.scripted:retell", description="package.module:name of `(Request) -> str`", pattern=r"^[\w.]+:\w+$"
    )
    faults: Faults = Faults()

    def deciding(self) -> dict[str, Any]:
        """What of this an answer depends on."""
        return self.model_dump(mode="json")

    def model_name(self) -> ModelName:
        """The function, and its faults as a revision: with others there are other answers."""
        shares = [f"{name}={share:g}" for name, share in self.faults if share]
        return ModelName(f"script:{self.function}", ",".join(shares))

    def open(self) -> "Scripted":
        """The function, imported."""
        return Scripted(self)


class Scripted:
    """Answers in turn. Tokens are words."""

    def __init__(self, script: Script) -> None:
        module, _, name = script.function.partition(":")
        try:
            self._answer: Answers = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise StageError(f"script: {script.function} cannot be imported: {error}") from error
        if not callable(self._answer) or not inspect.signature(self._answer).parameters:
            raise StageError(f"script: {script.function} is no function of a request")
        self._faults = script.faults

    def replies(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Reply]]:
        """The reply to each request."""
        for request in requests:
            yield request, self._reply(request)

    def close(self) -> None:
        """Nothing is held."""

    def _reply(self, request: Request) -> Reply:
        fault, text = self._fault_of(request), self._answer(request)
        if fault == "unanswered":
            return Reply(None, "the script gives no answer")
        if fault == "refused":
            text = "I'm sorry, but I can't help with that."
        elif fault == "empty":
            text = ""
        elif fault == "cut":
            text = text[: len(text) // 2]
        elif fault == "malformed":
            text = text[: len(text) * 4 // 5]
        asked = sum(len(content.split()) for _, content in request.messages)
        return Reply(text, "", "length" if fault == "cut" else "stop", asked, len(text.split()))

    def _fault_of(self, request: Request) -> str | None:
        place = int(request.key[-8:], 16) / 2**32
        for name, share in self._faults:
            if place < share:
                return str(name)
            place -= share
        return None


WORDS = {
    "and": "as well as", "but": "yet", "also": "too", "because": "since", "if": "whenever", "such": "so", "about": "on",
    "many": "a lot of", "most": "the greater part of", "some": "a few", "other": "further", "often": "many times",
    "use": "employ", "uses": "employs", "used": "employed", "using": "with", "make": "produce", "makes": "produces",
    "made": "produced", "show": "display", "shows": "displays", "need": "require", "needs": "requires", "get": "obtain",
    "gets": "obtains", "want": "wish", "large": "big", "small": "little", "same": "identical", "different": "unlike",
    "however": "still", "therefore": "so", "which": "that", "each": "every", "first": "at the outset", "through": "by way of",
}  # fmt: skip
"""other words for some that are everywhere, which change neither names nor numbers"""


def retell(request: Request) -> str:
    """The document of a prompt with other words for some of its words; with a schema, an object that keeps it.

    The document is what stands behind the line "Text:", where the prompts of this package put it. Not well written, but true to
    its source, as a trial needs it.
    """
    # a question that follows up has the document in the first message of the user
    asked = next((content for role, content in request.messages if role == "user"), "")
    document = asked.rpartition("\n\nText:\n")[2].strip()
    if request.schema is not None:
        return _filled(request.schema, document)
    return re.sub(r"[A-Za-z]+", lambda found: _other_word(found[0]), document)


def _other_word(word: str) -> str:
    other = WORDS.get(word.lower(), word)
    return other.capitalize() if other != word and word[0].isupper() else other


def _filled(schema: Any, document: str) -> str:
    import orjson

    def value(of: Any) -> Any:
        if "$ref" in of:
            return value(schema["$defs"][of["$ref"].rpartition("/")[2]])
        if "enum" in of:
            return of["enum"][0]
        kind = of.get("type")
        if kind == "object":
            return {name: value(inner) for name, inner in of.get("properties", {}).items()}
        if kind == "array":
            return [value(of["items"]) for _ in range(max(1, of.get("minItems", 1)))]
        if kind in ("integer", "number"):
            return of.get("minimum", of.get("maximum", 0))
        return True if kind == "boolean" else document[:200]

    return orjson.dumps(value(schema)).decode()
