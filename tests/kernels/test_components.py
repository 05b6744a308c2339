"""Components equal their slow definition; roots are those of a union by size."""

import random

import numpy as np
import pytest

from stages.kernels.components import forest_of, union_roots


def components(bands: list[list[int | None]]) -> list[list[int]]:
    pairs = [(i, j) for keys in bands for i, a in enumerate(keys) for j, b in enumerate(keys[:i]) if a is not None and a == b]
    left, right = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    documents, roots = forest_of(left, right)
    assert documents.tolist() == sorted({each for pair in pairs for each in pair})
    return [documents[roots == root].tolist() for root in np.unique(roots)]


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
