"""Curves from log-odds to probabilities, found on documents that were not trained on."""

import numpy as np

from stages.core.heads import Calibration, Curve, sigmoid


def calibrate(odds: np.ndarray, positive: np.ndarray, how: Calibration) -> Curve:
    """The curve of this kind; the plain sigmoid where it is `none`, or where there is only one class to learn from."""
    if how == "none" or positive.all() or not positive.any():
        return Curve()
    return _platt(odds, positive) if how == "platt" else _isotonic(odds, positive)


def _platt(odds: np.ndarray, positive: np.ndarray) -> Curve:
    """Maximum likelihood of a sigmoid with Platt's smoothed targets (Platt 1999), by Newton's method (Lin et al. 2007)."""
    good, bad = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (good + 1) / (good + 2), 1 / (bad + 2))
    slope, offset = 0.0, float(np.log((good + 1) / (bad + 1)))

    def loss(a: float, b: float) -> float:
        x = a * odds + b
        return float((np.logaddexp(0, x) - target * x).sum())

    now = loss(slope, offset)
    for _ in range(100):
        p = sigmoid(slope * odds + offset)
        error, weight = p - target, p * (1 - p)
        gradient = np.array([(error * odds).sum(), error.sum()])
        if np.abs(gradient).max() < 1e-8 * len(odds):
            break
        cross = (weight * odds).sum()
        # the small number keeps it solvable where all log-odds are one
        hessian = np.array([[(weight * odds * odds).sum(), cross], [cross, weight.sum()]]) + 1e-12 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10 and (after := loss(slope - size * step[0], offset - size * step[1])) > now - 1e-4 * size * float(
            gradient @ step
        ):
            size /= 2
        if size <= 1e-10:
            break
        slope, offset, now = slope - size * float(step[0]), offset - size * float(step[1]), after
    # log-odds that say the opposite would turn the order of documents around
    return Curve(slope, offset) if slope > 0 else Curve(0.0, float(np.log((good + 1) / (bad + 1))))


def _isotonic(odds: np.ndarray, positive: np.ndarray) -> Curve:
    """The rising steps nearest to the classes (pool adjacent violators; Zadrozny and Elkan 2002), with lines between them."""
    values, place = np.unique(odds, return_inverse=True)
    weight = np.bincount(place).astype(np.float64)
    total = np.bincount(place, weights=positive.astype(np.float64))
    # blocks: sum, weight, and how many values they have
    blocks: list[list[float]] = []
    for good, count in zip(total, weight, strict=True):
        blocks.append([float(good), float(count), 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            good_last, count_last, many = blocks.pop()
            blocks[-1] = [blocks[-1][0] + good_last, blocks[-1][1] + count_last, blocks[-1][2] + many]
    ends = np.cumsum([int(block[2]) for block in blocks])
    levels = [block[0] / block[1] for block in blocks]
    x, y = [], []
    for start, stop, level in zip(np.concatenate([[0], ends[:-1]]), ends, levels, strict=True):
        x += [values[start], values[stop - 1]] if stop - start > 1 else [values[start]]
        y += [level, level] if stop - start > 1 else [level]
    return Curve(points=np.array([x, y]))
