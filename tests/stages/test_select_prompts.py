"""A benchmark's prompts meet enough criteria, come from good topics, and as many from each."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from schemas.errors import InputError
from stages.core.docs import Docs
from stages.select_prompts import SelectPrompts


def corpus(topics: list[list[int | None]], zeros: int = 0) -> pa.Table:
    """Prompts around directions at right angles, with the criteria that each meets; ids begin with the direction's number."""
    rng = np.random.default_rng(1)
    rows, vectors, criteria = [], [], []
    for at, met in enumerate(topics):
        for number, one in enumerate(met):
            rows.append(("s", f"{at}-{number:02d}", "x"))
            vectors.append((np.eye(8)[at] + 0.05 * rng.normal(size=8)).tolist())
            criteria.append(one)
    for number in range(zeros):
        rows.append(("s", f"-{number}", "x"))
        vectors.append([0.0] * 8)
        criteria.append(7)
    order = rng.permutation(len(rows))
    table = documents(*[rows[at] for at in order]).append_column(
        "criteria", pa.array([criteria[at] for at in order], pa.int64())
    )
    return table.append_column("_embedding", pa.array([vectors[at] for at in order], pa.list_(pa.float16(), 8)))


def solved(stage: SelectPrompts, *parts: pa.Table) -> tuple[dict[str, int | None], dict[str, dict[str, Any]], dict[str, Any]]:
    """Topic of each prompt that stays, the verdict on each other, and the facts."""
    memory = InMemory(stage, parts)
    facts = stage.solve(memory, memory)
    kept, gone = {}, {}
    for part, table in enumerate(parts):
        drops = {row.pop("row"): row for row in memory.written[part].to_pylist()} if part in memory.written else {}
        values = {row["row"]: row["topic"] for row in memory.values[part].to_pylist()} if part in memory.values else {}
        for row, id in zip(memory.sketched[part]["row"].to_pylist(), table["id"].to_pylist(), strict=True):
            if row in drops:
                gone[id] = drops[row]
            else:
                kept[id] = values[row]
    return kept, gone, facts


def by_topic(ids: Any) -> dict[str, int]:
    return dict(Counter(id[0] for id in sorted(ids)))


GOOD, MIXED, BAD, SMALL = [7, 7, 6, 6, 6, 5], [7, 6, 6, 3, 3], [7, 7, 1, 1, 1], [7, 6]
TOPICS: list[list[int | None]] = [[*GOOD], [*MIXED], [*BAD], [*SMALL]]


def stage(**keys: Any) -> SelectPrompts:
    """With this seed each direction is a topic."""
    return SelectPrompts(**{"prompts": 7, "topics": 4, "seed": 0, **keys})


def test_prompts_and_topics_below_their_thresholds_go_and_the_rest_is_even() -> None:
    kept, gone, facts = solved(stage(), corpus(TOPICS))
    assert by_topic(kept) == {"0": 3, "1": 2, "3": 2} or by_topic(kept) == {"0": 2, "1": 3, "3": 2}
    reasons = {id: row["rule"] for id, row in gone.items()}
    assert {id: rule for id, rule in reasons.items() if rule != "quota"} == {
        "0-05": "min_criteria",
        **dict.fromkeys(("1-03", "1-04", "2-02", "2-03", "2-04"), "min_criteria"),
        **dict.fromkeys(("2-00", "2-01"), "min_topic_mean"),
    }
    assert sum(rule == "quota" for rule in reasons.values()) == 3
    told = gone["1-03"]
    assert (told["measure"], told["value"], told["op"], told["limit"]) == ("criteria", 3, "at_least", 6)
    told = gone["2-00"]
    assert (told["measure"], told["value"], told["op"], told["limit"]) == ("topic_mean", 17 / 5, "at_least", 5)
    over = [row for row in gone.values() if row["rule"] == "quota"]
    assert all(row["measure"] == "hash" and row["value"] < row["limit"] for row in over)
    assert (facts["topics"], facts["topics_passing"], facts["kept"], facts["wanted"]) == (4, 3, 7, 7)
    assert facts["meeting_enough"] == 12
    assert facts["alarms"] == []
    assert sorted((one["documents"], one["mean"]) for one in facts["groups"].values()) == sorted(
        (len(met), sum(met) / len(met)) for met in (GOOD, MIXED, BAD, SMALL)
    )
    assert len({(id[0], topic) for id, topic in kept.items()}) == 3


def test_a_topic_at_the_threshold_stays_and_one_below_goes() -> None:
    for limit, there in ((5.0, {"0", "1", "3"}), (5.01, {"0", "3"})):
        kept, _, _ = solved(stage(prompts=100, min_topic_mean=limit), corpus(TOPICS))
        assert {id[0] for id in kept} == there  # the mean of MIXED is 5


def test_the_best_of_a_topic_may_stay_instead_of_any() -> None:
    kept, gone, _ = solved(stage(prompts=3, keep="best"), corpus([[6, 6, 7, 6], [6, 7, 6], [1, 1], [7, 6, 6]]))
    assert set(kept) == {"0-02", "1-01", "3-00"}
    over = [row for row in gone.values() if row["rule"] == "quota"]
    assert {(row["measure"], row["value"], row["limit"]) for row in over} == {("criteria", 6.0, 7.0)}


def test_where_there_are_more_topics_than_prompts_those_with_the_highest_means_give() -> None:
    kept, _, _ = solved(stage(prompts=2), corpus([[6, 6, 6], [7, 7, 7], [6, 6], [7, 7]]))
    assert by_topic(kept) == {"1": 1, "3": 1}


def test_what_is_not_judged_or_has_no_vector_goes_and_does_not_count_in_a_mean() -> None:
    kept, gone, facts = solved(stage(prompts=50), corpus([[7, None, None], [6, 6], [7, 7], [6]], zeros=2))
    assert {id: row["rule"] for id, row in gone.items()} == {
        "0-01": "not_judged",
        "0-02": "not_judged",
        "-0": "no_topic",
        "-1": "no_topic",
    }
    assert len(kept) == facts["kept"] == 6
    assert facts["alarms"] == ["6 prompts pass both thresholds, 50 were asked for"]
    assert facts["judged"] == 6
    assert all(row["value"] is None and row["measure"] is None for row in gone.values() if row["rule"] == "not_judged")


@pytest.mark.parametrize("keep", ["hash", "best"])
def test_decisions_are_the_same_for_any_parts(keep: str) -> None:
    table = corpus([*TOPICS, [None, 7]], zeros=2)
    whole = solved(stage(keep=keep, topics=5), table)
    assert solved(stage(keep=keep, topics=5), table.slice(0, 4), table.slice(4, 0), table.slice(4)) == whole


def test_criteria_are_whole_numbers() -> None:
    table = documents(("s", "1", "x"), criteria=[6.5]).append_column("_embedding", pa.array([[1.0]]))
    with pytest.raises(InputError, match=r"criteria is 6\.5"):
        stage().sketch(Docs(table))


def test_of_nothing_nothing() -> None:
    kept, gone, facts = solved(stage(), corpus(TOPICS).slice(0, 0))
    assert (kept, gone, facts["kept"]) == ({}, {}, 0)
