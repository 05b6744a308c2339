"""A leaderboard of models from battles: strengths with bootstrap intervals, ranks, and who won how often against whom."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.core.battle_graph import REMEDY, NoEstimate, connected
from stages.core.battles import LOST, TIED, WON, Battles, Floats, Integers
from stages.core.bradley_terry import Fit, elo, fit
from stages.core.tie_models import Ties

Column = npt.NDArray[Any] | None
INTERVAL = (0.025, 0.975)
"""the 95 % between them"""
LEADERBOARD = pa.schema(
    [
        ("rank", pa.int64()),
        ("rank_by_interval", pa.int64()),
        ("model", pa.string()),
        *((name, pa.float64()) for name in ("strength", "strength_low", "strength_high", "elo", "elo_low", "elo_high")),
        *((name, pa.int64()) for name in ("battles", "wins", "losses", "ties")),
        ("win_rate", pa.float64()),
        ("online_elo", pa.float64()),
    ]
)
WIN_MATRIX = pa.schema(
    [
        ("model", pa.string()),
        ("opponent", pa.string()),
        *((name, pa.int64()) for name in ("battles", "wins", "losses", "ties")),
        ("win_fraction", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Bootstrap:
    """Estimates from resampled battles, a row each: strengths (mean 0), coefficients of covariates, tie parameter.

    redrawn  samples that had no finite estimate, for each of which another was drawn
    """

    strengths: Floats
    coefficients: Floats
    ties: Floats | None
    redrawn: int

    def intervals(self) -> Floats:
        """(2, models): ends of the 95 % intervals of the strengths."""
        return percentiles(self.strengths)


def percentiles(sampled: Floats) -> Floats:
    """(2, columns): ends of 95 % percentile intervals (Efron and Tibshirani 1993, chapter 13).

    The k-th of n samples stands at k / (n + 1), as if one more could fall between any two; numpy's default, (k - 1) / (n - 1),
    would make 95 % intervals of 100 samples ones of 93 %. With fewer than 39 samples the ends are the outermost.
    """
    return np.asarray(np.quantile(sampled, INTERVAL, axis=0, method="weibull"))


def bootstrap(battles: Battles, fitted: Fit, ties: Ties, prior: float | None, samples: int, seed: int) -> Bootstrap:
    """Fits of `samples` multinomial samples of the battles, drawn from their counts: as many battles, with replacement.

    In a sample a model may have lost all its battles, or two groups never met: it is drawn again, and counted. That narrows
    intervals of models with a handful of wins or losses; a prior needs no redraw. Raises `NoEstimate` if it happens more
    often than not.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    flat = battles.counts.ravel()
    seen = np.flatnonzero(flat)
    share = flat[seen] / flat.sum()
    fits: list[Fit] = []
    redrawn = 0
    while len(fits) < samples:
        drawn = np.zeros(len(flat))
        drawn[seen] = random.multinomial(battles.total, share)
        counts = drawn.reshape(battles.counts.shape)
        one = _refit(battles, counts, fitted, ties, prior)
        if one is None:
            redrawn += 1
            if redrawn > max(samples, 20):
                raise NoEstimate(
                    f"{redrawn} of {redrawn + len(fits)} bootstrap samples have no finite strengths, since models have few "
                    f"wins or losses: {REMEDY}; or ask for 0 bootstraps"
                )
            continue
        fits.append(one)
    tie = [one.tie for one in fits if one.tie is not None]
    return Bootstrap(
        np.array([one.strengths for one in fits]),
        np.array([one.coefficients for one in fits]),
        np.array(tie) if tie else None,
        redrawn,
    )


def _refit(battles: Battles, counts: Floats, fitted: Fit, ties: Ties, prior: float | None) -> Fit | None:
    if prior is None and not connected(battles, counts):
        return None
    tied = counts[:, TIED].sum() > 0
    start = fitted.parameters if tied or ties == "half" else None
    try:
        return fit(battles, ties, prior, counts, start)
    except NoEstimate:
        return None


def online_elo(size: int, a: Integers, b: Integers, outcome: Integers, k_factor: float = 4.0) -> Floats:
    """Ratings after the battles in the order given, each moving both ratings by K x (score - expected score); from 1000.

    Elo 1978. A tie is a score of a half. Depends on the order; K = 4 moves slowly, as in Chatbot Arena, chess has 10 to 40.
    """
    ratings = [1000.0] * size
    scores = (1.0, 0.0, 0.5)
    # one by one: what a battle moves depends on all before it
    for one, other, result in zip(a.tolist(), b.tolist(), outcome.tolist(), strict=True):
        if one != other:
            moved = k_factor * (scores[result] - 1 / (1 + 10 ** ((ratings[other] - ratings[one]) / 400)))
            ratings[one] += moved
            ratings[other] -= moved
    return np.array(ratings)


def win_matrix(battles: Battles) -> pa.Table:
    """For every model and opponent that it met: counts, and (wins + ties / 2) / battles."""
    won, tied = battles.matrix(WON), battles.matrix(TIED)
    met = won + won.T + tied
    at, against = np.nonzero(met)
    names = np.array(battles.models, object)
    wins, losses, draws, total = (table[at, against] for table in (won, won.T, tied, met))
    columns: list[Column] = [names[at], names[against], total, wins, losses, draws, (wins + draws / 2) / total]
    return _table(columns, WIN_MATRIX)


def leaderboard(battles: Battles, fitted: Fit, sampled: Bootstrap | None, ratings: Floats | None = None) -> pa.Table:
    """A row for each model, the strongest first; models of equal strength by name.

    rank              by strength
    rank_by_interval  1 + the models whose interval lies wholly above this one's, as Chatbot Arena ranks
    elo               400 / ln 10 x strength + 1000
    win_rate          (wins + ties / 2) / battles, whoever the opponents were
    online_elo        `ratings`

    Intervals and rank_by_interval are null without a bootstrap.
    """
    size = len(battles.models)
    strength = fitted.strengths
    order = np.lexsort((np.arange(size), -strength))
    won, lost, tied = (battles.matrix(outcome).sum(axis=1) for outcome in (WON, LOST, TIED))
    total = won + lost + tied
    low = high = above = None
    if sampled is not None:
        low, high = sampled.intervals()
        above = 1 + (low[None, :] > high[:, None]).sum(axis=1)
    with np.errstate(invalid="ignore"):
        rate = (won + tied / 2) / total
    ends = [strength, low, high, *(None if one is None else elo(one) for one in (strength, low, high))]
    columns = [above, np.array(battles.models, object), *ends, total, won, lost, tied, rate, ratings]
    sorted_columns = [None if column is None else column[order] for column in columns]
    return _table([np.arange(1, size + 1), *sorted_columns], LEADERBOARD)


def _table(columns: list[Column], schema: pa.Schema) -> pa.Table:
    rows = next(len(column) for column in columns if column is not None)
    arrays = [
        pa.nulls(rows, field.type) if column is None else pa.array(column, from_pandas=True).cast(field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
