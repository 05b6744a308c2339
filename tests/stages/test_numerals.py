"""A number has one form however it is written; a source is read generously."""

import pytest

from stages.core.numerals import canonical, dates, known_dates, known_numbers, numbers


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("1,000", {"1000"}),
        ("3.50", {"3.5"}),
        ("007", {"7"}),
        ("0.0", {"0"}),
        ("1,234,567.80", {"1234567.8"}),
        ("50%", {"50"}),
        ("2 million", {"2000000"}),
        ("1.25 billion", {"1250000000"}),
        ("5k", {"5", "5000"}),
        ("2nd", {"2", "place 2"}),
        ("1990s", {"1990"}),
        ("20km", {"20"}),
        ("3.11.2", {"3.11.2"}),
        ("X86", {"x86"}),
        ("twelve", {"12"}),
        ("twenty-one", {"21"}),
        ("two hundred and fifty thousand", {"250000"}),
        ("World War II", {"2"}),
    ],
)
def test_forms_of_a_number(text, forms):
    assert numbers(f"there are {text} here") == [frozenset(forms)]


@pytest.mark.parametrize(
    "text", ["one of them", "1. first\n2) second", "Question 3: what?", "the first and second", "a hundred", "I am"]
)
def test_what_is_no_number_of_an_answer(text):
    assert numbers(text) == []


def test_a_list_without_blanks_has_a_number_for_each():
    assert numbers("in 2001,2002 and 1,5") == [{"2001"}, {"2002"}, {"1"}, {"5"}]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("one", "1"),
        ("twice", "2"),
        ("the third", "place 3"),
        ("a dozen", "12"),
        ("half of it", "50"),
        ("twenty-one", "20"),
        ("1.2 million", "1.2"),
        ("1.2 million", "1200000"),
        ("the Louis XIV style", "14"),
        ("10:30", "30"),
    ],
)
def test_a_source_has_more_readings(text, number):
    assert number in known_numbers(text)


def test_places_and_counts_are_not_one():
    assert not numbers("3 of them")[0] & known_numbers("the third of them")
    assert numbers("the 3rd of them")[0] & known_numbers("the third of them")


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("12 May 2020", ("month 5", "day 12", "year 2020")),
        ("the 3rd of June", ("month 6", "day 3")),
        ("May 12th, 2020", ("month 5", "day 12", "year 2020")),
        ("Sept. 2019", ("month 9", "year 2019")),
        ("2020-05-12", ("month 5", "day 12", "year 2020")),
        ("12/05/2020", ("month 5", "day 12", "year 2020")),
        ("in October", ("month 10",)),
        ("on Tuesdays", ("weekday tue",)),
    ],
)
def test_dates_and_their_parts(text, date):
    found, rest = dates(f"It was {text}.")
    assert found == [date]
    assert len(rest) == len(f"It was {text}.")
    assert not numbers(rest)


def test_a_month_in_digits_may_be_either_part():
    parts = known_dates("on 03/04/2020", known_numbers("on 03/04/2020"))
    assert {"month 3", "month 4", "day 3", "day 4", "year 2020"} <= parts


def test_may_and_march_alone_are_no_dates():
    assert dates("It may be May, or a March past.")[0] == []


def test_digits_are_never_rounded():
    assert canonical("1" * 60, "50") == "1" * 60 + ".5"
    assert canonical("0001", "5", 3) == "1500"


def test_endless_numbers_in_words_are_read():
    assert numbers("one hundred and " * 5000)
