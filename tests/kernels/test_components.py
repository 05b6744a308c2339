"""Components, and the choice of documents that stay, equal their slow definitions."""

import random
from itertools import pairwise

import numpy as np
import pytest

from stages.kernels.components import equal_shares, link_equal, members_by_component, separate, similar_survivors, union_roots


def components(bands: list[list[int | None]]) -> list[list[int]]:
    count = len(bands[0])
    forest = separate(count)
    has_key = np.array([key is not None for key in bands[0]])
    for keys in bands:
        link_equal(forest, np.array([key or 0 for key in keys], np.uint64), has_key)
    members, bounds = members_by_component(forest)
    return [members[start:end].tolist() for start, end in pairwise(bounds)]


def test_documents_are_joined_over_several_bands() -> None:
    assert components([[5, 6, 5, 7, 8], [1, 2, 3, 3, 4]]) == [[0, 2, 3]]


def test_documents_without_keys_stay_alone() -> None:
    assert components([[None, 0, None, 0, 3]]) == [[1, 3]]


def test_there_may_be_no_component_and_no_document() -> None:
    assert components([[1, 2, 3]]) == []
    assert components([[]]) == []


def components_slowly(bands: list[list[int | None]]) -> list[list[int]]:
    label = list(range(len(bands[0])))
    changed = True
    while changed:
        changed = False
        for keys in bands:
            for i, a in enumerate(keys):
                for j, b in enumerate(keys):
                    if a is not None and a == b and label[i] != label[j]:
                        label[i] = label[j] = min(label[i], label[j])
                        changed = True
    groups = [[i for i, found in enumerate(label) if found == root] for root in sorted(set(label))]
    return [group for group in groups if len(group) > 1]


@pytest.mark.parametrize("seed", range(20))
def test_components_equal_their_definition(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randrange(1, 40)
    missing = [rng.random() < 0.2 for _ in range(count)]
    bands: list[list[int | None]] = [[None if gone else rng.randrange(3 * count) for gone in missing] for _ in range(4)]
    assert components(bands) == components_slowly(bands)


def test_equal_shares_count_equal_values() -> None:
    signatures = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [1, 0, 3, 0], [5, 6, 7, 8]], np.uint32)
    assert equal_shares(signatures, np.array([0, 0, 0]), np.array([1, 2, 3])).tolist() == [1.0, 0.5, 0.0]


def survivors_slowly(signatures: np.ndarray, band_keys: np.ndarray, min_similarity: float) -> list[int]:
    survivors: list[int] = []
    for i in range(len(signatures)):
        best, most = -1, min_similarity
        for j in range(i):
            if survivors[j] < 0 and (band_keys[:, i] == band_keys[:, j]).any():
                similarity = float((signatures[i] == signatures[j]).sum() / signatures.shape[1])
                if similarity > most or (similarity == most and best < 0):
                    best, most = j, similarity
        survivors.append(best)
    return survivors


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("min_similarity", [0.0, 0.5, 0.75, 1.0])
def test_similar_survivors_equal_their_definition(seed: int, min_similarity: float) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 60))
    signatures = rng.integers(0, 2, (count, 8)).astype(np.uint32)
    band_keys = np.stack([signatures[:, 2 * b] + 2 * signatures[:, 2 * b + 1] for b in range(4)]).astype(np.uint64)
    expected = survivors_slowly(signatures, band_keys, min_similarity)
    assert similar_survivors(signatures, band_keys, min_similarity).tolist() == expected


def test_a_document_at_the_minimum_is_dropped() -> None:
    signatures = np.array([[1, 2, 3, 4], [1, 2, 3, 0]], np.uint32)
    keys = np.array([[9, 9]], np.uint64)
    assert similar_survivors(signatures, keys, 0.75).tolist() == [-1, 0]
    assert similar_survivors(signatures, keys, 0.76).tolist() == [-1, -1]


def test_a_document_is_not_dropped_for_one_that_was_dropped() -> None:
    chain = np.array([[1, 1, 1, 1], [1, 1, 1, 2], [1, 1, 2, 2]], np.uint32)
    assert similar_survivors(chain, np.array([[9, 9, 9]], np.uint64), 0.75).tolist() == [-1, 0, -1]


def test_the_root_of_a_union_by_size_is_the_larger_tree_and_of_equal_ones_the_first() -> None:
    # Two bands of one value. Band 0 joins 0-1 and 2-3-4; band 1 joins 1 and 2, and the tree of three takes that of two.
    signatures = np.array([[7, 1], [7, 9], [5, 9], [5, 2], [5, 3], [6, 4]], np.uint64)
    assert union_roots(signatures, 2).tolist() == [False, False, True, False, False, True]
    # Equal sizes: the first of the pair takes the second.
    assert union_roots(np.array([[1, 1], [1, 2]], np.uint64), 2).tolist() == [True, False]


def test_the_order_of_values_decides_which_pairs_are_joined_first() -> None:
    # Band 0 holds the groups {1, 3} (value 2) and {0, 2} (value 8): the smaller value is joined first. Band 1 joins 3 and 0.
    signatures = np.array([[8, 5], [2, 6], [8, 7], [2, 5]], np.uint64)
    assert union_roots(signatures, 2).tolist() == [True, False, False, False]
