"""The best share stays, ends within one document, and the ledger tells score and limit."""

import itertools
import math
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from stages.core.ranked import LAST, Order, Place, Ranking, descending, inside, score_of
from stages.core.stage import Global
from stages.kernels.hashing import order_keys
from stages.top_fraction import TopFraction


def scored(scores: list[Any], **columns: list[Any]) -> pa.Table:
    rows = [("ab"[at % 2], f"{at:03d}", "x" * (at % 5 + 1)) for at in range(len(scores))]
    return documents(*rows, score=pa.array(scores, pa.float64()).to_pylist(), **columns)


def kept(stage: Global, *parts: pa.Table) -> tuple[list[str], list[dict[str, Any]], dict[str, Any]]:
    memory = InMemory(stage, parts)
    facts = stage.solve(memory, memory)
    names, told = [], []
    for part, table in enumerate(parts):
        drops = {row["row"]: row for row in memory.written[part].to_pylist()} if part in memory.written else {}
        for row, id in zip(memory.sketched[part]["row"].to_pylist(), table["id"].to_pylist(), strict=True):
            if row in drops:
                told.append({"id": id, **drops[row]})
            else:
                names.append(id)
    return names, told, facts


def test_the_highest_scores_stay_and_a_drop_tells_score_and_limit() -> None:
    names, told, facts = kept(TopFraction(column="score", fraction=0.5, seed=1), scored([0.1, 0.9, 0.5, 0.7]))
    assert names == ["001", "003"]
    assert [(row["id"], row["rule"], row["measure"], row["value"], row["op"], row["limit"]) for row in told] == [
        ("000", "fraction", "score", 0.1, "at_least", 0.7),
        ("002", "fraction", "score", 0.5, "at_least", 0.7),
    ]
    assert facts["groups"][""] == {"documents": 4, "kept_documents": 2, "lowest_score": 0.7}


@pytest.mark.parametrize(("fraction", "count"), [(0, 0), (0.01, 1), (0.25, 1), (0.26, 2), (0.75, 3), (1, 4)])
def test_of_documents_the_share_is_rounded_up(fraction: float, count: int) -> None:
    assert len(kept(TopFraction(column="score", fraction=fraction, seed=1), scored([4, 3, 2, 1]))[0]) == count


def test_of_bytes_or_tokens_the_share_is_not_passed() -> None:
    table = scored([5, 4, 3, 2, 1], token_count=[10, 20, 30, 40, 50])  # bytes 1 to 5
    assert kept(TopFraction(column="score", fraction=0.4, of="bytes", seed=1), table)[0] == ["000", "001", "002"]
    assert kept(TopFraction(column="score", fraction=0.39, of="bytes", seed=1), table)[0] == ["000", "001"]
    assert kept(TopFraction(column="score", fraction=0.2, of="tokens", seed=1), table)[0] == ["000", "001"]


def test_each_group_gives_its_share_and_missing_scores_are_last() -> None:
    table = scored([1, 10, None, 30, 3, math.nan])
    names, told, facts = kept(TopFraction(column="score", fraction=0.6, by="source", seed=1), table)
    assert names == ["000", "001", "003", "004"]
    assert {row["id"]: row["value"] for row in told} == {"002": None, "005": None}
    assert facts["groups"]["a"]["lowest_score"] == 1
    assert facts["groups"]["b"]["lowest_score"] == 10


@pytest.mark.parametrize("seed", range(6))
def test_the_facts_have_the_quantiles_of_each_group_before_the_cut(seed: int) -> None:
    rng = random.Random(seed)
    scores: list[Any] = [rng.choice([None, math.nan, 1.0, 2.0, rng.random(), -rng.random()]) for _ in range(70)]
    table = scored(scores, language=[rng.choice(["en", "zh", None]) for _ in scores])
    stage = TopFraction(column="score", fraction=0.3, by="language", seed=1)
    _, told, facts = kept(stage, table.slice(0, 11), table.slice(11, 0), table.slice(11))
    (quantiles,) = facts["quantiles"]
    assert (quantiles["measure"], quantiles["by"], quantiles["rules"]) == ("score", "language", ["fraction"])
    languages = table["language"].to_pylist()
    for name, group in quantiles["groups"].items():
        own = [
            one for one, at in zip(scores, languages, strict=True) if (at or "null") == name and one == one and one is not None
        ]
        assert group["documents"] == len(own)
        assert group["values"] == np.percentile(own, quantiles["percentiles"], method="inverted_cdf").tolist()
    limits = facts["limits"]["fraction"]["values"]
    assert {row["limit"] for row in told} <= set(limits.values())
    assert set(limits) == {"en", "zh", "null"}


