"""Documents whose URL is on a list, or made of words that are."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.rule import Limit, Rule, at_most, count
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures
from stages.core.url_lists import address, entries
from stages.parse_url import parent_domains, parse_host

_SHIPPED, _SHIPPED_FILE = "shipped", Path(__file__).with_name("url_words.txt")
_WORD = re.compile(r"[^\W_]+")


class UrlBlocklist(Filter):
    """Keep documents whose URL is on none of the lists. A document without URL is kept.

    listed_domain  1 if the host, or a domain above it, is in `domains`
    listed_host    1 if the host itself is in `hosts`
    listed_url     1 if the address is in `urls`: without scheme, user, `www.`, fragment and final slash, in any case
    words          how many different words of `words` the URL has, as whole words: letters and digits between other characters
    soft_words     the same for `soft_words`, of which one alone says little

    A list is a text file: one entry a line, in any case; empty lines and what follows `#` do not count. The shipped words
    are a few adult and gambling terms that mean nothing else; `words: []` switches them off. The method is RefinedWeb's
    (Penedo et al. 2023, appendix G.1) as in datatrove's URLFilter: domains, addresses, strict words, and soft words from the
    second on. Their lists are made from UT1's (CC BY-SA), which is not shipped: `domains` takes its files as they are.
    """

    unit = "document"
    example: ClassVar[dict[str, Any]] = {}
    gate: bool = True
    column: str = Field("url", description="column with the URL")
    domains: tuple[str, ...] = Field((), description="files of domains; all hosts below them are meant")
    hosts: tuple[str, ...] = Field((), description="files of hosts; only these are meant")
    urls: tuple[str, ...] = Field((), description="files of addresses")
    words: tuple[str, ...] = Field(
        (_SHIPPED,), description="files of words, one of which is enough; `shipped` is the list that comes with Sluice"
    )
    soft_words: tuple[str, ...] = Field((), description="files of words of which `max_soft_words` are allowed")
    max_words: Limit | None = count(0, "keep documents whose URL has at most so many of the words", "words")
    max_soft_words: Limit | None = count(1, "keep documents whose URL has at most so many of the soft words", "words")

    @model_validator(mode="after")
    def _some_list(self) -> Self:
        if not self.files():
            raise ValueError("no list, expected at least one file in domains, hosts, urls, words or soft_words")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return (self.column,)

    def files(self) -> tuple[str, ...]:
        named = (*self.domains, *self.hosts, *self.urls, *self.words, *self.soft_words)
        return tuple(str(_path(name)) for name in named)

    def measures(self) -> dict[str, pa.DataType]:
        kinds = {"listed_domain": pa.int8(), "listed_host": pa.int8(), "listed_url": pa.int8()}
        return kinds | {"words": pa.int32(), "soft_words": pa.int32()}

    def measure(self, docs: Docs) -> Measures:
        measured: Measures = self.open()(docs)
        return measured

    def open(self) -> Any:
        domains, hosts = _entries(self.domains), _entries(self.hosts)
        urls = frozenset(map(address, _entries(self.urls)))
        words, soft_words = _entries(self.words), _entries(self.soft_words)

        def measured(url: str | None) -> tuple[int, int, int, int, int]:
            host = parse_host(url)
            if url is None or host is None:
                return 0, 0, 0, 0, 0
            found = frozenset(_WORD.findall(url.lower())) if words or soft_words else frozenset()
            return (
                int(bool(domains) and any(name in domains for name in parent_domains(host))),
                int(host in hosts),
                int(bool(urls) and address(url.lower()) in urls),
                len(found & words),
                len(found & soft_words),
            )

        def measure(docs: Docs) -> Measures:
            # A loop over documents: some microseconds each, beside milliseconds for the page that the URL is of.
            rows = [measured(url) for url in docs.table.column(self.column).to_pylist()]
            table = np.array(rows, np.int32).reshape(-1, 5)
            return {
                name: table[:, at].astype(kind.to_pandas_dtype()) for at, (name, kind) in enumerate(self.measures().items())
            }

        return measure

    def rules(self) -> Sequence[Rule]:
        return (
            at_most("listed_domain", 0 if self.domains else None, "domains"),
            at_most("listed_host", 0 if self.hosts else None, "hosts"),
            at_most("listed_url", 0 if self.urls else None, "urls"),
            at_most("words", self.max_words if self.words else None, "max_words"),
            at_most("soft_words", self.max_soft_words if self.soft_words else None, "max_soft_words"),
        )


def _path(name: str) -> Path:
    return _SHIPPED_FILE if name == _SHIPPED else Path(name).expanduser()


def _entries(names: tuple[str, ...]) -> frozenset[str]:
    return entries("url_blocklist", tuple(map(_path, names)))
