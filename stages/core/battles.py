"""Battles between models as counts: who met whom, who won, and by what else the two answers differed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import InputError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

WON, LOST, TIED = 0, 1, 2
"""columns of `Battles.counts`, as the first of the two models sees it"""
WINNERS = {
    "model_a": WON,
    "model_b": LOST,
    **dict.fromkeys(("tie", "tie (bothbad)", "both bad", "both_bad", "bothbad"), TIED),
}
"""Values of the column `winner`. Both bad is a tie, as in Chatbot Arena."""
COLUMNS = ("model_a", "model_b", "winner")


@dataclass(frozen=True)
class Battles:
    """Battles by pair of models, in an order that does not depend on that of the rows they came from.

    models      names, sorted
    first       number of the pair's first model in `models`; below `second`
    counts      (rows, 3): battles that the first won, lost, tied
    covariates  (rows, covariates): differences of the two answers, first minus second, see `style_difference`
    left_out    battles of a model against itself, which tell nothing

    Without covariates a pair is one row; with them each battle is.
    """

    models: tuple[str, ...]
    first: Integers
    second: Integers
    counts: Floats
    covariates: Floats
    covariate_names: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def total(self) -> int:
        """Battles, without those left out."""
        return int(self.counts.sum())

    def matrix(self, outcome: int) -> Floats:
        """(models, models): how often the row's model had this outcome against the column's."""
        size = len(self.models)
        table = np.zeros((size, size))
        np.add.at(table, (self.first, self.second), self.counts[:, outcome])
        np.add.at(table, (self.second, self.first), self.counts[:, (LOST, WON, TIED)[outcome]])
        return table


def count_battles(
    models: Sequence[str],
    a: Integers,
    b: Integers,
    outcome: Integers,
    covariates: Floats | None = None,
    names: Sequence[str] = (),
) -> Battles:
    """Battles from one row each: numbers of the two models in `models` (sorted), and WON, LOST or TIED as `a` sees it."""
    met = a != b
    turned = (a > b)[met]
    first, second = np.where(turned, b[met], a[met]), np.where(turned, a[met], b[met])
    told = np.where(turned, np.array([LOST, WON, TIED])[outcome[met]], outcome[met])
    left_out = int(len(met) - met.sum())
    if covariates is None or not covariates.shape[1]:
        size = len(models)
        counts = np.bincount((first * size + second) * 3 + told, minlength=size * size * 3).reshape(-1, 3)
        pairs = np.flatnonzero(counts.any(axis=1))
        none = np.zeros((len(pairs), 0))
        return Battles(tuple(models), pairs // size, pairs % size, counts[pairs].astype(float), none, (), left_out)
    # adding nothing makes one zero of the two
    seen = np.where(turned[:, None], -covariates[met], covariates[met]) + 0.0
    order = np.lexsort((*seen.T, told, second, first))
    seen = seen[order]
    # one unit of a coefficient is a typical difference; a mean is not taken off, since that would favour the side of model_a
    spread = np.sqrt(np.mean(seen**2, axis=0))
    if still := [name for name, one in zip(names, spread, strict=True) if not one > 0]:
        raise InputError(f"the covariate {still[0]} is the same for both models in every battle: leave it out")
    return Battles(tuple(models), first[order], second[order], np.eye(3)[told[order]], seen / spread, tuple(names), left_out)


def style_difference(a: Floats, b: Floats) -> Floats:
    """(a - b) / (a + b) of two lengths or counts, 0 where both are 0.

    As Chatbot Arena's style control normalises (Li, Angelopoulos and Chiang 2024); there the mean is then taken off, too.
    """
    total = a + b
    return np.divide(a - b, total, out=np.zeros(len(a)), where=total > 0)


def battles_of(table: pa.Table, covariates: Sequence[tuple[str, str]] = (), where: str = "the table") -> Battles:
    """Battles of a table with the columns model_a, model_b and winner.

    covariates  columns with a length or count of model_a's answer and of model_b's

    Raises `InputError` for missing columns, values that are missing or unknown, and fewer than two models; rows count from 1.
    """
    models, a, b, outcome = coded(table, covariates, where)
    columns = []
    for pair in covariates:
        values = [_measured(table, column, where) for column in pair]
        columns.append(style_difference(*values))
    if len(models) < 2:
        raise InputError(f"{where} has {table.num_rows:,} battles and {len(models)} models: expected at least two")
    battles = count_battles(
        models, a, b, outcome, np.stack(columns, axis=1) if columns else None, [":".join(pair) for pair in covariates]
    )
    if not battles.total:
        raise InputError(f"{where}: in every battle a model meets itself")
    return battles


def coded(
    table: pa.Table, covariates: Sequence[tuple[str, str]] = (), where: str = "the table"
) -> tuple[list[str], Integers, Integers, Integers]:
    """Names of the models, sorted, and for each row both models' numbers and the outcome as model_a sees it."""
    refuse_missing(table.column_names, covariates, where)
    sides = []
    for column in COLUMNS[:2]:
        values = table[column]
        values = (values.cast(pa.string()) if not pa.types.is_string(values.type) else values).combine_chunks()
        if values.null_count:
            raise InputError(f"{where}, row {_row(values.is_null())}: {column} is missing")
        sides.append(values.dictionary_encode())
    models = sorted({*sides[0].dictionary.to_pylist(), *sides[1].dictionary.to_pylist()})
    number = {name: at for at, name in enumerate(models)}
    a, b = (
        np.array([number[name] for name in side.dictionary.to_pylist()], np.int64)[side.indices.to_numpy(zero_copy_only=False)]
        for side in sides
    )
    winners = table["winner"]
    winner = (winners.cast(pa.string()) if not pa.types.is_string(winners.type) else winners).combine_chunks()
    known = pc.index_in(winner, value_set=pa.array(list(WINNERS)))
    if known.null_count:
        row = _row(known.is_null())
        expected = ", ".join(map(repr, WINNERS))
        raise InputError(f"{where}, row {row}: winner is {winner[row - 1].as_py()!r}, expected one of {expected}")
    return models, a, b, np.array(list(WINNERS.values()), np.int64)[known.to_numpy(zero_copy_only=False)]


def refuse_missing(present: Sequence[str], covariates: Sequence[tuple[str, str]], where: str) -> None:
    """Raise `InputError` if a column that is needed is not there."""
    wanted = [*COLUMNS, *(column for pair in covariates for column in pair)]
    if missing := [column for column in wanted if column not in present]:
        raise InputError(f"{where} has no column {', '.join(missing)}; it has {', '.join(present) or 'none'}")


def _measured(table: pa.Table, column: str, where: str) -> Floats:
    try:
        values: Floats = table[column].cast(pa.float64()).combine_chunks().to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{where}: the covariate {column} is of type {table[column].type}, expected numbers") from error
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        found = table[column][row - 1].as_py()
        raise InputError(f"{where}, row {row}: the covariate {column} is {found}, expected a length or count, 0 or more")
    return values


def _row(flags: pa.BooleanArray) -> int:
    return int(np.argmax(flags.to_numpy(zero_copy_only=False))) + 1
