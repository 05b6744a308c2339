"""Measures and rules of FineWeb quality: literal cases, both sides of each limit, and the definition on strings."""

import random

import numpy as np
import pyarrow as pa
import pytest
from definitions.quality import slow_fineweb_quality
from definitions.words import slow_words

from filters.fineweb_quality import FinewebQuality
from pipeline.judge import judge
from stages.core.docs import Docs


def table_of(texts: list[str]) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.large_string())})


def measured(text: str, **fields) -> dict[str, float]:
    return {name: values[0].item() for name, values in FinewebQuality(**fields).measure(Docs(table_of([text]))).items()}


def broken(text: str, **fields) -> list[str]:
    stage, table = FinewebQuality(**fields), table_of([text])
    return [rule.rule.name for rule in judge("step", stage.rules(), stage.measure(Docs(table)), table)]


def lines(*texts: str) -> str:
    return "\n".join(texts)


LONG = "a line of more than thirty code points"


@pytest.mark.parametrize("text", ["", " \n\t\r\n", "\n"])
def test_a_document_without_lines_has_a_rule_of_its_own(text: str) -> None:
    assert broken(text)[0] == "min_lines"


def test_measures_of_a_small_text() -> None:
    assert measured("One.\n \nTwo. \nOne.\nübe") == {
        "lines": 4,
        "terminal_punctuation_fraction": 2 / 4,
        "short_line_fraction": 1.0,
        "duplicate_char_fraction": 4 / 17,
        "newline_fraction": 4 / 7,
    }


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ("min_terminal_punctuation_fraction", lines(*["a."] * 12, *["a"] * 88), lines(*["a."] * 11, *["a"] * 89)),
        ("max_short_line_fraction", lines(*["a"] * 67, *[LONG] * 33), lines(*["a"] * 68, *[LONG] * 32)),
        ("max_duplicate_char_fraction", lines("ab", "ab", "x" * 196), lines("ab", "ab", "x" * 195)),
        ("max_newline_fraction", "\n" * 3 + "a " * 10, "\n" * 3 + "a " * 9),
    ],
)
def test_a_document_at_a_limit_is_kept_and_one_beyond_is_not(rule: str, inside: str, outside: str) -> None:
    assert rule not in broken(inside)
    assert rule in broken(outside)


def test_a_line_of_thirty_code_points_is_short_and_one_of_thirty_one_is_not() -> None:
    assert measured("é" * 30)["short_line_fraction"] == 1.0
    assert measured("é" * 31)["short_line_fraction"] == 0.0
    assert measured("é" * 31, short_line_length=31)["short_line_fraction"] == 1.0


@pytest.mark.parametrize(
    ("end", "counts"), [(".", 1), ("!", 1), ("。", 1), ("𑩂", 1), (". ", 0), (".\r", 0), ('."', 0), (":", 0), ("…", 0)]
)
def test_a_line_ends_like_a_sentence_if_its_very_last_code_point_does(end: str, counts: int) -> None:
    assert measured("a line" + end)["terminal_punctuation_fraction"] == counts


def test_documents_without_any_end_mark_are_kept_when_zero_is_excluded() -> None:
    assert broken(lines(*[LONG + str(n) for n in range(9)])) == ["min_terminal_punctuation_fraction"]
    assert broken(lines(*[LONG + str(n) for n in range(9)]), exclude_zero=True) == []
    assert "min_terminal_punctuation_fraction" in broken(lines(*["a"] * 89, *["a."] * 11), exclude_zero=True)


PIECES = [*"ab.?。é漢 \r\t\x85\u2028\x00", *["\n"] * 9, "🙂", "\u0301", "a\n", "b.\n"]


def test_random_texts_are_measured_as_the_definition_says() -> None:
    pick = random.Random(1)
    texts = ["".join(pick.choices(PIECES, k=pick.randrange(30))) for _ in range(3000)]
    column = pa.array(["a\na\nb", *texts], pa.large_string()).slice(1)
    found = FinewebQuality(short_line_length=2).measure(Docs(pa.table({"text": column})))
    for row, text in enumerate(texts):
        assert {name: values[row] for name, values in found.items()} == slow_fineweb_quality(text, slow_words(text), 2), repr(
            text
        )


def test_measures_are_the_declared_types_and_never_nan() -> None:
    stage = FinewebQuality()
    found = stage.measure(Docs(table_of(["", "\n", "\x00\n\x00", "x"])))
    assert {name: pa.from_numpy_dtype(values.dtype) for name, values in found.items()} == stage.measures()
    assert not any(np.isnan(values).any() for values in found.values())


def test_datatrove_mode_asks_for_spacy() -> None:
    assert FinewebQuality(mode="datatrove").requirements() == (("spacy", "parity"),)
    assert FinewebQuality().requirements() == ()
