"""The fuzzer's own parts: what it makes, what it checks, and that it finds what is wrong."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import plain_kernels
import pytest
import trials
from checked_arrays import OutOfBounds
from comparison import Comparison
from fuzz import Gone, Worker
from mutations import mutated
from plain_kernels import BRANCHES, plain, prepare
from random_texts import random_texts
from seeds import seeds


@plain
def count_equal(data, other):  # type: ignore[no-untyped-def]
    count = 0
    for at in range(len(data)):
        if data[at] == other[at] and data[at] != 0:
            count += 1
    return count


@plain
def read(data, at):  # type: ignore[no-untyped-def]
    return data[at]


@plain
def write(data, at, value):  # type: ignore[no-untyped-def]
    data[at] = value


@plain
def spread(value):  # type: ignore[no-untyped-def]
    return np.int64(value * np.uint64(2**63 + 1)), np.uint32(value << np.uint64(31)), np.int8(value + np.uint64(199))


@pytest.fixture(autouse=True, scope="module")
def _prepared() -> None:
    prepare()


def test_mutated_texts_are_texts_of_the_longest_length_at_most() -> None:
    pick, corpus = random.Random(1), seeds(1)
    texts = [mutated(pick, corpus, 300) for _ in range(3000)]
    assert max(len(text.encode()) for text in texts) > 300
    assert max(map(len, texts)) == 300
    assert len({*texts}) > 2700


@pytest.mark.parametrize("at", [-1, 3, np.int64(-1), np.uint64(3)])
def test_an_index_outside_of_its_array_is_refused(at: int) -> None:
    for data in (np.zeros(3, np.uint8), np.zeros(3, np.uint64), np.zeros((3, 2), np.int32)):
        with pytest.raises(OutOfBounds, match="of an array of 3"):
            read(data, at)
        with pytest.raises(OutOfBounds):
            write(data, at, 1)


def test_an_index_of_either_dimension_is_checked() -> None:
    grid = np.arange(6).reshape(3, 2)
    assert read(grid, (2, 1)) == 5
    for at in ((0, 2), (3, 0), (-1, 0), (0, -1), (slice(-1, 2), 0)):
        with pytest.raises(OutOfBounds):
            read(grid, at)


def test_what_is_stored_is_cut_to_the_width_of_the_array() -> None:
    for kind, expected in ((np.uint8, 0xFF), (np.int8, -1), (np.uint64, 2**64 - 1), (np.int64, -1)):
        data = np.zeros(1, kind)
        write(data, 0, -1)
        assert int(data[0]) == expected


def test_integers_wrap_around_as_compiled_ones_do() -> None:
    with np.errstate(over="ignore"):
        assert spread(np.uint64(3)) == (-(2**63) + 3, 2**31, -54)


def test_each_outcome_of_each_condition_is_a_branch() -> None:
    places = [place for place in BRANCHES.places if "data[at]" in place]
    assert [place.split(": ")[1] for place in places] == [
        *("data[at] == other[at] false", "data[at] == other[at] true", "data[at] != 0 false", "data[at] != 0 true"),
    ]
    reached = []
    for other in ([1, 2], [1, 0], [0, 0]):
        BRANCHES.clear()
        assert count_equal(np.array([1, 0], np.uint8), np.array(other, np.uint8)) == (other[0] == 1)
        reached.append({BRANCHES.places[feature // 8].split(": ")[1] for feature in BRANCHES.features()})
    assert reached[0] - reached[2] == {"data[at] == other[at] false", "data[at] != 0 true"} - reached[2]
    assert "data[at] != 0 false" not in reached[0]
    assert "data[at] != 0 true" not in reached[2]


def test_a_disagreement_is_found_in_a_batch_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def length(docs) -> list[int]:  # type: ignore[no-untyped-def]
        texts = docs.table["text"].to_pylist()
        return [len(text) + ("é" in text and "漢" in text) for text in texts]

    monkeypatch.setitem(trials.ALL, "broken", Comparison(length, len))
    texts = [text.replace("漢", "") for text in random_texts(1, 20)]
    texts[7] = "one é two 漢 three"
    found = trials.minimised("broken", "disagreement", texts, 7)
    assert (found["texts"], found["expected"], found["found"]) == (["é漢"], "[2]", "[3]")


def test_an_error_that_only_a_batch_of_two_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def length(docs) -> list[int]:  # type: ignore[no-untyped-def]
        texts = docs.table["text"].to_pylist()
        return [1 // (len(texts) < 2 or "xx" not in texts) and len(text) for text in texts]

    monkeypatch.setitem(trials.ALL, "broken", Comparison(length, len))
    found = trials.minimised("broken", f"ZeroDivisionError at tests/fuzz/test_fuzz.py:{length.__code__.co_firstlineno + 2}",
                             ["a", "b", "xx", "c"], None)  # fmt: skip
    assert len(found["texts"]) == 2
    assert "xx" in found["texts"]


def test_a_worker_that_ends_is_noticed_and_replaced(tmp_path: Path) -> None:
    worker = Worker("plain", tmp_path / "log")
    with pytest.raises(Gone, match="ended with status 1"):
        worker.ask([1])  # type: ignore[list-item]
    assert "TypeError" in (tmp_path / "log").read_text()
    assert worker.ask(["a"])["failures"] == []
    with pytest.raises(Gone, match="no answer in 0 s"):
        worker.ask(["a b" * 200], 0.001)
    worker.stop()


def test_kernels_as_plain_python_agree_and_reach_most_branches() -> None:
    worker = Path(plain_kernels.__file__).with_name("worker.py")
    texts = [" ".join(random_texts(3, 12)), "One é漢 [1] \u0301.\r\n\nlorem ipsum it's http://a.b/c"]
    ended = subprocess.run(
        [sys.executable, str(worker), "plain"],
        input=json.dumps(texts) + "\n",
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    places, answer = map(json.loads, ended.stdout.splitlines())
    assert answer["failures"] == []
    reached = {feature // 8 for features in answer["features"] for feature in features}
    assert len(reached) > 0.6 * len(places["places"])
