"""A real chat endpoint on loopback, with faults."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


class ChatServer:
    """Answers as a function of a request's body says. Faults are taken from a list first, then from `fault_of`.

    A fault is (status, headers), bytes for the whole body, "cut" for a connection that ends early, or "slow" for one that never
    answers in time.

    seconds   how long every answer takes
    requests  the bodies that came, in order
    answered  those that got their answer, each with the time
    most      requests that were there at once
    """

    def __init__(
        self, answer: Callable[[Body], str], fault_of: Callable[[Body], Any] = lambda body: None, seconds: float = 0.0
    ) -> None:
        self.faults: list[Any] = []
        self.requests: list[Body] = []
        self.answered: list[tuple[float, Body]] = []
        self.headers: list[dict[str, str]] = []
        self.most = self.now = 0
        lock, server = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    server.requests.append({"path": self.path, **body})
                    server.headers.append({key.lower(): value for key, value in self.headers.items()})
                    server.now += 1
                    server.most = max(server.most, server.now)
                    fault = server.faults.pop(0) if server.faults else fault_of(body)
                    server.now -= fault == "slow"  # the client is gone long before it ends
                try:
                    time.sleep(30 if fault == "slow" else seconds)
                    self.answer(body, fault)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    with lock:
                        server.now -= fault != "slow"

            def answer(self, body: Body, fault: Any) -> None:
                text = answer(body)
                prompt = sum(len(message["content"].split()) for message in body["messages"])
                usage = {"prompt_tokens": prompt, "completion_tokens": len(text.split())}
                choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
                data = json.dumps({"id": "chatcmpl-0", "choices": [choice], "usage": usage}).encode()
                status, headers = 200, {}
                if fault in ("cut", "slow"):
                    self.send_response(200)
                    self.send_header("content-length", str(len(data) + 1000))
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
                if not fault:
                    with lock:
                        server.answered.append((time.monotonic(), body))

            def log_message(self, *args: Any) -> None:
                pass

        class Http(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.http = Http(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def close(self) -> None:
        """No more answers."""
        self.http.shutdown()
        self.http.server_close()
