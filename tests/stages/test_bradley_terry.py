"""Strengths from battles: closed forms, the likelihoods written out battle by battle, and what has no estimate."""

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from stages.core.battle_graph import NoEstimate
from stages.core.battles import Battles, battles_of
from stages.core.bradley_terry import elo, fit
from stages.core.tie_models import TIES, Ties

Row = tuple[str, str, str]
"""model_a, model_b, winner"""


def table(rows: list[Row], **columns: list[float]) -> pa.Table:
    names = ("model_a", "model_b", "winner")
    return pa.table({**{name: [row[at] for row in rows] for at, name in enumerate(names)}, **columns})


def battles(rows: list[Row]) -> Battles:
    return battles_of(table(rows))


def made(models: int, count: int, seed: int) -> list[Row]:
    """Battles with a quarter of ties, of models whose strengths go from -1 to 1."""
    random = np.random.Generator(np.random.PCG64(seed))
    strengths = np.linspace(-1, 1, models)
    rows = []
    for _ in range(count):
        a, b = random.permutation(models)[:2]
        wins = random.random() < 1 / (1 + math.exp(strengths[b] - strengths[a]))
        winner = "tie" if random.random() < 0.25 else "model_a" if wins else "model_b"
        rows.append((f"m{a}", f"m{b}", winner))
    return rows


def probabilities(ties: Ties, a: float, b: float, tie: float) -> tuple[float, float, float]:
    """Win of a, win of b, tie, as published: in worths, the exponentials of strengths."""
    worth, other = math.exp(a), math.exp(b)
    if ties == "rao-kupper":
        won, lost = worth / (worth + tie * other), other / (other + tie * worth)
        return won, lost, (tie**2 - 1) * worth * other / ((worth + tie * other) * (tie * worth + other))
    if ties == "davidson":
        between = tie * math.sqrt(worth * other)
        whole = worth + other + between
        return worth / whole, other / whole, between / whole
    return worth / (worth + other), other / (worth + other), 0.0


def log_likelihood(rows: list[Row], ties: Ties, strengths: dict[str, float], tie: float) -> float:
    total = 0.0
    for a, b, winner in rows:
        won, lost, tied = probabilities(ties, strengths[a], strengths[b], tie)
        if winner == "tie" and ties == "half":
            total += math.log(won) / 2 + math.log(lost) / 2
        else:
            total += math.log({"model_a": won, "model_b": lost, "tie": tied}[winner])
    return total


def slope(value: Callable[[float], float], at: float) -> float:
    return (value(at + 1e-5) - value(at - 1e-5)) / 2e-5


def test_two_models_differ_by_the_logarithm_of_wins_over_losses() -> None:
    found = fit(battles([("x", "y", "model_a")] * 3 + [("y", "x", "model_a")])).strengths
    assert found == pytest.approx([math.log(3) / 2, -math.log(3) / 2], abs=1e-12)


def test_a_tie_is_half_a_win_of_each() -> None:
    tied = fit(battles([("x", "y", "model_a")] * 3 + [("x", "y", "tie")] * 2)).strengths
    assert tied[0] - tied[1] == pytest.approx(math.log(4 / 1), abs=1e-12)


@pytest.mark.parametrize("word", ["tie", "tie (bothbad)", "both bad", "bothbad"])
def test_both_bad_is_a_tie(word: str) -> None:
    found = battles([("x", "y", word), ("x", "y", "model_a")])
    assert found.counts.tolist() == [[1, 0, 1]]


def test_davidson_of_two_models_has_a_closed_form() -> None:
    # wins 6, losses 2, ties 4: odds of the worths 6 / 2, nu = 4 / sqrt(6 * 2)
    found = fit(battles([("x", "y", "model_a")] * 6 + [("x", "y", "model_b")] * 2 + [("x", "y", "tie")] * 4), "davidson")
    assert found.strengths[0] - found.strengths[1] == pytest.approx(math.log(3), abs=1e-10)
    assert found.tie == pytest.approx(4 / math.sqrt(12), abs=1e-10)


