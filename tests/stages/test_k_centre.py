"""The documents that stay cover the others, within twice the best that as many can, and every drop tells the nearest one."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from schemas.errors import InputError
from stages.core import farthest_first as kernel
from stages.core.docs import Docs
from stages.core.farthest_first import distance, farthest_first
from stages.core.vectors import packed, whole
from stages.k_centre import KCentre, choose_clusters
from stages.kernels.hashing import order_keys


def table(vectors: Any, first: int = 0, **columns: list[Any]) -> pa.Table:
    made = documents(*[("s", f"{first + at:04d}", "x") for at in range(len(vectors))], **columns)
    kind = pa.list_(pa.float32(), len(vectors[0]))
    return made.append_column("_embedding", pa.array([list(map(float, one)) for one in vectors], kind))


def angles(*degrees: float) -> list[list[float]]:
    return [[np.cos(np.radians(one)), np.sin(np.radians(one))] for one in degrees]


def solved(stage: KCentre, *parts: pa.Table) -> tuple[set[str], dict[str, dict[str, Any]], dict[str, Any]]:
    """Ids that stay, the verdict on each other one, and the facts."""
    memory = InMemory(stage, parts)
    facts = stage.solve(memory, memory)
    kept, gone = set(), {}
    for part, documents_ in enumerate(parts):
        drops = {row.pop("row"): row for row in memory.written[part].to_pylist()} if part in memory.written else {}
        for row, id in zip(memory.sketched[part]["row"].to_pylist(), documents_["id"].to_pylist(), strict=True):
            if row in drops:
                gone[id] = drops[row]
            else:
                kept.add(id)
    return kept, gone, facts


def squared(vectors: np.ndarray) -> np.ndarray:
    exact = vectors.astype(np.int64)
    return ((exact[:, None, :] - exact[None, :, :]) ** 2).sum(axis=2)


def slow_definition(
    vectors: np.ndarray, count: int, hashes: np.ndarray, weights: np.ndarray | None
) -> tuple[list[int], list[int]]:
    """The centres in their order, and each document's nearest."""
    apart, chosen = squared(vectors), []
    for _ in range(count):
        left = [at for at in range(len(vectors)) if at not in chosen]
        far = {at: distance(apart[at, chosen].min(keepdims=True))[0] if chosen else 1.0 for at in left}
        chosen.append(max(left, key=lambda at: (far[at] * (1.0 if weights is None else weights[at]), -int(hashes[at]))))
    near = [min(range(count), key=lambda at: (apart[row, chosen[at]], at)) for row in range(len(vectors))]
    return chosen, [chosen[at] if row not in chosen else row for row, at in enumerate(near)]


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("held", [0, kernel.HELD_BYTES])
def test_the_traversal_is_that_of_the_slow_definition(
    seed: int, weighted: bool, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "BLOCK", 7)
    monkeypatch.setattr(kernel, "HELD_BYTES", held)
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(5, 3))
    floats = base[rng.integers(0, 5, 40)] + rng.choice([0.0, 0.02, 0.3], (40, 1)) * rng.normal(size=(40, 3))
    vectors, hashes = whole(floats), rng.permutation(40).astype(np.uint64)
    weights = rng.choice([0.0, 0.5, 1.0, 3.0], 40) if weighted else None
    column = packed(vectors)
    found = farthest_first(pa.chunked_array([column.slice(0, 11), column.slice(11)]), 12, hashes, weights)
    chosen, near = slow_definition(vectors, 12, hashes, weights)
    assert found.chosen.tolist() == chosen
    apart = squared(vectors)
    assert found.squared.tolist() == [int(apart[row, chosen].min()) for row in range(40)]
    lost = [row for row in range(40) if row not in chosen]
    assert found.nearest[lost].tolist() == [near[row] for row in lost]


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_of_as_many_has_less_than_half_the_radius(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = whole(rng.normal(size=(11, 3)))
    apart = squared(vectors)
    for count in (1, 2, 3):
        best = min(apart[:, list(some)].min(axis=1).max() for some in itertools.combinations(range(len(vectors)), count))
        found = farthest_first(pa.chunked_array([packed(vectors)]), count, rng.permutation(11).astype(np.uint64))
        assert found.squared.max() <= 4 * best
        # and the bound is no empty one: what is found is seldom the best
        assert found.squared.max() >= best


def test_what_stays_is_spread_and_a_drop_tells_the_nearest_its_cosine_and_both_distances() -> None:
    vectors = angles(0, 2, 4, 90, 92, 180)
    kept, gone, facts = solved(KCentre(documents=3, seed=1), table(vectors))
    assert {int(id) // 3 if int(id) < 5 else 2 for id in kept} == {0, 1, 2}
    for id, row in gone.items():
        cosines = {other: float(np.dot(vectors[int(id)], vectors[int(other)])) for other in kept}
        nearest = max(cosines, key=lambda other: cosines[other])
        assert (row["rule"], row["measure"], row["op"]) == ("distance", "distance", "at_least")
        assert (row["survivor_source"], row["survivor_id"]) == ("s", nearest)
        assert row["similarity"] == pytest.approx(cosines[nearest], abs=1e-3)
        assert row["value"] == pytest.approx(np.sqrt(2 - 2 * cosines[nearest]), abs=2e-3)
        assert row["value"] < row["limit"] == pytest.approx(np.sqrt(2), abs=0.1)
    assert facts["radius"] == max(row["value"] for row in gone.values())
    assert facts["kept"] == 3
    assert facts["distances"]["2"] > 1.4


def test_the_first_is_that_with_the_smallest_hash_and_the_seed_changes_it() -> None:
    made = table(angles(*range(0, 50, 5)))
    for seed in (1, 2, 3):
        first = int(np.argmin(order_keys(seed, "k_centre", made["source"], made["id"])))
        kept, gone, _ = solved(KCentre(documents=1, seed=seed), made)
        assert kept == {f"{first:04d}"}
        assert {row["limit"] for row in gone.values()} == {None}


def test_what_is_poor_stays_only_if_it_is_far_from_all_else() -> None:
    vectors = angles(0, 20, 100, 120)
    kept, gone, _ = solved(KCentre(documents=2, score="score", seed=1), table(vectors, score=[0.1, 1.0, 0.1, 0.9]))
    assert kept == {"0001", "0003"}
    assert {row["measure"] for row in gone.values()} == {"distance_x_score"}
    assert gone["0000"]["value"] == pytest.approx(0.1 * 2 * np.sin(np.radians(10)), abs=1e-3)
    assert gone["0000"]["limit"] == pytest.approx(0.9 * 2 * np.sin(np.radians(50)), abs=1e-3)
    kept, _, _ = solved(KCentre(documents=2, score="score", seed=1), table(vectors, score=[None, 1.0, 0.1, np.nan]))
    assert kept == {"0001", "0002"}


@pytest.mark.parametrize("bad", [-0.5, np.inf])
def test_a_score_below_zero_or_infinite_is_an_error(bad: float) -> None:
    with pytest.raises(InputError, match="expected a number from 0 up"):
        KCentre(documents=2, score="score").sketch(Docs(table(angles(0, 1), score=[1.0, bad])))


@pytest.mark.parametrize("clusters", [1, 4])
@pytest.mark.parametrize("score", [None, "score"])
def test_decisions_are_the_same_for_any_parts(clusters: int, score: str | None) -> None:
    rng = np.random.default_rng(3)
    vectors, scores = rng.normal(size=(60, 4)), rng.random(60).tolist()
    stage = KCentre(documents=13, clusters=clusters, score=score, seed=5)
    whole_ = solved(stage, table(vectors, score=scores))
    assert len(whole_[0]) == 13
    parts = [table(vectors[a:b], a, score=scores[a:b]) for a, b in ((0, 7), (7, 7 + 30), (37, 60))]
    assert solved(stage, parts[0], parts[0].slice(0, 0), *parts[1:]) == whole_


def test_in_clusters_each_gives_by_its_size_and_names_its_own() -> None:
    rng = np.random.default_rng(1)
    vectors = [np.eye(6)[0 if at < 30 else 1] + 0.1 * rng.normal(size=6) for at in range(40)]
    kept, gone, facts = solved(KCentre(documents=8, clusters=2, seed=2), table(vectors))
    assert sorted(int(id) < 30 for id in kept) == [False] * 2 + [True] * 6
    assert all((int(id) < 30) == (int(row["survivor_id"]) < 30) for id, row in gone.items())
    assert facts["clusters"] == 2
    assert "distances" not in facts
    kept, gone, _ = solved(KCentre(documents=1, clusters=2, seed=2), table(vectors))
    assert all((row["survivor_id"] is None) == (int(id) >= 30) for id, row in gone.items())


def test_exactly_so_many_stay_of_equal_and_of_empty_vectors() -> None:
    kept, gone, facts = solved(KCentre(documents=3, seed=1), table(angles(0, 0, 0, 0, 90)))
    assert "0004" in kept
    assert len(kept) == 3
    assert {row["value"] for row in gone.values()} == {0.0}
    kept, gone, facts = solved(KCentre(documents=2, seed=1), table([[0, 0], [0, 0], [1, 0]]))
    assert "0002" in kept
    assert len(kept) == 2
    assert facts["without_vector"] == 2
    assert {row["similarity"] for row in gone.values()} == {-1.0}


@pytest.mark.parametrize("count", [0, 3, 4, 100])
def test_no_more_than_there_are(count: int) -> None:
    kept, gone, _ = solved(KCentre(documents=count, seed=1), table(angles(0, 1, 2, 3)))
    assert len(kept) == min(count, 4)
    if not count:
        assert {(row["survivor_id"], row["value"], row["limit"]) for row in gone.values()} == {(None, None, None)}


def test_of_nothing_nothing() -> None:
    assert solved(KCentre(documents=2), table(angles(0)).slice(0, 0))[:2] == (set(), {})


def test_clusters_are_one_for_what_can_be_taken_as_a_whole() -> None:
    assert [choose_clusters(n) for n in (0, 50_000, 50_001, 10**6, 10**10)] == [1, 1, 3, 40, 16_384]


def test_vectors_that_are_mapped_are_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr(kernel, "HELD_BYTES", 0)
    vectors = whole(np.random.default_rng(1).normal(size=(40_000, 64)))
    made = pa.table({"vector": packed(vectors)})
    with pa.OSFile(str(tmp_path / "v.arrow"), "wb") as sink, pa.ipc.new_file(sink, made.schema) as writer:
        writer.write_table(made)
    with pa.memory_map(str(tmp_path / "v.arrow")) as file:
        mapped = pa.ipc.open_file(file).read_all()["vector"]
    tracemalloc.start()
    found = farthest_first(mapped, 5, np.arange(40_000, dtype=np.uint64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(found.chosen.tolist())) == 5
    assert peak < 9_000_000  # all as float32 would be 10 MB more
