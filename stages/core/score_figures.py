"""How well scores and classes agree with labels: rank correlation, errors, confusion, F1, bootstrap intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.core.classifier_figures import LEVEL, RESAMPLES, auc


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value from 0, equal ones having the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts + 1) / 2)[place])


def spearman(scores: np.ndarray, wanted: np.ndarray) -> float:
    """Correlation of the ranks; 0 where all are equal."""
    return correlation(ranks(scores), ranks(wanted))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 where one has no variance."""
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / length if length else 0.0


def regression_figures(scores: np.ndarray, wanted: np.ndarray, cut: float, seed: int) -> dict[str, Any]:
    """Spearman, Pearson, mean absolute and squared error; AUC and F1 of `score >= cut` against `label >= cut`; intervals."""

    def measure(s: np.ndarray, w: np.ndarray) -> dict[str, float]:
        found = {
            "spearman": spearman(s, w),
            "pearson": correlation(s, w),
            "mean_absolute_error": float(np.abs(s - w).mean()),
            "mean_squared_error": float(((s - w) ** 2).mean()),
        }
        return found | _at_cut(s >= cut, w >= cut) | _area(s, w >= cut)

    return _with_intervals(measure, (scores, wanted), seed)


def class_figures(found: np.ndarray, wanted: np.ndarray, labels: int, seed: int) -> dict[str, Any]:
    """Accuracy, and the mean of all labels' F1, with intervals."""

    def measure(f: np.ndarray, w: np.ndarray) -> dict[str, float]:
        each = [_at_cut(f == label, w == label)["f1"] for label in range(labels)]
        return {"accuracy": float((f == w).mean()), "macro_f1": float(np.mean(each))}

    return _with_intervals(measure, (found, wanted), seed)


def per_label(probabilities: np.ndarray, wanted: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Of each label documents, precision, recall and F1 of the most likely label, and AUC of its probability."""
    best = probabilities.argmax(axis=1)
    rows = []
    for at, label in enumerate(labels):
        figures = _at_cut(best == at, wanted == at) | _area(probabilities[:, at], wanted == at)
        row = {"label": label, "documents": int((wanted == at).sum())}
        rows.append(row | {name: round(value, 5) for name, value in figures.items()})
    return rows


def confusion(found: np.ndarray, wanted: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """For each label how many documents of it were found to be what."""
    table = np.zeros((len(names), len(names)), np.int64)
    np.add.at(table, (wanted, found), 1)
    return [
        {"label": name, "found": dict(zip(names, row.tolist(), strict=True))} for name, row in zip(names, table, strict=True)
    ]


def f1(found: np.ndarray, wanted: np.ndarray) -> float:
    """2 hits / (2 hits + false ones + missed ones); 0 without a hit."""
    return _at_cut(found, wanted)["f1"]


def _at_cut(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    hits, said, there = int((found & wanted).sum()), int(found.sum()), int(wanted.sum())
    return {
        "precision": hits / said if said else 1.0,
        "recall": hits / there if there else 1.0,
        "f1": 2 * hits / (said + there) if hits else 0.0,
    }


def _area(scores: np.ndarray, positive: np.ndarray) -> dict[str, float]:
    """Empty where there is one class alone."""
    return {"auc": auc(scores, positive)} if 0 < positive.sum() < len(positive) else {}


def _with_intervals(measure: Any, samples: tuple[np.ndarray, np.ndarray], seed: int) -> dict[str, Any]:
    """Each figure with the 95 % percentile interval of 1000 resamples of documents, where it could be taken."""
    random = np.random.Generator(np.random.Philox(seed))
    value: dict[str, float] = measure(*samples)
    count = len(samples[0])
    drawn: dict[str, list[float]] = {name: [] for name in value}
    for _ in range(RESAMPLES):
        places = random.integers(0, count, count)
        for name, number in measure(*(sample[places] for sample in samples)).items():
            drawn.setdefault(name, []).append(number)
    tail = (1 - LEVEL) / 2
    found = {}
    for name, number in value.items():
        low, high = np.quantile(drawn[name], [tail, 1 - tail]) if drawn[name] else (number, number)
        found[name] = {"value": round(number, 5), "low": round(float(low), 5), "high": round(float(high), 5)}
    return found
