"""Quantiles of a sketch's column in groups, found exactly without holding or sorting the values."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from schemas.errors import StageError
from stages.core.ranked import ascending, value_of
from stages.core.stage import Sketches

MOST_GROUPS = 1000


def _groups(sketches: Sketches, measure: str, group: str | None) -> Iterator[tuple[str, np.ndarray]]:
    """The measure's values of each part and group that has some; a null or NaN is none."""
    for part in sketches.parts():
        table = sketches.read(part, [measure, *([group] if group else [])])
        values = table.column(0).to_numpy()
        known = ~np.isnan(values)
        values = values[known]
        if not len(values):
            continue
        if group is None:
            yield "", values
            continue
        codes = table.column(1).filter(pa.array(known)).combine_chunks().dictionary_encode()
        order = np.argsort(codes.indices.to_numpy(zero_copy_only=False), kind="stable")
        sizes = np.bincount(codes.indices.to_numpy(zero_copy_only=False), minlength=len(codes.dictionary))
        for name, rows in zip(codes.dictionary.to_pylist(), np.split(order, np.cumsum(sizes)[:-1]), strict=True):
            yield name, values[rows]


def group_sizes(sketches: Sketches, measure: str, group: str | None, by: str | None) -> dict[str, int]:
    """Documents of each group that have a value, by name. `by` is what the column of groups is called in an error."""
    sizes: dict[str, int] = {}
    for name, values in _groups(sketches, measure, group):
        sizes[name] = sizes.get(name, 0) + len(values)
        if len(sizes) > MOST_GROUPS:
            raise StageError(f"percentile by {by!r}: the column has more than {MOST_GROUPS} different values")
    return dict(sorted(sizes.items()))


def select(
    sketches: Sketches, measure: str, group: str | None, sizes: Mapping[str, int], percentiles: Sequence[float]
) -> dict[str, list[float]]:
    """For each group the values at the percentiles (0 to 100), by radix selection in six passes over the sketches.

    That at p is the smallest v such that at least p per cent of the group's values are v or less (numpy's
    `inverted_cdf`); a null or NaN is no value.

    group  column of groups (strings without nulls); None: all are in the group ""
    """
    ranks = {name: [max(1, math.ceil(at / 100 * size)) for at in percentiles] for name, size in sizes.items()}
    prefixes = {name: [0] * len(percentiles) for name in sizes}
    for shift in (55, 44, 33, 22, 11, 0):
        width = 64 - shift if shift == 55 else 11
        counts = {name: np.zeros((len(percentiles), 1 << width), np.int64) for name in sizes}
        for name, values in _groups(sketches, measure, group):
            keys = ascending(values)
            for target in range(len(percentiles)):
                # of the keys that begin like the one looked for, how many go on with each digit
                alike = keys if shift == 55 else keys[(keys >> np.uint64(shift + width)) == np.uint64(prefixes[name][target])]
                digits = (alike >> np.uint64(shift)).astype(np.int64) & ((1 << width) - 1)
                counts[name][target] += np.bincount(digits, minlength=1 << width)
        for name in sizes:
            for target, row in enumerate(counts[name]):
                ends = np.cumsum(row)
                digit = int(np.searchsorted(ends, ranks[name][target]))
                ranks[name][target] -= int(ends[digit] - row[digit])
                prefixes[name][target] = (prefixes[name][target] << width) | digit
    return {name: [value_of(key) for key in keys] for name, keys in prefixes.items()}
