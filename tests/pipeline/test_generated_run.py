"""Documents that a model makes: every answer accounted for, none asked for twice, each followed to its source and back."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from chat_server import Body, ChatServer
from pydantic import BaseModel
from small_runs import counts, curate, documents, jsonl, quarantined
from survival import ended_after_tables

from pipeline import retry, run
from schemas.errors import BudgetReached, RecipeError
from stages.core import model
from stages.core.requests import Request

SENTENCE = "the river rises in hills to north of town and people who live along it have built mills there"
WORDS = SENTENCE.split()


class Pair(BaseModel):
    """An answer in JSON."""

    question: str
    answer: str


def retold(body: Body) -> str:
    """Words of the document in the other order."""
    asked = next(message["content"] for message in body["messages"] if message["role"] == "user")
    return " ".join(reversed(asked.rpartition("Text:\n")[2].split()))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    made = ChatServer(retold)
    yield made
    made.close()


def texts(count: int, seed: int = 5) -> list[dict[str, str]]:
    rng = random.Random(seed)
    return [{"id": f"d{number}", "text": f"{number} " + " ".join(rng.choices(WORDS, k=9))} for number in range(count)]


def source(folder: Path, count: int = 40) -> dict[str, str]:
    return {"path": str(jsonl(folder / "in.jsonl", texts(count))), "source": "s"}


def asking(server: ChatServer, **keys: Any) -> dict[str, Any]:
    endpoint = {"base_url": server.url, "model": "m", "concurrency": 4, "timeout_seconds": 10, **keys.pop("endpoint", {})}
    return {"rephrase": {"styles": ["wikipedia"], "endpoint": endpoint, **keys}}


def data(result: Any) -> str:
    return "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((result.path / "data").iterdir()))


def step(result: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in result.manifest["steps"] if step["step"] == name)
    return found


def test_each_answer_is_a_document_with_its_history(tmp_path: Path, server: ChatServer) -> None:
    prices = {"prompt_price": 2.0, "completion_price": 10.0, "revision": "r7"}
    stage = asking(server, keep_source=True, samples=2, styles=["easy", "qa"], endpoint=prices, sampling={"max_tokens": 99})
    result = curate(tmp_path / "out", source(tmp_path, 3), [stage])
    rows = {row["id"]: row for row in documents(result)}
    assert set(rows) == {f"d{n}" for n in range(3)} | {
        f"d{n}/{p}-{s}" for n in range(3) for p in ("easy", "qa") for s in (0, 1)
    }
    assert counts(result) == {"in": 3, "out": 3, "dropped": 0, "quarantined": 0}
    real, made = rows["d1"], rows["d1/qa-1"]
    assert (real["kind"], real["parent_id"], real["model"]) == ("real", None, None)
    assert made["text"] == " ".join(reversed(real["text"].split()))
    assert (made["kind"], made["parent_id"], made["prompt"], made["model"], made["model_revision"]) == (
        "synthetic", "d1", "qa", "m", "r7",
    )  # fmt: skip
    assert (made["finish_reason"], made["completion_tokens"]) == ("stop", 10)
    assert made["cost"] == pytest.approx((made["prompt_tokens"] * 2 + 10 * 10) / 1e6)
    assert json.loads(made["sampling"])["max_tokens"] == 99
    assert "_parent_text" not in made
    facts = step(result, "rephrase")["facts"]
    assert facts["statuses"] == {"ok": 12}
    assert facts["asked"]["requests"] == 12
    assert [prompt["name"] for prompt in facts["prompts"]] == ["easy", "qa"]
    assert made["prompt_hash"] == facts["prompts"][1]["hash"]
    assert facts["completion_tokens"] == 120
    bodies = server.requests
    assert {body["max_tokens"] for body in bodies} == {99}
    assert len({body["seed"] for body in bodies}) == 12


def test_the_ledger_follows_a_document_to_its_source_and_back(tmp_path: Path, server: ChatServer) -> None:
    stages = [asking(server), {"text_length": {"min_chars": 50}}]
    result = curate(tmp_path / "out", source(tmp_path), stages)
    kept = {row["id"] for row in documents(result)}
    lost = {row["id"] for row in pq.read_table(result.path / "ledger/drops").to_pylist()}
    assert kept
    assert lost
    for number in range(40):
        (parent,) = result.why(f"d{number}")
        assert parent.outcome == "made into others"
        (child,) = parent.made_into
        assert (child.id, child.step, child.how["prompt"], child.how["model"]) == (
            f"d{number}/wikipedia-0", "rephrase", "wikipedia", "m",
        )  # fmt: skip
        (story,) = result.why(child.id)
        assert story.outcome == ("kept" if child.id in kept else "dropped")
        assert story.made_from is not None
        assert story.made_from.id == f"d{number}"
        assert story.made_from.how["requests"] == child.how["requests"]
        assert f"made from d{number} by rephrase (prompt wikipedia, model m)" in str(story)


def test_faults_of_the_server_lose_nothing_and_ask_for_nothing_twice(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    faults: list[Any] = [(429, {"retry-after": "0"}), (500, {}), (503, {}), "cut", b"not json", b'{"choices": []}']

    def fault_of(body: Body) -> Any:
        key = body["messages"][-1]["content"]
        seen[key] += 1
        # one request in eight is at fault the first time, another kind each, and one in four hundred hangs
        place = int(hashlib.sha256(key.encode()).hexdigest(), 16)
        if seen[key] > 1 or (place % 8 and place % 400 != 1):
            return None
        return "slow" if place % 400 == 1 else faults[place // 8 % len(faults)]

    server = ChatServer(retold, fault_of)
    # long enough for a busy machine: an answer that the server thinks it gave must have come
    patient = {"concurrency": 32, "timeout_seconds": 10}
    result = curate(tmp_path / "out", source(tmp_path, 2000), [asking(server, endpoint=patient)])
    server.close()
    assert counts(result) == {"in": 2000, "out": 2000, "dropped": 0, "quarantined": 0}
    rows = documents(result)
    sources = {row["id"]: row["text"] for row in texts(2000)}
    assert len(rows) == 2000
    assert all(row["text"] == " ".join(reversed(sources[row["parent_id"]].split())) for row in rows)
    answered = Counter(body["messages"][-1]["content"] for _, body in server.answered)
    assert len(answered) == 2000
    assert set(answered.values()) == {1}
    assert 100 < sum(seen.values()) - 2000 < 400
    assert any(times > 1 and int(hashlib.sha256(key.encode()).hexdigest(), 16) % 400 == 1 for key, times in seen.items())
    assert 1 < server.most <= 32
    # another order of completion gives the same bytes
    calm = ChatServer(retold)
    other = curate(tmp_path / "other/out", source(tmp_path, 2000), [asking(calm, endpoint={"concurrency": 3})])
    calm.close()
    assert len(calm.requests) == 2000
    assert data(other) == data(result)


def test_answers_that_stand_are_not_asked_for_by_another_run_or_engine(
    tmp_path: Path, server: ChatServer, ray_cluster: None
) -> None:
    cache = str(tmp_path / "answers")
    stages = [asking(server, cache=cache, keep_source=True), {"word_count": {"min_words": 2}}]
    first = curate(tmp_path / "a/out", source(tmp_path), stages)
    assert len(server.requests) == 40
    for number, (engine, workers) in enumerate((("local", 3), ("ray", 1), ("ray", 3))):
        other = curate(tmp_path / f"{number}/out", source(tmp_path), stages, engine=engine, workers=workers)
        assert data(other) == data(first)
        assert step(other, "rephrase")["facts"]["asked"]["requests"] == 0
    # another filter before it, and more documents: only those that are new are asked about
    more = curate(tmp_path / "b/out", source(tmp_path, 45), [{"word_count": {"min_words": 3}}, *stages])
    assert len(server.requests) == 45
    assert step(more, "rephrase")["facts"]["statuses"] == {"ok": 45}
    # another temperature is another question
    curate(tmp_path / "c/out", source(tmp_path), [asking(server, cache=cache, sampling={"temperature": 0.5})])
    assert len(server.requests) == 85


def test_runs_side_by_side_share_their_answers_by_default(tmp_path: Path, server: ChatServer) -> None:
    curate(tmp_path / "one", source(tmp_path), [asking(server)])
    curate(tmp_path / "two", source(tmp_path), [{"text_length": {"min_chars": 1}}, asking(server)])
    assert len(server.requests) == 40


def test_what_cannot_be_used_is_quarantined_with_the_raw_answer(tmp_path: Path) -> None:
    server = ChatServer(lambda body: "" if " 3 " in f" {retold(body)} " else retold(body))
    result = curate(tmp_path / "out", source(tmp_path, 5), [asking(server, retries=1)])
    server.close()
    assert counts(result) == {"in": 5, "out": 4, "dropped": 0, "quarantined": 1}
    (row,) = quarantined(result)
    assert (row["id"], row["step"], row["error"]) == ("d3", "rephrase", "AnswerFault")
    assert row["message"] == "wikipedia-0: empty: it is empty"
    assert len(server.requests) == 6
    assert server.requests[-1]["messages"][-1]["content"].startswith("This answer cannot be used: it is empty.")
    # beside its source, a document that no answer came of goes on
    kept = ChatServer(lambda body: "")
    result = curate(tmp_path / "kept/out", source(tmp_path, 5), [asking(kept, retries=0, keep_source=True)])
    kept.close()
    assert counts(result) == {"in": 5, "out": 5, "dropped": 0, "quarantined": 0}
    assert len(quarantined(result)) == 5
    assert step(result, "rephrase")["facts"]["statuses"] == {"empty": 5}


def test_what_no_server_answers_is_tried_again_by_retry(tmp_path: Path) -> None:
    down = True
    server = ChatServer(retold, lambda body: (500, {}) if down else None)
    one = {"attempts": 1}
    result = curate(tmp_path / "out", source(tmp_path, 5), [asking(server, endpoint=one)])
    assert counts(result)["quarantined"] == 5
    assert "status 500" in quarantined(result)[0]["message"]
    down = False
    again = retry(result.path, engine="local", workers=1, progress="none")
    server.close()
    assert counts(again) == {"in": 5, "out": 5, "dropped": 0, "quarantined": 0}
    whole = ChatServer(retold)
    expected = curate(tmp_path / "whole/out", source(tmp_path, 5), [asking(whole, endpoint=one)])
    whole.close()
    assert data(again) == data(expected)
    assert quarantined(again) == []


def test_answers_that_failed_beside_their_source_are_tried_again_too(tmp_path: Path) -> None:
    down = True
    server = ChatServer(retold, lambda body: (500, {}) if down and "3 " in str(body) else None)
    stages = [asking(server, endpoint={"attempts": 1}, keep_source=True)]
    result = curate(tmp_path / "out", source(tmp_path, 5), stages, resources={"part_bytes": "1KB"})
    failed, asked = len(quarantined(result)), len(server.requests)
    assert len(documents(result)) == 10 - failed < 10
    down = False
    again = retry(result.path, engine="local", workers=1, progress="none")
    server.close()
    assert len(documents(again)) == 10
    assert len(server.requests) - asked == failed


def test_a_budget_stops_a_run_and_a_larger_one_goes_on(tmp_path: Path, server: ChatServer) -> None:
    entry = source(tmp_path)
    expected = curate(tmp_path / "whole/out", entry, [asking(server)])
    for number, budget in enumerate(({"max_requests": 15}, {"max_tokens": 3000}, {"max_cost": 0.005})):
        server.requests.clear()
        prices = {"prompt_price": 1.0, "completion_price": 1.0}
        folder, out = tmp_path / str(number), tmp_path / str(number) / "out"
        for _ in range(2):  # the second start is not given the budget once more
            with pytest.raises(BudgetReached, match=rf"the budget ends here \({next(iter(budget))}: .*All answers are kept"):
                curate(out, entry, [asking(server, budget=budget, endpoint=prices)])
        spent = len(server.requests)
        assert 3 < spent < 40
        if "max_requests" in budget:
            assert spent == 15
        result = curate(out, entry, [asking(server, endpoint=prices)])
        assert len(server.requests) == 40, folder
        assert [row["text"] for row in documents(result)] == [row["text"] for row in documents(expected)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_killed_run_asks_for_no_answer_that_had_come(tmp_path: Path, seed: int) -> None:
    server = ChatServer(retold, seconds=0.02)
    recipe = {"name": "try", "input": source(tmp_path, 400), "stages": [asking(server, endpoint={"concurrency": 8})]}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    code = (
        "import sys; from pipeline import run; run(sys.argv[1], output=sys.argv[2], engine='local', workers=2, progress='none')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "recipe.json"), str(tmp_path / "out")]
    process = subprocess.Popen(command, start_new_session=True)
    rng = random.Random(seed)
    wanted = rng.randrange(20, 300)
    while len(server.answered) < wanted and process.poll() is None:
        time.sleep(0.01)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    killed = time.monotonic()
    process.wait()
    time.sleep(0.5)
    before = [(at, body["messages"][-1]["content"]) for at, body in server.answered]
    result = run(str(tmp_path / "recipe.json"), output=tmp_path / "out", engine="local", workers=2, progress="none")
    asked = Counter(body["messages"][-1]["content"] for body in server.requests)
    server.close()
    repeated = {prompt for prompt, times in asked.items() if times > 1}
    assert len(asked) == 400
    assert len(repeated) <= 8
    assert not repeated & {prompt for at, prompt in before if at < killed - 1}
    assert len(documents(result)) == 400


def test_what_was_not_answered_before_a_kill_is_in_no_table_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "UNIT_BYTES", 120)  # two documents each
    entry, down = source(tmp_path, 12), True
    server = ChatServer(retold, lambda body: (500, {}) if down and retold(body).endswith(" 3") else None)
    stages = [asking(server, endpoint={"attempts": 1})]
    with ended_after_tables(4, monkeypatch):
        curate(tmp_path / "out", entry, stages)
    down = False
    result = curate(tmp_path / "out", entry, stages)
    server.close()
    assert len(documents(result)) == 12
    assert quarantined(result) == []


def test_long_documents_are_asked_about_in_pieces_and_joined(tmp_path: Path, server: ChatServer) -> None:
    long = "\n\n".join(f"part {number} of it." for number in range(6))
    path = jsonl(
        tmp_path / "in.jsonl", [{"id": "long", "text": long}, {"id": "short", "text": "one two."}, {"id": "none", "text": " "}]
    )
    entry = {"path": str(path), "source": "s"}
    result = curate(tmp_path / "out", entry, [asking(server, max_text_tokens=12)])
    rows = {row["id"]: row["text"] for row in documents(result)}
    assert (
        rows["long/wikipedia-0"] == "it. of 1 part it. of 0 part\n\nit. of 3 part it. of 2 part\n\nit. of 5 part it. of 4 part"
    )
    assert len(server.requests) == 4
    (drop,) = pq.read_table(result.path / "ledger/drops").to_pylist()
    assert (drop["id"], drop["step"], drop["rule"]) == ("none", "rephrase", "no_text")
    skipped = curate(tmp_path / "skip/out", entry, [asking(server, max_text_tokens=12, long_documents="skip")])
    drops = pq.read_table(skipped.path / "ledger/drops").to_pylist()
    assert {(row["id"], row["rule"]) for row in drops} == {("long", "too_long"), ("none", "no_text")}
    assert counts(skipped) == {"in": 3, "out": 1, "dropped": 2, "quarantined": 0}


def faulty_then_good(request: Request) -> str:
    """JSON that a document's number decides on: good, or good once the fault was told, or never."""
    text = request.messages[0][1].rpartition("Text:\n")[2]
    kind = int(text.split()[0]) % 3
    good = json.dumps({"question": "What?", "answer": text})
    if kind == 1 and len(request.messages) == 1:
        return '{"question": "What?"}'
    return "no object" if kind == 2 else good


