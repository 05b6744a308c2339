"""Heads are the minimum of their loss; curves and figures are those of their definitions."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.calibrate import calibrate
from schemas.errors import InputError
from stages.core.head_fitting import Fitting, fit
from stages.core.heads import Curve, Head, log_odds, probabilities, read_head, sigmoid, write_head
from stages.core.score_figures import class_figures, confusion, correlation, f1, per_label, ranks, regression_figures, spearman


def made(seed: int = 1, many: int = 200) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.Generator(np.random.Philox(seed))
    vectors = random.normal(size=(many, 4)).astype(np.float32) * [1, 3, 0.2, 1] + [0, 5, 0, -1]
    return vectors.astype(np.float32), vectors @ np.array([1.0, -0.5, 3.0, 0.0]) + random.normal(size=many)


def test_one_layer_of_a_score_is_ridge_regression() -> None:
    vectors, wanted = made()
    layers, _ = fit(vectors, wanted, (vectors, wanted), "linear", "regression", 1, Fitting(l2=0.1), 1)
    mean, scale = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    inputs = (vectors - mean) / scale
    # the mean of squares has the gradient 2 X'(Xw - y) / n, and half of l2 times the weights' squares l2 w
    weights = np.linalg.solve(inputs.T @ inputs * 2 / len(inputs) + 0.1 * np.eye(4), inputs.T @ wanted * 2 / len(inputs))
    expected = inputs @ weights + wanted.mean()
    head = Head("linear", "regression", (), layers, (), {})
    assert head.scores(vectors) == pytest.approx(expected, abs=1e-6)


def test_one_layer_of_classes_has_a_loss_without_slope() -> None:
    vectors, score = made(2)
    wanted = np.digitize(score, [-4.0, 0.0])
    layers, facts = fit(vectors, wanted, (vectors, wanted), "linear", "classes", 3, Fitting(l2=0.05), 1)
    mean, scale = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    inputs, weights = (vectors - mean) / scale, layers[0][0] * scale
    outputs = Head("linear", "classes", ("a", "b", "c"), layers, (), {}).outputs(vectors)
    chance = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    error = chance - np.eye(3)[wanted]
    assert np.abs(error.T @ inputs / len(inputs) + 0.05 * weights).max() < 1e-5
    assert np.abs(error.mean(axis=0)).max() < 1e-5
    assert facts["loss"] == pytest.approx(-np.log(chance[np.arange(len(wanted)), wanted]).mean(), abs=1e-5)


def test_two_layers_learn_what_one_cannot_and_are_the_same_each_time() -> None:
    random = np.random.Generator(np.random.Philox(3))
    vectors = random.normal(size=(400, 2)).astype(np.float32)
    wanted = (vectors[:, 0] * vectors[:, 1] > 0).astype(np.int64)
    right = {}
    for kind in ("linear", "mlp"):
        how = Fitting(hidden=16, epochs=40, lr=0.01, l2=0)
        layers, facts = fit(vectors[:300], wanted[:300], (vectors[300:], wanted[300:]), kind, "classes", 2, how, 1)  # type: ignore[arg-type]
        outputs = Head(kind, "classes", ("0", "1"), layers, (), {}).outputs(vectors)  # type: ignore[arg-type]
        right[kind] = (outputs.argmax(axis=1) == wanted).mean()
        again, _ = fit(vectors[:300], wanted[:300], (vectors[300:], wanted[300:]), kind, "classes", 2, how, 1)  # type: ignore[arg-type]
        assert all((a == b).all() for one, two in zip(layers, again, strict=True) for a, b in zip(one, two, strict=True))
    assert right["linear"] < 0.7
    assert right["mlp"] > 0.9
    assert 1 <= facts["epoch"] <= 40


def test_the_epoch_that_does_best_on_the_documents_apart_stays() -> None:
    vectors, wanted = made(4, 40)
    apart = made(5, 40)
    many = fit(vectors, wanted, apart, "mlp", "regression", 1, Fitting(epochs=60, lr=0.05, l2=0), 1)
    few = fit(vectors, wanted, apart, "mlp", "regression", 1, Fitting(epochs=many[1]["epoch"], lr=0.05, l2=0), 1)
    assert many[1]["epoch"] < 60
    assert (many[0][0][0] == few[0][0][0]).all()
    found = Head("mlp", "regression", (), many[0], (), {}).scores(apart[0])
    assert many[1]["loss_apart"] == pytest.approx(((found - apart[1]) ** 2).mean(), rel=1e-4)


def test_platt_s_curve_has_the_least_loss() -> None:
    random = np.random.Generator(np.random.Philox(1))
    odds = random.normal(size=300) * 3
    positive = random.random(300) < sigmoid(0.5 * odds - 1)
    curve = calibrate(odds, positive, "platt")
    good, bad = positive.sum(), (~positive).sum()
    target = np.where(positive, (good + 1) / (good + 2), 1 / (bad + 2))

    def loss(slope: float, offset: float) -> float:
        p = 1 / (1 + np.exp(-(slope * odds + offset)))
        return float(-(target * np.log(p) + (1 - target) * np.log(1 - p)).sum())

    best = loss(curve.slope, curve.offset)
    for a, b in itertools.product((-1e-3, 0, 1e-3), repeat=2):
        assert best <= loss(curve.slope + a, curve.offset + b) + 1e-9
    assert curve.slope == pytest.approx(0.5, abs=0.15)


def test_an_isotonic_curve_is_the_nearest_rising_one() -> None:
    random = np.random.Generator(np.random.Philox(2))
    odds = np.round(random.normal(size=60), 1)
    positive = random.random(60) < sigmoid(2 * odds)
    found = calibrate(odds, positive, "isotonic")(odds)
    # min over ends of the max over beginnings of the means between (Robertson, Wright and Dykstra 1988)
    values = np.unique(odds)
    for at, value in enumerate(values):
        slow = min(max(positive[(odds >= low) & (odds <= high)].mean() for low in values[: at + 1]) for high in values[at:])
        assert found[odds == value] == pytest.approx(slow)


@pytest.mark.parametrize("how", ["none", "platt", "isotonic"])
def test_without_both_classes_the_curve_is_the_plain_sigmoid(how: str) -> None:
    curve = calibrate(np.array([-1.0, 2.0]), np.array([True, True]), how)  # type: ignore[arg-type]
    assert curve(np.array([0.0, 1.0])) == pytest.approx([0.5, 1 / (1 + math.exp(-1))])


def test_log_odds_that_say_the_opposite_do_not_turn_the_order() -> None:
    odds, positive = np.array([-3.0, -2, 2, 3] * 5), np.array([True, True, False, False] * 5)
    assert len(set(calibrate(odds, positive, "platt")(odds))) == 1


def test_probabilities_are_the_softmax_where_nothing_is_calibrated() -> None:
    outputs = np.array([[1.0, 2.0, -1.0], [500.0, -500.0, 0.0]])
    expected = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    assert probabilities(outputs, (Curve(),) * 3) == pytest.approx(expected)
    two = probabilities(outputs[:, :2], (Curve(slope=2, offset=1),))
    assert two[0] == pytest.approx([1 / (1 + math.exp(3)), 1 / (1 + math.exp(-3))])
    assert log_odds(outputs)[0, 1] == pytest.approx(2 - math.log(math.exp(1) + math.exp(-1)))


def test_a_head_is_read_as_it_was_written_and_nothing_else_is(tmp_path: Path) -> None:
    points = np.array([[0.0, 1.0], [0.2, 0.8]])
    layers = ((np.ones((3, 2)), np.zeros(3)), (np.full((2, 3), 0.5), np.array([1.0, 2.0])))
    head = Head("mlp", "classes", ("a", "b"), layers, (Curve(points=points),), {"sha256": "x"})
    write_head(head, tmp_path)
    first = (tmp_path / "head.npz").read_bytes()
    again = read_head(tmp_path)
    vectors = np.array([[0.6, 0.8], [1, 0]], np.float32)
    assert (again.scores(vectors) == head.scores(vectors)).all()
    assert (again.labels, again.embedding, again.dimensions) == (("a", "b"), {"sha256": "x"}, 2)
    write_head(again, tmp_path)
    assert (tmp_path / "head.npz").read_bytes() == first
    np.savez(tmp_path / "head.npz", weights_0=np.array([{"pickled": 1}], dtype=object))
    with pytest.raises(InputError, match="holds no head as `sluice train head` writes it"):
        read_head(tmp_path)
    (tmp_path / "head.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="holds no head"):
        read_head(tmp_path)


def test_a_score_does_not_depend_on_what_else_is_scored() -> None:
    random = np.random.Generator(np.random.Philox(6))
    vectors = random.normal(size=(70, 33)).astype(np.float32)
    layers = ((random.normal(size=(9, 33)), random.normal(size=9)), (random.normal(size=(1, 9)), random.normal(size=1)))
    head = Head("mlp", "regression", (), layers, (), {})
    whole = head.scores(vectors)
    assert [head.scores(vectors[at : at + 1])[0] for at in range(70)] == whole.tolist()
    assert head.scores(vectors[3:41]).tolist() == whole[3:41].tolist()


def test_ranks_and_correlations_are_those_of_the_definitions() -> None:
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2.5, 0, 2.5, 1]
    a, b = np.array([1.0, 2, 3, 4, 5]), np.array([5.0, 6, 7, 8, 7])
    # the textbook's example: 0.8208
    assert spearman(a, b) == pytest.approx(0.8207826817)
    assert correlation(a, np.ones(5)) == 0
    assert correlation(a, -a) == pytest.approx(-1)


def test_figures_of_a_score_are_those_at_the_cut() -> None:
    scores, wanted = np.array([0.0, 2.9, 3.0, 4.0, 3.5]), np.array([1.0, 3.0, 3.0, 5.0, 2.0])
    found = regression_figures(scores, wanted, 3.0, 1)
    assert found["precision"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert found["recall"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert found["f1"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert found["mean_absolute_error"]["value"] == pytest.approx(0.72)
    assert found["auc"]["value"] == pytest.approx(4 / 6, abs=1e-5)
    assert found["spearman"]["low"] <= found["spearman"]["value"] <= found["spearman"]["high"]
    alone = regression_figures(np.array([1.0, 2]), np.array([1.0, 2]), 9, 1)
    assert "auc" not in alone
    assert alone["f1"]["value"] == 0


def test_figures_of_classes() -> None:
    found, wanted = np.array([0, 1, 1, 2, 0]), np.array([0, 1, 2, 2, 1])
    assert confusion(found, wanted, ["a", "b", "c"]) == [
        {"label": "a", "found": {"a": 1, "b": 0, "c": 0}},
        {"label": "b", "found": {"a": 1, "b": 1, "c": 0}},
        {"label": "c", "found": {"a": 0, "b": 1, "c": 1}},
    ]
    told = class_figures(found, wanted, 3, 1)
    assert told["accuracy"]["value"] == 0.6
    assert told["macro_f1"]["value"] == pytest.approx((2 / 3 + 1 / 2 + 2 / 3) / 3, abs=1e-5)
    rows = per_label(np.eye(3)[found], wanted, ["a", "b", "c"])
    assert rows[2] == {"label": "c", "documents": 2, "precision": 1.0, "recall": 0.5, "f1": 0.66667, "auc": 0.75}
    assert f1(np.array([False]), np.array([True])) == 0
