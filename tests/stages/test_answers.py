"""Answers stand as soon as they are written, whoever is killed, and are found by the key of their request."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stages.core import answers
from stages.core.answers import AnswerStore
from stages.core.requests import ModelName, Reply, Request, Sampling

MODEL = ModelName("m", "1")


def asked(text: str, **keys: object) -> Request:
    return Request(MODEL, (("user", text),), Sampling(**keys))  # type: ignore[arg-type]


def test_requests_with_the_same_key_are_the_same_request() -> None:
    one = asked("x")
    assert one.key == asked("x").key
    assert len(one.key) == 32
    others = [
        asked("y"),
        asked("x", temperature=0.5),
        asked("x", seed=2),
        Request(ModelName("n", "1"), one.messages, one.sampling),
        Request(ModelName("m", "2"), one.messages, one.sampling),
        Request(MODEL, (("system", "x"),), one.sampling),
        Request(MODEL, one.messages, one.sampling, 1),
        Request(MODEL, one.messages, one.sampling, 0, {"type": "object"}),
    ]
    keys = [one.key, *(other.key for other in others)]
    assert len(set(keys)) == len(keys)
    assert 0 <= one.seed < 2**28
    assert one.seed != others[0].seed


def test_answers_are_found_once_their_log_is_closed(tmp_path: Path) -> None:
    store, reply = AnswerStore(tmp_path / "a"), Reply("ja", "", "stop", 3, 1)
    assert store.known([asked("x").key]) == {}
    with store.writer() as writer:
        for text in "cab":
            writer.add(asked(text), reply._replace(text=text))
        assert store.known([asked("a").key]) == {}
    keys = [asked(text).key for text in ("a", "b", "c", "d")]
    assert [key in store.known(keys) for key in keys] == [True, True, True, False]
    found = store.known(keys)
    assert [found[key].text for key in keys[:3]] == ["a", "b", "c"]
    assert found[keys[0]] == Reply("a", "", "stop", 3, 1)
    with store.writer() as writer:
        writer.add(asked("d"), reply._replace(prompt_tokens=None))
    assert store.known(keys)[keys[3]] == Reply("ja", "", "stop", None, 1)
    (one, two) = sorted((tmp_path / "a").iterdir())
    assert {one.suffix, two.suffix} == {".parquet"}
    rows = [row for path in (one, two) for row in pq.read_table(path).to_pylist()]
    assert {row["model"] for row in rows} == {"m"}
    assert '[{"role":"user","content":"a"}]' in {row["messages"] for row in rows}


def test_a_failure_is_never_kept(tmp_path: Path) -> None:
    with AnswerStore(tmp_path).writer() as writer, pytest.raises(ValueError, match="never failures"):
        writer.add(asked("x"), Reply(None, "busy"))


def test_a_long_log_is_closed_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "FILE_ANSWERS", 10)
    store = AnswerStore(tmp_path)
    with store.writer() as writer:
        for number in range(25):
            writer.add(asked(str(number)), Reply(str(number)))
        assert len(store.known([asked(str(number)).key for number in range(25)])) == 20
    found = store.known([asked(str(number)).key for number in range(25)])
    assert [found[asked(str(number)).key].text for number in range(25)] == [str(number) for number in range(25)]


def test_what_a_killed_process_had_been_answered_is_recovered(tmp_path: Path) -> None:
    code = (
        "import sys, time; from stages.core.answers import AnswerStore; from stages.core.requests import *\n"
        "writer = AnswerStore(sys.argv[1]).writer()\n"
        "for text in 'abc':\n"
        "    writer.add(Request(ModelName('m', '1'), (('user', text),), Sampling()), Reply(text))\n"
        "print('written', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    store, keys = AnswerStore(tmp_path), [asked(text).key for text in "abc"]
    assert store.recover() == 0  # its log is its own as long as it lives
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (log,) = tmp_path.glob("*.log")
    with open(log, "ab") as stream:
        stream.write(b'{"key": "cut')
    assert store.recover() == 3
    assert len(store.known(keys)) == 3
    assert not list(tmp_path.glob("*.log"))
    assert store.recover() == 0
