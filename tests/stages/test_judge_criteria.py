"""Criteria that a model finds met are counted and named, asked for again, and never guessed."""

from typing import Any

import orjson
import pyarrow as pa
import pytest
from asked import asked, texts
from pydantic import ValidationError

from stages.core.requests import Request
from stages.judge_criteria import KEY_CRITERIA, JudgeCriteria


def answer(*met: str, **more: Any) -> str:
    return orjson.dumps({"reason": "because", **{name: name in met for name in KEY_CRITERIA}, **more}).decode()


def test_the_number_and_the_names_of_what_is_met_are_columns() -> None:
    replies = iter([answer("creativity", "specificity"), answer(), answer(*KEY_CRITERIA)])
    rows, requests = asked(JudgeCriteria(script={}), texts("one", "two", "three"), lambda request: next(replies))
    assert rows == [
        {"criteria": 2, "criteria_met": "specificity,creativity", "criteria_reason": "because"},
        {"criteria": 0, "criteria_met": "", "criteria_reason": "because"},
        {"criteria": 7, "criteria_met": ",".join(KEY_CRITERIA), "criteria_reason": "because"},
    ]
    asked_for = requests[0].messages[-1][1]
    assert asked_for.endswith("Text:\none")
    assert all(f"\n{name}: " in asked_for and f'"{name}": false' in asked_for for name in KEY_CRITERIA)
    assert requests[0].schema is not None
    assert set(requests[0].schema["required"]) == set(KEY_CRITERIA)


@pytest.mark.parametrize("bad", ["7", '{"reason": "x", "specificity": true}', answer(complexity="yes"), answer(complexity=1)])
def test_what_is_no_answer_is_asked_for_again_and_then_null(bad: str) -> None:
    def once(request: Request) -> str:
        return bad if len(request.messages) == 2 else answer("complexity")

    rows, requests = asked(JudgeCriteria(script={}), texts("one"), once)
    assert rows[0]["criteria"] == 1
    assert len(requests) == 2
    (row,), requests = asked(JudgeCriteria(script={}, retries=1), texts("one"), lambda request: bad)
    assert (row["criteria"], row["criteria_met"]) == (None, None)
    assert row["criteria_reason"]
    assert len(requests) == 2


def test_an_empty_prompt_is_not_asked_about_and_of_a_long_one_the_beginning_is_shown() -> None:
    rows, requests = asked(
        JudgeCriteria(script={}, max_text_tokens=5), texts(" ", "one two.\n\nthree four.\n\nfive"), lambda _: answer()
    )
    assert rows[0] == {"criteria": None, "criteria_met": None, "criteria_reason": None}
    assert [request.messages[-1][1].rpartition("\n")[2] for request in requests] == ["one two."]


def test_the_facts_count_prompts_by_criteria_and_criteria_by_prompts() -> None:
    class Held:
        def __init__(self, rows: list[dict[str, Any]]) -> None:
            self.rows = rows

        def read(self) -> pa.Table:
            return pa.Table.from_pylist(self.rows)

    stage = JudgeCriteria(script={}, criteria=("clear", "hard"))
    rows, _ = asked(stage, texts("a", "b"), lambda request: '{"clear": true, "hard": false}')
    unread, _ = asked(stage, texts("c"), lambda request: "no")
    facts = stage.facts_of([Held(rows), Held(unread)])
    assert (facts["met"], facts["criteria"], facts["not_read"]) == ({"1": 2}, {"clear": 2, "hard": 0}, 1)
    assert facts["prompt"]["name"] == "key_criteria"


@pytest.mark.parametrize("criteria", [(), ("a", "a"), ("reason",), ("two words",), ("_hidden",)])
def test_criteria_are_names_that_an_answer_can_have(criteria: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="criteria: "):
        JudgeCriteria(script={}, criteria=criteria)
