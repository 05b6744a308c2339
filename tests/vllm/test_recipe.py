"""A recipe whose documents vLLM writes, on Ray and beside a local run: accounts, lineage, counts, and the same bytes again."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline import run
from pipeline.results import Run
from stages.core.requests import Request

SENTENCE = "the river rises in hills to north of town and people who live along it have built mills there"
WORDS = SENTENCE.split()
TOO_LONG, COUNT, TOKENS = "d41", 100, 24
NEAR_TIE = 1e-3
"""gap of log probabilities within which float32 sums of another order may choose another token"""


def texts() -> list[dict[str, str]]:
    rows = [{"id": f"d{n}", "text": " ".join([*WORDS[n % 17 :], *WORDS[: n % 17], f"in {1000 + n}"])} for n in range(COUNT)]
    # two documents with one text are one request
    rows[77]["text"] = rows[7]["text"]
    rows[41]["text"] = "too long " * 1000
    return rows


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in texts()))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def curate(
    output: Path, source: Path, settings: dict[str, Any], engine: Any = "ray", cache: Path | None = None, **keys: Any
) -> Run:
    stage = {"vllm": {**settings, "batch_size": 8, **keys}, "keep_source": True, "sampling": {"max_tokens": TOKENS}}
    stage |= {"max_text_tokens": 8000, **({} if cache is None else {"cache": str(cache)})}
    recipe = {"name": "told", "input": {"path": str(source), "source": "s"}, "failures": {"max_fraction": 1.0}}
    recipe |= {"stages": [{"rephrase": stage}, {"word_count": {"min_words": 1}}]}
    return run(recipe, output=output, engine=engine, progress="none")


@pytest.fixture(scope="module")
def once(folder: Path, source: Path, settings: dict[str, Any], ray_cluster: None) -> Run:
    """On Ray, with one replica."""
    return curate(folder / "once" / "run", source, settings)


@pytest.fixture(scope="module")
def twice(folder: Path, source: Path, settings: dict[str, Any], ray_cluster: None) -> Run:
    """On Ray, with two replicas, and nothing of the other run."""
    return curate(folder / "twice" / "run", source, settings, replicas=2)


@pytest.fixture(scope="module")
def beside(folder: Path, source: Path, settings: dict[str, Any]) -> Run:
    """Without Ray."""
    return curate(folder / "beside" / "run", source, settings, engine="local")


def documents(result: Run) -> list[dict[str, Any]]:
    return [row for shard in sorted(result.path.glob("data/*.parquet")) for row in pq.read_table(shard).to_pylist()]


def made(result: Run) -> dict[str, dict[str, Any]]:
    return {row["parent_id"]: row for row in documents(result) if row["kind"] == "synthetic"}


def data(result: Run) -> str:
    return "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((result.path / "data").iterdir()))


def asked(result: Run) -> dict[str, Any]:
    facts: dict[str, Any] = next(step for step in result.manifest["steps"] if step["step"] == "rephrase")["facts"]["asked"]
    return facts


def stored(cache: Path) -> dict[str, dict[str, Any]]:
    """Answers by key."""
    return {row["key"]: row for path in cache.glob("*.parquet") for row in pq.read_table(path).to_pylist()}


def answers_of(result: Run) -> dict[str, dict[str, Any]]:
    return stored(result.path.parent / ".sluice" / "answers")


@pytest.fixture(scope="module")
def plain(once: Run, local: Any) -> dict[str, Any]:
    """What vLLM's own batch call says to the same conversations, by key, with the two likeliest tokens at each place."""
    from vllm import SamplingParams

    rows = answers_of(once)
    conversations = [json.loads(row["messages"]) for row in rows.values()]
    sampling = SamplingParams(temperature=0, max_tokens=TOKENS, logprobs=2)
    return dict(zip(rows, local.llm.chat(conversations, sampling, use_tqdm=False), strict=True))


@pytest.mark.parametrize("name", ["once", "twice", "beside"])
def test_every_document_is_answered_or_quarantined_and_followed_to_its_source(
    name: str, request: pytest.FixtureRequest, plain: dict[str, Any]
) -> None:
    result: Run = request.getfixturevalue(name)
    told = result.manifest["counts"]
    assert told["in"]["documents"] == told["out"]["documents"] == COUNT
    answered, faulty = made(result), pq.read_table(result.path / "ledger/quarantined").to_pylist()
    (fault,) = faulty
    assert set(answered) | {fault["id"]} == {row["id"] for row in texts()}
    assert fault["id"] == TOO_LONG
    assert TOO_LONG not in answered
    assert "engine_error" in fault["message"]
    assert "maximum context length is 640 tokens" in fault["message"]
    assert asked(result)["requests"] == COUNT - 1
    assert asked(result)["unanswered"] == 1
    for row in answered.values():
        assert (row["model"], row["prompt"], row["prompt_hash"] is not None) == ("tiny", "wikipedia", True)
        assert row["model_revision"].endswith(",dtype=float32,max_model_len=640")
        assert row["finish_reason"] in ("stop", "length")
        assert json.loads(row["sampling"])["max_tokens"] == TOKENS
    for number in range(10):
        (story,) = result.why(f"d{number}/wikipedia-0")
        assert story.made_from is not None
        assert story.made_from.id == f"d{number}"
        (key,) = story.made_from.how["requests"]
        assert key in plain