def test_rao_kupper_of_two_models_has_a_closed_form() -> None:
    # each side's share of not being beaten is a logistic function of its own: 6/12 = s(d - eta), 2/12 = s(-d - eta)
    found = fit(battles([("x", "y", "model_a")] * 6 + [("x", "y", "model_b")] * 2 + [("x", "y", "tie")] * 4), "rao-kupper")
    won, lost = math.log(6 / 6), math.log(2 / 10)
    assert found.strengths[0] - found.strengths[1] == pytest.approx((won - lost) / 2, abs=1e-10)
    assert found.tie == pytest.approx(math.exp(-(won + lost) / 2), abs=1e-10)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("seed", range(5))
def test_the_likelihood_written_out_is_level_at_the_estimate(ties: Ties, seed: int) -> None:
    rows = made(5, 300, seed)
    found = fit(battles(rows), ties)
    strengths = dict(zip([f"m{at}" for at in range(5)], found.strengths, strict=True))
    tie = found.tie or 0.0
    assert found.strengths.sum() == pytest.approx(0, abs=1e-12)
    assert found.log_likelihood == pytest.approx(log_likelihood(rows, ties, strengths, tie), rel=1e-12)
    for name, value in strengths.items():
        moved = slope(lambda at, name=name: log_likelihood(rows, ties, {**strengths, name: at}, tie), value)  # type: ignore[misc]
        assert moved == pytest.approx(0, abs=1e-5)
    if found.tie is not None:
        assert slope(lambda at: log_likelihood(rows, ties, strengths, at), tie) == pytest.approx(0, abs=1e-5)


def test_a_covariate_takes_up_what_is_due_to_length() -> None:
    """The likelihood with d = difference of strengths + coefficient x difference of lengths is level, too."""
    random = np.random.Generator(np.random.PCG64(3))
    rows, lengths = [], []
    strengths = {"x": 0.5, "y": 0.0, "z": -0.5}
    for _ in range(2000):
        a, b = random.permutation(list(strengths))[:2]
        one, other = int(random.integers(1, 100)), int(random.integers(1, 100))
        d = strengths[a] - strengths[b] + 2 * (one - other) / (one + other)
        rows.append((a, b, "model_a" if random.random() < 1 / (1 + math.exp(-d)) else "model_b"))
        lengths.append((one, other))
    told = table(rows, length_a=[float(one) for one, _ in lengths], length_b=[float(other) for _, other in lengths])
    counted = battles_of(told, [("length_a", "length_b")])
    found = fit(counted)
    spread = math.sqrt(sum(((one - other) / (one + other)) ** 2 for one, other in lengths) / len(lengths))
    coefficient = found.coefficients[0] / spread
    at = dict(zip("xyz", found.strengths, strict=True))

    def value(strengths: dict[str, float], coefficient: float) -> float:
        total = 0.0
        for (a, b, winner), (one, other) in zip(rows, lengths, strict=True):
            d = strengths[a] - strengths[b] + coefficient * (one - other) / (one + other)
            total -= math.log1p(math.exp(-d if winner == "model_a" else d))
        return total

    assert found.log_likelihood == pytest.approx(value(at, coefficient), rel=1e-12)
    assert slope(lambda moved: value(at, moved), coefficient) == pytest.approx(0, abs=1e-4)
    for name in at:
        assert slope(lambda moved, name=name: value({**at, name: moved}, coefficient), at[name]) == pytest.approx(0, abs=1e-4)  # type: ignore[misc]
    assert coefficient == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("ties", TIES)
def test_neither_the_order_of_rows_nor_of_a_row_s_models_matters(ties: Ties) -> None:
    rows = made(6, 200, 7)
    other = {"model_a": "model_b", "model_b": "model_a", "tie": "tie"}
    turned = [(b, a, other[winner]) for a, b, winner in reversed(rows)]
    assert fit(battles(rows), ties).strengths.tolist() == fit(battles(turned), ties).strengths.tolist()


