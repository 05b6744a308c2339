"""How good a benchmark is, from its battles and a ranking that is taken as the truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import InputError, RecipeError
from stages.core.battles import COLUMNS, Floats, battles_of
from stages.core.benchmark_measures import (
    Scores,
    agreement,
    pair_rank_brier,
    pairs,
    separability,
    separated,
    spearman,
    wins_of_intervals,
    wins_of_samples,
)
from stages.core.bradley_terry import fit
from stages.core.evaluation_sets import rows_of
from stages.core.leaderboard import bootstrap
from stages.core.read_battles import read_battles
from stages.core.read_ranking import read_ranking
from stages.core.tie_models import Ties


def measure(
    benchmark: Path,
    reference: Path,
    *,
    ties: Ties = "half",
    bootstraps: int = 100,
    seed: int = 0,
    prior: float | None = None,
    covariates: Sequence[tuple[str, str]] = (),
    columns: Sequence[str] = (),
) -> dict[str, Any]:
    """Separability of a benchmark, and over the models that a reference ranks, too, its agreement with it. JSON-ready.

    benchmark  battles, or a ranking with intervals
    reference  a ranking; without intervals it is taken as sure of every order
    columns    of the reference: model, score, and both ends of the interval if there is one

    Raises `InputError`, also where fewer than two models are in both, and `NoEstimate`.
    """
    if bootstraps < 2:
        raise RecipeError(f"{bootstraps} bootstraps, expected at least 2: all measures are about intervals")
    samples: Floats | None = None
    told: dict[str, Any] = {"battles": None, "ties": None, "bootstraps": None, "seed": None}
    if _has_battles(benchmark):
        battles = battles_of(read_battles(benchmark, covariates), covariates, str(benchmark))
        fitted = fit(battles, ties, prior)
        sampled = bootstrap(battles, fitted, ties, prior, bootstraps, seed)
        samples = sampled.strengths
        models, scores = list(battles.models), Scores(fitted.strengths, *sampled.intervals())
        told = {"battles": battles.total, "ties": ties, "bootstraps": bootstraps, "seed": seed}
    else:
        models, scores, sure = read_ranking(benchmark)
        if not sure:
            raise InputError(f"{benchmark} has neither battles (model_a, model_b, winner) nor intervals of its scores")
    ranked, truth, with_intervals = read_ranking(reference, columns)
    shared = sorted(set(models) & set(ranked))
    if len(shared) < 2:
        one, other = (", ".join(sorted(names)[:5]) for names in (models, ranked))
        raise InputError(
            f"{len(shared)} models are in both {benchmark} ({one}, ...) and {reference} ({other}, ...): expected 2"
        )
    mine = np.array([models.index(name) for name in shared])
    theirs = truth.of(np.array([ranked.index(name) for name in shared]))
    own = scores.of(mine)
    brier, equal = pair_rank_brier(
        wins_of_intervals(own) if samples is None else wins_of_samples(samples[:, mine]), theirs.score
    )
    return {
        **told,
        "models": len(models),
        "separability": separability(scores),
        "shared_models": len(shared),
        "shared_pairs": len(pairs(len(shared))[0]),
        "shared_separability": separability(own),
        "reference_separability": separability(theirs) if with_intervals else None,
        "agreement": agreement(own, theirs),
        "disagreeing_pairs": _disagreeing(shared, own, theirs),
        "pair_rank_brier": brier,
        "equal_in_reference": equal,
        "spearman": spearman(own.score, theirs.score),
        "only_in_benchmark": sorted(set(models) - set(shared)),
        "only_in_reference": sorted(set(ranked) - set(shared)),
    }


def _has_battles(path: Path) -> bool:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return bool(set(COLUMNS[:2]) & set(pq.read_schema(path).names))
    return bool(set(COLUMNS[:2]) & set(next(iter(rows_of(str(path))), {})))


def _disagreeing(names: Sequence[str], one: Scores, other: Scores) -> list[list[str]]:
    """Pairs that both are sure about and order differently, the benchmark's better one first."""
    first, second = pairs(len(names))
    orders = separated(one)
    wrong = np.flatnonzero(orders * separated(other) < 0)
    return [
        [names[first[at]], names[second[at]]] if orders[at] > 0 else [names[second[at]], names[first[at]]]
        for at in wrong.tolist()
    ]
