"""Questions to a chat model behind an OpenAI-compatible endpoint: retried, several at a time, never lost."""

import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import StageError

LONGEST_WAIT = 60.0
"""seconds that are waited before another attempt, at most"""
REFUSALS = (400, 401, 403, 404, 405, 422)
"""states that another attempt does not change"""


class Endpoint(BaseModel):
    """Where a chat model answers, and how it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(description="such as http://localhost:8000/v1; /chat/completions is added", pattern=r"^https?://")
    model: str = Field(description="name of the model there", min_length=1)
    key_variable: str = Field(
        "OPENAI_API_KEY", description="environment variable with the key; where it is not set, none is sent"
    )
    concurrency: int = Field(8, description="requests at a time, of each worker", ge=1, le=1024)
    timeout_seconds: float = Field(120.0, description="for one answer", gt=0)
    attempts: int = Field(6, description="times that a request is tried before it counts as unanswered", ge=1, le=100)
    max_tokens: int = Field(16, description="tokens of an answer", ge=1)
    temperature: float = Field(0.0, description="0: the likeliest answer", ge=0, le=2)
    seed: int = Field(1, description="sent with the request, for servers that know it", ge=0)


class Answer(NamedTuple):
    """What came back: the text, or None and why there is none."""

    text: str | None
    why: str


class Chat:
    """A client, for all threads of a process."""

    def __init__(self, endpoint: Endpoint, wait: Callable[[float], None] = time.sleep) -> None:
        import httpx

        self.endpoint = endpoint
        self._wait = wait
        key = os.environ.get(endpoint.key_variable)
        limits = httpx.Limits(max_connections=endpoint.concurrency, max_keepalive_connections=endpoint.concurrency)
        self._client = httpx.Client(
            timeout=endpoint.timeout_seconds, headers={"Authorization": f"Bearer {key}"} if key else {}, limits=limits
        )

    def ask(self, conversations: Sequence[list[dict[str, str]]]) -> list[Answer]:
        """The answer to each conversation, in their order.

        Raises `StageError` where no attempt can help: the address or the model is not known, or the key is refused.
        """
        with ThreadPoolExecutor(self.endpoint.concurrency) as pool:
            return list(pool.map(self._one, conversations))

    def _one(self, messages: list[dict[str, str]]) -> Answer:
        found = _Attempt(None, "", None)
        for attempt in range(self.endpoint.attempts):
            if attempt:
                # twice as long each time, and by chance, so that not all come back at once
                usual = 2.0 ** (attempt - 1) * (0.5 + random.random())
                self._wait(min(LONGEST_WAIT, usual if found.wait is None else found.wait))
            found = self._attempt(messages)
            if found.text is not None:
                break
        return Answer(found.text, found.why)

    def _attempt(self, messages: list[dict[str, str]]) -> "_Attempt":
        import httpx

        endpoint = self.endpoint
        body: dict[str, Any] = {"model": endpoint.model, "messages": messages, "max_tokens": endpoint.max_tokens}
        body |= {"temperature": endpoint.temperature, "seed": endpoint.seed}
        url = f"{endpoint.base_url.rstrip('/')}/chat/completions"
        try:
            response = self._client.post(url, json=body)
        except httpx.HTTPError as error:
            return _Attempt(None, f"{type(error).__name__}: {error}", None)
        if response.status_code == 200:
            try:
                text = response.json()["choices"][0]["message"]["content"]
            except (ValueError, KeyError, IndexError, TypeError) as error:
                return _Attempt(None, f"an answer of another form ({type(error).__name__}): {response.text[:100]!r}", None)
            return _Attempt(text, "", None) if isinstance(text, str) else _Attempt(None, "an answer without text", None)
        told = f"status {response.status_code}: {response.text[:200]!r}"
        if response.status_code in REFUSALS:
            raise StageError(f"{url} refuses requests for {endpoint.model!r}: {told}")
        return _Attempt(None, told, _seconds(response.headers.get("retry-after")))


class _Attempt(NamedTuple):
    """The text, or None and what was wrong; and how many seconds the server asks to wait, if it does."""

    text: str | None
    why: str
    wait: float | None


def _seconds(header: str | None) -> float | None:
    """`Retry-After`: seconds, or a date."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
