"""Documents are ranked by comparisons of two at a time, in both orders, from a judge or from a file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents
from pydantic import ValidationError

from schemas.errors import BudgetReached, RecipeError
from stages.compare_documents import CompareDocuments, compared
from stages.core.battles import LOST, TIED, WON
from stages.core.requests import Request


def number_of(text: str) -> int:
    return int(text.split()[0])


def larger(request: Request) -> str:
    """The text with the larger number is better, and the first of equal ones: a judge that goes by the place where it can."""
    first, second = request.messages[1][1].partition("Text A:\n")[2].split("\n\nText B:\n")
    return json.dumps({"better": "A" if number_of(first) // 2 >= number_of(second) // 2 else "B"})


def silent(request: Request) -> str:
    """No answer that can be read about the document 3."""
    return "hm" if "\n3 " in request.messages[1][1] else larger(request)


HERE = {"function": f"{__name__.rpartition('.')[2]}:larger"}
DOCUMENTS = documents(*(("s", f"d{number}", f"{number} words") for number in range(24)))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def solved(stage: CompareDocuments, *parts: pa.Table) -> tuple[dict[str, tuple[float | None, ...]], dict[str, Any]]:
    """Strength and its interval by id, and the facts."""
    memory = InMemory(stage, parts or (DOCUMENTS,))
    facts = stage.solve(memory, memory)
    found = {}
    for part, table in memory.values.items():
        ids = dict(zip(memory.sketched[part]["row"].to_pylist(), memory.sketched[part]["id"].to_pylist(), strict=True))
        found |= {ids[row["row"]]: tuple(row[name] for name in stage.columns_written()) for row in table.to_pylist()}
    return found, facts


def test_strengths_follow_the_judge_and_its_bias_is_told() -> None:
    found, facts = solved(CompareDocuments(script=HERE, comparisons=400, batch=16, bootstraps=40))
    assert len(found) == 24
    order = sorted(found, key=lambda name: found[name][0] or 0.0)
    places = [number_of(name[1:]) // 2 for name in order]
    assert np.corrcoef(places, range(24))[0, 1] > 0.97
    assert all(low <= strength <= high for strength, low, high in found.values() if None not in (strength, low, high))
    assert sum(strength or 0.0 for strength, _, _ in found.values()) == pytest.approx(0, abs=1e-6)
    assert facts["comparisons"] <= 400
    assert facts["asked"]["requests"] == facts["comparisons"]
    # of two equal ones the first wins in both orders, which is no agreement
    assert 0.5 < facts["first_wins"] < 0.7
    assert 0.7 < facts["agreeing"] < 1


def test_only_the_chosen_are_compared_whatever_the_parts_are(tmp_path: Path) -> None:
    stage = CompareDocuments(script=HERE, documents=6, comparisons=20, bootstraps=10, cache=str(tmp_path))
    whole, facts = solved(stage)
    assert facts["compared"] == 6
    assert facts["asked"]["requests"] == 20
    assert len({name for name in whole if whole[name][0] is not None}) == 6
    parted, again = solved(stage, DOCUMENTS.slice(10), DOCUMENTS.slice(0, 10))
    assert parted == whole
    assert again["asked"]["requests"] == 0


def test_answers_that_cannot_be_read_are_no_comparisons() -> None:
    stage = CompareDocuments(script={"function": HERE["function"].replace("larger", "silent")}, comparisons=552, retries=0)
    found, facts = solved(stage)
    assert facts["unanswered"] == 46
    assert facts["comparisons"] == 24 * 23 - 46
    assert found["d3"][0] == pytest.approx(0, abs=0.3)  # nothing is known of it but the prior


def test_a_budget_ends_comparing() -> None:
    with pytest.raises(BudgetReached, match="max_requests: 30"):
        solved(CompareDocuments(script=HERE, comparisons=100, batch=16, budget={"max_requests": 30}))


def test_judgments_of_people_stand_in_a_file(tmp_path: Path) -> None:
    rows = [
        ("d1", "d2", "model_a"),
        ("d2", "d5", "model_a"),
        ("d5", "d1", "model_b"),
        ("d2", "d1", "tie"),
        ("d1", "x", "model_b"),
    ]
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(dict(zip(("model_a", "model_b", "winner"), row, strict=True))) + "\n" for row in rows))
    stage = CompareDocuments(labels=str(path), bootstraps=20)
    found, facts = solved(stage)
    named = {name: values[0] for name, values in found.items() if values[0] is not None}
    assert sorted(named, key=lambda name: -(named[name] or 0.0)) == ["d1", "d2", "d5"]
    assert (facts["labels"], facts["labels_of_other_documents"], facts["comparisons"]) == (4, 1, 4)
    assert "asked" not in facts
    assert stage.requirements() == ()
    path.write_text('{"model_a": "x", "model_b": "y", "winner": "tie"}\n')
    with pytest.raises(RecipeError, match="no battle is between two documents that come to this step"):
        solved(stage)
    with pytest.raises(ValidationError, match=r"expected one of endpoint, vllm, script, labels"):
        CompareDocuments()


def test_no_pair_is_compared_twice_and_both_orders_are_asked() -> None:
    asked: list[tuple[int, int]] = []

    def judge(pairs: np.ndarray) -> np.ndarray:
        asked.extend(map(tuple, pairs.tolist()))
        return np.where(pairs[:, 0] > pairs[:, 1], WON, LOST)

    told = compared(5, 100, 3, judge)
    assert sorted(asked) == sorted((a, b) for a in range(5) for b in range(5) if a != b)
    assert told.facts | {"spread": 0} == {"pairs": 10, "unanswered": 0, "agreeing": 1.0, "first_wins": 0.5, "spread": 0}
    assert told.battles(5).total == 20
    told = compared(2, 100, 3, lambda pairs: np.full(len(pairs), TIED))
    assert told.facts["first_wins"] is None
    assert compared(1, 100, 3, judge).battles(1).total == 0
