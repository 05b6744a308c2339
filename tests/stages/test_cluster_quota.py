"""Exactly so many documents stay, each cluster gives its quota, and the ledger tells value and limit."""

import itertools
import math
import random
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents
from pydantic import ValidationError

from stages.cluster_quota import ClusterQuota
from stages.core.quotas import apportion, fill, weights_of

SIZES = (60, 25, 10, 5)
"""with the seeds below each of these is a cluster; k-means may as well halve one and join two"""


def corpus(sizes: tuple[int, ...] = SIZES, zeros: int = 0, seed: int = 1) -> pa.Table:
    """Documents around directions at right angles, whose ids begin with the number of the direction; `-` for a zero vector."""
    rng = np.random.default_rng(seed)
    vectors, rows = [], []
    for at, size in enumerate(sizes):
        for number in range(size):
            vectors.append(np.eye(8)[at] + 0.1 * rng.normal(size=8))
            rows.append(("s", f"{at}-{number:03d}", "x"))
    for number in range(zeros):
        vectors.append(np.zeros(8))
        rows.append(("s", f"--{number:03d}", "x"))
    order = rng.permutation(len(rows))
    table = documents(*[rows[at] for at in order], score=rng.random(len(rows)).round(2).tolist())
    return table.append_column("_embedding", pa.array([vectors[at].tolist() for at in order], pa.list_(pa.float32(), 8)))


def solved(stage: ClusterQuota, *parts: pa.Table) -> tuple[dict[str, int | None], dict[str, dict[str, Any]], dict[str, Any]]:
    """Cluster of each document that stays, the verdict on each other, and the facts."""
    memory = InMemory(stage, parts)
    facts = stage.solve(memory, memory)
    kept, gone = {}, {}
    for part, table in enumerate(parts):
        drops = {row["row"]: row for row in memory.written[part].to_pylist()} if part in memory.written else {}
        values = {row["row"]: row[stage.column] for row in memory.values[part].to_pylist()} if part in memory.values else {}
        assert len(values) == table.num_rows
        for row, id in zip(memory.sketched[part]["row"].to_pylist(), table["id"].to_pylist(), strict=True):
            if row in drops:
                gone[id] = {**drops[row], "cluster": values[row], "row": None}
            else:
                kept[id] = values[row]
    return kept, gone, facts


def by_direction(ids: Any) -> dict[str, int]:
    return dict(sorted(Counter(id[0] for id in ids).items()))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("equal", {"0": 13, "1": 12, "2": 10, "3": 5}),  # 10 each; of the 5 that the smallest lacks each other gives its part
        ("proportional", {"0": 24, "1": 10, "2": 4, "3": 2}),
        ("sqrt", {"0": 17, "1": 11, "2": 7, "3": 5}),  # roots 7.75, 5, 3.16, 2.24 of 18.1: 17.1, 11.0, 7.0, 4.9
    ],
)
def test_quotas_are_parts_of_exactly_the_total(quota: Any, expected: dict[str, int]) -> None:
    kept, gone, facts = solved(ClusterQuota(documents=40, clusters=4, quota=quota, seed=7), corpus())
    found = by_direction(kept)
    if quota == "equal":  # which of the two large ones gives one more is a matter of their numbers
        assert sorted(found.values()) == sorted(expected.values())
        assert found["2"] == 10
        assert found["3"] == 5
    else:
        assert found == expected
    assert facts["kept"] == facts["wanted"] == 40
    assert len(gone) == 60
    assert sorted(group["documents"] for group in facts["groups"].values()) == sorted(SIZES)
    assert {row["rule"] for row in gone.values()} == {"quota"}
    assert len({(id[0], cluster) for id, cluster in kept.items()}) == 4


def test_what_a_cluster_cannot_give_is_missing_where_the_total_is_not_exact() -> None:
    kept, _, facts = solved(ClusterQuota(documents=40, clusters=4, exact=False, seed=7), corpus())
    assert by_direction(kept) == {"0": 10, "1": 10, "2": 10, "3": 5}
    assert (facts["wanted"], facts["kept"]) == (40, 35)


def test_of_a_cluster_the_highest_values_stay_and_a_drop_tells_value_and_limit() -> None:
    table = corpus()
    scores = dict(zip(table["id"].to_pylist(), table["score"].to_pylist(), strict=True))
    kept, gone, facts = solved(ClusterQuota(documents=20, clusters=4, keep="score", seed=7), table)
    for direction in "0123":
        lowest = min(scores[id] for id in kept if id[0] == direction)
        for id, row in gone.items():
            if id[0] == direction:
                assert (row["measure"], row["op"], row["value"], row["limit"]) == ("score", "at_least", scores[id], lowest)
                assert row["value"] <= lowest
    lasts = {group["last_value"] for group in facts["groups"].values()}
    assert lasts == {min(scores[id] for id in kept if id[0] == direction) for direction in "0123"}


