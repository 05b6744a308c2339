"""Pairs are chosen by what their comparison is expected to tell; the belief is the prior's until comparisons say otherwise."""

import math

import numpy as np
import pytest

from stages.core.battles import Floats, count_battles
from stages.core.pair_choice import Belief, believe, information, next_pairs, no_belief, scores_of


def compared(items: int, count: int, spread: float, seed: int) -> tuple[Floats, Floats]:
    random = np.random.Generator(np.random.PCG64(seed))
    strengths = random.normal(0, spread, items)
    scores = np.zeros((items, items))
    for _ in range(count):
        i, j = random.permutation(items)[:2]
        wins = random.random() < 1 / (1 + math.exp(strengths[j] - strengths[i]))
        scores[(i, j) if wins else (j, i)] += 1
    return scores, strengths


def slow_information(belief: Belief, i: int, j: int) -> float:
    covariance = belief.covariance
    variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
    shrunk = 1 / math.sqrt(1 + math.pi * variance / 8)
    p = 1 / (1 + math.exp(-shrunk * (belief.strengths[i] - belief.strengths[j])))
    return math.log(1 + variance * shrunk * p * (1 - p)) / 2


def test_a_tie_scores_half_for_both() -> None:
    battles = count_battles(["x", "y"], np.array([0, 1, 0]), np.array([1, 0, 1]), np.array([0, 0, 2]))
    assert scores_of(battles).tolist() == [[0, 1.5], [1.5, 0]]


def test_nothing_compared_is_the_prior() -> None:
    found = believe(np.zeros((3, 3)), no_belief(3), spread=1.5)
    assert found.strengths.tolist() == [0, 0, 0]
    assert found.covariance == pytest.approx(np.eye(3) * 2.25)


def test_the_belief_solves_its_own_equations() -> None:
    """Averaged slopes are level at the mean, and the covariance inverts the averaged curvatures, written out pair by pair."""
    scores, _ = compared(6, 60, 1.5, 1)
    found = believe(scores, no_belief(6), spread=1.5)
    slope, precision = -found.strengths / 1.5**2, np.eye(6) / 1.5**2
    for i in range(6):
        for j in range(6):
            if i == j:
                continue
            c = found.covariance
            shrunk = 1 / math.sqrt(1 + math.pi * (c[i, i] + c[j, j] - 2 * c[i, j]) / 8)
            p = 1 / (1 + math.exp(-shrunk * (found.strengths[i] - found.strengths[j])))
            met = scores[i, j] + scores[j, i]
            slope[i] += scores[i, j] - met * p
            precision[i, i] += met * shrunk * p * (1 - p)
            precision[i, j] -= met * shrunk * p * (1 - p)
    assert slope == pytest.approx(np.zeros(6), abs=1e-2)
    assert np.linalg.inv(precision) == pytest.approx(found.covariance, abs=1e-3)


@pytest.mark.parametrize("spread", [1.0, 2.0, 4.0])
def test_the_spread_is_learnt(spread: float) -> None:
    scores, strengths = compared(60, 6000, spread, 2)
    found = believe(scores, no_belief(60))
    assert found.spread == pytest.approx(strengths.std(), rel=0.25)
    assert np.corrcoef(found.strengths, strengths)[0, 1] > 0.95


def test_a_belief_does_not_depend_on_where_it_starts() -> None:
    scores, _ = compared(20, 400, 1.0, 3)
    half = believe(scores // 2, no_belief(20))
    assert believe(scores, half).strengths == pytest.approx(believe(scores, no_belief(20)).strengths, abs=2e-2)


@pytest.mark.parametrize("seed", range(3))
def test_information_and_the_first_choice_are_the_formula_s(seed: int) -> None:
    scores, _ = compared(8, 40, 2.0, seed)
    belief = believe(scores, no_belief(8))
    table = information(belief)
    for i in range(8):
        for j in range(8):
            assert table[i, j] == pytest.approx(0 if i == j else slow_information(belief, i, j), abs=1e-12)
    best = max(((i, j) for i in range(8) for j in range(i + 1, 8)), key=lambda pair: slow_information(belief, *pair))
    assert tuple(next_pairs(belief, 1)[0]) == best


@pytest.mark.parametrize("seed", range(3))
def test_a_later_choice_is_the_first_after_the_earlier_ones_answers(seed: int) -> None:
    scores, _ = compared(8, 40, 2.0, seed)
    belief = believe(scores, no_belief(8))
    expected, chosen = belief, []
    for _ in range(10):
        left = [(i, j) for i in range(8) for j in range(i + 1, 8) if (i, j) not in chosen]
        i, j = max(left, key=lambda pair: slow_information(expected, *pair))
        chosen.append((i, j))
        row = np.zeros(8)
        row[i], row[j] = 1, -1
        variance = row @ expected.covariance @ row
        curve = (math.exp(2 * slow_information(expected, i, j)) - 1) / variance
        after = np.linalg.inv(np.linalg.inv(expected.covariance) + curve * np.outer(row, row))
        expected = Belief(expected.strengths, after, expected.spread)
    assert [tuple(pair) for pair in next_pairs(belief, 10).tolist()] == chosen


def test_a_first_batch_asks_every_item_before_one_twice() -> None:
    assert sorted(next_pairs(no_belief(10), 5).ravel().tolist()) == list(range(10))


def test_no_pair_comes_twice_in_a_batch_and_barred_ones_never() -> None:
    barred = np.zeros((4, 4), bool)
    barred[0, 1] = barred[3, 2] = True
    assert sorted(map(tuple, next_pairs(no_belief(4), 10, barred).tolist())) == [(0, 2), (0, 3), (1, 2), (1, 3)]
    assert len(next_pairs(no_belief(4), 10)) == 6


def test_equals_are_compared_rather_than_a_strong_with_a_weak() -> None:
    belief = Belief(np.array([5.0, -5.0, 5.0, -5.0]), np.eye(4) * 0.5, 4.0)
    assert sorted(map(tuple, next_pairs(belief, 2).tolist())) == [(0, 2), (1, 3)]