@pytest.mark.parametrize("name", ["once", "twice", "beside"])
def test_tokens_are_those_of_the_engine(name: str, request: pytest.FixtureRequest, plain: dict[str, Any]) -> None:
    result: Run = request.getfixturevalue(name)
    same, kinds = 0, set()
    for key, row in answers_of(result).items():
        output = plain[key].outputs[0]
        assert row["prompt_tokens"] == len(plain[key].prompt_token_ids)
        kinds.add(row["finish_reason"])
        assert row["finish_reason"] == "stop" or row["completion_tokens"] == TOKENS
        if row["text"] == output.text:
            same += 1
            assert (row["completion_tokens"], row["finish_reason"]) == (len(output.token_ids), output.finish_reason)
    assert same > COUNT / 2
    assert kinds == {"stop", "length"}
    rows = answers_of(result).values()
    assert asked(result)["prompt_tokens"] == sum(row["prompt_tokens"] for row in rows)
    assert asked(result)["completion_tokens"] == sum(row["completion_tokens"] for row in rows)


def test_with_its_answers_stored_a_run_is_the_same_bytes_for_any_replicas(
    tmp_path: Path, once: Run, source: Path, settings: dict[str, Any]
) -> None:
    cache = once.path.parent / ".sluice" / "answers"
    for replicas in (1, 2):
        again = curate(tmp_path / str(replicas) / "run", source, settings, cache=cache, replicas=replicas)
        assert data(again) == data(once)
        # the one that is not answered is asked once more, and no other
        assert asked(again)["requests"] == 1


def first_difference(tokenizer: Any, tokens: list[int], text: str) -> int:
    """The token at which a text leaves the one that tokens are. A character may take several tokens: the first of them."""
    for at in range(1, len(tokens) + 1):
        if not text.startswith(tokenizer.decode(tokens[:at], skip_special_tokens=True).rstrip("�")):
            return at - 1
    return len(tokens)


def test_what_differs_between_runs_begins_where_two_tokens_are_as_likely(
    once: Run, twice: Run, beside: Run, plain: dict[str, Any], local: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = local.llm.get_tokenizer()
    some = list(next(iter(plain.values())).outputs[0].token_ids)
    assert first_difference(tokenizer, some, tokenizer.decode(some[:5]).rstrip("�") + " and else") in range(3, 7)
    runs = {"ray, 1 replica": answers_of(once), "ray, 2 replicas": answers_of(twice), "local": answers_of(beside)}
    assert all(set(rows) == set(plain) for rows in runs.values())
    lines = []
    for name, rows in runs.items():
        equal, gaps = 0, []
        for key, output in plain.items():
            answer = output.outputs[0]
            if rows[key]["text"] == answer.text:
                equal += 1
                continue
            at = first_difference(tokenizer, list(answer.token_ids), rows[key]["text"])
            # where a character has several tokens, the choice may have fallen at any of them
            near = [sorted((p.logprob for p in place.values()), reverse=True) for place in answer.logprobs[at : at + 4]]
            gaps.append(min(values[0] - values[1] for values in near))
        lines.append(f"{name} and LLM.chat: {equal} of {len(plain)} answers equal, largest gap {max(gaps, default=0):.2g}")
        assert all(gap < NEAR_TIE for gap in gaps)
    one, two = runs["ray, 1 replica"], runs["ray, 2 replicas"]
    lines.append(f"1 and 2 replicas: {sum(one[key]['text'] == two[key]['text'] for key in one)} of {len(one)} answers equal")
    with capsys.disabled():
        print("", *lines, sep="\n")


def test_a_prompt_that_begins_the_answer_is_continued(local: Any, settings: dict[str, Any]) -> None:
    from stages.core.requests import ModelName, Sampling
    from stages.core.vllm_engine import Vllm

    conversations = Vllm(**settings).conversations()
    messages = (("system", "S"), ("user", "a question"), ("assistant", "It"))
    begun = conversations.tokens(Request(ModelName("m", ""), messages, Sampling()))
    asked = conversations.tokens(Request(ModelName("m", ""), messages[:2], Sampling()))
    tokenizer = local.llm.get_tokenizer()
    assert tokenizer.decode(asked) == "<s><|system|>S</s><|user|>a question</s><|assistant|>"
    assert tokenizer.decode(begun) == "<s><|system|>S</s><|user|>a question</s><|assistant|>It"
