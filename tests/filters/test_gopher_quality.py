"""Measures and rules of Gopher quality: literal cases, both sides of each limit, and the definition on strings."""

import random

import numpy as np
import pyarrow as pa
import pytest
from definitions.quality import slow_gopher_quality

from filters.gopher_quality import GopherQuality
from pipeline.judge import judge
from stages.core.docs import Docs
from stages.kernels.text import text_of
from stages.kernels.words import words_of


def table_of(texts: list[str]) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.large_string())})


def measured(text: str, **fields) -> dict[str, float]:
    return {name: values[0].item() for name, values in GopherQuality(**fields).measure(Docs(table_of([text]))).items()}


def broken(text: str, **fields) -> list[str]:
    stage, table = GopherQuality(**fields), table_of([text])
    return [rule.rule.name for rule in judge("step", stage.rules(), stage.measure(Docs(table)), table)]


PROSE = "the ship of state " * 20


def test_prose_is_kept() -> None:
    assert broken(PROSE) == []


def test_an_empty_document_breaks_every_minimum() -> None:
    assert broken("") == ["min_words", "min_mean_word_length", "min_alpha_word_fraction", "min_stop_words"]


def test_measures_of_a_small_text() -> None:
    assert measured("- the cat…\r\n\n # be of be ... 12") == {
        "words": 6,
        "mean_word_length": 14 / 6,
        "hash_fraction": 1 / 10,
        "ellipsis_fraction": 2 / 10,
        "bullet_line_fraction": 1 / 3,
        "ellipsis_line_fraction": 1 / 3,
        "alpha_word_fraction": 5 / 10,
        "stop_words": 3,
    }


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ("min_words", "word " * 49 + "the ,", "word " * 49 + ", ,"),
        ("max_words", "word " * 100_000 + ".", "word " * 100_001),
        ("min_mean_word_length", "abc " * 50, "abc " * 49 + "ab "),
        ("max_mean_word_length", "abcdefghij " * 60, "abcdefghij " * 59 + "abcdefghijk"),
        ("max_hash_fraction", "word " * 9 + "#", "word " * 8 + "#"),
        ("max_ellipsis_fraction", "word " * 9 + "...", "word " * 8 + "..."),
        ("max_bullet_line_fraction", "- word\n" * 9 + "word", "• word\n" * 10 + "word"),
        ("max_ellipsis_line_fraction", "word...\n" * 3 + "word\n" * 7, "word… \n" * 4 + "word\n" * 6),
        ("min_alpha_word_fraction", "word " * 4 + "12", "word " * 3 + "12"),
        ("min_stop_words", "the ship of", "the the The OF"),
    ],
)
def test_a_document_at_a_limit_is_kept_and_one_beyond_is_not(rule: str, inside: str, outside: str) -> None:
    assert rule not in broken(inside)
    assert rule in broken(outside)


@pytest.mark.parametrize(
    ("text", "lines", "bullets", "ellipses"),
    [
        ("a\rb\r\nc\n\rd", 5, 0, 0),
        ("a\x0bb\x0cc\x1cd\x1de\x1ef\x85g\u2028h\u2029i\x1fj", 9, 0, 0),
        ("\n\n", 2, 0, 0),
        ("\u3000•x\n -y\n–z", 3, 2, 0),
        ("a...\na.. .\na …\t\n....", 4, 0, 3),
    ],
)
def test_lines_are_those_of_splitlines(text: str, lines: int, bullets: int, ellipses: int) -> None:
    found = measured(text)
    assert found["bullet_line_fraction"] == bullets / lines
    assert found["ellipsis_line_fraction"] == ellipses / lines


PIECES = [*"a.#…•-é漢 \n\r\t\x85\u2028\x1c\x1f\x00", "the ", "of ", "be", "...", "\r\n", "🙂", "\u0301", "....", " \n"]


def test_random_texts_are_measured_as_the_definition_says() -> None:
    pick = random.Random(1)
    texts = ["".join(pick.choices(PIECES, k=pick.randrange(25))) for _ in range(3000)]
    column = pa.array(["skipped #...\n", *texts], pa.large_string()).slice(1)
    found = GopherQuality().measure(Docs(pa.table({"text": column})))
    text = text_of(column)
    cut = words_of(text)
    for row, source in enumerate(texts):
        spans = range(cut.doc_offsets[row], cut.doc_offsets[row + 1])
        words = [text.data[cut.starts[at] : cut.starts[at] + cut.sizes[at]].tobytes().decode() for at in spans]
        expected = slow_gopher_quality(source, words)
        assert {name: found[name][row] for name in expected} == expected, repr(source)


def test_other_stop_words_count_when_they_are_set() -> None:
    assert measured("der Hund und die Katze und", stop_words=("der", "die", "und", "das"))["stop_words"] == 3
    assert measured("the end", stop_words=())["stop_words"] == 0


def test_measures_are_the_declared_types_and_never_nan() -> None:
    stage = GopherQuality()
    found = stage.measure(Docs(table_of(["", "\x00", "...", "x"])))
    assert {name: pa.from_numpy_dtype(values.dtype) for name, values in found.items()} == stage.measures()
    assert not any(np.isnan(values).any() for values in found.values())


def test_datatrove_mode_asks_for_spacy() -> None:
    assert GopherQuality(mode="datatrove").requirements() == (("spacy", "parity"),)
    assert GopherQuality().requirements() == ()
