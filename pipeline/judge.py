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
    for rule in rules:
        if rule.limit is None or isinstance(rule.limit, Percentile):
            continue
        values = np.asarray(measures[rule.measure], np.float64)
        limits = limits_of(rule, table)
        # NaN stands for "no limit" in a table; comparisons with it are false, so nothing is broken
        misses = values < limits if rule.op == "at_least" else values > limits
        rows = np.flatnonzero(misses)
        if len(rows):
            broken.append(Broken(step, rule, rows, values[rows], limits[rows]))
    return broken


def limits_of(rule: Rule, table: pa.Table) -> np.ndarray:
    """float64 per document; NaN where a table of limits has none for the document."""
    if isinstance(rule.limit, Table):
        column = table.column(rule.limit.by).combine_chunks().dictionary_encode()
        # a loop over the different values of the batch, not its documents; None becomes NaN
        lookup = np.array([rule.limit.limit_for(key) for key in (*column.dictionary.to_pylist(), None)], np.float64)
        rows = column.indices.fill_null(len(lookup) - 1).to_numpy(zero_copy_only=False)
        return np.asarray(lookup[rows])
    return np.full(table.num_rows, float(rule.limit), np.float64)  # type: ignore[arg-type]
