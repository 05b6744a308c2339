"""From measures to decisions: which rules a document breaks, and the limit that applied to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from schemas.rule import Percentile, Rule, Table
from stages.core.stage import Measures


@dataclass(frozen=True)
class Broken:
    """One rule of one step, with the rows that break it and what was measured there."""

    step: str
    rule: Rule
    rows: np.ndarray
    """int64, ascending"""
    values: np.ndarray
    """float64"""
    limits: np.ndarray
    """float64, the number that applied to each row"""


def judge(step: str, rules: Sequence[Rule], measures: Measures, table: pa.Table) -> list[Broken]:
    """The rules that some document of the batch breaks, in order. Limits still to be found in the data are passed over."""
    broken = []
    known: Encoded = {}
    for rule in rules:
        if rule.limit is None or isinstance(rule.limit, Percentile):
            continue
        values = np.asarray(measures[rule.measure], np.float64)
        limits = limits_of(rule, table, known)
        # NaN stands for "no limit" in a table; comparisons with it are false, so nothing is broken
        misses = values < limits if rule.op == "at_least" else values > limits
        rows = np.flatnonzero(misses)
        if len(rows):
            broken.append(Broken(step, rule, rows, values[rows], limits[rows]))
    return broken


Encoded = dict[str, tuple[list[str | None], np.ndarray]]
"""Columns of one batch: the different values, and for each document the place of its own among them."""


def limits_of(rule: Rule, table: pa.Table, known: Encoded) -> np.ndarray:
    """float64 per document; NaN where a table of limits has none for the document.

    `known` keeps the columns of `table` on which limits depend, for the rules that follow.
    """
    if isinstance(rule.limit, Table):
        keys, rows = _encoded(table, rule.limit.by, known)
        # a loop over the different values of the batch, not its documents; None becomes NaN
        return np.asarray(np.array([rule.limit.limit_for(key) for key in keys], np.float64)[rows])
    return np.full(table.num_rows, float(rule.limit), np.float64)  # type: ignore[arg-type]


def _encoded(table: pa.Table, by: str, known: Encoded) -> tuple[list[str | None], np.ndarray]:
    if by not in known:
        column = table.column(by).combine_chunks().dictionary_encode()
        keys = [*column.dictionary.to_pylist(), None]
        known[by] = keys, column.indices.fill_null(len(keys) - 1).to_numpy(zero_copy_only=False)
    return known[by]
