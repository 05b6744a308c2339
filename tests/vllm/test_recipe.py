"""A recipe whose documents vLLM writes, on Ray and beside a local run: accounts, lineage, counts, and the same bytes again."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from running import Open

from pipeline import run
from pipeline.results import Run
from stages.core.requests import ModelName, Request, Sampling
from stages.core.vllm_engine import Vllm

SENTENCE = "the river rises in hills to north of town and people who live along it have built mills there"
WORDS = SENTENCE.split()
COUNT, TOKENS, STOP = 100, 24, "n"
TOO_LONG = {"id": "long", "text": "too long " * 1000}
NEAR_TIE = 1e-3
"""gap of log probabilities within which float32 sums of another order may choose another token"""


def texts() -> list[dict[str, str]]:
    rows = [{"id": f"d{n}", "text": " ".join([*WORDS[n % 17 :], *WORDS[: n % 17], f"in {1000 + n}"])} for n in range(COUNT)]
    # two documents with one text are one request
    rows[77]["text"] = rows[7]["text"]
    return rows


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("in") / "in.jsonl", texts())


@pytest.fixture(scope="module")
def with_one_too_long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("in") / "in.jsonl", [*texts(), TOO_LONG])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def curate(
    output: Path, source: Path, settings: dict[str, Any], engine: Any = "ray", cache: Path | None = None, **keys: Any
) -> Run:
    stage = {
        "vllm": {**settings, "batch_size": 8, **keys},
        "keep_source": True,
        "sampling": {"max_tokens": TOKENS, "stop": [STOP]},
    }
    stage |= {"max_text_tokens": 8000, "retries": 0, **({} if cache is None else {"cache": str(cache)})}
    recipe = {"name": "told", "input": {"path": str(source), "source": "s"}, "failures": {"max_fraction": 1.0}}
    recipe |= {"stages": [{"rephrase": stage}, {"word_count": {"min_words": 1}}]}
    return run(recipe, output=output, engine=engine, progress="none")


@pytest.fixture(scope="module")
def once(folder: Path, source: Path, settings: dict[str, Any], ray_cluster: None) -> Run:
    """On Ray, with one replica."""
    return curate(folder / "once" / "run", source, settings)


@pytest.fixture(scope="module")
def twice(folder: Path, with_one_too_long: Path, settings: dict[str, Any], ray_cluster: None) -> Run:
    """On Ray, with two replicas, and nothing of the other run."""
    return curate(folder / "twice" / "run", with_one_too_long, settings, replicas=2)


@pytest.fixture(scope="module")
def beside(folder: Path, with_one_too_long: Path, settings: dict[str, Any], local: Any) -> Run:
    """Without Ray, on the engine that runs already: each takes half a minute to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vllm, "open", lambda self: Open(local))
        return curate(folder / "beside" / "run", with_one_too_long, settings, engine="local")


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
    sampling = SamplingParams(temperature=0, max_tokens=TOKENS, stop=[STOP], logprobs=2)
    return dict(zip(rows, local.llm.chat(conversations, sampling, use_tqdm=False), strict=True))


@pytest.mark.parametrize("name", ["once", "twice", "beside"])
def test_every_document_is_answered_or_quarantined_and_followed_to_its_source(
    name: str, request: pytest.FixtureRequest, plain: dict[str, Any]
) -> None:
    result: Run = request.getfixturevalue(name)
    refused = 0 if name == "once" else 1
    told = result.manifest["counts"]
    assert told["in"]["documents"] == told["out"]["documents"] == COUNT + refused
    answered, faulty = made(result), pq.read_table(result.path / "ledger/quarantined").to_pylist()
    failed = {fault["id"]: fault["message"] for fault in faulty}
    assert len(failed) == len(faulty) == COUNT + refused - len(answered)
    assert set(answered) | set(failed) == {row["id"] for row in texts()} | ({"long"} if refused else set())
    # a stop text may be the first that a model says
    assert {message.split(": ")[1] for name, message in failed.items() if name != "long"} <= {"empty"}
    assert len(failed) < 10
    if refused:
        assert "engine_error" in failed["long"]
        assert "maximum context length is 640 tokens" in failed["long"]
    assert asked(result)["requests"] == COUNT - 1 + refused
    assert asked(result)["unanswered"] == refused
    for row in answered.values():
        assert (row["model"], row["prompt"], row["prompt_hash"] is not None) == ("tiny", "wikipedia", True)
        assert row["model_revision"].endswith(",dtype=float32,max_model_len=640")
        assert row["finish_reason"] in ("stop", "length")
        assert json.loads(row["sampling"])["max_tokens"] == TOKENS
    for name in sorted(answered)[:10]:
        (story,) = result.why(f"{name}/wikipedia-0")
        assert story.made_from is not None
        assert story.made_from.id == name
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
        assert asked(again)["requests"] == 0


def first_difference(tokenizer: Any, tokens: list[int], text: str) -> int:
    """The token at which a text leaves the one that tokens are. Of a character of several tokens it is the last."""
    for at in range(1, len(tokens) + 1):
        if not text.startswith(tokenizer.decode(tokens[:at], skip_special_tokens=True).removesuffix("�")):
            return at - 1
    return len(tokens)


def test_what_differs_between_runs_begins_where_two_tokens_are_as_likely(
    once: Run, twice: Run, beside: Run, plain: dict[str, Any], local: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = local.llm.get_tokenizer()
    some = tokenizer.encode("the mills on the river", add_special_tokens=False)
    assert first_difference(tokenizer, some, tokenizer.decode(some[:5]) + "€") == 5
    runs = {"ray, 1 replica": answers_of(once), "ray, 2 replicas": answers_of(twice), "local": answers_of(beside)}
    assert all(set(rows) == set(plain) for rows in runs.values())
    assert len(plain) == COUNT - 1
    lines = []
    for name, rows in runs.items():
        equal, gaps = 0, []
        for key, output in plain.items():
            answer = output.outputs[0]
            if rows[key]["text"] == answer.text:
                equal += 1
                continue
            at = first_difference(tokenizer, list(answer.token_ids), rows[key]["text"])
            # where a character has several tokens, up to four, the choice may have fallen at any of them
            places = answer.logprobs[max(0, at - 3) : at + 1]
            near = [sorted((token.logprob for token in place.values()), reverse=True) for place in places]
            gaps.append(min(values[0] - values[1] for values in near))
        lines.append(f"{name} and LLM.chat: {equal} of {len(plain)} answers equal, largest gap {max(gaps, default=0):.2g}")
        assert all(gap < NEAR_TIE for gap in gaps)
    one, two = runs["ray, 1 replica"], runs["ray, 2 replicas"]
    lines.append(f"1 and 2 replicas: {sum(one[key]['text'] == two[key]['text'] for key in one)} of {len(one)} answers equal")
    with capsys.disabled():
        print("", *lines, sep="\n")


def test_a_prompt_that_begins_the_answer_is_continued(local: Any, settings: dict[str, Any]) -> None:
    conversations = Vllm(**settings).conversations()
    messages = (("system", "S"), ("user", "a question"), ("assistant", "It"))
    begun = conversations.tokens(Request(ModelName("m", ""), messages, Sampling()))
    asked = conversations.tokens(Request(ModelName("m", ""), messages[:2], Sampling()))
    tokenizer = local.llm.get_tokenizer()
    assert tokenizer.decode(asked) == "<s><|system|>S</s><|user|>a question</s><|assistant|>"
    assert tokenizer.decode(begun) == "<s><|system|>S</s><|user|>a question</s><|assistant|>It"
