"""Marks against training are found where pages and servers put them."""

import pyarrow as pa
import pytest

from filters.opt_out import OptOut
from stages.core.docs import Docs


def marked(header=None, meta=None, tdm=None, **changes):
    columns = {"robots_tag": header, "robots_meta": meta, "tdm_reservation": tdm}
    docs = Docs(pa.table({name: pa.array([value], pa.string()) for name, value in columns.items()}))
    found = OptOut(**changes).measure(docs)
    return int(found["directives"][0]), int(found["tdm_reservation"][0])


@pytest.mark.parametrize(
    ("mark", "count"),
    [
        (None, 0),
        ("", 0),
        ("index, follow", 0),
        ("noai", 1),
        ("NoAI, noimageai", 1),
        ("noindex,noai", 1),
        ("noaim", 0),
        ("otherbot: noai", 0),
        ("otherbot: noai, gptbot: noai", 1),
        ("CCBot: noindex, noai", 1),
        ("otherbot:noindex, noai", 0),
        ("max-snippet:-1, max-image-preview:large, noai", 1),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", 1),
    ],
)
def test_a_directive_counts_if_it_is_meant_for_all_or_for_a_named_crawler(mark, count):
    assert marked(header=mark) == (count, 0)


def test_header_and_element_count_together_and_once():
    assert marked(header="noai", meta="noai, noindex") == (1, 0)
    assert marked(header="noai", meta="noindex", directives=("noai", "noindex")) == (2, 0)


def test_none_stands_for_noindex_and_nofollow():
    assert marked(meta="none", directives=("noindex", "nofollow")) == (2, 0)
    assert marked(meta="none") == (0, 0)


@pytest.mark.parametrize(("value", "found"), [("1", 1), (" 1 ", 1), ("0", 0), ("11", 0), ("", 0), (None, 0)])
def test_a_tdm_reservation_is_a_one(value, found):
    assert marked(tdm=value) == (0, found)


def test_what_is_not_asked_for_is_neither_read_nor_judged():
    stage = OptOut(columns=("robots_meta",), tdm=False)
    assert stage.columns_read() == ("robots_meta",)
    assert [rule.limit for rule in stage.rules()] == [0, None]
