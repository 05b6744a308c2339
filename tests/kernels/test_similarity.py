"""Similar documents, and those of them that stay, equal their slow definitions."""

from typing import Any

import numpy as np
import pytest

from stages.kernels.similarity import NO_SETS, Sets, distinct, shares, similar_clusters, similar_survivors
from stages.kernels.text import frozen


def sets_of(*sets: list[int]) -> Sets:
    hashes = np.array([each for one in sets for each in one], np.uint64)
    found = distinct(hashes, np.cumsum([0, *map(len, sets)]).astype(np.int64))
    return Sets(frozen(found.bounds), frozen(found.hashes))


def listed(sets: Sets) -> list[list[int]]:
    return [sets.hashes[low:high].tolist() for low, high in zip(sets.bounds[:-1], sets.bounds[1:], strict=True)]


def test_a_set_has_each_hash_once_in_order() -> None:
    top = 2**64 - 1
    assert listed(sets_of([3, 3, 19, 3, 35, 0, top, 0, top], [], [3], [5, 4, 5])) == [[3, 19, 35, 0, top], [], [3], [5, 4]]


def test_shares_are_of_equal_values_or_of_common_elements() -> None:
    signatures = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [1, 0, 3, 0], [5, 6, 7, 8]], np.uint32)
    pairs = np.array([0, 0, 0]), np.array([1, 2, 3])
    assert shares(signatures, NO_SETS, *pairs).tolist() == [1.0, 0.5, 0.0]
    assert shares(signatures, sets_of([1, 2, 3], [3, 2, 1], [2, 3, 4], [9]), *pairs).tolist() == [1.0, 0.5, 0.0]


Case = tuple[np.ndarray, np.ndarray, list[set[int]]]


def case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 60))
    signatures = rng.integers(0, 2, (count, 8)).astype(np.uint32)
    band_keys = np.stack([signatures[:, 2 * b] + 2 * signatures[:, 2 * b + 1] for b in range(4)]).astype(np.uint64)
    sets = [set(rng.choice(12, int(rng.integers(1, 12)), replace=False).tolist()) for _ in range(count)]
    return signatures, band_keys, sets


def similarity(one: Case, i: int, j: int, doubtful: float | None) -> float:
    """-1 where documents are not compared."""
    signatures, band_keys, sets = one
    share = float((signatures[i] == signatures[j]).sum() / signatures.shape[1])
    if not (band_keys[:, i] == band_keys[:, j]).any() or (doubtful is not None and share < doubtful):
        return -1.0
    return share if doubtful is None else len(sets[i] & sets[j]) / len(sets[i] | sets[j])


def survivors_slowly(one: Case, threshold: float, doubtful: float | None) -> tuple[list[int], list[float]]:
    survivors: list[int] = []
    similarities: list[float] = []
    for i in range(len(one[0])):
        stayed = [(similarity(one, i, j, doubtful), -j) for j in range(i) if survivors[j] < 0]
        best, at = max([(found, j) for found, j in stayed if found >= threshold], default=(0.0, 1))
        survivors.append(-at)
        similarities.append(best)
    return survivors, similarities


def clusters_slowly(one: Case, threshold: float, doubtful: float | None) -> list[int]:
    first = list(range(len(one[0])))
    for i in range(len(first)):
        for j in range(i):
            if similarity(one, i, j, doubtful) >= threshold:
                low, high = sorted((first[i], first[j]))
                first = [low if each == high else each for each in first]
    return first


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("threshold", [0.01, 0.3, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("doubtful", [None, 0.0, 0.5])
def test_survivors_and_clusters_equal_their_definitions(seed: int, threshold: float, doubtful: float | None) -> None:
    one = case(seed)
    rest: tuple[Any, ...] = (0.0,) if doubtful is None else (doubtful, sets_of(*map(sorted, one[2])))
    survivors, similarities = similar_survivors(one[0], one[1], threshold, *rest)
    assert (survivors.tolist(), similarities.tolist()) == survivors_slowly(one, threshold, doubtful)
    assert similar_clusters(one[0], one[1], threshold, *rest).tolist() == clusters_slowly(one, threshold, doubtful)


def test_a_document_at_the_threshold_is_dropped() -> None:
    signatures, keys = np.array([[1, 2, 3, 4], [1, 2, 3, 0]], np.uint32), np.array([[9, 9]], np.uint64)
    assert similar_survivors(signatures, keys, 0.75, 0.0)[0].tolist() == [-1, 0]
    assert similar_survivors(signatures, keys, 0.76, 0.0)[0].tolist() == [-1, -1]
    sets = sets_of([1, 2, 3, 4], [1, 2, 3, 4, 5])
    assert similar_survivors(signatures, keys, 0.8, 0.0, sets)[0].tolist() == [-1, 0]
    assert similar_survivors(signatures, keys, 0.8001, 0.0, sets)[0].tolist() == [-1, -1]


def test_a_document_is_not_dropped_for_one_that_was_dropped() -> None:
    chain = np.array([[1, 1, 1, 1], [1, 1, 1, 2], [1, 1, 2, 2]], np.uint32)
    assert similar_survivors(chain, np.array([[9, 9, 9]], np.uint64), 0.75, 0.0)[0].tolist() == [-1, 0, -1]
    assert similar_clusters(chain, np.array([[9, 9, 9]], np.uint64), 0.75, 0.0).tolist() == [0, 0, 0]


def test_a_million_copies_are_one_cluster_without_a_trillion_comparisons() -> None:
    signatures, keys = np.ones((1_000_000, 1), np.uint32), np.full((1, 1_000_000), 7, np.uint64)
    assert not similar_clusters(signatures, keys, 1.0, 0.0).any()