def test_structured_answers_are_checked_and_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "pair.jinja").write_text("Ask about this. Text:\n{{ text }}")
    stage = {
        "generate": {
            "prompt": str(tmp_path / "pair.jinja"),
            "script": {"function": f"{__name__.rpartition('.')[2]}:faulty_then_good"},
            "answer": f"{__name__.rpartition('.')[2]}:Pair",
            "document": "{{ answer.question }} {{ answer.answer }}",
        }
    }
    sys.path.append(str(Path(__file__).parent))
    try:
        result = curate(tmp_path / "out", source(tmp_path, 9), [stage])
    finally:
        sys.path.remove(str(Path(__file__).parent))
    rows = documents(result)
    assert len(rows) == 6
    assert all(row["text"].startswith("What? ") for row in rows)
    assert counts(result)["quarantined"] == 3
    bad = quarantined(result)
    assert {row["message"] for row in bad} == {"pair-0: parse_error: it is no JSON: Expecting value: line 1 column 1 (char 0)"}
    assert {row["trace"] for row in bad} == {"no object"}
    facts = step(result, "generate")["facts"]
    assert facts["statuses"] == {"ok": 6, "parse_error": 3}
    assert facts["asked"]["requests"] == 9 + 6 + 3


def test_the_scripted_engine_has_six_faults_and_none_loses_a_document(tmp_path: Path) -> None:
    shares = dict.fromkeys(("unanswered", "empty", "refused", "cut", "malformed"), 0.1)  # half a text is a text
    stage = {"rephrase": {"script": {"faults": shares}, "retries": 0}}
    result = curate(tmp_path / "out", source(tmp_path, 300), [stage])
    statuses = step(result, "rephrase")["facts"]["statuses"]
    assert set(statuses) == {"ok", "truncated", "empty", "refused", "engine_error"}
    assert sum(statuses.values()) == 300
    told = counts(result)
    assert told["out"] == statuses["ok"] + statuses["truncated"]
    assert told["quarantined"] == statuses["empty"] + statuses["refused"] + statuses["engine_error"]
    assert {row["finish_reason"] for row in documents(result)} == {"stop", "length"}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "expected one of endpoint, vllm, script"),
        ({"script": {}, "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}, "found endpoint and script"),
        ({"script": {}, "styles": ["wikipeda"]}, "styles.0: Input should be 'easy'"),
        ({"script": {}, "budgt": {}}, "budget"),
    ],
)
def test_mistakes_of_form_are_told_before_a_run(tmp_path: Path, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        curate(tmp_path / "out", source(tmp_path, 1), [{"rephrase": keys}])


def test_a_prompt_over_a_column_that_nobody_writes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p.jinja").write_text("{{ title }}: {{ text }}")
    stage = {"generate": {"prompt": str(tmp_path / "p.jinja"), "script": {}}}
    with pytest.raises(RecipeError, match="generate reads the column 'title', which nothing before it writes"):
        curate(tmp_path / "out", source(tmp_path, 1), [stage])
    filled = {"generate": {**stage["generate"], "fill": {"title": "T"}}}
    assert len(documents(curate(tmp_path / "out", source(tmp_path, 1), [filled]))) == 1


def test_the_recipe_makes_a_mixed_set_whose_rows_are_followed_to_their_sources(tmp_path: Path) -> None:
    home = Path(__file__).parents[2]
    table = pq.read_table(home / "jobs/sample/manuals-00.parquet")
    short = table.filter(pc.less(pc.utf8_length(table["text"]), 6000))
    pq.write_table(short, tmp_path / "short.parquet")
    recipe, entry = home / "jobs/recipes/rephrase.yaml", str(tmp_path / "short.parquet")
    result = run(recipe, input=entry, output=tmp_path / "out", engine="local", progress="none")
    told = result.manifest["counts"]
    assert told["in"]["documents"] == sum(told[name]["documents"] for name in ("out", "dropped", "quarantined"))
    rows = documents(result)
    tokens = {kind: sum(row["token_count"] for row in rows if row["kind"] == kind) for kind in ("real", "synthetic")}
    assert tokens["synthetic"] / sum(tokens.values()) == pytest.approx(0.3, abs=0.02)
    real = {row["id"] for row in rows if row["kind"] == "real"}
    made = [row for row in rows if row["kind"] == "synthetic"]
    assert len(made) > 10
    for row in made[:10]:
        (story,) = result.why(row["id"])
        assert story.outcome == "kept"
        assert story.made_from is not None
        assert (story.made_from.id, story.made_from.step) == (row["parent_id"], "rephrase")
        assert story.made_from.how["prompt_hash"] == row["prompt_hash"]
        (parent,) = result.why(row["parent_id"])
        assert row["id"] in {child.id for child in parent.made_into}
        assert parent.outcome == ("kept" if row["parent_id"] in real else "dropped")
    lost = pq.read_table(result.path / "ledger/drops").to_pylist()
    assert {row["step"] for row in lost if "/" in row["id"]} >= {"grounded", "minhash_dedup_2"}
    assert any("come from a script" in warning for warning in result.warnings)
