"""Answers in JSON are read, mended where that loses nothing, and checked."""

import json
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from schemas.errors import RecipeError
from stages.core.requests import Reply
from stages.core.structured import answer_class, parse


class Pair(BaseModel):
    question: str
    answer: str
    level: int = Field(ge=0, le=5)


class Odd(BaseModel):
    model_config = {"json_schema_extra": {"patternProperties": {"^x": {"type": "string"}}}}
    kind: Literal["a"]


GOOD = '{"question": "Why?", "answer": "So.", "level": 2}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"Here it is:\n```json\n{GOOD}\n```\nAnything else?",
        f"```\n{GOOD}\n```",
        f"Sure! {GOOD}",
        GOOD.replace("2}", "2,}"),
        GOOD.replace('"', "'"),
        GOOD[:-1],
    ],
)
def test_an_object_is_found_in_what_stands_around_it_and_mended(text: str) -> None:
    found, why = parse(Pair, Reply(text, finish_reason="stop"))
    assert why == ""
    assert found == Pair(question="Why?", answer="So.", level=2)


def test_a_number_beside_words_is_told_to_be_wrong_and_not_guessed() -> None:
    found, why = parse(Pair, Reply(GOOD.replace("2", '"5.0 (Excellent)"')))
    assert found is None
    assert why.startswith("level: ")
    assert parse(Pair, Reply(GOOD.replace("2", "9")))[1] == "level: Input should be less than or equal to 5"
    assert parse(Pair, Reply('{"question": "x"}'))[1] == "answer: Field required; level: Field required"


def test_a_cut_answer_is_not_mended() -> None:
    assert parse(Pair, Reply(GOOD[:-1], finish_reason="length")) == (
        None,
        f"it is cut at max_tokens, behind {len(GOOD) - 1} characters",
    )


@pytest.mark.parametrize("text", ["", "I cannot do that.", "{", "[]", "null", "5"])
def test_what_is_no_object_is_a_fault(text: str) -> None:
    found, why = parse(Pair, Reply(text, finish_reason="stop"))
    assert found is None
    assert why


def test_whitespace_without_end_is_cut_and_a_fault() -> None:
    assert parse(Pair, Reply('{"question": "x"' + "\n" * 5000, finish_reason="length"))[0] is None


def test_a_class_is_imported_and_its_schema_looked_at() -> None:
    assert answer_class("stages.core.bill:Budget").__name__ == "Budget"
    assert json.dumps(answer_class("stages.core.bill:Budget").model_json_schema())
    for name, told in (
        ("stages.core.bill:Nothing", "cannot be imported"),
        ("no.such:Thing", "cannot be imported"),
        ("plain", "expected package.module:Class"),
        ("stages.core.bill:Bill", "no pydantic model"),
    ):
        with pytest.raises(RecipeError, match=told):
            answer_class(name)


def test_a_keyword_that_engines_do_not_know_is_an_error_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import stages.core.bill

    monkeypatch.setattr(stages.core.bill, "Odd", Odd, raising=False)
    with pytest.raises(RecipeError, match="patternProperties, which guided decoding does not know"):
        answer_class("stages.core.bill:Odd")
