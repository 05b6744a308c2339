"""What an answer says and its source does not is counted; what it says in another form is not."""

import pytest
from made_answers import answers, broken, measured

from filters.grounded import Grounded

SOURCE = (
    "In 1,990 cases the Warsaw Stock Exchange grew by 3.50 percent on 12 May 2020. Twelve Germans did not visit Paris"
    " with NATO. See https://www.example.org/a/ for the report. The river Vistula was twenty km long in the"
    " valley. The old tower had five floors and a bell of 3 tons."
)


def found(text: str, source: str = SOURCE) -> dict[str, int]:
    return measured(Grounded(), answers(text, source))


@pytest.mark.parametrize(
    "text",
    [
        "The Warsaw Stock Exchange grew 3.5% in 1990 cases.",
        "The exchange grew on May 12, 2020.",
        "On 2020-05-12 the exchange in Warsaw grew.",
        "12 Germans didn't visit Paris, nor did the North Atlantic Treaty Organization.",
        "Paris was not visited by the Germans.",
        "Germans were unable to visit Paris.",
        "WSE is in Warsaw.",
        "The report is at example.org/a.",
        "1. The river Vistula was 20 km long.\n2. The tower had 5 floors.",
        "Vistula's valley is old, and one tower is there.",
        "",
    ],
)
def test_the_same_facts_in_another_form_are_grounded(text):
    assert found(text) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The exchange grew by 3.6 percent.", {"ungrounded_numbers": 1, "ungrounded_number_fraction": 1.0}),
        ("The tower had 5 floors and 7 bells.", {"ungrounded_numbers": 1, "ungrounded_number_fraction": 0.5}),
        ("Thirteen Germans did not visit Paris.", {"ungrounded_numbers": 1, "ungrounded_number_fraction": 1.0}),
        ("The exchange grew on 12 June 2020.", {"ungrounded_dates": 1}),
        ("The exchange grew on May 13, 2020.", {"ungrounded_dates": 1}),
        ("The exchange grew on a Monday.", {"ungrounded_dates": 1}),
        ("See https://example.com/a for the report.", {"ungrounded_urls": 1}),
        ("The report is by someone@example.org there.", {"ungrounded_urls": 1}),
        ("Germans did not visit London.", {"ungrounded_names": 1, "ungrounded_name_fraction": 1.0}),
        ("The Kraków Stock Exchange grew with NATO.", {"ungrounded_names": 1, "ungrounded_name_fraction": 0.5}),
        ("Germans did not visit it with UNESCO.", {"ungrounded_names": 1, "ungrounded_name_fraction": 1.0}),
        ("Twelve Germans did visit Paris.", {"negations": 1}),
        ("The river Vistula was not long in the valley.", {"negations": 1}),
        ("The river Vistula was 5 km long in the valley.", {"misplaced_numbers": 1}),
        ("Volcanoes erupt violently above deep oceanic trenches.", {"unsupported_sentences": 1}),
    ],
)
def test_each_kind_of_fault_is_counted(text, expected):
    assert found(text) == expected


def test_what_is_not_found():
    assert found("The tower had 3 floors and a bell of five tons.") == {}, "two numbers that change places in one sentence"
    assert found("London had twelve Germans.") == {}, "a name at the beginning of a sentence that stands nowhere else"
    assert found("The river was unable to be twenty km long in the valley.") == {}, "a negation in a word"


def test_a_document_without_a_parent_is_never_judged():
    assert measured(Grounded(), answers("In 1999 London was not there.")) == {}
    assert broken(Grounded(), answers("In 1999 London was not there.")) == []


SENTENCE = "The old tower by the river had a bell."


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("max_ungrounded_numbers", "The tower had 9 bells."),
        ("max_ungrounded_dates", "The tower had a bell on 4 May."),
        ("max_ungrounded_urls", "The tower had a bell: example.com."),
        ("max_ungrounded_names", "The tower in Rome had a bell."),
        ("max_misplaced_numbers", "The tower by the old river had 8 bells."),
        ("max_negations", "The tower had not a bell."),
        ("max_unsupported_sentences", "Volcanoes erupt violently above deep trenches."),
    ],
)
def test_an_answer_at_a_limit_is_kept_and_one_beyond_is_not(rule, fault):
    source = f"{SENTENCE} Eight cats slept."
    assert broken(Grounded(), answers(SENTENCE, source)) == []
    assert broken(Grounded(), answers(fault, source)) == [rule]
    assert broken(Grounded(**{rule: 1}), answers(fault, source)) == []
    assert broken(Grounded(**{rule: None}), answers(fault, source)) == []


def test_support_is_the_share_of_words_that_the_source_has():
    half = "Tower, bell, volcano, ocean."
    assert broken(Grounded(min_sentence_support=0.5), answers(half, SENTENCE)) == []
    assert broken(Grounded(min_sentence_support=0.51), answers(half, SENTENCE)) == ["max_unsupported_sentences"]


def test_other_languages_may_pass():
    table = answers("Der Turm hat 9 Glocken.", "Der Turm hat acht Glocken.")
    table = table.append_column("language", [["de"]])
    assert broken(Grounded(), table) == ["max_ungrounded_numbers"]
    assert broken(Grounded(other_languages="pass"), table) == []