def test_without_any_score_there_are_no_quantiles_and_no_limit() -> None:
    _, _, facts = kept(TopFraction(column="score", fraction=0.5, seed=1), scored([None, math.nan]))
    assert facts["quantiles"][0]["groups"] == {"all": {"documents": 0, "values": [None] * 5}}
    assert facts["limits"] == {"fraction": {"by": None, "values": {"all": None}}}


def test_equal_scores_go_by_hash_for_any_parts() -> None:
    table = scored([1.0] * 40)
    hashes = order_keys(7, "top_fraction", table["source"], table["id"])
    first = sorted(np.argsort(hashes)[:10])
    expected = [f"{at:03d}" for at in first]
    stage = TopFraction(column="score", fraction=0.25, seed=7)
    assert kept(stage, table)[0] == expected
    assert kept(stage, table.slice(0, 3), table.slice(3, 0), table.slice(3))[0] == expected
    assert kept(TopFraction(column="score", fraction=0.25, seed=8), table)[0] != expected


def test_keys_are_in_the_descending_order_of_floats() -> None:
    values = np.array([math.inf, 1e300, 2.0, 1.0, 5e-324, 0.0, -5e-324, -1.0, -1e300, -math.inf])
    keys = descending(values)
    assert (np.diff(keys.astype(object)) > 0).all()
    assert [score_of(int(key)) for key in keys] == values.tolist()
    assert descending(np.array([-0.0]))[0] == descending(np.array([0.0]))[0]
    assert descending(np.array([math.nan]))[0] == LAST
    assert math.isnan(score_of(LAST))


def slow_prefix(table: pa.Table, order: Order, group: str, budget: int) -> set[str]:
    """The beginning of the order that weighs no more than the budget; documents with the same keys come together."""
    hashes = order_keys(order.seed, order.salt, table["source"], table["id"]).tolist()
    rows = [
        (-row["score"] if order.scored else 0, hashed, row["id"], row["weight"])
        for row, hashed in zip(table.to_pylist(), hashes, strict=True)
        if row["group"] == group
    ]
    found: set[str] = set()
    weight = 0
    for _, _, id, own in sorted(rows):
        weight += own
        if weight > budget:
            break
        found.add(id)
    return found


class Sketched(Global):
    """Its sketch is what the documents have."""

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([("weight", pa.int64()), ("group", pa.string()), ("score", pa.float64())])

    def sketch(self, docs: Any) -> pa.Table:
        return docs.table.select(self.sketch_schema().names).cast(self.sketch_schema())


@pytest.mark.parametrize("seed", range(10))
def test_a_prefix_is_that_of_the_slow_definition(seed: int) -> None:
    rng = random.Random(seed)
    count = 60
    columns = {
        "weight": [rng.choice([1, 3, 10, 0]) for _ in range(count)],
        "group": [rng.choice("pq") for _ in range(count)],
        "score": [rng.choice([0.0, 0.5, 1.0, -2.0]) for _ in range(count)],
    }
    table = documents(*[("s", f"{at:03d}", "x") for at in range(count)], **columns)
    edges = [0, *sorted(rng.sample(range(1, count), 2)), count]
    memory = InMemory(Sketched(), [table.slice(a, b - a) for a, b in itertools.pairwise(edges)])
    for scored_ in (True, False):
        order = Order(grouped=True, scored=scored_, seed=seed, salt="t")
        memory.memory = type(memory.memory)([], [])
        ranking = Ranking(memory, order)
        totals = ranking.totals()
        assert sum(weight for _, weight in totals.values()) == sum(columns["weight"])
        keys, hashes = order.keys(table)
        for group in "pq":
            for budget in (0, 1, 7, 50, totals[group][1] - 1, totals[group][1], 10**9):
                prefix = ranking.prefix(group, budget)
                mine = np.array(columns["group"]) == group
                ids = {f"{at:03d}" for at in np.flatnonzero(mine & inside(keys, hashes, prefix.end))}
                expected = slow_prefix(table, order, group, budget)
                assert ids == expected
                assert prefix.documents == len(expected)
                assert prefix.weight == sum(columns["weight"][int(id)] for id in expected)


def test_nothing_is_inside_of_an_empty_prefix() -> None:
    assert not inside(np.zeros(3, np.uint64), np.zeros(3, np.uint64), Place(-1, -1)).any()
    assert inside(np.zeros(3, np.uint64), np.zeros(3, np.uint64), Place(0, 0)).all()
