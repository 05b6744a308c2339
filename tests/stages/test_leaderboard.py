"""Leaderboards: ranks and rates counted by hand, intervals that repeat with their seed, ratings battle by battle."""

import math

import numpy as np
import pyarrow as pa
import pytest

from stages.core.battle_graph import NoEstimate
from stages.core.battles import Battles, battles_of, coded
from stages.core.bradley_terry import fit
from stages.core.leaderboard import (
    LEADERBOARD,
    WIN_MATRIX,
    Bootstrap,
    bootstrap,
    leaderboard,
    online_elo,
    percentiles,
    win_matrix,
)
from stages.core.tie_models import TIES, Ties

ROWS = [("x", "y", "model_a")] * 3 + [("y", "x", "model_a")] + [("y", "z", "model_a")] * 2 + [("z", "y", "tie")] * 2


def table(rows: list[tuple[str, str, str]]) -> pa.Table:
    return pa.table({name: [row[at] for row in rows] for at, name in enumerate(("model_a", "model_b", "winner"))})


def battles(rows: list[tuple[str, str, str]]) -> Battles:
    return battles_of(table(rows))


def test_a_leaderboard_counts_and_ranks() -> None:
    some = battles(ROWS)
    board = leaderboard(some, fit(some), None)
    assert board.schema == LEADERBOARD
    rows = board.select(["rank", "model", "battles", "wins", "losses", "ties", "win_rate"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (1, "x", 4, 3, 1, 0, 0.75),
        (2, "y", 8, 3, 3, 2, 0.5),
        (3, "z", 4, 0, 2, 2, 0.25),
    ]
    # x is ln 3 above y, y is ln 3 above z (3 to 1 with halves)
    assert board["strength"].to_pylist() == pytest.approx([math.log(3), 0, -math.log(3)], abs=1e-12)
    assert board["elo_low"].null_count == board["rank_by_interval"].null_count == 3


def test_equal_strengths_rank_by_name() -> None:
    some = battles([("b", "a", "tie")])
    assert leaderboard(some, fit(some), None)["model"].to_pylist() == ["a", "b"]


def test_a_rank_by_interval_counts_only_those_wholly_above() -> None:
    some = battles(ROWS)
    # x above y; y's and z's overlap
    sampled = Bootstrap(np.array([[2.0, 0.0, -1.0], [3.0, 1.0, 0.5]]), np.zeros((2, 0)), None, 0)
    board = leaderboard(some, fit(some), sampled)
    assert board["rank_by_interval"].to_pylist() == [1, 2, 2]
    assert board["strength_low"].to_pylist() == [2.0, 0.0, -1.0]
    assert board["elo_high"][1].as_py() == pytest.approx(1000 + 400 / math.log(10))


def test_of_a_hundred_samples_two_and_a_half_lie_beyond_each_end() -> None:
    low, high = percentiles(np.arange(1.0, 101).reshape(-1, 1))
    # of 1, ..., 100 the places 0.025 x 101 and 0.975 x 101
    assert (low[0], high[0]) == pytest.approx((2.525, 98.475))


def test_a_win_matrix_has_every_pair_that_met_from_both_sides() -> None:
    found = win_matrix(battles(ROWS))
    assert found.schema == WIN_MATRIX
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("x", "y", 4, 3, 1, 0, 0.75),
        ("y", "x", 4, 1, 3, 0, 0.25),
        ("y", "z", 4, 2, 0, 2, 0.75),
        ("z", "y", 4, 0, 2, 2, 0.25),
    ]


def test_online_elo_moves_by_the_surprise() -> None:
    _, a, b, outcome = coded(table([("x", "y", "model_a"), ("y", "x", "tie"), ("y", "x", "model_b")]))
    first = 1000 + 32 * 0.5
    expected = 1 / (1 + 10 ** ((2000 - 2 * first) / 400))
    second = first + 32 * (0.5 - expected)
    third = second + 32 * (1 - 1 / (1 + 10 ** ((2000 - 2 * second) / 400)))
    assert online_elo(2, a, b, outcome, 32).tolist() == pytest.approx([third, 2000 - third], abs=1e-9)


def test_a_model_against_itself_moves_no_rating() -> None:
    assert online_elo(1, np.array([0]), np.array([0]), np.array([0])).tolist() == [1000.0]


@pytest.mark.parametrize("ties", TIES)
def test_a_seed_repeats_its_intervals_whatever_the_order_of_rows(ties: Ties) -> None:
    rows = [*ROWS, ("x", "z", "tie"), ("z", "x", "model_a")] * 5
    one, turned = battles(rows), battles(rows[::-1])
    found = bootstrap(one, fit(one, ties), ties, None, 10, 4).strengths
    assert found.tolist() == bootstrap(turned, fit(turned, ties), ties, None, 10, 4).strengths.tolist()
    assert found.tolist() != bootstrap(one, fit(one, ties), ties, None, 10, 5).strengths.tolist()
    assert np.abs(found.sum(axis=1)).max() < 1e-12


def test_a_bootstrap_is_the_fit_of_multinomial_counts() -> None:
    rows = [*ROWS, ("x", "z", "tie"), ("z", "x", "model_a")] * 5
    some = battles(rows)
    found = bootstrap(some, fit(some), "half", None, 3, 4)
    random = np.random.Generator(np.random.PCG64(4))
    outcomes = sorted(
        {(min(a, b), max(a, b), winner if a < b else {"model_a": "model_b"}.get(winner, winner)) for a, b, winner in rows}
    )
    order = ("model_a", "model_b", "tie")
    outcomes.sort(key=lambda one: (one[0], one[1], order.index(one[2])))
    turned = [(b, a, {"model_a": "model_b", "model_b": "model_a"}.get(w, w)) for a, b, w in outcomes]
    counts = [sum(row in (one, other) for row in rows) for one, other in zip(outcomes, turned, strict=True)]
    for strengths in found.strengths:
        drawn = random.multinomial(len(rows), np.array(counts) / len(rows))
        again = battles([one for one, times in zip(outcomes, drawn, strict=True) for _ in range(times)])
        assert strengths.tolist() == pytest.approx(fit(again).strengths.tolist(), abs=1e-9)


def test_samples_without_finite_strengths_are_drawn_again_and_counted() -> None:
    some = battles([("x", "y", "model_a")] * 30 + [("y", "x", "model_a")])
    found = bootstrap(some, fit(some), "half", None, 50, 0)
    # the only loss is missing from a share of exp(-1) of the samples
    assert 10 < found.redrawn < 60
    assert np.isfinite(found.strengths).all()
    assert bootstrap(some, fit(some, prior=3.0), "half", 3.0, 50, 0).redrawn == 0


def test_a_bootstrap_that_fails_more_often_than_not_is_refused() -> None:
    chain = [(f"m{at}", f"m{at + 1}", winner) for at in range(6) for winner in ("model_a", "model_b")]
    with pytest.raises(NoEstimate, match=r"bootstrap samples have no finite strengths.* or ask for 0 bootstraps"):
        bootstrap(battles(chain), fit(battles(chain)), "half", None, 10, 0)
