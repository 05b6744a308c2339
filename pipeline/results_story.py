"""What became of one document, and why."""

import html
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.results_format import limit_text, number, one_line, plain
from schemas.edits import NO_PLACE
from schemas.errors import SluiceError
from schemas.rule import NEAREST_KEPT, Table

EXCERPT = 600
SIGN = {"at_least": "≥", "at_most": "≤"}


class UnknownDocument(SluiceError):
    """No document of the run has this id; the message says what ids of the run look like."""


@dataclass(frozen=True)
class Broken:
    """A rule the document breaks, with what was measured and the limit that applied to it."""

    step: str
    rule: str
    measure: str | None
    value: float | None
    op: str | None
    limit: float | None

    def __str__(self) -> str:
        what = plain(f"{self.step}.{self.rule}")
        if self.value is None:
            return what
        wanted = "" if self.limit is None else f", expected {SIGN.get(self.op or '', '')} {number(self.limit)}"
        return f"{what}: {plain(self.measure or 'value')} is {number(self.value)}{wanted}"


@dataclass(frozen=True)
class Measured:
    """A number measured on the document beside a rule on it; `kept` is None where the limit that applied is not known."""

    step: str
    measure: str
    value: float
    rule: str | None
    op: str | None
    limit: Any
    kept: bool | None

    def wanted(self) -> str:
        """`≥ 50`, or the table of limits; `–` without a rule."""
        return "–" if self.limit is None else f"{SIGN.get(self.op or '', '')} {limit_text(self.limit)}".strip()


@dataclass(frozen=True)
class Edit:
    """An edit that a Map told of: `offset` and `length` are code points of the text as it came to the step.

    With the offset NO_PLACE it stands for `length` edits of the type.
    """

    step: str
    type: str
    offset: int
    length: int


@dataclass(frozen=True)
class Relative:
    """A document that this one was made from or into, by which step; `how` is what the step tells: prompt, model, requests."""

    id: str
    step: str
    how: dict[str, Any]

    def __str__(self) -> str:
        told = ", ".join(f"{key} {self.how[key]}" for key in ("prompt", "model", "model_revision") if self.how.get(key))
        return plain(f"{self.id} by {self.step}" + (f" ({told})" if told else ""))


@dataclass(frozen=True)
class Survivor:
    """The document that was kept in place of another, and what became of it later.

    `relation` is how the dropped one stands to it: a duplicate of it, or only nearest to it of all that stay.
    """

    source: str | None
    id: str
    similarity: float | None
    fate: str
    excerpt: str | None
    relation: str = "duplicate of"


def relation_of(rule: str) -> str:
    """How a document that a rule drops stands to the one that is named with it."""
    return "nearest is" if rule == NEAREST_KEPT else "duplicate of"


