"""The best of a group stays, for its score; as a pair, with the worst beside it."""

from typing import Any

import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from stages.best_of import BestOf

ROWS = [
    ("s", "a", "one", "g", 3.0),
    ("s", "b", "two", "g", 5.0),
    ("s", "c", "three", "g", None),
    ("s", "d", "four", "h", 1.0),
    ("s", "e", "five", None, 0.0),
    ("t", "f", "six", "g", 4.0),
    ("s", "i", "nine", "h", 1.0),
]


def table(*rows: tuple[str, str, str, str | None, float | None]) -> pa.Table:
    made = documents(
        *(row[:3] for row in rows), parent_id=[row[3] for row in rows], score=[row[4] for row in rows],
        messages=[f"m-{row[1]}" for row in rows],
    )  # fmt: skip
    types = {"parent_id": pa.string(), "score": pa.float64()}
    return made.cast(pa.schema([(field.name, types.get(field.name, field.type)) for field in made.schema]))


def solved(stage: BestOf, *parts: pa.Table) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], dict[str, Any]]:
    """Verdicts and values by id, and the facts."""
    memory = InMemory(stage, parts)
    facts = stage.solve(memory, memory)
    found = []
    for written in (memory.written, memory.values):
        named: dict[str, dict[str, Any]] = {}
        for part, rows in written.items():
            ids = dict(zip(memory.sketched[part]["row"].to_pylist(), memory.sketched[part]["id"].to_pylist(), strict=True))
            named |= {ids[row["row"]]: row for row in rows.to_pylist()}
        found.append(named)
    return found[0], found[1], facts


@pytest.mark.parametrize("parts", [[ROWS], [ROWS[:3], ROWS[3:]], [ROWS[::2], [], ROWS[1::2]], [[row] for row in ROWS]])
def test_the_highest_score_of_each_group_stays(parts: list[Any]) -> None:
    dropped, values, facts = solved(BestOf(by="score"), *(table(*rows) for rows in parts))
    assert values == {}
    assert facts["groups"] == 3
    equal = {"d", "i"} & set(dropped)
    assert len(equal) == 1  # by hash, the same for any parts
    assert set(dropped) - equal == {"a", "c"}
    assert (dropped["a"]["rule"], dropped["a"]["measure"], dropped["a"]["value"], dropped["a"]["limit"]) == (
        "best",
        "score",
        3,
        5,
    )
    assert dropped["c"]["value"] is None
    assert equal == set(solved(BestOf(by="score"), table(*ROWS))[0]) - {"a", "c"}


def test_several_stay_if_asked_for() -> None:
    dropped, _, _ = solved(BestOf(by="score", keep=2), table(*ROWS))
    assert set(dropped) == {"c"}
    assert dropped["c"]["limit"] == 3


def test_the_worst_with_a_score_stands_beside_the_best() -> None:
    for parts in ([ROWS], [ROWS[1:2], ROWS[:1], ROWS[2:]]):
        dropped, values, facts = solved(BestOf(by="score", pairs=True), *(table(*rows) for rows in parts))
        assert set(values) == {"b"}
        assert {key: values["b"][key] for key in ("rejected", "rejected_messages", "margin")} == {
            "rejected": "one", "rejected_messages": "m-a", "margin": 2.0,
        }  # fmt: skip
        # alone in its group, or with the same score as all others of it: no pair
        assert set(dropped) == {"a", "c", "d", "f", "i"}
        assert {row["rule"] for name, row in dropped.items() if name in ("a", "c")} == {"best"}
        assert dropped["f"]["rule"] == "margin"
        assert facts["pairs"] == 1


def test_a_pair_is_at_least_the_margin_apart() -> None:
    assert set(solved(BestOf(by="score", pairs=True, min_margin=2.0), table(*ROWS))[1]) == {"b"}
    dropped, values, _ = solved(BestOf(by="score", pairs=True, min_margin=2.1), table(*ROWS))
    assert values == {}
    assert (dropped["b"]["rule"], dropped["b"]["value"], dropped["b"]["limit"]) == ("margin", 5.0, 5.1)


def test_no_documents_are_no_groups() -> None:
    assert solved(BestOf(by="score", pairs=True))[2]["groups"] == 0
    assert solved(BestOf(by="score"), table())[2]["groups"] == 0
