"""Filters whose default limits were chosen on text of some languages only."""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from schemas import fineweb2
from schemas.languages import LETTERS_AS_WORDS, by_label, find_language, labels
from schemas.rule import Limit, Percentile, Rule, Table
from stages.core.stage import Filter

ENGLISH = frozenset({"en"})
SPACED = frozenset(labels()) - LETTERS_AS_WORDS
"""Languages in which our words are words; in all of these FineWeb-2 asks for the same number of words."""

Policy = Literal["judge", "pass"]


def language_policy(done: str) -> Any:
    """A pydantic field for what happens to documents in languages for which the limits were not chosen."""
    return Field(
        "judge",
        description="what becomes of documents whose `language` is one for which the limits were not chosen:"
        f" with judge they are {done} like all others, and the report warns; with pass they stay as they are",
    )


class TunedFilter(Filter):
    """A filter with default limits that were chosen for some languages. Its `rules` end with `self.for_languages(...)`."""

    tuned: ClassVar[Mapping[str, Collection[str]]] = {}
    """Labels of the languages for which each limit's default was chosen; a limit that is not here holds for any."""

    other_languages: Policy = language_policy("judged")

    def for_languages(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """The rules with presets made tables by language and, with `other_languages: pass`, for the known languages only."""
        made = [self._made(rule) for rule in rules]
        languages = self._known(made) if self.other_languages == "pass" else None
        return tuple(made if languages is None else [_only(rule, languages) for rule in made])

    def validated_for(self) -> frozenset[str] | None:
        """The languages for which all limits that apply were chosen, None if that is any language.

        A default stands for the languages in `tuned`, a table by language for its entries, a percentile for any. A number that
        the recipe puts in a default's place is its author's choice, and stands for any.
        """
        return self._known(self.rules())

    def _made(self, rule: Rule) -> Rule:
        if rule.limit != "fineweb2":
            return rule
        default = self.default_of(rule.name)
        assert default is None or isinstance(default, int | float)
        return replace(rule, limit=_published(self.name(), rule.name, default))

    def _known(self, rules: Sequence[Rule]) -> frozenset[str] | None:
        found: frozenset[str] | None = None
        for rule in rules:
            languages = self.languages_of(rule)
            if languages is not None:
                found = languages if found is None else found & languages
        return found

    def languages_of(self, rule: Rule) -> frozenset[str] | None:
        """The languages for which one rule's limit was chosen; None for any."""
        limit, default, known = rule.limit, self.default_of(rule.name), self.tuned.get(rule.name)
        if known is None:
            return None
        if isinstance(limit, Table) and limit.by == "language" and limit.default is not None:
            return frozenset(by_label(limit.values)) | frozenset(known if limit.default == default else ())
        return frozenset(known) if limit is not None and limit == default else None

    @classmethod
    def default_of(cls, key: str) -> Limit | None:
        """The limit that a recipe gets if it names none."""
        default: Limit | None = cls.model_fields[key].default
        return default


def is_in(table: pa.Table, languages: Collection[str]) -> np.ndarray:
    """Which documents are in one of the languages, given by label; a document without language is in none."""
    column = table.column("language").combine_chunks().dictionary_encode()
    # a loop over the languages of the batch, not its documents
    names = column.dictionary.to_pylist()
    hits = np.array([name in languages or find_language(name) in languages for name in names] + [False], bool)
    return np.asarray(hits[pc.fill_null(column.indices, len(hits) - 1).to_numpy(zero_copy_only=False)])


@functools.lru_cache(maxsize=256)
def _published(stage: str, key: str, default: float | None) -> Table:
    """FineWeb-2's limits by language; made once, as rules are asked for at every batch."""
    return Table(values=dict(fineweb2.limits(stage, key)), default=default)


def _only(rule: Rule, languages: frozenset[str]) -> Rule:
    """The same limit for these languages, none for others."""
    limit = rule.limit
    if limit is None or isinstance(limit, Percentile):
        return rule
    table = limit if isinstance(limit, Table) else None
    if table is not None and table.by != "language":
        raise ValueError(
            f"{rule.name} depends on the column {table.by!r}: `other_languages: pass` goes with limits by language only"
        )
    values = {name: table.limit_for(name) if table else limit for name in sorted(languages)}
    return replace(rule, limit=Table(values=values, default=None))