@dataclass(frozen=True)
class Story:
    """One document's way through a run. `shard`, `row` and `copies` are set if it was kept, `excerpt` unless it was dropped.

    `path` holds each step of the run with `passed`, `dropped`, `quarantined`, `measured` (by a filter of the same group as the
    one that dropped it) or `not reached`.
    """

    id: str
    source: str
    outcome: Literal["kept", "dropped", "quarantined", "made into others", "unknown"]
    reason: str
    shard: str | None = None
    row: int | None = None
    copies: int = 0
    broken: list[Broken] = field(default_factory=list)
    measures: list[Measured] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    survivor: Survivor | None = None
    excerpt: str | None = None
    path: list[tuple[str, str]] = field(default_factory=list)
    made_from: Relative | None = None
    made_into: list[Relative] = field(default_factory=list)

    def edits_by_step(self) -> list[str]:
        """`redact_pii: 2 email at 10, 57; 1 ip at 80` for each step that told of its edits, places where it told of them."""
        told: dict[str, dict[str, list[Edit]]] = {}
        for edit in self.edits:
            told.setdefault(edit.step, {}).setdefault(edit.type, []).append(edit)
        return [
            f"{plain(step)}: " + "; ".join(_edits_of(type_, edits) for type_, edits in types.items())
            for step, types in told.items()
        ]

    def relatives(self) -> list[str]:
        """What it was made from, and into."""
        made = [f"made from {self.made_from}"] if self.made_from is not None else []
        return [*made, *(f"made into {child}" for child in self.made_into)]

    def __str__(self) -> str:
        lines = [f"{plain(self.id)} of {plain(self.source)}: {self.outcome}", f"  {one_line(self.reason, 400)}"]
        lines += [f"  breaks {rule}" for rule in self.broken]
        for item in self.measures:
            mark = {True: "ok", False: "broken", None: ""}[item.kept]
            lines.append(f"  {plain(item.step)}.{plain(item.measure)} = {number(item.value)}  {item.wanted()}  {mark}".rstrip())
        lines += [f"  edited by {line}" for line in self.edits_by_step()]
        lines += [f"  {line}" for line in self.relatives()]
        if self.excerpt is not None:
            lines.append(f"  text: {one_line(self.excerpt, EXCERPT)}")
        if self.survivor is not None:
            lines.append(
                f"  {self.survivor.relation} {plain(self.survivor.id)} of {plain(self.survivor.source)}: {self.survivor.fate}"
            )
            if self.survivor.excerpt is not None:
                lines.append(f"  its text: {one_line(self.survivor.excerpt, EXCERPT)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def safe(text: object) -> str:
            return html.escape(plain(text))

        rows = "".join(
            f"<tr><td>{safe(m.step)}</td><td>{safe(m.measure)}</td><td>{number(m.value)}</td><td>{safe(m.wanted())}</td>"
            f"<td>{ {True: 'kept', False: 'broken', None: ''}[m.kept] }</td></tr>"
            for m in self.measures
        )
        parts = [f"<p><b>{safe(self.id)}</b> of {safe(self.source)}: <b>{self.outcome}</b>. {safe(self.reason)}</p>"]
        if self.broken:
            parts.append("<ul>" + "".join(f"<li>{html.escape(str(rule))}</li>" for rule in self.broken) + "</ul>")
        if rows:
            head = "<tr><th>step</th><th>measure</th><th>value</th><th>limit</th><th></th></tr>"
            parts.append(f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>")
        if self.edits:
            parts.append("<ul>" + "".join(f"<li>edited by {safe(line)}</li>" for line in self.edits_by_step()) + "</ul>")
        if relatives := self.relatives():
            parts.append("<ul>" + "".join(f"<li>{safe(line)}</li>" for line in relatives) + "</ul>")
        texts = [("text", self.excerpt), ("survivor", self.survivor.excerpt if self.survivor else None)]
        if self.survivor:
            parts.append(
                f"<p>{self.survivor.relation.capitalize()} <b>{safe(self.survivor.id)}</b> of {safe(self.survivor.source)}: "
                f"{safe(self.survivor.fate)}</p>"
            )
        style = "white-space:pre-wrap;flex:1 1 20em;margin:0"
        blocks = [
            f'<pre dir="auto" style="{style}" title="{name}">{safe(text[:EXCERPT])}</pre>' for name, text in texts if text
        ]
        if blocks:
            parts.append(f'<div style="display:flex;gap:1em;flex-wrap:wrap">{"".join(blocks)}</div>')
        return "<div>" + "".join(parts) + "</div>"


def _edits_of(type_: str, edits: list[Edit]) -> str:
    """`2 email at 10, 57`, or `5 space` if no places were told."""
    places = [edit.offset for edit in edits if edit.offset != NO_PLACE]
    count = len(places) + sum(edit.length for edit in edits if edit.offset == NO_PLACE)
    return f"{number(count)} {plain(type_)}" + (f" at {_numbers(places)}" if places else "")


def _numbers(values: list[int], most: int = 5) -> str:
    more = f", and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(number(value) for value in values[:most]) + more


def measures_of(
    steps: list[dict[str, Any]], values: dict[str, float], broken: list[Broken], columns: dict[str, Any]
) -> list[Measured]:
    """Every measure beside each rule on it. The ledger holds all broken rules of a measured document, so all others were kept.

    The number that applied comes from the broken rule, or from a table of limits and the document's `columns`;
    where these are not known (a dropped document has no row), the table itself is the limit.
    """
    applied = {(rule.step, rule.rule): rule.limit for rule in broken}
    found = []
    for step in steps:
        name, prefix = step["step"], step["step"] + "."
        for column, value in values.items():
            measure = column.removeprefix(prefix)
            if not column.startswith(prefix) or "." in measure:
                continue
            rules = [r for r in step.get("rules") or [] if r.get("measure") == measure and r.get("limit") is not None]
            for rule in rules:
                key = (name, rule["rule"])
                limit = applied[key] if key in applied else _limit_for(rule["limit"], columns)
                found.append(Measured(name, measure, value, rule["rule"], rule.get("op"), limit, key not in applied))
            if not rules:
                found.append(Measured(name, measure, value, None, None, None, None))
    return found


def _limit_for(limit: Any, columns: dict[str, Any]) -> Any:
    if isinstance(limit, dict) and "values" in limit and limit.get("by", "language") in columns:
        return Table.model_validate(limit).limit_for(columns[limit.get("by", "language")])
    return limit
