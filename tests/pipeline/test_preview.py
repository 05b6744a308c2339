"""What a model would be asked is shown, and what it would take is told, before it is paid for."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from small_runs import jsonl
from typer.testing import CliRunner

from jobs.cli import app
from pipeline import run
from pipeline.preview import estimate_answers, preview
from schemas.errors import RecipeError


@pytest.fixture
def recipe(tmp_path: Path) -> dict[str, Any]:
    rng = random.Random(4)
    rows = [
        {"id": str(n), "text": " ".join(rng.choices(["river", "mill", "town"], k=rng.randrange(1, 40)))} for n in range(400)
    ]
    source = {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "source": "s"}
    stages = [{"word_count": {"min_words": 11}}, {"rephrase": {"styles": ["easy", "hard"], "script": {}}}]
    return {"name": "try", "input": source, "stages": stages}


def test_prompts_and_answers_are_shown_for_documents_that_come_to_the_step(tmp_path: Path, recipe: dict[str, Any]) -> None:
    shown = preview(recipe, documents=3, output=tmp_path / "runs/x")
    assert len(shown) == 6
    assert len({entry["id"] for entry in shown}) == 3
    for entry in shown:
        assert [message["role"] for message in entry["messages"]] == ["system", "user"]
        assert entry["messages"][1]["content"].endswith(entry["answer"])
        assert len(entry["answer"].split()) >= 11
        assert (entry["fault"], entry["requests"], entry["finish_reason"]) == (None, 1, "stop")
    # the run that follows does not ask for them again
    result = run(recipe, output=tmp_path / "runs/x", engine="local", progress="none")
    facts = next(step["facts"] for step in result.manifest["steps"] if step["step"] == "rephrase")
    assert facts["asked"]["requests"] == facts["statuses"]["ok"] - 6


def test_prompts_alone_ask_for_nothing(tmp_path: Path, recipe: dict[str, Any]) -> None:
    recipe["stages"][1]["rephrase"]["script"] = {"function": "no.such:answer"}
    shown = preview(recipe, "rephrase", documents=2, ask=False, output=tmp_path / "runs/x")
    assert len(shown) == 4
    assert {entry["answer"] for entry in shown} == {None}


def test_a_step_that_asks_no_model_is_an_error(tmp_path: Path, recipe: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"'word_count' is no step that asks a model.*Steps that ask one: rephrase"):
        preview(recipe, "word_count")
    recipe["stages"] = recipe["stages"][:1]
    with pytest.raises(RecipeError, match="no step of it asks a model"):
        estimate_answers(recipe)


def test_an_estimate_holds_what_the_run_takes(tmp_path: Path, recipe: dict[str, Any]) -> None:
    (found,) = estimate_answers(recipe, documents=100, output=tmp_path / "trial/x")
    result = run(recipe, output=tmp_path / "runs/x", engine="local", progress="none")
    facts = next(step["facts"] for step in result.manifest["steps"] if step["step"] == "rephrase")
    # documents of the input are told by its bytes, as JSONL does not say how many there are
    assert found["documents"] == pytest.approx(facts["documents"], rel=0.3)
    for name in ("prompt_tokens", "completion_tokens"):
        span = found[name]
        assert span["low"] < span["value"] < span["high"]
        assert span["value"] == pytest.approx(facts[name], rel=0.3)
    assert found["requests"]["value"] == pytest.approx(2 * found["documents"], abs=2)
    assert found["hours"]["value"] > 0
    assert found["cost"] is None
    assert 11 <= found["tokens_p50"] <= found["tokens_p95"] < 40
    (dry,) = estimate_answers(recipe, documents=100, ask=False, output=tmp_path / "trial/x")
    assert dry["completion_tokens"]["value"] == pytest.approx(1024 * dry["requests"]["value"])
    assert dry["hours"] is None


def test_all_documents_leave_no_doubt(tmp_path: Path, recipe: dict[str, Any]) -> None:
    recipe["stages"] = recipe["stages"][1:]
    recipe["stages"][0]["rephrase"]["styles"] = ["easy"]
    (found,) = estimate_answers(recipe, documents=1000, output=tmp_path / "trial/x")
    result = run(recipe, output=tmp_path / "runs/x", engine="local", progress="none")
    facts = next(step["facts"] for step in result.manifest["steps"] if step["step"] == "rephrase")
    for name in ("prompt_tokens", "completion_tokens"):
        assert [round(found[name][key]) for key in ("low", "value", "high")] == [facts[name]] * 3
    assert found["documents"] == facts["documents"] == 400


def test_the_commands_show_the_same(tmp_path: Path, recipe: dict[str, Any]) -> None:
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(recipe))
    command, out = CliRunner(), ["--output", str(tmp_path / "runs/x")]
    shown = command.invoke(app, ["preview", str(file), "-n", "1", *out])
    assert shown.exit_code == 0
    assert "system: You rewrite texts" in shown.stdout
    told = command.invoke(app, ["estimate", str(file), "--sample", "20", *out])
    assert told.exit_code == 0
    assert "rephrase: script:stages.core.scripted:retell, tried on" in told.stdout
    assert "completion tokens" in told.stdout
    as_json = json.loads(command.invoke(app, ["estimate", str(file), "--sample", "20", "--json", *out]).stdout)
    assert as_json[0]["requests"]["value"] > 0
    wrong = command.invoke(app, ["estimate", str(file), "--sample", "64MB", *out])
    assert wrong.exit_code != 0
    listed = command.invoke(app, ["prompts"])
    assert "wikipedia" in listed.stdout
    assert "{{ text }}" in command.invoke(app, ["prompts", "wikipedia"]).stdout
