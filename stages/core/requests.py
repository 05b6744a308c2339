"""What is asked of a model and what comes back, the same for every engine that answers."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

Messages = tuple[tuple[str, str], ...]
"""A conversation: (role, content), roles as in chat templates."""


class Sampling(BaseModel):
    """How an answer is drawn. All of it is part of a request's key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: int = Field(1024, description="tokens of an answer", ge=1)
    temperature: float = Field(0.0, description="0: the likeliest answer", ge=0, le=2)
    top_p: float = Field(1.0, description="share of the probability that is drawn from", gt=0, le=1)
    stop: tuple[str, ...] = Field((), description="texts at which an answer ends")
    seed: int = Field(1, description="of what is drawn; each request has one of its own, by hash of it and the request", ge=0)


class ModelName(NamedTuple):
    """Who answers, as lineage and keys have it."""

    name: str
    revision: str


@dataclass(frozen=True)
class Request:
    """One question to a model. `schema`, if there is one, is the JSON Schema that the answer has to keep."""

    model: ModelName
    messages: Messages
    sampling: Sampling
    sample: int = 0
    """number of the answer, where several are asked for"""
    schema: Mapping[str, Any] | None = None
    key: str = field(init=False)
    """32 hexadecimal digits: SHA-256 of everything above. Requests with one key are one request."""

    def __post_init__(self) -> None:
        sampling = self.sampling.model_dump(mode="json")
        spec = [*self.model, self.messages, sampling, self.sample, self.schema]
        text = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        object.__setattr__(self, "key", hashlib.sha256(text.encode()).hexdigest()[:32])

    @property
    def continues(self) -> bool:
        """Whether the last message is to be written on: one of the assistant, or an empty one of the user."""
        role, content = self.messages[-1]
        return role == "assistant" or not content

    @property
    def seed(self) -> int:
        """Of this request: the same wherever and whenever it is asked."""
        return int(self.key[:7], 16)

    def chat(self) -> list[dict[str, str]]:
        """The conversation as engines take it."""
        return [{"role": role, "content": content} for role, content in self.messages]

    def follow(self, answer: str, fault: str) -> "Request":
        """The same question once more, with what was wrong with the answer."""
        told = f"This answer cannot be used: {fault}. Answer again, in the form that was asked for, and with nothing else."
        more = (("assistant", answer), ("user", told))
        return Request(self.model, (*self.messages, *more), self.sampling, self.sample, self.schema)


class Reply(NamedTuple):
    """What came back: the text, or None and why there is none. Counts are the engine's own, None where it gives none."""

    text: str | None
    why: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Responder(Protocol):
    """Answers requests. Made by `open` of an engine's parameters, closed when all is answered."""

    def replies(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Reply]]:
        """The reply to each request as soon as it is there, in any order; requests are taken as they are needed.

        Raises `StageError` where nothing can be answered. Closing the iterator ends what is in flight.
        """

    def close(self) -> None:
        """Let go of what is held."""


class Cluster(Protocol):
    """Where an engine runs in processes beside this one, fed by workers."""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """What the function gives for each item, in any order; workers call it."""

    def replies(
        self, engine: Any, function: Callable[[Any], Iterable[Request]], items: Sequence[Any], requests: int
    ) -> Iterator[tuple[Request, Reply]]:
        """The reply to each of so many requests that the function makes of the items, in any order; workers call it, too."""
