"""A judge's answers become verdicts; what is not answered is never clean. The server is a real one on loopback, with faults."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pytest

from schemas.errors import StageError
from stages.core.chat import Chat, Endpoint
from stages.judge_rephrasings import JudgeRephrasings, verdict_of


class Server:
    """Answers `yes` to prompts with the word alike, else `no`; the first replies may be faults."""

    def __init__(self) -> None:
        self.faults: list[Any] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most = self.now = 0
        lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    server.requests.append({"path": self.path, **body})
                    server.headers.append({key.lower(): value for key, value in self.headers.items()})
                    server.now += 1
                    server.most = max(server.most, server.now)
                    fault = server.faults.pop(0) if server.faults else None
                try:
                    self.answer(body, fault)
                finally:
                    with lock:
                        server.now -= 1

            def answer(self, body: dict[str, Any], fault: Any) -> None:
                prompt = body["messages"][0]["content"]
                content = {"choices": [{"message": {"content": "Yes." if "alike" in prompt else "no"}}]}
                status, headers, data = 200, {}, json.dumps(content).encode()
                if fault == "cut":
                    self.send_response(200)
                    self.send_header("content-length", "1000")
                    self.end_headers()
                    self.wfile.write(data[:10])
                    self.close_connection = True
                    return
                if isinstance(fault, bytes):
                    data = fault
                elif fault:
                    status, headers = fault
                    data = b"busy"
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


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


def verdicts(server: Server, table: pa.Table, **keys: Any) -> list[str | None]:
    stage = JudgeRephrasings(endpoint={"base_url": server.url, "model": "judge", **keys})
    answer = stage.load()(table)
    assert answer.schema == pa.schema(list(stage.columns_written().items()))
    found: list[str | None] = answer["rephrasing_verdict"].to_pylist()
    return found


def test_only_candidates_are_asked_and_answers_keep_their_order(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    texts = [("alike" if at % 3 == 0 else "other") if at % 2 else None for at in range(40)]
    expected = [None if text is None else "same" if text == "alike" else "different" for text in texts]
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
def test_a_fault_is_tried_again(server: Server, fault: Any) -> None:
    server.faults = [fault, fault]
    waited: list[float] = []
    chat = Chat(Endpoint(base_url=server.url, model="judge", attempts=3), wait=waited.append)
    (answer,) = chat.ask([[{"role": "user", "content": "alike"}]])
    assert answer.text == "Yes."
    assert len(server.requests) == 3
    assert 0.5 <= waited[0] <= 1.5
    assert 1.0 <= waited[1] <= 3.0


def test_what_the_server_asks_to_wait_is_waited(server: Server) -> None:
    server.faults = [(429, {"retry-after": "7"}), (503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})]
    waited: list[float] = []
    Chat(Endpoint(base_url=server.url, model="judge"), wait=waited.append).ask([[{"role": "user", "content": "x"}]])
    assert waited == [7.0, 0.0]


def test_what_is_not_answered_is_a_suspect(server: Server) -> None:
    server.faults = [(500, {})]
    assert verdicts(server, candidates("alike"), attempts=1) == ["unanswered"]
    stage = JudgeRephrasings(endpoint={"base_url": "http://127.0.0.1:9/v1", "model": "none", "attempts": 1})
    assert stage.load()(candidates("alike", None))["rephrasing_verdict"].to_pylist() == ["unanswered", None]


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_ends_the_run_with_what_the_server_says(server: Server, status: int) -> None:
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
