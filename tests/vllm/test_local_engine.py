"""The engine beside this process: one refused request costs no other, answers keep a schema, and the draw has a seed."""

from typing import Any, Literal

import pytest
from in_memory import InMemory, documents
from pydantic import BaseModel, ConfigDict, Field
from running import Open

from stages.core.requests import ModelName, Request, Sampling
from stages.core.structured import parse
from stages.core.vllm_engine import Vllm
from stages.generate import Generate

MODEL = ModelName("tiny", "")


class Judged(BaseModel):
    """An answer that a model without any sense gives only if it is held to it."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["good", "bad"]
    score: Literal[1, 2, 3]
    clean: bool
    why: str = Field(max_length=12)


class Shared(Vllm):
    """Settings whose engine runs already."""

    def open(self) -> Any:
        return OPENED[0]


OPENED: list[Any] = []


def asked(text: str, schema: dict[str, Any] | None = None, **keys: Any) -> Request:
    return Request(MODEL, (("user", text),), Sampling(**{"max_tokens": 8, **keys}), 0, schema)


def test_a_request_that_is_refused_costs_no_other(local: Any) -> None:
    requests = [asked(f"number {number}") for number in range(20)]
    requests[3] = asked("too long " * 1000)
    requests[9] = asked("x", {"type": "object", "properties": {"a": {"type": "no such type"}}})
    found = {request.key: reply for request, reply in local.replies(requests)}
    assert len(found) == 20
    faulty = {request.key: found[request.key].why for request in requests if found[request.key].text is None}
    assert set(faulty) == {requests[3].key, requests[9].key}
    assert "maximum context length" in faulty[requests[3].key]


def test_a_closed_iterator_leaves_the_engine_free(local: Any) -> None:
    replies = local.replies([asked(f"cut {number}", max_tokens=400) for number in range(30)])
    next(replies)
    replies.close()
    assert [reply.completion_tokens for _, reply in local.replies([asked("after")])] == [8]


def test_a_drawn_answer_is_drawn_again_from_its_seed(local: Any) -> None:
    def drawn(*requests: Request) -> list[str | None]:
        found = {request.key: reply.text for request, reply in local.replies(requests)}
        return [found[request.key] for request in requests]

    one, two = asked("draw", temperature=1.0, seed=1), asked("draw", temperature=1.0, seed=2)
    first = drawn(one, two)
    assert first[0] != first[1]
    # alone, and in another order
    assert drawn(two, one) == [first[1], first[0]]


def test_an_answer_keeps_its_schema_and_becomes_a_document(local: Any, settings: dict[str, Any], tmp_path: Any) -> None:
    OPENED[:] = [Open(local)]
    (tmp_path / "judge.jinja").write_text("Judge this text.\n\n{{ text }}")
    stage = Generate(
        prompt=str(tmp_path / "judge.jinja"),
        answer="test_local_engine:Judged",
        document="{{ answer.verdict }} {{ answer.score }}",
        vllm=Shared(**settings),
        sampling={"max_tokens": 120},
        cache=str(tmp_path / "answers"),
        retries=0,
    )
    memory = InMemory(stage, [documents(*(("s", f"d{number}", f"text number {number}") for number in range(12)))])
    facts = stage.solve(memory, memory)
    assert facts["statuses"] == {"ok": 12}
    rows = [row["_answers"][0]["text"] for row in memory.values[0].to_pylist()]
    assert {text.split()[0] for text in rows} <= {"good", "bad"}
    assert {text.split()[1] for text in rows} <= {"1", "2", "3"}
    # not held to it, the same model says no such thing
    free = [Request(MODEL, (("user", f"text number {number}"),), Sampling(max_tokens=60)) for number in range(4)]
    assert all(parse(Judged, reply)[0] is None for _, reply in local.replies(free))


@pytest.mark.parametrize("stop", ["e", "a"])
def test_a_stop_text_ends_an_answer_and_is_not_in_it(local: Any, stop: str) -> None:
    requests = [asked(f"stop {number}", max_tokens=60, stop=(stop,)) for number in range(12)]
    replies = [reply for _, reply in local.replies(requests)]
    assert {reply.finish_reason for reply in replies} >= {"stop"}
    assert all(stop not in (reply.text or "") for reply in replies)
