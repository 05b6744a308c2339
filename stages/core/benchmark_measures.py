"""How well a benchmark tells models apart, and as a reference ranking does (Li et al. 2024, section 3)."""

import math
from dataclasses import dataclass

import numpy as np

from stages.core import score_figures
from stages.core.battles import Floats, Integers


@dataclass(frozen=True)
class Scores:
    """Scores of models, and the ends of their 95 % intervals; both ends are the score where it is taken as sure."""

    score: Floats
    low: Floats
    high: Floats

    def of(self, models: Integers) -> "Scores":
        """Those of some models."""
        return Scores(self.score[models], self.low[models], self.high[models])


def pairs(models: int) -> tuple[Integers, Integers]:
    """All pairs of so many models, each once."""
    first, second = np.triu_indices(models, 1)
    return np.asarray(first, np.int64), np.asarray(second, np.int64)


def separated(scores: Scores) -> Integers:
    """For each pair 1 if the first model's interval lies wholly above the second's, -1 if below, 0 if they meet."""
    one, other = pairs(len(scores.score))
    above, below = scores.low[one] > scores.high[other], scores.high[one] < scores.low[other]
    return np.asarray(above.astype(np.int64) - below)


def separability(scores: Scores) -> float | None:
    """Share of pairs whose intervals do not overlap; None of fewer than two models."""
    found = separated(scores)
    return float(np.count_nonzero(found) / len(found)) if len(found) else None


def agreement(benchmark: Scores, reference: Scores) -> float | None:
    """Mean over all pairs of 1 if both separate them in the same order, -1 if in the other, 0 if one of them does not."""
    product = separated(benchmark) * separated(reference)
    return float(int(product.sum()) / len(product)) if len(product) else None


def pair_rank_brier(first_wins: Floats, reference: Floats) -> tuple[float | None, int]:
    """Mean over pairs of (p - o)**2, and how many pairs are left out since the reference has both at the same score.

    first_wins  p: how sure the benchmark is that the first of a pair is the better one, from 0 to 1
    reference   scores: o is 1 where they have the first above the second, else 0

    0 is the best, a coin gets 0.25.
    """
    one, other = pairs(len(reference))
    told = reference[one] != reference[other]
    if not told.any():
        return None, len(told)
    outcome = (reference[one] > reference[other])[told]
    return float(np.mean((first_wins[told] - outcome) ** 2)), int((~told).sum())


def wins_of_samples(samples: Floats) -> Floats:
    """For each pair the share of bootstrap samples, a row each, in which the first is above the second; ties count half."""
    one, other = pairs(samples.shape[1])
    difference = samples[:, one] - samples[:, other]
    return np.asarray(((difference > 0) + 0.5 * (difference == 0)).mean(axis=0))


def wins_of_intervals(scores: Scores) -> Floats:
    """The same, of normal distributions with these 95 % intervals."""
    one, other = pairs(len(scores.score))
    spread = (scores.high - scores.low) / (2 * 1.959963984540054)
    difference = (scores.score[one] - scores.score[other]).tolist()
    both = np.hypot(spread[one], spread[other]).tolist()
    return np.array([_normal(apart, wide) for apart, wide in zip(difference, both, strict=True)])


def _normal(apart: float, wide: float) -> float:
    if wide == 0:
        return 0.5 * (1 + (apart > 0) - (apart < 0))
    return 0.5 * math.erfc(-apart / wide / math.sqrt(2))


def spearman(one: Floats, other: Floats) -> float | None:
    """Correlation of ranks, equal scores sharing the mean of theirs; None where all are equal."""
    return None if min(len(np.unique(one)), len(np.unique(other))) < 2 else score_figures.spearman(one, other)
