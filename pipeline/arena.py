"""Models ranked from a file of battles: leaderboard, win matrix, plot and what was assumed."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.arena_plot import plot
from schemas.errors import OutputError
from stages.core.battle_graph import groups
from stages.core.battles import battles_of, coded
from stages.core.bradley_terry import fit
from stages.core.leaderboard import Bootstrap, bootstrap, leaderboard, online_elo, percentiles, win_matrix
from stages.core.read_battles import read_battles
from stages.core.tie_models import Ties


@dataclass(frozen=True)
class Ranking:
    """What `rank` found; `summary` is all that is not a table, for JSON."""

    leaderboard: pa.Table
    win_matrix: pa.Table
    summary: dict[str, Any]

    def write(self, folder: Path) -> None:
        """leaderboard.parquet, win_matrix.parquet, leaderboard.svg and summary.json; each appears complete or not at all."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / "leaderboard.parquet", lambda path: pq.write_table(self.leaderboard, path))
            _write(folder / "win_matrix.parquet", lambda path: pq.write_table(self.win_matrix, path))
            _write(
                folder / "summary.json", lambda path: path.write_bytes(orjson.dumps(self.summary, option=orjson.OPT_INDENT_2))
            )
            _write(folder / "leaderboard.svg", lambda path: path.write_text(plot(self.leaderboard), encoding="utf-8"))
        except OSError as error:
            raise OutputError(f"{folder} cannot be written: {error.strerror}") from error


def rank(
    path: Path,
    *,
    ties: Ties = "half",
    bootstraps: int = 100,
    seed: int = 0,
    prior: float | None = None,
    covariates: Sequence[tuple[str, str]] = (),
    k_factor: float = 4.0,
) -> Ranking:
    """Rank the models of a file of battles.

    bootstraps  samples for the intervals; 0 for none
    prior       standard deviation in logits, see `bradley_terry.fit`
    covariates  columns with a length or count of each answer, whose effect is taken out of the strengths

    Raises `InputError` and `NoEstimate`.
    """
    table = read_battles(path, covariates)
    battles = battles_of(table, covariates, str(path))
    fitted = fit(battles, ties, prior)
    sampled = bootstrap(battles, fitted, ties, prior, bootstraps, seed) if bootstraps else None
    models, a, b, outcome = coded(table, covariates, str(path))
    board = leaderboard(battles, fitted, sampled, online_elo(len(models), a, b, outcome, k_factor))
    notes = []
    if battles.left_out:
        notes.append(f"{battles.left_out:,} battles of a model against itself are left out")
    if sampled is not None and sampled.redrawn:
        notes.append(f"{sampled.redrawn} bootstrap samples had no finite strengths and were drawn again")
    if prior is not None and len(apart := groups(battles, battles.counts)) > 1:
        notes.append(f"the models fall into {len(apart)} groups without a battle between them: only the prior compares these")
    summary = {
        "battles": battles.total,
        "models": len(models),
        "ties": ties,
        "tie_parameter": fitted.tie,
        "prior": prior,
        "bootstraps": bootstraps,
        "seed": seed,
        "k_factor": k_factor,
        "log_likelihood": fitted.log_likelihood,
        "covariates": _effects(battles.covariate_names, fitted.coefficients, sampled),
        "notes": notes,
    }
    return Ranking(board, win_matrix(battles), summary)


def _effects(names: Sequence[str], effects: Any, sampled: Bootstrap | None) -> list[dict[str, Any]]:
    ends: Any = [[None, None]] * len(names)
    if sampled is not None and names:
        ends = percentiles(sampled.coefficients).T.tolist()
    return [
        {"covariate": name, "coefficient": float(effect), "low": low, "high": high}
        for name, effect, (low, high) in zip(names, effects, ends, strict=True)
    ]


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    write(partial)
    partial.replace(path)
