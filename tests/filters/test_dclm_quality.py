import pyarrow as pa
import pytest

from filters.dclm_quality import DclmQuality
from pipeline.judge import judge
from stages.core.docs import Docs

OFF = {
    "min_words": None,
    "max_words": None,
    "min_mean_word_length": None,
    "max_mean_word_length": None,
    "max_symbol_fraction": None,
    "max_bullet_line_fraction": None,
    "max_ellipsis_line_fraction": None,
    "max_non_alpha_word_fraction": None,
    "min_stop_words": None,
}


def broken(text: str | None, stage: DclmQuality) -> list[str]:
    table = pa.table({"text": pa.array([text], pa.large_string())})
    return [found.rule.name for found in judge("step", stage.rules(), stage.measure(Docs(table)), table)]


@pytest.mark.parametrize(
    ("rule", "limit", "kept", "dropped"),
    [
        ("min_words", 50, "word " * 50, "word " * 49 + "! ! !"),
        ("max_words", 100_000, "word " * 100_000, "word " * 100_001),
        ("min_mean_word_length", 3, "a b. cdefg,", "a b. cdefg"),
        ("max_mean_word_length", 10, "ab abcdefghijklmnop--", "ab abcdefghijklmnop---"),
        ("max_symbol_fraction", 0.1, "# " + "word " * 9, "#... " + "word " * 9),
        ("max_symbol_fraction", 0.1, "word... " + "word " * 19 + "word…", "word... " + "word " * 17 + "word…"),
        (
            "max_bullet_line_fraction",
            0.9,
            "● a\n• b\n* c\n - d\n-e\n-f\n-g\n-h\n\n-i\nj",
            "● a\n• b\n* c\n - d\n-e\n-f\n-g\n-h\n\n-i",
        ),
        ("max_ellipsis_line_fraction", 0.3, "a...\nb. . . \nc…\n" + "d\n" * 7, "a...\nb. . . \nc…\n" + "d\n" * 6),
        ("max_non_alpha_word_fraction", 0.2, "a b c d 1", "a b c 1"),
        ("min_stop_words", 2, "The cat the", "The, cat the"),
    ],
)
def test_a_document_at_the_limit_is_kept_and_one_beyond_it_dropped(rule: str, limit: float, kept: str, dropped: str) -> None:
    stage = DclmQuality(**{**OFF, rule: limit})
    assert getattr(DclmQuality(), rule) == limit
    assert broken(kept, stage) == []
    assert broken(dropped, stage) == [rule]


@pytest.mark.parametrize("text", ["", None, " \n "])
def test_an_empty_document_breaks_the_minimums(text: str | None) -> None:
    assert broken(text, DclmQuality()) == ["min_words", "min_mean_word_length", "min_stop_words"]


def test_rules_are_judged_in_the_published_order() -> None:
    text = "# - … 1 2 3..."
    assert broken(text, DclmQuality(max_words=2)) == [
        "min_words",
        "max_words",
        "min_mean_word_length",
        "max_symbol_fraction",
        "max_ellipsis_line_fraction",
        "max_non_alpha_word_fraction",
        "min_stop_words",
    ]
