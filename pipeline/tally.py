"""Counts of one part: what entered, left, was dropped and failed at every step."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.batches import byte_lengths
from schemas.languages import find_language

Pair = list[int]
"""[documents, bytes of text]"""


def empty_step() -> dict[str, Any]:
    """Counts of a step that has seen nothing.

    in, out, dropped, quarantined  [documents, bytes]
    measured                       documents that its filter measured: all that entered its group
    added                          children beyond the first of each parent
    edited                         documents whose text it changed
    edits                          type -> edits of a Map that tells of them
    other_languages                language -> documents measured in it, where the filter's limits were chosen for others
    rules                          rule -> documents that break it, for which it is the first reason, that break no other
    """
    pairs: dict[str, Any] = {key: [0, 0] for key in ("in", "out", "dropped", "quarantined")}
    return {**pairs, "measured": 0, "added": 0, "edited": 0, "edits": {}, "seconds": 0.0, "other_languages": {}, "rules": {}}


class Tally:
    """Grows batch by batch; `as_json` is what a part writes and all later sums are made of."""

    def __init__(self) -> None:
        self.entered: Pair = [0, 0]
        self.left: Pair = [0, 0]
        self.steps: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, dict[str, Pair]] = {}
        self.languages: dict[str, Pair] = {}
        self.skipped: dict[str, int] = {}
        """records of web archives that are no documents, by kind"""

    def step(self, label: str) -> dict[str, Any]:
        """The counts of one step."""
        if label not in self.steps:
            self.steps[label] = empty_step()
        return self.steps[label]

    def rule(self, label: str, rule: str) -> dict[str, int]:
        """The counts of one rule of a step."""
        rules: dict[str, dict[str, int]] = self.step(label)["rules"]
        return rules.setdefault(rule, {"broken": 0, "first": 0, "only": 0})

    def other_languages(self, label: str, table: pa.Table, known: Collection[str] | None) -> None:
        """Count what a filter measured in languages other than the `known`, if a stage told the language."""
        if known is None or "language" not in table.column_names:
            return
        counts = self.step(label)["other_languages"]
        for name, documents, _ in _grouped(table, "language"):
            if name not in known and find_language(name) not in known:
                counts[name] = counts.get(name, 0) + documents

    def by_source(self, table: pa.Table, side: str) -> None:
        """Add documents to their sources' counts; side is `in` or `out`."""
        for name, documents, size in _grouped(table, "source"):
            add(self.sources.setdefault(name, {"in": [0, 0], "out": [0, 0]})[side], documents, size)

    def by_language(self, table: pa.Table) -> None:
        """Add documents to their languages' counts, if a stage told the language."""
        if "language" in table.column_names:
            for name, documents, size in _grouped(table, "language"):
                add(self.languages.setdefault(name, [0, 0]), documents, size)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "in": self.entered,
            "out": self.left,
            "steps": self.steps,
            "sources": self.sources,
            "languages": self.languages,
            "skipped": self.skipped,
        }


def add(pair: Pair, documents: int, size: int) -> None:
    """Add to a pair of counts in place."""
    pair[0] += int(documents)
    pair[1] += int(size)


def _grouped(table: pa.Table, column: str) -> list[tuple[str, int, int]]:
    if not table.num_rows:
        return []
    keys = table.column(column).combine_chunks().dictionary_encode()
    indices = keys.indices.fill_null(len(keys.dictionary)).to_numpy(zero_copy_only=False)
    names = [*keys.dictionary.to_pylist(), "null"]
    documents = np.bincount(indices, minlength=len(names))
    sizes = np.bincount(indices, weights=byte_lengths(table.column("text")), minlength=len(names))
    return [(name, int(count), int(size)) for name, count, size in zip(names, documents, sizes, strict=True) if count]


def merge(total: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Add one tally's plain values to another's, in place: numbers are summed, lists item by item, dicts key by key."""
    for key, value in part.items():
        if key not in total:
            total[key] = _copied(value)
        elif isinstance(value, dict):
            merge(total[key], value)
        elif isinstance(value, list):
            total[key] = [left + right for left, right in zip(total[key], value, strict=True)]
        else:
            total[key] += value
    return total


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return list(value) if isinstance(value, list) else value