def test_the_nearest_or_farthest_to_the_centroid_stay() -> None:
    table = corpus((50,))
    vectors = np.array(table["_embedding"].to_pylist())
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centroid = unit.sum(axis=0) / np.linalg.norm(unit.sum(axis=0))
    near = [table["id"][int(at)].as_py() for at in np.argsort(-(unit @ centroid))]
    kept, gone, _ = solved(ClusterQuota(documents=10, clusters=1, keep="nearest", seed=7), table)
    assert set(kept) == set(near[:10])
    assert {row["measure"] for row in gone.values()} == {"centroid_cosine"}
    assert gone[near[-1]]["value"] == pytest.approx(min(unit @ centroid), abs=1e-3)
    kept, gone, _ = solved(ClusterQuota(documents=10, clusters=1, keep="farthest", seed=7), table)
    assert set(kept) == set(near[-10:])
    assert all(row["measure"] == "centroid_distance" and row["value"] <= row["limit"] for row in gone.values())


def test_by_hash_any_stay_by_the_seed_and_the_drop_has_the_limit() -> None:
    table = corpus()
    first, gone, _ = solved(ClusterQuota(documents=40, clusters=4, seed=7), table)
    assert all(0 <= row["value"] < row["limit"] < 1 for row in gone.values())
    assert solved(ClusterQuota(documents=40, clusters=4, seed=7), table)[0] == first
    assert set(solved(ClusterQuota(documents=40, clusters=4, seed=4), table)[0]) != set(first)


@pytest.mark.parametrize("keep", ["hash", "nearest", "farthest", "score"])
def test_decisions_are_the_same_for_any_parts(keep: str) -> None:
    table = corpus(zeros=6)
    stage = ClusterQuota(fraction=0.4, clusters=4, quota="sqrt", keep=keep, seed=7)
    whole = solved(stage, table)
    assert solved(stage, table.slice(0, 9), table.slice(9, 0), table.slice(9, 60), table.slice(69)) == whole


def test_documents_without_a_vector_are_a_group_with_no_cluster() -> None:
    kept, _, facts = solved(ClusterQuota(documents=50, clusters=4, seed=7), corpus(zeros=6))
    mine = [id for id in kept if id.startswith("-")]
    assert len(mine) == 6
    assert {kept[id] for id in mine} == {None}
    assert all(kept[id] is not None for id in kept if id not in mine)
    assert facts["without_vector"] == facts["groups"]["none"]["documents"] == 6
    kept, _, facts = solved(ClusterQuota(documents=2, seed=7), corpus((), zeros=3))
    assert len(kept) == 2
    assert facts["cluster_sizes"] == {}


@pytest.mark.parametrize(("fraction", "count"), [(0, 0), (0.001, 1), (0.5, 50), (0.501, 51), (1, 100)])
def test_a_fraction_is_rounded_up(fraction: float, count: int) -> None:
    kept, gone, _ = solved(ClusterQuota(fraction=fraction, seed=7), corpus())
    assert len(kept) == count
    assert all(row["limit"] is None for row in gone.values()) == (count in (0, 100))


def test_more_than_there_are_is_all_and_of_nothing_nothing() -> None:
    assert len(solved(ClusterQuota(documents=1000, seed=7), corpus())[0]) == 100
    kept, gone, facts = solved(ClusterQuota(documents=10, seed=7), corpus().slice(0, 0))
    assert (kept, gone, facts["kept"], facts["clusters"]) == ({}, {}, 0, 1)
    assert solved(ClusterQuota(documents=10, seed=7), corpus())[2]["clusters"] == 10


@pytest.mark.parametrize("total", [{}, {"documents": 3, "fraction": 0.5}])
def test_one_total_is_asked_for(total: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="one of documents and fraction"):
        ClusterQuota(**total)


def slow_fill(total: int, sizes: list[int], weights: list[int]) -> list[float]:
    """The level of the water by bisection."""
    low, high = 0.0, 1e12
    for _ in range(300):
        middle = (low + high) / 2
        if sum(min(size, middle * weight) for size, weight in zip(sizes, weights, strict=True)) > total:
            high = middle
        else:
            low = middle
    return [min(size, low * weight) for size, weight in zip(sizes, weights, strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_water_is_filled_as_the_slow_definition_fills_it(seed: int) -> None:
    rng = random.Random(seed)
    sizes = [rng.choice([0, 1, 3, 10, 100, 1000]) for _ in range(rng.randint(1, 12))]
    for quota, total in itertools.product(("equal", "proportional", "sqrt"), (0, 1, 7, sum(sizes) // 2, sum(sizes))):
        weights = weights_of(sizes, quota)  # type: ignore[arg-type]
        found = fill(total, sizes, weights)
        assert sum(found) == min(total, sum(sizes))
        assert all(0 <= part <= size for part, size in zip(found, sizes, strict=True))
        for part, exact in zip(found, slow_fill(total, sizes, weights), strict=True):
            assert abs(part - exact) < 1.001
    assert sum(fill(sum(sizes) + 5, sizes, weights_of(sizes, "sqrt"))) == sum(sizes)


def test_what_is_left_goes_to_the_largest_remainders_and_then_to_the_first() -> None:
    assert apportion(10, [1, 1, 1]) == [4, 3, 3]
    assert apportion(7, [5, 3, 2]) == [4, 2, 1]
    assert apportion(5, [0, 0]) == [0, 0]
    assert math.isqrt(2 << 64) == weights_of([2], "sqrt")[0]
