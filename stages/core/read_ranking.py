"""Files that rank models: a score for each, with or without an interval."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import InputError
from stages.core.benchmark_measures import Scores
from stages.core.evaluation_sets import rows_of

MODEL = ("model", "model_name", "name")
SCORE = ("strength", "elo", "score", "rating", "win_rate", "rank")
"""Columns with a score, the first that is there; of `rank` the smallest is the best."""
ENDS = (("{}_low", "{}_high"), ("{}_q025", "{}_q975"), ("rating_q025", "rating_q975"), ("low", "high"), ("lower", "upper"))
"""Columns with the ends of its 95 % interval."""


def read_ranking(path: Path, columns: Sequence[str] = ()) -> tuple[list[str], Scores, bool]:
    """Models of a file in its order, their scores, and whether it has intervals: Parquet, JSON lines or CSV.

    columns  model and score, and both ends of the interval if there is one; by default they are looked for

    Raises `InputError` where they are not there, a model is there twice, or a value is no number.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    rows = list(rows_of(str(path)))
    if not rows:
        raise InputError(f"{path} has no models")
    names = tuple(columns) or _columns(list(rows[0]), str(path))
    models = [str(_value(row, names[0], path, number)) for number, row in enumerate(rows, 1)]
    if twice := [name for at, name in enumerate(models) if name in models[:at]]:
        raise InputError(f"{path}: the model {twice[0]} is there twice")
    values = [np.array([_number(row, name, path, at) for at, row in enumerate(rows, 1)]) for name in names[1:]]
    score, sign = values[0], -1.0 if names[1] == "rank" else 1.0
    if len(values) == 1:
        return models, Scores(sign * score, sign * score, sign * score), False
    ends = np.sort(np.stack([sign * values[1], sign * values[2]]), axis=0)
    return models, Scores(sign * score, ends[0], ends[1]), True


def _columns(there: list[str], where: str) -> tuple[str, ...]:
    model = next((name for name in MODEL if name in there), None)
    score = next((name for name in SCORE if name in there), None)
    if model is None or score is None:
        wanted = MODEL if model is None else SCORE
        raise InputError(f"{where} has no column {' or '.join(wanted)}; it has {', '.join(there)}")
    ends = [(low.format(score), high.format(score)) for low, high in ENDS]
    return (model, score, *next((pair for pair in ends if set(pair) <= set(there)), ()))


def _value(row: Mapping[str, Any], name: str, path: Path, number: int) -> Any:
    if row.get(name) is None:
        raise InputError(f"{path}, row {number}: {name} is missing; the row has {', '.join(row)}")
    return row[name]


def _number(row: Mapping[str, Any], name: str, path: Path, number: int) -> float:
    value = _value(row, name, path, number)
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"{path}, row {number}: {name} is {value!r}, expected a number")
    return found
