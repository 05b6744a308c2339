"""What a step may ask of a model, and what it has asked for."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from stages.core.requests import Reply, Request

SAVE_SECONDS = 1.0
BYTES_PER_TOKEN = 3
"""of a prompt that is not answered yet: fewer bytes than most tokenizers have, so that a budget is not passed"""

Cost = Callable[[int, int], float | None]
"""cost of so many tokens of prompts and of answers; None without prices"""


class Prices(BaseModel):
    """What a model's tokens cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_price: float = Field(0.0, description="of a million tokens of prompts, in the currency of max_cost", ge=0)
    completion_price: float = Field(0.0, description="of a million tokens of answers", ge=0)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What so many tokens cost; None without prices."""
        if not (self.prompt_price or self.completion_price):
            return None
        return (prompt_tokens * self.prompt_price + completion_tokens * self.completion_price) / 1e6


class Budget(BaseModel):
    """What a step may ask for in a run. Answers that stand already cost nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_requests: int | None = Field(None, description="requests", ge=0)
    max_tokens: int | None = Field(None, description="tokens of prompts and answers", ge=0)
    max_cost: float | None = Field(None, description="cost, in the currency of the endpoint's prices", ge=0)


class Bill:
    """What a step has spent in a run, by this start and by those before it, kept in a file once a second."""

    def __init__(self, budget: Budget, cost: Cost, path: Path) -> None:
        self.reached: str | None = None
        self._budget, self._cost, self._path = budget, cost, path
        self._spent = {"requests": 0, "prompt_tokens": 0, "completion_tokens": 0, "unanswered": 0, "seconds": 0.0}
        if path.is_file():
            self._spent |= orjson.loads(path.read_bytes())
        self._flying = [0, 0, 0]
        self._ahead = False
        self._begun: float | None = None
        self._lock = threading.Lock()
        self._saved = time.monotonic()

    def allows(self, request: Request) -> bool:
        """Whether one more may be asked; it counts as asked then, with the most tokens that it may have."""
        return self._allows(*most_tokens(request))

    def allows_ahead(self, prompt_tokens: int, completion_tokens: int) -> bool:
        """The same long before it is asked, of a request of at most so many tokens. After a kill it counts if answered."""
        self._ahead = True
        return self._allows(prompt_tokens, completion_tokens)

    def _allows(self, prompt: int, completion: int) -> bool:
        budget = self._budget
        with self._lock:
            prompts = int(self._spent["prompt_tokens"]) + self._flying[1] + prompt
            completions = int(self._spent["completion_tokens"]) + self._flying[2] + completion
            if budget.max_requests is not None and self._spent["requests"] >= budget.max_requests:
                self.reached = f"max_requests: {budget.max_requests}"
            elif budget.max_tokens is not None and prompts + completions > budget.max_tokens:
                self.reached = f"max_tokens: {budget.max_tokens}"
            elif budget.max_cost is not None and (self._cost(prompts, completions) or 0.0) > budget.max_cost:
                self.reached = f"max_cost: {budget.max_cost:g}"
            else:
                self._spent["requests"] += 1
                self._begun = self._begun or time.monotonic()
                self._fly(1, prompt, completion)
                return True
            return False

    def add(self, request: Request, reply: Reply) -> None:
        """Count a reply to what was allowed."""
        prompt, completion = most_tokens(request)
        with self._lock:
            self._fly(-1, -prompt, -completion)
            self._spent["prompt_tokens"] += reply.prompt_tokens or 0
            self._spent["completion_tokens"] += reply.completion_tokens or 0
            self._spent["unanswered"] += reply.text is None
            if time.monotonic() - self._saved > SAVE_SECONDS:
                self._save()

    def save(self) -> None:
        """Keep what was spent."""
        with self._lock:
            self._save()
            self._begun = None

    def _fly(self, *more: int) -> None:
        self._flying = [now + one for now, one in zip(self._flying, more, strict=True)]

    def _save(self) -> None:
        if self._begun is not None:
            now = time.monotonic()
            self._spent["seconds"] += now - self._begun
            self._begun = now
        staged = self._path.with_name(f".{self._path.name}")
        waiting = self._flying[0] if self._ahead else 0
        staged.write_bytes(orjson.dumps({**self._spent, "requests": self._spent["requests"] - waiting}))
        staged.rename(self._path)
        self._saved = time.monotonic()

    def facts(self) -> dict[str, Any]:
        """What this run asked for; answers that stood before are not in it. `seconds` is the time that went by while asking."""
        prompts, completions = int(self._spent["prompt_tokens"]), int(self._spent["completion_tokens"])
        counts = {name: round(value, 3) if name == "seconds" else int(value) for name, value in self._spent.items()}
        return {**counts, "cost": self._cost(prompts, completions)}

    def told(self, step: str) -> str:
        """Why a run stops here, and how it goes on."""
        facts = self.facts()
        spent = f"{facts['requests']} requests, {facts['prompt_tokens'] + facts['completion_tokens']} tokens"
        spent += "" if facts["cost"] is None else f", cost {facts['cost']:.4g}"
        return (
            f"{step}: the budget ends here ({self.reached}; asked so far: {spent}). All answers are kept: set a larger budget"
            " and start the same command again"
        )


def most_tokens(request: Request) -> tuple[int, int]:
    """Tokens of the prompt, about, and of the answer, at most."""
    prompt = sum(len(content.encode()) for _, content in request.messages) // BYTES_PER_TOKEN
    return prompt, request.sampling.max_tokens
