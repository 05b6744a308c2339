"""Places where personal data may stand are those of the definition, whatever stands around them."""

import random

import pyarrow as pa
import pytest
from definitions.pii import slow_places

from stages.kernels.pii_places import (
    ASSIGNED,
    CODE,
    EMAIL,
    IPV4,
    IPV6,
    NUMBER,
    PEM,
    PREFIX,
    code_points,
    places_of,
)
from stages.kernels.text import text_of

PIECES = [
    *"0123456789abcdefxXyzAKMRZ.-_:=@/+()\"' \n\r",
    "é", "漢", "\x7f", "0", "12", "123", "1234", "99999", "  ", " (", ") ", ". ", "::", "2001:", "fe80::1", "1.2.3.4",
    "8.8.8.8",
    "GB82", "WEST", "DE89", "AB123456C", "12345678Z", "RSSMRA85T10A562S", "AKIA", "asia", "AIza", "ghp_", "gho_", "github_pat_",
    "sk_live_", "rk_live_", "sk-", "xoxb-", "glpat-", "hf_", "npm_", "eyJ", "SG.", "-----BEGIN ", "-----", "BEGIN",
    "key=", "key: ",
    'token = "', "passwd=", "auth:'", "a1B2c3D4e5F6g7H8", "0123456789abcdef", "a@b.c", "user@mail.", "2024-01-31", "1999-2001",
]  # fmt: skip


def found(texts: list[str | None]) -> list[list[tuple[int, int, int]]]:
    text = text_of(pa.array(texts, pa.large_string()))
    rows: list[list[tuple[int, int, int]]] = [[] for _ in texts]
    for document, start, stop, kind in zip(*(column.tolist() for column in places_of(text)), strict=True):
        begin = int(text.offsets[document])
        rows[document].append((start - begin, stop - begin, kind))
    return [sorted(row) for row in rows]


@pytest.mark.parametrize("seed", range(4))
def test_places_are_those_of_the_definition(seed: int) -> None:
    rng = random.Random(seed)
    texts = ["".join(rng.choices(PIECES, k=rng.choice((1, 3, 8, 30, 120)))) for _ in range(1500)]
    for text, places in zip(texts, found(texts), strict=True):
        assert places == slow_places(text), text


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a@b.c", [(0, 5, EMAIL)]),
        ("a@b", []),
        ("@b.c", []),
        ("a@.b", []),
        ("8.8.8.8", [(0, 7, IPV4)]),
        ("8.8.8.8.8", []),
        ("1 8.8.8.8", [(2, 9, IPV4)]),
        ("2001:db8::1", [(0, 11, IPV6)]),
        ("12:34:56", []),
        ("aa:bb:cc:dd:ee:ff:00:11", []),
        ("123456", []),
        ("1234567", [(0, 7, NUMBER)]),
        ("12 34 56", [(0, 8, NUMBER)]),
        ("212-736-5000", [(0, 12, NUMBER)]),
        ("212  736  5000", []),
        ("2024-01-31", []),
        ("1999-2001", []),
        ("3.14159265", []),
        ("x12345678", []),
        ("12345678 x9", [(0, 8, NUMBER)]),
        ("GB82 WEST 1234 5698 7654 32", [(0, 27, CODE), (10, 27, NUMBER)]),
        ("AKIAIOSFODNN7EXAMPLE", [(0, 20, PREFIX)]),
        ("xAKIAIOSFODNN7EXAMPLE", []),
        ("AKIAIOSFODNN7EX", []),
        ("-----BEGIN RSA", [(0, 10, PEM)]),
        ('api_key = "a1B2c3D4e5F6g7H8"', [(11, 27, ASSIGNED)]),
        ('api_key = "a1B2c3D4e5F6g7H"', []),
        ('list = "a1B2c3D4e5F6g7H8"', []),
    ],
)
def test_limits(text: str, places: list[tuple[int, int, int]]) -> None:
    assert found([text]) == [places]
    assert slow_places(text) == places


def test_what_two_documents_make_together_is_no_place() -> None:
    assert found(["1", "8.8.8.8", "-----", "BEGIN", None, "AKIA", "IOSFODNN7EXAMPLE"]) == [
        [],
        [(0, 7, IPV4)],
        [],
        [],
        [],
        [],
        [],
    ]


def test_more_places_than_there_was_room_for_are_all_found() -> None:
    assert len(found(["8.8.8.8 " * 2000])[0]) == 2000


def test_code_points_are_counted_from_the_begin_of_each_document() -> None:
    import numpy as np

    text = text_of(pa.array(["é漢a", "", "😀b"], pa.large_string()))
    document, position = np.array([0, 0, 0, 2, 2]), np.array([0, 2, 6, 6, 10])
    assert code_points(text, document, position).tolist() == [0, 1, 3, 0, 1]
