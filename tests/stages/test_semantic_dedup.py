"""Of documents with similar embeddings one stays; each dropped one is similar to a document that stays."""

import itertools
import random
import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents, solve

from schemas.errors import StageError
from stages.core import clustering
from stages.core.vectors import LENGTH, k_means, nearest, packed, squared_lengths, unpacked, whole_vectors
from stages.semantic_dedup import SemanticDedup, choose_clusters


def column(vectors: Any, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    vectors = [None if one is None else list(map(float, one)) for one in vectors]
    return pa.chunked_array([pa.array(vectors, kind or pa.list_(pa.float32(), len(vectors[0])))])


def table(vectors: Any, first: int = 0, source: str = "s", **columns: Any) -> pa.Table:
    made = documents(*[(source, f"{first + at:04d}", "x" * min(at + 1, 9)) for at in range(len(vectors))], **columns)
    return made.append_column("_embedding", column(vectors))


def angles(*degrees: float) -> list[list[float]]:
    return [[np.cos(np.radians(one)), np.sin(np.radians(one))] for one in degrees]


def slow_definition(vectors: np.ndarray, threshold: float) -> dict[int, int]:
    """Dropped document -> the most similar one of those that stay before it."""
    whole = whole_vectors(column(vectors)).astype(object)
    kept: list[int] = []
    found = {}
    for at, one in enumerate(whole):
        cosines = [
            (float((one * whole[other]).sum() / np.sqrt(float((one * one).sum() * (whole[other] ** 2).sum()))), other)
            for other in kept
        ]
        best = max(cosines, key=lambda pair: (pair[0], -pair[1]), default=(0.0, -1))
        if best[0] >= threshold:
            found[at] = best[1]
        else:
            kept.append(at)
    return found


def test_a_document_is_dropped_at_the_threshold_and_kept_below_it() -> None:
    vectors = angles(0, 60, 119)
    dropped, facts = solve(SemanticDedup(threshold=0.5), table(vectors))
    (pair,) = dropped.items()
    assert pair[0] == ("s", "0001")
    dropped, _ = solve(SemanticDedup(threshold=0.52), table(vectors))
    assert set(dropped) == set()
    assert facts["clusters"] == 1


def test_equal_vectors_have_cosine_one_and_are_found_at_threshold_one() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(size=384)
    dropped, _ = solve(SemanticDedup(threshold=1.0), table([one, -one, 3 * one]))
    assert dropped == {("s", "0002"): ("s", "0000", 1.0)}


def test_no_chain_drops_a_document_that_is_unlike_its_survivor() -> None:
    dropped, _ = solve(SemanticDedup(threshold=0.9), table(angles(0, 20, 40, 60)))
    assert {key[1]: value[1] for key, value in dropped.items()} == {"0001": "0000", "0003": "0002"}


@pytest.mark.parametrize("seed", range(12))
def test_decisions_are_those_of_the_slow_definition_for_any_parts_and_blocks(seed: int) -> None:
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    base = rng.normal(size=(8, 5))
    vectors = base[rng.integers(0, 8, 70)] + rng.normal(size=(70, 5)) * rng.choice([0.01, 0.2, 0.5], (70, 1))
    expected = {("s", f"{at:04d}"): ("s", f"{kept:04d}") for at, kept in slow_definition(vectors, 0.95).items()}
    assert 5 < len(expected) < 65
    edges = [0, *sorted(chance.sample(range(1, 70), 3)), 70]
    parts = [table(vectors[a:b], a) for a, b in itertools.pairwise(edges)]
    for block in (1, 7, 1024):
        dropped, facts = solve(SemanticDedup(threshold=0.95, block=block), *parts)
        assert {key: value[:2] for key, value in dropped.items()} == expected
        assert all(value[2] >= 0.95 for value in dropped.values())
        assert facts["dropped"] == len(expected)


def test_clusters_do_not_depend_on_parts_and_lose_no_close_pair() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(size=(40, 16))
    vectors = np.concatenate([base, base + 0.001 * rng.normal(size=base.shape)])
    whole, facts = solve(SemanticDedup(clusters=5), table(vectors))
    assert facts["clusters"] == 5
    assert {key[1]: value[1] for key, value in whole.items()} == {f"{40 + at:04d}": f"{at:04d}" for at in range(40)}
    cut, other = solve(SemanticDedup(clusters=5), table(vectors[:3]), table(vectors[3:50], 3), table(vectors[50:], 50))
    assert (cut, other) == (whole, facts)


@pytest.mark.parametrize(
    ("keep", "columns", "stays"),
    [
        ("first", {}, "0000"),
        ("longest", {}, "0002"),
        ("votes", {"votes": [1.0, 5.0, 2.0]}, "0001"),
    ],
)
def test_keep_decides_which_stays(keep: str, columns: Any, stays: str) -> None:
    dropped, _ = solve(SemanticDedup(keep=keep), table(angles(0, 1, 2), **columns))
    assert {value[1] for value in dropped.values()} == {stays}
    assert len(dropped) == 2


def test_the_nearest_or_the_farthest_from_the_centroid_stays() -> None:
    near_zero = [0, 3, 30, -30, 10, -10]  # with the second cluster far away the first one's centroid is near 0 degrees
    vectors = angles(*near_zero, 180, 181)
    stays = {
        "nearest": {"0001": "0000", "0004": "0000", "0005": "0000"},
        "farthest": {"0000": "0001", "0004": "0002", "0005": "0003"},
    }
    for keep, expected in stays.items():
        dropped, _ = solve(SemanticDedup(clusters=2, keep=keep, threshold=0.93), table(vectors))
        assert {key[1]: value[1] for key, value in dropped.items() if key[1] < "0006"} == expected


def test_vectors_of_zeros_and_nulls_are_kept() -> None:
    made = documents(*[("s", str(at), "t") for at in range(4)]).append_column(
        "_embedding", column([[0, 0], None, [1, 0], [1, 0]], pa.list_(pa.float16(), 2))
    )
    dropped, facts = solve(SemanticDedup(), made)
    assert set(dropped) == {("s", "3")}
    assert facts["without_vector"] == 2


def test_a_corpus_of_zero_vectors_has_no_centroid_and_stays() -> None:
    dropped, facts = solve(SemanticDedup(clusters=3), table([[0, 0]] * 4))
    assert dropped == {}
    assert facts["without_vector"] == 4


def test_lists_of_different_lengths_are_refused() -> None:
    made = documents(("s", "0", "t"), ("s", "1", "t")).append_column(
        "_embedding", column([[0, 1], [1]], pa.list_(pa.float32()))
    )
    with pytest.raises(ValueError, match="embeddings have 1 and 2 dimensions"):
        solve(SemanticDedup(), made)


def test_nothing_is_dropped_of_nothing() -> None:
    empty = table([[1, 0]]).slice(0, 0)
    assert solve(SemanticDedup(), empty)[0] == {}
    assert solve(SemanticDedup(clusters=3), empty, empty)[0] == {}


def test_a_wiped_out_source_raises_the_alarm() -> None:
    vectors = angles(*[0] * 120)
    _, facts = solve(SemanticDedup(alarm_cluster=100), table(vectors))
    assert len(facts["alarms"]) == 2
    with pytest.raises(StageError, match="120 documents are a cluster"):
        solve(SemanticDedup(alarm_cluster=100, alarm="stop"), table(vectors))


def test_a_giant_cluster_is_compared_block_by_block() -> None:
    rng = np.random.default_rng(5)
    memory = InMemory(SemanticDedup(block=64, clusters=1), [table(rng.normal(size=(6000, 24)))])
    tracemalloc.start()
    facts = SemanticDedup(block=64, clusters=1).solve(memory, memory)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert facts["dropped"] < 100
    assert peak < 12_000_000  # all pairs at once would be 144 MB


def test_products_of_whole_vectors_are_exact() -> None:
    rng = np.random.default_rng(7)
    for dimensions in (1, 3, 384, 1024):
        floats = rng.normal(size=(50, dimensions)) ** 3
        whole = whole_vectors(column(floats))
        assert np.abs(np.linalg.norm(whole.astype(float), axis=1) - LENGTH).max() < np.sqrt(dimensions) / 2
        products = whole.astype(np.float32) @ whole.astype(np.float32).T
        assert (products.astype(np.int64) == whole.astype(np.int64) @ whole.astype(np.int64).T).all()
        assert (squared_lengths(whole) == np.diag(products)).all()
        assert (unpacked(pa.chunked_array([packed(whole)])) == whole).all()


def test_the_first_of_equally_near_centroids_is_taken() -> None:
    which, product = nearest(np.array([[3, 0], [0, 2]], np.int16), np.array([[0, 1], [1, 0], [1, 0]], np.int16))
    assert which.tolist() == [1, 0]
    assert product.tolist() == [3, 2]


def test_k_means_finds_separate_groups_and_ends() -> None:
    whole = whole_vectors(column(angles(0, 90, 2, 92, 4, 94)))
    centroids = k_means(whole, 2, 50)
    assert np.degrees(np.arctan2(centroids[:, 1], centroids[:, 0])) == pytest.approx([2, 92], abs=0.1)


def test_the_sample_is_large_enough_and_no_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "SAMPLED", 4)
    seen: list[int] = []
    original = clustering.k_means
    monkeypatch.setattr(clustering, "k_means", lambda vectors, *rest: (seen.append(len(vectors)), original(vectors, *rest))[1])
    rng = np.random.default_rng(2)
    memory = InMemory(SemanticDedup(clusters=10), [table(rng.normal(size=(2000, 4)))])
    SemanticDedup(clusters=10).solve(memory, memory)
    assert seen == [40]


def test_clusters_are_one_for_few_documents() -> None:
    assert [choose_clusters(n) for n in (0, 20_000, 20_001, 1_000_000, 10**10)] == [1, 1, 3, 100, 16_384]
