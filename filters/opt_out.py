"""Pages whose owner does not want them used."""

import re
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, TypeVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.rule import Rule, at_most
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures

Directive = Literal["noai", "noimageai", "noindex", "nofollow", "noarchive", "nosnippet", "nocache"]
Found = TypeVar("Found")
_TOKEN = re.compile(r"[^\s,;]+")
_WITH_VALUE = frozenset({"max-image-preview", "max-snippet", "max-video-preview", "unavailable_after"})
"""directives with a colon of their own, which name no crawler"""
_RESERVED = re.compile(r"\s*1\s*")


class OptOut(Filter):
    """Keep pages without a mark against their use. A page without any mark is kept.

    directives       how many of `directives` are in a `robots` mark of the page: the X-Robots-Tag header (`robots_tag`, as WARC
                     readers write it) or the robots meta element (`robots_meta`, as `extract_html` writes it); `none` stands
                     for noindex and nofollow
    tdm_reservation  1 if the header tdm-reservation is 1 (TDM Reservation Protocol, W3C community report, 2024)

    A directive that is meant for one crawler only (`otherbot: noindex` in the header) counts if that crawler is in `agents`.
    `noai` and `noimageai` are DeviantArt's. What robots.txt says is not in a crawl's records and is not judged here.
    """

    unit = "document"
    example: ClassVar[dict[str, object]] = {}
    gate: bool = True
    directives: tuple[Directive, ...] = Field(("noai",), description="directives that mean: not for training")
    agents: tuple[str, ...] = Field(("ccbot", "gptbot"), description="crawlers whose own directives count, in any case")
    columns: tuple[str, ...] = Field(
        ("robots_tag", "robots_meta"),
        description="columns with robots directives; leave out what the recipe's input does not have",
    )
    tdm: bool = Field(True, description="respect tdm_reservation")

    def columns_read(self) -> tuple[str, ...]:
        return (*self.columns, *(("tdm_reservation",) if self.tdm else ()))

    def measures(self) -> dict[str, pa.DataType]:
        return {"directives": pa.int8(), "tdm_reservation": pa.int8()}

    def measure(self, docs: Docs) -> Measures:
        found = np.zeros(len(docs), np.int8)
        marks = [_by_value(docs.table.column(name), self._directives) for name in self.columns]
        for row, sets in enumerate(zip(*marks, strict=True) if any(any(column) for column in marks) else ()):
            found[row] = len(frozenset().union(*sets))
        reserved = np.zeros(len(docs), np.int8)
        if self.tdm:
            reserved[:] = _by_value(docs.table.column("tdm_reservation"), lambda value: _RESERVED.fullmatch(value) is not None)
        return {"directives": found, "tdm_reservation": reserved}

    def rules(self) -> Sequence[Rule]:
        return (
            at_most("directives", 0 if self.directives else None, "directives"),
            at_most("tdm_reservation", 0 if self.tdm else None, "tdm"),
        )

    def _directives(self, mark: str) -> frozenset[str]:
        """The directives of one header or element that count: `noindex, gptbot: noai` holds two."""
        agents = {agent.lower() for agent in self.agents}
        found: set[str] = set()
        meant = True
        for token in _TOKEN.findall(mark.lower().replace(":", ": ")):
            if token.endswith(":"):
                name = token[:-1]
                if not name.isdigit() and name not in _WITH_VALUE:
                    meant = name in agents or name == "*"
                continue
            if meant:
                found.update(("noindex", "nofollow") if token == "none" else (token,))
        return frozenset(found & set(self.directives))


def _by_value(column: pa.ChunkedArray, judge: Callable[[str], Found]) -> list[Found]:
    """What `judge` says of each value, asked once for each different one; marks are few."""
    names = column.combine_chunks().dictionary_encode()
    answers = [judge(value or "") for value in names.dictionary.to_pylist()] + [judge("")]
    return [answers[-1 if at is None else at] for at in names.indices.to_pylist()]
