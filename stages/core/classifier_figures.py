"""How well scores tell two classes apart: ROC and its area, precision and recall at a cut, calibration, bootstrap intervals."""

from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
BINS = 10
ROC_POINTS = 20


@dataclass(frozen=True)
class Scored:
    """Scores of documents of known class, in ascending order of score."""

    scores: np.ndarray
    positive: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, positive: np.ndarray) -> "Scored":
        order = np.argsort(scores, kind="stable")
        return cls(np.asarray(scores, np.float64)[order], np.asarray(positive, np.bool_)[order])


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Chance that a positive scores above a negative, a tie counting half (Mann and Whitney 1947)."""
    groups, above, below = _groups(Scored.of(scores, positive))
    return _area(np.bincount(above, minlength=groups), np.bincount(below, minlength=groups))


def best_cut(scored: Scored) -> float:
    """The score with the largest difference of true and false positive rate (Youden 1950), the lowest of equals.

    It does not depend on how many documents of each class were labelled, as precision and F1 do.
    """
    values, at = np.unique(scored.scores, return_index=True)
    positives = np.concatenate([[0], np.cumsum(scored.positive)])
    missed, kept_out = positives[at], at - positives[at]
    gain = kept_out * int(positives[-1]) - missed * (len(scored.scores) - int(positives[-1]))
    return float(values[int(np.argmax(gain))])


def figures(scored: Scored, cut: float, seed: int = 0) -> dict[str, Any]:
    """AUC, and precision, recall and false positive rate of `score >= cut`, with 95 % intervals.

    Intervals are percentiles of 1000 resamples, drawn within each class, so that the share of positives stays.
    """
    random = np.random.Generator(np.random.Philox(seed))
    groups, above, below = _groups(scored)
    passing = np.unique(scored.scores) >= cut
    drawn = []
    for resample in range(RESAMPLES + 1):
        # the first is the sample itself
        counts = [
            np.bincount(group if not resample else group[random.integers(0, len(group), len(group))], minlength=groups)
            for group in (above, below)
        ]
        kept, wrongly = int(counts[0][passing].sum()), int(counts[1][passing].sum())
        precision = kept / (kept + wrongly) if kept + wrongly else 1.0
        drawn.append([_area(*counts), precision, kept / len(above), wrongly / len(below)])
    found = np.array(drawn)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(found[1:], [tail, 1 - tail], axis=0)
    names = ("auc", "precision", "recall", "false_positive_rate")
    return {
        name: {"value": round(float(found[0, at]), 5), "low": round(float(low[at]), 5), "high": round(float(high[at]), 5)}
        for at, name in enumerate(names)
    }


def roc(scored: Scored) -> list[dict[str, float]]:
    """Rates at cuts that keep 0, 5, ... 100 % of the documents."""
    count, points = len(scored.scores), []
    for point in range(ROC_POINTS + 1):
        first = count - count * point // ROC_POINTS
        cut = float(scored.scores[first]) if first < count else float("inf")
        kept = scored.scores >= cut
        rates = [float((kept & of).sum() / max(of.sum(), 1)) for of in (scored.positive, ~scored.positive)]
        points.append({"cut": cut, "recall": round(rates[0], 5), "false_positive_rate": round(rates[1], 5)})
    return points


def calibration(scored: Scored) -> dict[str, Any]:
    """For ten equal ranges of the score its mean and the share of positives; their mean distance; Brier's score."""
    scores = np.minimum(scored.scores, 1.0)
    place = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    rows, distance = [], 0.0
    for at in range(BINS):
        inside = place == at
        count = int(inside.sum())
        row: dict[str, Any] = {"from": at / BINS, "to": (at + 1) / BINS, "documents": count}
        if count:
            mean, share = float(scores[inside].mean()), float(scored.positive[inside].mean())
            row |= {"mean_score": round(mean, 5), "positive_fraction": round(share, 5)}
            distance += abs(mean - share) * count
        rows.append(row)
    brier = float(((scores - scored.positive) ** 2).mean())
    return {"bins": rows, "expected_error": round(distance / len(scores), 5), "brier": round(brier, 5)}


def _groups(scored: Scored) -> tuple[int, np.ndarray, np.ndarray]:
    """Number of different scores, and which of them each positive and each negative has."""
    values, place = np.unique(scored.scores, return_inverse=True)
    return len(values), place[scored.positive], place[~scored.positive]


def _area(positives: np.ndarray, negatives: np.ndarray) -> float:
    lower = np.cumsum(negatives) - negatives
    twice = int((positives * (2 * lower + negatives)).sum())
    return twice / (2 * int(positives.sum()) * int(negatives.sum()))
