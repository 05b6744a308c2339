"""A pass whose requests workers make and an engine elsewhere answers: each once, within the budget, again where at fault."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from schemas.errors import BudgetReached
from stages.core import model
from stages.core.requests import Reply, Request
from stages.core.vllm_engine import Vllm
from stages.rephrase import Rephrase

Answer = Callable[[Request], Reply]


class Elsewhere:
    """A cluster whose engine is a function; what workers get is pickled, and answers come in the wrong order."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.passes: list[list[Request]] = []

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        for item in reversed(items):
            yield pickle.loads(pickle.dumps(function))(pickle.loads(pickle.dumps(item)))

    def replies(
        self, engine: Any, function: Callable[[Any], Iterable[Request]], items: Sequence[Any], requests: int
    ) -> Iterator[tuple[Request, Reply]]:
        assert isinstance(engine, Vllm)
        made = [request for found in self.map(function, items) for request in found]
        assert len(made) == requests
        self.passes.append(made)
        for request in made:
            yield request, self.answer(request)


class WithCluster(InMemory):
    """Sketches of a run on a cluster."""

    def __init__(self, stage: Any, parts: Sequence[pa.Table], elsewhere: Elsewhere) -> None:
        super().__init__(stage, parts)
        self.elsewhere: Elsewhere | None = elsewhere

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "elsewhere": None}

    def cluster(self) -> Any:
        return self.elsewhere


def text_of(request: Request) -> str:
    asked = next(content for role, content in request.messages if role == "user")
    return asked.rpartition("Text:\n")[2].strip()


def upper(request: Request) -> Reply:
    return Reply(text_of(request).upper(), "", "stop", 10, 5)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Rephrase]:
    monkeypatch.setattr(model, "UNIT_BYTES", 2048)  # two documents in a unit
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    keys = {"vllm": {"model": str(tmp_path / "m")}, "cache": str(tmp_path / "answers")}
    return lambda **more: Rephrase(**{**keys, **more})


PARTS = [
    documents(*(("s", f"a{number}", f"text {number}") for number in range(5))),
    documents(*(("s", f"b{number}", f"text {number}") for number in range(4, 8))),
]


def solved(stage: Rephrase, answer: Answer) -> tuple[WithCluster, dict[str, Any]]:
    assert stage.vllm is not None
    memory = WithCluster(stage, PARTS, Elsewhere(answer))
    return memory, stage.solve(memory, memory)


def answers(memory: InMemory) -> list[tuple[str, str]]:
    rows = [row["_answers"][0] for part in sorted(memory.values) for row in memory.values[part].to_pylist()]
    return [(row["status"], row["text"]) for row in rows]


def test_each_request_is_asked_once_and_no_engine_starts_for_those_that_have_answers(stage: Callable[..., Rephrase]) -> None:
    memory, facts = solved(stage(), upper)
    (asked,) = memory.elsewhere.passes  # type: ignore[union-attr]
    # text 4 stands in both parts
    assert sorted(map(text_of, asked)) == [f"text {number}" for number in range(8)]
    assert answers(memory) == [("ok", f"TEXT {number}") for number in (*range(5), *range(4, 8))]
    assert facts["asked"].pop("seconds") >= 0
    assert facts["asked"] == {"requests": 8, "prompt_tokens": 80, "completion_tokens": 40, "unanswered": 0, "cost": None}
    again, facts = solved(stage(), upper)
    assert again.elsewhere.passes == []  # type: ignore[union-attr]
    assert facts["asked"]["requests"] == 0
    assert answers(again) == answers(memory)


def test_what_cannot_be_used_is_asked_again_and_what_is_not_answered_is_not(stage: Callable[..., Rephrase]) -> None:
    def answer(request: Request) -> Reply:
        text = text_of(request)
        if text == "text 3":
            return Reply(None, "the prompt is too long")
        empty = text == "text 1" or (text == "text 2" and "assistant" not in dict(request.messages))
        return Reply("" if empty else text.upper(), "", "stop", 1, 1)

    memory, facts = solved(stage(retries=2), answer)
    passes = [sorted(map(text_of, asked)) for asked in memory.elsewhere.passes]  # type: ignore[union-attr]
    assert passes == [[f"text {number}" for number in range(8)], ["text 1", "text 2"], ["text 1"]]
    assert answers(memory)[:4] == [("ok", "TEXT 0"), ("empty", ""), ("ok", "TEXT 2"), ("engine_error", "")]
    assert facts["asked"]["requests"] == 11
    assert facts["asked"]["unanswered"] == 1
    # the next start asks again for what was not answered, alone
    memory, _ = solved(stage(retries=2), upper)
    assert [list(map(text_of, asked)) for asked in memory.elsewhere.passes] == [["text 3"]]  # type: ignore[union-attr]


def test_a_budget_holds_and_the_next_start_goes_on(stage: Callable[..., Rephrase]) -> None:
    with pytest.raises(BudgetReached, match="max_requests: 3"):
        solved(stage(budget={"max_requests": 3}), upper)
    memory, _ = solved(stage(budget={"max_requests": 100}), upper)
    (asked,) = memory.elsewhere.passes  # type: ignore[union-attr]
    assert sorted(map(text_of, asked)) == [f"text {number}" for number in range(3, 8)]
    assert [status for status, _ in answers(memory)] == ["ok"] * 9


def test_a_budget_of_a_killed_start_has_what_was_answered(stage: Callable[..., Rephrase], tmp_path: Path) -> None:
    count = 0

    def dies(request: Request) -> Reply:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return upper(request)

    made = stage(budget={"max_requests": 8})
    memory = WithCluster(made, PARTS, Elsewhere(dies))
    with pytest.raises(KeyboardInterrupt):
        made.solve(memory, memory)
    memory.elsewhere = Elsewhere(upper)
    facts = made.solve(memory, memory)
    assert len(memory.elsewhere.passes[0]) == 6
    assert facts["asked"]["requests"] == 8
