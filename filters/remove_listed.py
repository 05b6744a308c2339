"""Documents that somebody asked to have taken out: by id, address or domain."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.rule import Rule, at_most
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures
from stages.core.url_lists import address, entries, texts
from stages.parse_url import parent_domains, parse_host


class RemoveListed(Filter):
    """Drop documents whose id, address or domain is on a removal list; the ledger tells which of the three it was.

    listed_id       1 if the id, or `source:id`, is in `ids`, letter by letter
    listed_url      1 if the address is in `urls`: without scheme, user, `www.`, fragment and final slash, in any case
    listed_domain   1 if the host, or a domain above it, is in `domains`

    A list is a text file with an entry a line; empty lines do not count, nor lines that begin with #, nor in `urls` and
    `domains` what follows #. Put it last in the recipe: a longer list is then a new run from this step on, and all before it is
    reused. A document that was left out for a copy which goes here does not come back; for that, put it before deduplication,
    or use `sluice index remove`.

        remove_listed: {ids: [removed-ids.txt], urls: [removed-urls.txt], domains: [removed-domains.txt]}
    """

    unit = "document"
    example: ClassVar[dict[str, Any]] = {"ids": [str(Path(__file__).with_name("url_words.txt"))]}
    gate: bool = True
    ids: tuple[str, ...] = Field((), description="files of ids, of any source, or of `source:id`")
    urls: tuple[str, ...] = Field((), description="files of addresses")
    domains: tuple[str, ...] = Field((), description="files of domains; all hosts below them are meant")
    column: str = Field("url", description="column with the URL")

    @model_validator(mode="after")
    def _some_list(self) -> Self:
        if not self.files():
            raise ValueError("no list, expected at least one file in ids, urls or domains")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return (*(("id", "source") if self.ids else ()), *((self.column,) if self.urls or self.domains else ()))

    def files(self) -> tuple[str, ...]:
        return tuple(str(Path(name).expanduser()) for name in (*self.ids, *self.urls, *self.domains))

    def measures(self) -> dict[str, pa.DataType]:
        return {"listed_id": pa.int8(), "listed_url": pa.int8(), "listed_domain": pa.int8()}

    def measure(self, docs: Docs) -> Measures:
        measured: Measures = self.open()(docs)
        return measured

    def open(self) -> Callable[[Docs], Measures]:
        ids = frozenset(_ids(self.ids))
        urls = frozenset(map(address, entries("remove_listed", _paths(self.urls))))
        domains = entries("remove_listed", _paths(self.domains))

        def of_url(url: str | None) -> tuple[bool, bool]:
            host = parse_host(url)
            if url is None or host is None:
                return False, False
            return address(url.lower()) in urls, any(name in domains for name in parent_domains(host))

        def measure(docs: Docs) -> Measures:
            found = np.zeros((3, len(docs)), np.int8)
            # loops over documents: a microsecond each for an id, some for a URL
            if ids:
                names = zip(docs.table.column("source").to_pylist(), docs.table.column("id").to_pylist(), strict=True)
                found[0] = [name in ids or f"{source}:{name}" in ids for source, name in names]
            if urls or domains:
                rows = [of_url(url) for url in docs.table.column(self.column).to_pylist()]
                found[1:] = np.array(rows, np.int8).reshape(-1, 2).T
            return dict(zip(self.measures(), found, strict=True))

        return measure

    def rules(self) -> Sequence[Rule]:
        return (
            at_most("listed_id", 0 if self.ids else None, "ids"),
            at_most("listed_url", 0 if self.urls else None, "urls"),
            at_most("listed_domain", 0 if self.domains else None, "domains"),
        )


def _paths(names: Sequence[str]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in names)


def _ids(names: Sequence[str]) -> list[str]:
    lines = [line.strip() for text in texts("remove_listed", _paths(names)) for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
