"""Which pairs to compare next: those whose outcome tells most about the strengths, given what is known.

The belief about the strengths is normal: around their likeliest values, with the inverse of the information matrix as
covariance, after a normal prior whose spread is learnt with them. Slopes and curvatures of the likelihood are averaged over
the belief itself (by MacKay's approximation of the mean of a logistic function, 1992) instead of being taken at its centre
(Laplace). At the centre they make the learnt spread collapse while items have few comparisons; and with a spread that is
given and too wide, pairs are chosen by noise, and more of them are needed than at random.

A comparison is expected to tell half the logarithm of 1 + v w, in nats, v being the variance of the difference and w the
averaged curvature. After each choice the covariance is that after its answer, so that a batch does not ask the same thing
twice. Matrices are items x items: some thousand items are the most.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.core.battles import TIED, WON, Battles, Floats

FIRST_SPREAD = 2.0
"""logits, while there is no comparison"""
SPREADS = (0.1, 20.0)
ROUNDS = 30
CLOSE = 1e-3
"""logits; far below what comparisons leave unknown"""


@dataclass(frozen=True)
class Belief:
    """What is known of the strengths: mean and covariance in logits, and the standard deviation of the prior."""

    strengths: Floats
    covariance: Floats
    spread: float


def no_belief(items: int, spread: float = FIRST_SPREAD) -> Belief:
    """Before the first comparison."""
    return Belief(np.zeros(items), np.eye(items) * spread**2, spread)


def scores_of(battles: Battles) -> Floats:
    """[i, j]: how often i won against j, a tie being half a win of each."""
    return battles.matrix(WON) + battles.matrix(TIED) / 2


def believe(scores: Floats, before: Belief, spread: float | None = None) -> Belief:
    """The belief after all comparisons.

    scores  (items, items): all wins of the row's item against the column's, ties as halves
    before  where to start; the belief after fewer comparisons, or `no_belief`
    spread  the prior's standard deviation in logits; None learns it (EM)
    """
    met = scores + scores.T
    won = scores.sum(axis=1)
    at, covariance = before.strengths, before.covariance
    wide = before.spread if spread is None else spread
    for _ in range(ROUNDS):
        mean, curve = _averaged(at[:, None] - at[None, :], _variances(covariance))
        slope = won - (met * mean).sum(axis=1) - at / wide**2
        between = met * curve
        covariance = np.asarray(np.linalg.inv(np.diag(between.sum(axis=1) + wide**-2) - between), float)
        step = covariance @ slope
        length = float(np.abs(step).max())
        at = at + step * min(1.0, 5 / max(length, 1e-300))
        was = wide
        if spread is None:
            wide = float(np.clip(np.sqrt(np.mean(at**2 + covariance.diagonal())), *SPREADS))
        if length < CLOSE and abs(wide - was) < CLOSE:
            break
    return Belief(at, covariance, wide)


def next_pairs(belief: Belief, batch: int, barred: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
    """(batch, 2): different pairs to compare, the one expected to tell most first; fewer if there are no more.

    barred  (items, items): pairs that must not be chosen, in either order; a judge that gives the same answer again
            tells nothing
    """
    items = len(belief.strengths)
    first, second = np.triu_indices(items, 1)
    if barred is not None:
        left = ~(barred | barred.T)[first, second]
        first, second = first[left], second[left]
    at, covariance = belief.strengths, belief.covariance.copy()
    apart = at[first] - at[second]
    variance = _variances(covariance)[first, second]
    open_ = np.ones(len(first), bool)
    chosen: list[int] = []
    while len(chosen) < min(batch, len(first)):
        _, curve = _averaged(apart, variance)
        pair = int(np.argmax(np.where(open_, variance * curve, -1.0)))
        chosen.append(pair)
        open_[pair] = False
        moved = covariance[:, first[pair]] - covariance[:, second[pair]]
        learnt = curve[pair] / (1 + curve[pair] * variance[pair])
        covariance -= learnt * np.outer(moved, moved)
        variance = np.maximum(variance - learnt * (moved[first] - moved[second]) ** 2, 0)
    return np.stack([first[chosen], second[chosen]], axis=1)


def information(belief: Belief) -> Floats:
    """(items, items): nats that a comparison of the two is expected to tell."""
    variance = _variances(belief.covariance)
    _, curve = _averaged(belief.strengths[:, None] - belief.strengths[None, :], variance)
    return np.asarray(np.log1p(variance * curve) / 2)


def _variances(covariance: Floats) -> Floats:
    own = covariance.diagonal()
    return np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0)


def _averaged(apart: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Mean of the logistic function over a normal difference, and that mean's slope."""
    shrunk = 1 / np.sqrt(1 + np.pi * variance / 8)
    mean = 0.5 + 0.5 * np.tanh(shrunk * apart / 2)
    return mean, shrunk * mean * (1 - mean)
