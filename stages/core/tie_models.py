"""Likelihoods of battles with three ways to treat ties; the formulas are in `bradley_terry`."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np

from stages.core.battles import LOST, TIED, WON, Floats

Ties = Literal["half", "rao-kupper", "davidson"]
TIES: tuple[Ties, ...] = get_args(Ties)


class Terms(NamedTuple):
    """A log-likelihood and its derivatives: by d row by row, by eta over all rows. Curvatures are minus second derivatives."""

    value: float
    slope: Floats
    curve: Floats
    slope_eta: float = 0.0
    curve_eta: float = 0.0
    curve_both: Floats | None = None


def _log_sigmoid(x: Floats) -> Floats:
    return -np.logaddexp(0.0, -x)


def half(d: Floats, counts: Floats, eta: float) -> Terms:
    won, lost = (counts[:, side] + counts[:, TIED] / 2 for side in (WON, LOST))
    log_p = _log_sigmoid(d)
    log_q = log_p - d
    p, q = np.exp(log_p), np.exp(log_q)
    return Terms(float(won @ log_p + lost @ log_q), won * q - lost * p, (won + lost) * p * q)


def rao_kupper(d: Floats, counts: Floats, eta: float) -> Terms:
    # P(tie) = (theta^2 - 1) P(first wins) P(second wins)
    won, lost = (counts[:, side] + counts[:, TIED] for side in (WON, LOST))
    tied = float(counts[:, TIED].sum())
    log_p, log_q = _log_sigmoid(d - eta), _log_sigmoid(-d - eta)
    not_p, not_q = np.exp(log_p - (d - eta)), np.exp(log_q + d + eta)
    curve_p, curve_q = won * np.exp(log_p) * not_p, lost * np.exp(log_q) * not_q
    return Terms(
        float(won @ log_p + lost @ log_q) + tied * float(np.log(np.expm1(2 * eta))),
        won * not_p - lost * not_q,
        curve_p + curve_q,
        float(-won @ not_p - lost @ not_q) - 2 * tied / float(np.expm1(-2 * eta)),
        float(curve_p.sum() + curve_q.sum()) + tied / float(np.sinh(eta)) ** 2,
        curve_q - curve_p,
    )


def davidson(d: Floats, counts: Floats, eta: float) -> Terms:
    total = counts.sum(axis=1)
    scale = np.logaddexp(np.logaddexp(d / 2, -d / 2), eta)
    p, q, tie = np.exp(d / 2 - scale), np.exp(-d / 2 - scale), np.exp(eta - scale)
    lead, tied = counts[:, WON] - counts[:, LOST], float(counts[:, TIED].sum())
    return Terms(
        float(lead @ d) / 2 + tied * eta - float(total @ scale),
        (lead - total * (p - q)) / 2,
        total * (p + q - (p - q) ** 2) / 4,
        tied - float(total @ tie),
        float(total @ (tie * (1 - tie))),
        -total * (p - q) * tie / 2,
    )


LIKELIHOODS: dict[Ties, Callable[[Floats, Floats, float], Terms]] = {
    "half": half,
    "rao-kupper": rao_kupper,
    "davidson": davidson,
}
"""(d, counts, eta) -> Terms; `half` has no eta"""
