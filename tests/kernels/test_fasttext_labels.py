import math
import random

import numpy as np
import pytest

from stages.kernels.fasttext_labels import best_labels, exp
from stages.kernels.fasttext_model import HIERARCHICAL, _tree


def by_definition(hidden: list[float], output: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[int, float]:
    """All labels from left to right; the last of the best."""
    labels = len(output)
    best = (-1, -1.0)

    def walk(node: int, product: float) -> None:
        nonlocal best
        if node < labels:
            if product >= best[1]:
                best = (node, product)
            return
        p = 1 / (1 + math.exp(-sum(a * b for a, b in zip(output[node - labels].tolist(), hidden, strict=True))))
        walk(int(left[node - labels]), product * (1 - p + 1e-5))
        walk(int(right[node - labels]), product * (p + 1e-5))

    walk(2 * labels - 2, 1.0)
    return best


def best(sums: np.ndarray, rows: np.ndarray, output: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[list, list]:
    count, dim = sums.shape
    labels, scores = np.full(count, -1, np.int32), np.zeros(count)
    best_labels(
        sums, rows, HIERARCHICAL, output, left, right, labels, scores,
        np.zeros(dim), np.zeros(len(output) + 2, np.int64), np.zeros(len(output) + 2),
    )  # fmt: skip
    return labels.tolist(), scores.tolist()


@pytest.mark.parametrize("labels", [1, 2, 3, 7, 40, 176])
def test_the_best_label_is_that_of_a_walk_over_the_whole_tree(labels: int) -> None:
    choice = random.Random(labels)
    made = np.random.default_rng(labels)
    for scale in (0.0, 0.1, 1.0, 6.0):
        left, right = _tree(sorted((choice.choice([1, 1, 5, 1000, 10**6]) for _ in range(labels)), reverse=True))
        # whole numbers give equal products often
        output = np.round(made.normal(0, scale, (labels, 4))).astype(np.float32)
        sums = np.round(made.normal(0, 1, (60, 4)))
        rows = np.ones(60, np.int64)
        found, scores = best(sums, rows, output, left, right)
        for at in range(60):
            label, score = by_definition(sums[at].tolist(), output, left, right)
            assert scores[at] == pytest.approx(score, rel=1e-12)
            if scale == 0.0:
                assert found[at] == label
            else:
                # two products that are equal on paper may differ in the last place
                assert found[at] == label or by_label(sums[at], output, left, right, found[at]) == pytest.approx(
                    score, rel=1e-12
                )


def by_label(hidden: np.ndarray, output: np.ndarray, left: np.ndarray, right: np.ndarray, label: int) -> float:
    """Product of the probabilities on the way from a label to the root."""
    node, product, labels = label, 1.0, len(output)
    while node != 2 * labels - 2:
        above = next(at for at in range(labels - 1) if node in (left[at], right[at]))
        p = 1 / (1 + math.exp(-float(output[above] @ hidden)))
        product *= (p if right[above] == node else 1 - p) + 1e-5
        node = above + labels
    return product


def test_a_document_without_rows_has_no_label() -> None:
    left, right = _tree([2, 1])
    output = np.ones((2, 4), np.float32)
    assert best(np.ones((2, 4)), np.array([0, 1]), output, left, right) == ([-1, 0], [0.0, pytest.approx(0.98202, abs=1e-4)])


def test_the_exponential_is_exact_to_the_last_places() -> None:
    points = np.linspace(-30, 30, 2001)
    ours = np.array([exp(x) for x in points])
    np.testing.assert_allclose(ours, np.exp(points), rtol=1e-15)
    assert exp(0.0) == 1.0
    assert exp(-800.0) == exp(-700.0)
