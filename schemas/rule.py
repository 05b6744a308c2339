"""Limits and rules: how a measure becomes a decision. Every limit includes its end."""

import functools
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.languages import by_label, find_language


class Percentile(BaseModel):
    """A limit found in the data: the given percentile (0 to 100) of the measure over all documents that were measured.

    The number it stands for is the smallest measured value v such that at least `percentile` per cent of the
    documents measure v or less (numpy's `inverted_cdf`); it is stored in the manifest. With `by: language` each language
    has a number of its own, found among its documents, and the report a table of the measure's quantiles by language
    (percentile 0 gives the table and drops nothing); `by` may name any column with few different values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    percentile: float = Field(ge=0, le=100)
    by: str | None = None


class Table(BaseModel):
    """A limit that depends on a column: `{by: language, values: {en: 50, th: 30}, default: 40}`.

    A document whose value is in `values` gets that limit, any other document `default`; null means no limit. Languages
    may go by any of their names, here and in the column: `en`, `eng`, `eng_Latn`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    by: str = "language"
    values: dict[str, float | int | None]
    default: float | int | None

    def limit_for(self, key: str | None) -> float | int | None:
        """The limit of a document whose value in the column is `key`."""
        if key in self.values:
            return self.values[key]
        label = find_language(key) if self.by == "language" and key is not None else None
        return self._by_label.get(label, self.default) if label is not None else self.default

    @functools.cached_property
    def _by_label(self) -> dict[str, float | int | None]:
        return by_label(self.values)


Preset = Literal["fineweb2"]
"""A published set of limits by language, see `schemas.fineweb2`; a language it does not have gets the filter's own default."""

Limit = int | float | Percentile | Table | Preset
"""What a recipe may write where a filter has a limit; `null` switches the rule off."""


def share(default: float | None, description: str) -> Any:
    """A pydantic field for a limit that is a share from 0 to 1."""
    return _limit(default, description, "share", 0.0, 1.0)


def count(default: float | None, description: str, unit: str) -> Any:
    """A pydantic field for a limit that is zero or more of `unit`."""
    return _limit(default, description, unit, 0.0, None)


def _limit(default: float | None, description: str, unit: str, low: float | None, high: float | None) -> Any:
    return Field(default, description=description, json_schema_extra={"unit": unit, "low": low, "high": high})


@dataclass(frozen=True)
class Rule:
    """Keep a document whose `measure` is at least (or at most) `limit`; `limit` None means the rule is off.

    `name` is the recipe key that sets the limit, and what the ledger calls the rule.
    """

    name: str
    measure: str
    op: Literal["at_least", "at_most"]
    limit: Limit | None


def at_least(measure: str, limit: Limit | None, name: str) -> Rule:
    """Keep documents whose measure is `limit` or more."""
    return Rule(name, measure, "at_least", limit)


def at_most(measure: str, limit: Limit | None, name: str) -> Rule:
    """Keep documents whose measure is `limit` or less."""
    return Rule(name, measure, "at_most", limit)


def between(measure: str, low: Limit | None, high: Limit | None, names: tuple[str, str]) -> tuple[Rule, Rule]:
    """Keep documents whose measure lies from `low` to `high`, both included."""
    return at_least(measure, low, names[0]), at_most(measure, high, names[1])


NEAREST_KEPT = "distance"
"""The rule of a document whose survivor is the nearest that stays, not one that it duplicates."""
