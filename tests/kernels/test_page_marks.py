"""Strings are found wherever they stand in a page, whole and inside it."""

import random

import pyarrow as pa
import pytest

from stages.kernels.page_marks import COMMONS, DATED, FORMULA, TIME, page_marks
from stages.kernels.text import text_of

STRINGS = {
    "<math": FORMULA,
    "math/tex": FORMULA,
    "<time": TIME,
    "creativecommons.org/": COMMONS,
    '"datePublished"': DATED,
}


def marks_of(*texts: str) -> list[tuple[int, ...]]:
    found = page_marks(text_of(pa.array(texts, pa.large_string())))
    return list(zip(*(column.tolist() for column in found), strict=True))


def by_definition(text: str) -> tuple[int, ...]:
    lower = text.lower()
    bits = {bit for string, bit in STRINGS.items() if string.lower() in lower}
    return sum(bits), text.count("<"), text.count("</")


@pytest.mark.parametrize("string", STRINGS)
def test_a_string_is_found_at_every_place_and_only_whole(string: str) -> None:
    for before in range(130):
        whole = "x" * before + string
        assert marks_of(whole, whole[:-1], whole[:-1] + "x", whole.upper()) == [
            by_definition(whole),
            by_definition(whole[:-1]),
            by_definition(whole[:-1] + "x"),
            by_definition(whole),
        ]


def test_a_string_does_not_go_over_from_one_page_to_the_next() -> None:
    assert marks_of("kat", "ex <", "/ma", "th") == [(0, 0, 0), (0, 1, 0), (0, 0, 0), (0, 0, 0)]


def test_seeded_pages_are_as_defined() -> None:
    chance = random.Random(3)
    pieces = [*STRINGS, "<", "</", "<ma", "mat", "kat", "lic", "cre", "creativecommons.org", '"da', "ü", "中", " ", "word " * 9]
    pages = ["".join(chance.choices(pieces, k=chance.randint(0, 30))) for _ in range(800)]
    assert marks_of(*pages) == [by_definition(page) for page in pages]


def test_there_may_be_no_page_and_no_text() -> None:
    assert marks_of() == []
    assert marks_of("", "") == [(0, 0, 0), (0, 0, 0)]
