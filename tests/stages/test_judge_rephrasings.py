"""A judge's answers become verdicts; what is not answered is never clean. The server is a real one on loopback, with faults."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from chat_server import ChatServer
from in_memory import InMemory

from schemas.errors import StageError
from stages.core.chat import Chat, Endpoint
from stages.core.requests import ModelName, Request, Sampling
from stages.judge_rephrasings import JudgeRephrasings, verdict_of


@pytest.fixture
def server() -> Iterator[ChatServer]:
    made = ChatServer(lambda body: "Yes." if "alike" in body["messages"][0]["content"] else "no")
    yield made
    made.close()


def asked(text: str) -> Request:
    return Request(ModelName("judge", ""), (("user", text),), Sampling(max_tokens=16))


def candidates(*texts: str | None) -> pa.Table:
    of = ["set:1" if text is not None else None for text in texts]
    strings = pa.string()
    return pa.table(
        {
            "text": pa.array([text or "" for text in texts], pa.large_string()),
            "rephrasing_of": pa.array(of, strings),
            "rephrasing_text": pa.array(texts, strings),
            "rephrasing_item": pa.array(["the item" if text is not None else None for text in texts], strings),
        }
    )


def verdicts(server: ChatServer, table: pa.Table, **keys: Any) -> list[str | None]:
    return judged(JudgeRephrasings(endpoint={"base_url": server.url, "model": "judge", **keys}), table)


def judged(stage: JudgeRephrasings, table: pa.Table) -> list[str | None]:
    names = {name: [f"{name}{row}" for row in range(table.num_rows)] for name in ("source", "id")}
    for name, values in names.items():
        table = table.append_column(name, pa.array(values))
    memory = InMemory(stage, [table])
    stage.solve(memory, memory)
    found: list[str | None] = memory.values[0]["rephrasing_verdict"].to_pylist()
    return found


def test_only_candidates_are_asked_and_answers_keep_their_order(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    texts = [f"{'alike' if at % 3 == 0 else 'other'} {at}" if at % 2 else None for at in range(40)]
    expected = [None if text is None else "same" if "alike" in text else "different" for text in texts]
    assert verdicts(server, candidates(*texts), concurrency=4) == expected
    assert len(server.requests) == 20
    assert 1 < server.most <= 4
    assert {request["path"] for request in server.requests} == {"/v1/chat/completions"}
    assert "the item" in server.requests[0]["messages"][0]["content"]
    assert {headers["authorization"] for headers in server.headers} == {"Bearer secret"}


@pytest.mark.parametrize(
    "fault",
    [(429, {}), (500, {}), (503, {}), "cut", b"not json", b"{}", b'{"choices": [{"message": {"content": null}}]}'],
)
def test_a_fault_is_tried_again(server: ChatServer, fault: Any) -> None:
    server.faults = [fault, fault]
    waited: list[float] = []
    chat = Chat(Endpoint(base_url=server.url, model="judge", attempts=3), wait=waited.append)
    ((request, reply),) = chat.replies([asked("alike")])
    assert request == asked("alike")
    assert (reply.text, reply.finish_reason, reply.prompt_tokens, reply.completion_tokens) == ("Yes.", "stop", 1, 1)
    assert len(server.requests) == 3
    assert 0.5 <= waited[0] <= 1.5
    assert 1.0 <= waited[1] <= 3.0


def test_what_the_server_asks_to_wait_is_waited(server: ChatServer) -> None:
    server.faults = [(429, {"retry-after": "7"}), (503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})]
    waited: list[float] = []
    list(Chat(Endpoint(base_url=server.url, model="judge"), wait=waited.append).replies([asked("x")]))
    # the pause is over by the clock, not because the first wait came back
    assert [round(seconds) for seconds in waited] == [7, 7]
    assert len(server.requests) == 3


def test_what_is_not_answered_is_a_suspect(server: ChatServer) -> None:
    server.faults = [(500, {})]
    assert verdicts(server, candidates("alike"), attempts=1) == ["unanswered"]
    stage = JudgeRephrasings(endpoint={"base_url": "http://127.0.0.1:9/v1", "model": "none", "attempts": 1})
    assert judged(stage, candidates("alike", None)) == ["unanswered", None]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_the_server_cannot_use_is_not_sent_again(server: ChatServer, status: int) -> None:
    server.faults = [(status, {})]
    (found,) = Chat(Endpoint(base_url=server.url, model="judge")).replies([asked("x")])
    assert found[1].text is None
    assert found[1].why == f"status {status}: 'busy'"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_ends_the_run_with_what_the_server_says(server: ChatServer, status: int) -> None:
    server.faults = [(status, {})]
    with pytest.raises(StageError, match=rf"refuses requests for 'judge': status {status}: 'busy'"):
        verdicts(server, candidates("alike"))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("yes", "same"), ("**Yes**, it does", "same"), ("No.", "different"), ("Nobody knows", "unanswered"), ("", "unanswered")],
)
def test_the_first_word_decides(text: str, verdict: str) -> None:
    assert verdict_of(text) == verdict
    assert verdict_of(None) == "unanswered"
