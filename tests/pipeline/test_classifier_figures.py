import numpy as np
import pytest

from stages.core.classifier_figures import Scored, auc, best_cut, calibration, figures, roc


def test_auc_is_the_chance_that_a_positive_scores_above_a_negative() -> None:
    assert auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])) == 0.75
    assert auc(np.array([0.5, 0.5, 0.5]), np.array([1, 0, 0])) == 0.5
    assert auc(np.array([3.0, 2.0]), np.array([1, 0])) == 1.0
    made = np.random.default_rng(1)
    for _ in range(50):
        scores, positive = made.integers(0, 6, 30), made.integers(0, 2, 30) == 1
        pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
        if pairs:
            assert auc(scores, positive) == pytest.approx(sum(pairs) / len(pairs))


def test_the_best_cut_has_the_largest_difference_of_the_rates() -> None:
    assert best_cut(Scored.of(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1]))) == 0.3
    made = np.random.default_rng(2)
    for _ in range(50):
        scores, positive = made.integers(0, 9, 40) / 10, made.integers(0, 2, 40) == 1
        cut = best_cut(Scored.of(scores, positive))
        gains = {c: (scores[positive] >= c).mean() - (scores[~positive] >= c).mean() for c in np.unique(scores).tolist()}
        assert gains[cut] == pytest.approx(max(gains.values()))


def test_figures_at_a_cut() -> None:
    scored = Scored.of(np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]), np.array([1, 1, 0, 1, 0, 0]))
    found = figures(scored, 0.6)
    assert [found[name]["value"] for name in ("precision", "recall", "false_positive_rate")] == [0.75, 1.0, 0.33333]
    assert found["auc"]["value"] == 0.88889
    assert figures(scored, 0.95)["precision"]["value"] == 1.0
    assert figures(scored, 0.95)["recall"]["value"] == 0.0
    assert found == figures(scored, 0.6)


def test_intervals_hold_the_true_area_about_as_often_as_they_say() -> None:
    made, held = np.random.default_rng(3), 0
    truth = 0.7602499389065233  # of two normal distributions whose means are one standard deviation apart
    for trial in range(60):
        positive = np.arange(120) < 60
        found = figures(Scored.of(made.normal(positive * 1.0), positive), 0.5, trial)["auc"]
        held += found["low"] <= truth <= found["high"]
    assert 52 <= held <= 60


def test_calibration_by_ranges_of_the_score() -> None:
    found = calibration(Scored.of(np.array([0.05, 0.15, 0.19, 1.00001]), np.array([0, 1, 0, 1])))
    rows = [row for row in found["bins"] if row["documents"]]
    assert [(row["from"], row["documents"], row["mean_score"], row["positive_fraction"]) for row in rows] == [
        (0.0, 1, 0.05, 0.0), (0.1, 2, 0.17, 0.5), (0.9, 1, 1.0, 1.0),
    ]  # fmt: skip
    assert found["expected_error"] == pytest.approx((0.05 + 2 * 0.33) / 4, abs=1e-5)
    assert found["brier"] == pytest.approx((0.05**2 + 0.85**2 + 0.19**2) / 4, abs=1e-5)


def test_roc_goes_from_nothing_kept_to_everything() -> None:
    points = roc(Scored.of(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 1, 0, 1])))
    assert (points[0]["recall"], points[-1]["recall"], len(points)) == (0.0, 1.0, 21)
    assert next(point for point in points if point["cut"] == 0.3) == {"cut": 0.3, "recall": 0.5, "false_positive_rate": 0.5}
