import math

import pyarrow as pa
import pytest

from filters.dclm_repetition import DclmRepetition
from pipeline.judge import judge
from stages.core.docs import Docs

PLAIN = "every word here stands only once and none comes again"


def measured(text: str | None) -> dict[str, float]:
    table = pa.table({"text": pa.array([text], pa.large_string())})
    return {name: values.tolist()[0] for name, values in DclmRepetition().measure(Docs(table)).items()}


def broken(text: str | None, **limits: float | None) -> list[str]:
    off = {rule.name: None for rule in DclmRepetition().rules()}
    stage = DclmRepetition(**{**off, **limits})
    table = pa.table({"text": pa.array([text], pa.large_string())})
    return [found.rule.name for found in judge("step", stage.rules(), stage.measure(Docs(table)), table)]


def lines(copies: int, others: int, copy: str = "aa") -> str:
    return "\n".join([copy] * copies + [f"b{number}" for number in range(others)])


@pytest.mark.parametrize(
    ("rule", "limit", "kept", "dropped"),
    [
        ("max_duplicate_line_fraction", 0.3, lines(3, 7), lines(3, 6)),
        ("max_duplicate_line_char_fraction", 0.2, lines(2, 8), lines(2, 8, "aaa")),
        ("max_duplicate_paragraph_fraction", 0.3, lines(3, 7).replace("\n", "\n\n"), lines(3, 6).replace("\n", "\n\n")),
        (
            "max_duplicate_paragraph_char_fraction",
            0.2,
            lines(2, 8).replace("\n", "\n\n"),
            lines(2, 8, "aaa").replace("\n", "\n\n"),
        ),
    ],
)
def test_repeated_lines_and_paragraphs_at_the_limit_are_kept(rule: str, limit: float, kept: str, dropped: str) -> None:
    assert getattr(DclmRepetition(), rule) == limit
    assert broken(kept, **{rule: limit}) == []
    assert broken(dropped, **{rule: limit}) == [rule]


@pytest.mark.parametrize(
    ("n", "limit"), [(2, 0.2), (3, 0.18), (4, 0.16), (5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1)]
)
def test_repeated_n_grams_at_the_limit_are_kept(n: int, limit: float) -> None:
    rule = f"max_{'top' if n < 5 else 'duplicate'}_{n}_gram_fraction"
    assert getattr(DclmRepetition(), rule) == limit
    gram = " ".join("abcdefghij"[:n])
    letters = math.ceil(round(2 * n / limit, 9))  # 2 n letters are those of the two copies
    assert broken(f"{gram} {'x' * (letters - 2 * n)} {gram}", **{rule: limit}) == []
    assert broken(f"{gram} {'x' * (letters - 2 * n - 1)} {gram}", **{rule: limit}) == [rule]


def test_n_grams_go_over_punctuation_and_their_share_is_of_the_words_alone() -> None:
    assert measured("a, b! (c) a b -- d")["top_2_gram_fraction"] == 4 / 6


def test_what_occurs_once_is_no_repetition() -> None:
    assert measured(PLAIN) == {"lines": 1} | {name: 0.0 for name in measured(PLAIN) if name != "lines"}


@pytest.mark.parametrize("text", ["", None, " \n\n "])
def test_an_empty_document_is_dropped(text: str | None) -> None:
    assert broken(text, min_lines=1) == ["min_lines"]


def test_rules_are_judged_in_the_published_order() -> None:
    assert [rule.name for rule in DclmRepetition().rules()] == [
        "min_lines",
        "max_duplicate_line_fraction",
        "max_duplicate_paragraph_fraction",
        "max_duplicate_line_char_fraction",
        "max_duplicate_paragraph_char_fraction",
        *(f"max_top_{n}_gram_fraction" for n in (2, 3, 4)),
        *(f"max_duplicate_{n}_gram_fraction" for n in (5, 6, 7, 8, 9, 10)),
    ]
