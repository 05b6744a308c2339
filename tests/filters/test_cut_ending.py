"""Texts that break off or go round in circles are found; whole ones of any form are kept."""

import pytest
from made_answers import answers, broken, measured

from filters.cut_ending import CutEnding

SOURCE = "The mills are gone. The weirs are still there."


@pytest.mark.parametrize(
    "text",
    [
        "The mills are gone.",
        "Are the mills gone?",
        'He said: "The mills are gone."',
        "The mills are gone (so they say.)",
        "**The mills are gone.**",
        "- mills\n- weirs\n- hills",
        "1. mills\n2. weirs",
        "| mill | weir |\n|---|---|\n| 1 | 2 |",
        "```\nprint(1)\n```",
        "水车不见了。",
        "no. no. no. no. no. no. no.",
    ],
)
def test_whole_texts_are_kept(text):
    assert measured(CutEnding(), answers(text, SOURCE)) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The mills are", {"open_endings": 1}),
        ("The mills are gone, and", {"open_endings": 1}),
        ("The mills are gone. The wei", {"open_endings": 1}),
        ("", {"open_endings": 1}),
        ("- The mills are gone.\n- The weirs", {"open_endings": 1}),
        ("The mills (and weirs.", {"open_marks": 1}),
        ('The "mills are gone.', {"open_marks": 1}),
        ("```\nprint(1).", {"open_marks": 1}),
        ("“The mills are [gone.", {"open_marks": 2}),
    ],
)
def test_texts_that_break_off_are_found(text, expected):
    assert measured(CutEnding(), answers(text, SOURCE)) == expected


def test_an_ending_that_the_source_has_too_is_no_fault():
    assert measured(CutEnding(), answers("The mills", "The mills are gone")) == {}
    assert measured(CutEnding(), answers("The (mills.", "The mills (are gone.")) == {}
    assert measured(CutEnding(), answers("The mills")) == {"open_endings": 1}


def test_a_stop_at_the_limit_of_tokens_is_known_by_its_reason():
    assert measured(CutEnding(), answers("The mills are gone.", SOURCE, finish_reason="length")) == {"length_stops": 1}
    assert measured(CutEnding(), answers("The mills are gone.", SOURCE, finish_reason=None)) == {}


def test_a_loop_is_the_same_words_three_times_at_the_end():
    text = "It was there. " + "The mills are gone. " * 3
    assert measured(CutEnding(), answers(text, SOURCE)) == {"repeated_tail_words": 12, "repeated_tail_fraction": 12 / 15}
    broken_off = "It was there. " + "The mills are gone. " * 3 + "The mills."
    assert measured(CutEnding(), answers(broken_off, SOURCE)) == {}, "the last word is another one"
    assert measured(CutEnding(), answers(text + "The.", SOURCE)) == {}
    assert measured(CutEnding(), answers("It was there. " + "The mills are gone. " * 2, SOURCE)) == {}
    assert measured(CutEnding(), answers(text + "The mills", SOURCE))["repeated_tail_words"] == 14


@pytest.mark.parametrize(
    ("rule", "limit", "kept", "dropped"),
    [
        ("max_open_endings", 0, "The mills are gone.", "The mills are"),
        ("max_open_marks", 1, "The (mills.", "The (mills [are."),
        ("max_repeated_tail_fraction", 0.5, "a b c d e f g h i. " + "j k l. " * 3, "b c d e f g h i. " + "j k l. " * 3),
    ],
)
def test_an_answer_at_a_limit_is_kept_and_one_beyond_is_not(rule, limit, kept, dropped):
    stage = CutEnding(**{rule: limit})
    assert broken(stage, answers(kept, SOURCE)) == []
    assert broken(stage, answers(dropped, SOURCE)) == [rule]


def test_stops_have_a_limit():
    table = answers("The mills are gone.", SOURCE, finish_reason="length")
    assert broken(CutEnding(), table) == ["max_length_stops"]
    assert broken(CutEnding(max_length_stops=1), table) == []


@pytest.mark.parametrize("kind", ["real", None])
def test_only_synthetic_documents_are_judged(kind):
    assert measured(CutEnding(), answers("The mills", SOURCE, kind, "length")) == {}
