"""A chat model behind an OpenAI-compatible endpoint: several requests at a time, retried, never lost."""

import itertools
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from pydantic import ConfigDict, Field

from schemas.errors import StageError
from stages.core.bill import Prices
from stages.core.requests import ModelName, Reply, Request

LONGEST_WAIT = 60.0
"""seconds that are waited before another attempt, at most"""
WRONG_ADDRESS = (401, 403, 404, 405)
"""states that are the same for every request: the run ends with them"""
WRONG_REQUEST = (400, 413, 422)
"""states that another attempt at this request does not change"""


class Endpoint(Prices):
    """Where a chat model answers, and how it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(description="such as http://localhost:8000/v1; /chat/completions is added", pattern=r"^https?://")
    model: str = Field(description="name of the model there", min_length=1)
    revision: str = Field(
        "", description="of the model, if the name alone does not say which; part of what answers are kept by"
    )
    key_variable: str = Field(
        "OPENAI_API_KEY", description="environment variable with the key; where it is not set, none is sent"
    )
    concurrency: int = Field(8, description="requests at a time", ge=1, le=1024)
    requests_per_minute: int | None = Field(None, description="requests begun in a minute, at most", ge=1)
    timeout_seconds: float = Field(120.0, description="for one answer", gt=0)
    attempts: int = Field(6, description="times that a request is tried before it counts as unanswered", ge=1, le=100)
    guided: bool = Field(True, description="send the JSON Schema of an answer as response_format, where there is one")

    def deciding(self) -> dict[str, Any]:
        """What of this an answer depends on: who is asked, not where or how often."""
        return {"model": self.model, "revision": self.revision}

    def model_name(self) -> ModelName:
        """Who answers."""
        return ModelName(self.model, self.revision)

    def open(self) -> "Chat":
        """The client."""
        return Chat(self)


class Chat:
    """A client, for all threads of a process."""

    def __init__(self, endpoint: Endpoint, wait: Callable[[float], None] = time.sleep) -> None:
        import httpx

        self.endpoint = endpoint
        self._wait = wait
        self._pace = threading.Lock()
        self._next = 0.0
        key = os.environ.get(endpoint.key_variable)
        limits = httpx.Limits(max_connections=endpoint.concurrency, max_keepalive_connections=endpoint.concurrency)
        self._client = httpx.Client(
            timeout=endpoint.timeout_seconds, headers={"Authorization": f"Bearer {key}"} if key else {}, limits=limits
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def replies(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Reply]]:
        """The reply to each request as soon as it is there; as many are in flight as the endpoint allows.

        Raises `StageError` where no request can be answered: the address or the model is not known, or the key is refused.
        """
        todo: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[Request, Reply | BaseException]] = queue.SimpleQueue()

        def work() -> None:
            while (request := todo.get()) is not None:
                try:
                    done.put((request, self.reply(request)))
                except BaseException as error:
                    done.put((request, error))

        # Daemons, so that Ctrl-C does not wait for a server that hangs.
        threads = [threading.Thread(target=work, daemon=True) for _ in range(self.endpoint.concurrency)]
        for thread in threads:
            thread.start()
        source, flying = iter(requests), 0
        try:
            for request in itertools.islice(source, len(threads)):
                todo.put(request)
                flying += 1
            while flying:
                request, found = _get(done)
                flying -= 1
                if isinstance(found, BaseException):
                    raise found
                # what came back is handed over first: who takes the requests from a generator may go by it
                yield request, found
                for more in itertools.islice(source, 1):
                    todo.put(more)
                    flying += 1
        finally:
            for _ in threads:
                todo.put(None)

    def reply(self, request: Request) -> Reply:
        """The reply to one request, after as many attempts as it takes."""
        found = _Attempt(Reply(None), True, None)
        for attempt in range(self.endpoint.attempts):
            if found.wait is not None:
                self._hold(found.wait)
            elif attempt:
                # twice as long each time, and by chance, so that not all come back at once
                self._wait(min(LONGEST_WAIT, 2.0 ** (attempt - 1) * (0.5 + random.random())))
            self._wait_for_turn()
            found = self._attempt(request)
            if found.reply.text is not None or not found.again:
                break
        return found.reply

    def _wait_for_turn(self) -> None:
        """Requests begin no faster than the endpoint's pace, and none while the server asked for a pause."""
        limit = self.endpoint.requests_per_minute
        with self._pace:
            now = time.monotonic()
            turn = max(now, self._next)
            if limit is not None:
                self._next = turn + 60 / limit
        if turn > now:
            self._wait(turn - now)

    def _hold(self, seconds: float) -> None:
        """A server that asks one request to wait asks all."""
        with self._pace:
            self._next = max(self._next, time.monotonic() + min(LONGEST_WAIT, seconds))

    def _attempt(self, request: Request) -> "_Attempt":
        import httpx

        url = f"{self.endpoint.base_url.rstrip('/')}/chat/completions"
        try:
            response = self._client.post(url, json=self._body(request))
        except httpx.HTTPError as error:
            return _Attempt(Reply(None, f"{type(error).__name__}: {error}"), True, None)
        if response.status_code == 200:
            try:
                return _Attempt(_reply_of(response.json()), True, None)
            except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
                told = f"an answer of another form ({type(error).__name__}): {response.text[:100]!r}"
                return _Attempt(Reply(None, told), True, None)
        told = f"status {response.status_code}: {response.text[:200]!r}"
        if response.status_code in WRONG_ADDRESS:
            raise StageError(f"{url} refuses requests for {self.endpoint.model!r}: {told}")
        again = response.status_code not in WRONG_REQUEST
        return _Attempt(Reply(None, told), again, _seconds(response.headers.get("retry-after")))

    def _body(self, request: Request) -> dict[str, Any]:
        if request.continues and request.messages[-1][0] == "user":
            told = "the prompt ends with an empty turn of the user, which the model is to write:"
            raise StageError(f"{told} a server closes such a turn; `vllm:` does not")
        sampling = request.sampling
        body: dict[str, Any] = {"model": self.endpoint.model, "messages": request.chat(), "max_tokens": sampling.max_tokens}
        body |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": request.seed}
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if request.continues:  # names of vLLM and SGLang
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        if request.schema is not None and self.endpoint.guided:
            named = {"name": "answer", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        return body


class _Attempt(NamedTuple):
    """The reply, whether another attempt may help, and how many seconds the server asks to wait, if it does."""

    reply: Reply
    again: bool
    wait: float | None


def _get(done: "queue.SimpleQueue[tuple[Request, Reply | BaseException]]") -> tuple[Request, Reply | BaseException]:
    """The next. Waits in short turns: with the handler that polars puts on SIGINT, one long wait outlasts Ctrl-C."""
    while True:
        try:
            return done.get(timeout=0.2)
        except queue.Empty:
            continue


def _reply_of(content: Any) -> Reply:
    choice = content["choices"][0]
    text = choice["message"]["content"]
    if not isinstance(text, str):
        return Reply(None, "an answer without text")
    usage = content.get("usage") or {}
    # a server may send half of a pair of surrogates, which no UTF-8 has
    text = text.encode("utf-8", "replace").decode()
    return Reply(
        text, "", str(choice.get("finish_reason") or ""), _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    )


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else None


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
