"""Evolved requests keep WizardLM's rules of elimination."""

import pytest
from asked import asked, texts

from stages.core.requests import Request
from stages.evolve_instructions import EvolveInstructions


def test_each_operation_makes_one_request() -> None:
    stage = EvolveInstructions(script={}, operations=("deepen", "breadth"))
    (row,), requests = asked(
        stage, texts("Name a river."), lambda request: f"Name {len(request.messages[1][1])} rivers and their sources."
    )
    assert [answer["prompt"] for answer in row["_answers"]] == ["evolve_deepen", "evolve_breadth"]
    assert {answer["status"] for answer in row["_answers"]} == {"ok"}
    assert requests[0].messages[1][1].endswith("Text:\nName a river.")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("name the RIVER!", "it says the same as the request that was given"),
        ("the of - !?", "nothing but punctuation and stop words"),
        ("#Rewritten Prompt#: Name a river in Asia.", "'#Rewritten Prompt#'"),
        ("The given prompt asks for a river; name two.", "'given prompt'"),
        ("", "it is empty"),
    ],
)
def test_what_the_rules_eliminate_is_told_and_asked_for_again(answer: str, told: str) -> None:
    def once(request: Request) -> str:
        return answer if len(request.messages) == 2 else "Name the longest river of Asia and the seas it meets."

    (row,), requests = asked(EvolveInstructions(script={}, operations=("deepen",)), texts("Name a river."), once)
    assert told in requests[1].messages[-1][1]
    assert row["_answers"][0]["status"] == "ok"


def test_a_request_that_only_looks_like_it_passes() -> None:
    stage = EvolveInstructions(script={}, operations=("deepen",))
    (row,), requests = asked(stage, texts("Name a river."), lambda request: "Name a river and say who prompted its survey.")
    assert (row["_answers"][0]["status"], len(requests)) == ("ok", 1)