@pytest.mark.parametrize("ties", TIES)
def test_without_a_tie_all_models_of_ties_are_one(ties: Ties) -> None:
    found = fit(battles([("x", "y", "model_a")] * 3 + [("y", "x", "model_a")]), ties)
    assert found.strengths[0] == pytest.approx(math.log(3) / 2, abs=1e-12)
    assert found.tie == {"half": None, "rao-kupper": 1.0, "davidson": 0.0}[ties]


def test_a_prior_is_a_penalty_on_the_squares() -> None:
    rows: list[Row] = [("x", "y", "model_a")] * 4
    found = fit(battles(rows), prior=2.0).strengths

    def value(d: float) -> float:
        return log_likelihood(rows, "half", {"x": d / 2, "y": -d / 2}, 0) - (d**2 / 2) / 2 / 2**2

    assert found[0] == -found[1]
    assert slope(value, found[0] - found[1]) == pytest.approx(0, abs=1e-8)


def test_four_hundred_points_are_odds_of_ten_to_one() -> None:
    assert elo(np.array([math.log(10), 0.0, -math.log(10)])).tolist() == pytest.approx([1400, 1000, 600])


def test_groups_that_never_met_are_named() -> None:
    rows: list[Row] = [(*pair, "tie") for pair in (("a", "b"), ("c", "d"), ("d", "e"))]
    with pytest.raises(NoEstimate, match=r"2 groups without a battle between them \(c, d, e; a, b\): leave them out, add"):
        fit(battles(rows))
    assert fit(battles(rows), prior=1.0).strengths.tolist() == pytest.approx([0] * 5)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "b", "model_a"), ("b", "c", "tie")], "a won every battle against the others; b, c lost every battle"),
        ([("a", "b", "model_a"), ("b", "c", "model_a"), ("c", "b", "model_a")], "a won every .*; b, c lost every"),
        ([("b", "a", "model_a"), ("c", "a", "model_a"), ("b", "c", "tie")], "b, c won every .*; a lost every"),
    ],
)
def test_a_model_that_won_or_lost_everything_is_named(rows: list[Row], message: str) -> None:
    with pytest.raises(NoEstimate, match=message):
        fit(battles(rows))
    assert np.isfinite(fit(battles(rows), prior=3.0).strengths).all()


@pytest.mark.parametrize("ties", ["rao-kupper", "davidson"])
def test_ties_alone_determine_no_tie_parameter(ties: Ties) -> None:
    rows: list[Row] = [("a", "b", "tie"), ("b", "c", "tie")]
    with pytest.raises(NoEstimate, match="every battle is a tie"):
        fit(battles(rows), ties)
    assert fit(battles(rows)).strengths.tolist() == pytest.approx([0, 0, 0])


@pytest.mark.parametrize("ties", ["rao-kupper", "davidson"])
def test_wins_in_one_direction_determine_no_tie_parameter(ties: Ties) -> None:
    # with a at 2, c at 1, b at 0 and ties ever likelier, nothing gets worse
    rows: list[Row] = [("a", "b", "model_a"), ("a", "c", "tie"), ("c", "b", "tie")]
    with pytest.raises(NoEstimate, match="use ties half"):
        fit(battles(rows), ties)


def test_a_covariate_that_the_models_determine_is_refused() -> None:
    rows = made(3, 60, 1)
    length = {"m0": 10.0, "m1": 20.0, "m2": 40.0}
    told = table(rows, a=[length[a] for a, _, _ in rows], b=[length[b] for _, b, _ in rows])
    with pytest.raises(NoEstimate, match="a:b"):
        # of three models two differences are free, and (a - b) / (a + b) is nearly one of them; of two it is exactly that
        fit(battles_of(told.filter(pa.array(["m2" not in row for row in rows])), [("a", "b")]))
