"""The measures of a benchmark are those of their definitions, counted pair by pair."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import InputError
from stages.core.benchmark_measures import (
    Scores,
    agreement,
    pair_rank_brier,
    separability,
    spearman,
    wins_of_intervals,
    wins_of_samples,
)
from stages.core.read_ranking import read_ranking


def scores(*values: tuple[float, float]) -> Scores:
    """From a score and half the width of its interval."""
    score, half = np.array(values).T
    return Scores(score, score - half, score + half)


def test_separable_are_pairs_whose_intervals_do_not_overlap() -> None:
    assert separability(scores((0, 1), (1, 0.5), (3, 0.5))) == 2 / 3
    assert separability(scores((0, 1), (2, 1))) == separability(scores((2, 1), (0, 1))) == 0  # they touch
    assert separability(scores((0, 1), (2.1, 1))) == 1
    assert separability(scores((0, 1))) is None


def test_agreement_counts_only_what_both_are_sure_of() -> None:
    sure = scores((3, 0), (2, 0), (1, 0))
    assert agreement(sure, sure) == 1
    assert agreement(sure, scores((1, 0), (2, 0), (3, 0))) == -1
    assert agreement(sure, scores((3, 5), (2, 5), (1, 5))) == 0
    # of three pairs one is separated by both in the same order, one in the other, one not by the second
    assert agreement(sure, scores((2, 0.1), (3, 0.1), (1.95, 0.1))) == 0
    assert agreement(sure, scores((2, 0.1), (3, 0.1), (1, 0.1))) == pytest.approx(1 / 3)


@pytest.mark.parametrize("seed", range(5))
def test_all_of_them_are_the_slow_definitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (scores(*zip(rng.normal(size=9), rng.random(9), strict=True)) for _ in range(2))
    samples = rng.normal(size=(40, 9)).round(1)
    signs, brier, separable = [], [], 0
    for a, b in itertools.combinations(range(9), 2):
        orders = []
        for each in (one, other):
            apart = each.low[a] > each.high[b] or each.low[b] > each.high[a]
            orders.append((1 if each.score[a] > each.score[b] else -1) if apart else 0)
        separable += orders[0] != 0
        signs.append(orders[0] * orders[1])
        p = np.mean([1 if row[a] > row[b] else 0.5 if row[a] == row[b] else 0 for row in samples])
        brier.append((p - (other.score[a] > other.score[b])) ** 2)
    assert separability(one) == separable / 36
    assert agreement(one, other) == pytest.approx(np.mean(signs))
    assert pair_rank_brier(wins_of_samples(samples), other.score) == (pytest.approx(np.mean(brier)), 0)


def test_pairs_with_equal_scores_in_the_reference_are_left_out_of_the_brier_score() -> None:
    assert pair_rank_brier(np.array([0.9, 0.6, 0.5]), np.array([2.0, 1.0, 1.0])) == (pytest.approx((0.01 + 0.16) / 2), 1)
    assert pair_rank_brier(np.array([0.9]), np.array([1.0, 1.0])) == (None, 1)
    assert pair_rank_brier(np.array([0.5]), np.array([1.0, 2.0]))[0] == 0.25


def test_of_intervals_the_chance_is_that_of_normal_distributions() -> None:
    half = 1.959963984540054
    found = wins_of_intervals(scores((1, half), (0, half), (0, 0), (0, 0)))
    assert found[0] == pytest.approx(0.5 * (1 + math.erf(1 / 2)))  # a difference of 1 with a deviation of the root of 2
    assert found[1] == pytest.approx(0.5 * (1 + math.erf(1 / math.sqrt(2))))
    assert found[5] == 0.5
    assert wins_of_intervals(scores((1, 0), (0, 0)))[0] == 1


def test_equal_scores_share_their_ranks() -> None:
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 90.0])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1)
    assert spearman(np.array([1.0, 2.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert spearman(np.array([1.0, 1.0]), np.array([1.0, 2.0])) is None


def test_a_ranking_is_read_with_or_without_intervals(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("model,score,rating_q025,rating_q975\na,82.6,80.7,84.6\nb,50.0,50.0,50.0\n")
    models, found, sure = read_ranking(path)
    assert (models, found.score.tolist(), found.low.tolist(), found.high.tolist(), sure) == (
        ["a", "b"],
        [82.6, 50.0],
        [80.7, 50.0],
        [84.6, 50.0],
        True,
    )
    path.write_text("place,who\n1,a\n2,b\n")
    with pytest.raises(InputError, match="has no column model or model_name or name; it has place, who"):
        read_ranking(path)
    path.write_text("rank,model\n1,a\n2,b\n")
    models, found, sure = read_ranking(path)
    assert (found.score.tolist(), sure) == ([-1, -2], False)
    path.write_text("who,points,from,to\nx,3,2,4\ny,1,0,2\n")
    models, found, sure = read_ranking(path, ["who", "points", "from", "to"])
    assert (models, found.low.tolist(), sure) == (["x", "y"], [2, 0], True)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("a,1\na,2\n", "the model a is there twice"),
        ("a,1\nb,high\n", "row 2: score is 'high', expected a number"),
        ("a,nan\n", "row 1: score is 'nan'"),
        ("", "has no models"),
    ],
)
def test_what_is_no_ranking_is_an_error(rows: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("model,score\n" + rows)
    with pytest.raises(InputError, match=why):
        read_ranking(path)
