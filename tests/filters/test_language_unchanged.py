"""A text in another language than its source is found, where both are long enough to be told."""

import pytest
from made_answers import answers, broken, measured

from filters.language_unchanged import LanguageUnchanged

ENGLISH = "The river rises in the hills to the north of the town, and people have built mills along it for a long time."
GERMAN = "Der Fluss entspringt in den Hügeln nördlich der Stadt, und die Leute haben dort seit langer Zeit Mühlen gebaut."


def test_another_language_breaks_the_rule():
    assert broken(LanguageUnchanged(), answers(GERMAN, ENGLISH)) == ["max_changed"]
    assert broken(LanguageUnchanged(), answers(ENGLISH[:80], ENGLISH)) == []
    assert broken(LanguageUnchanged(max_changed=1), answers(GERMAN, ENGLISH)) == []


def test_scores_of_both_are_there():
    found = measured(LanguageUnchanged(), answers(GERMAN, ENGLISH))
    assert found["changed"] == 1
    assert min(found["language_score"], found["parent_score"]) > 0.8


@pytest.mark.parametrize("shorter", [0, 1])
def test_nothing_is_said_of_short_texts(shorter):
    stage = LanguageUnchanged(min_chars=70)
    text, source = GERMAN[:70], ENGLISH[:70]
    assert broken(stage, answers(text, source)) == ["max_changed"]
    assert broken(stage, answers(text[: 70 - shorter], source[: 69 + shorter])) == []


def test_nothing_is_said_where_a_score_is_low():
    scores = measured(LanguageUnchanged(), answers(GERMAN, ENGLISH))
    lower = min(scores["language_score"], scores["parent_score"])
    assert broken(LanguageUnchanged(min_score=lower), answers(GERMAN, ENGLISH)) == ["max_changed"]
    assert broken(LanguageUnchanged(min_score=min(1.0, lower + 0.001)), answers(GERMAN, ENGLISH)) == []


def test_a_document_without_a_parent_is_never_judged():
    assert measured(LanguageUnchanged(), answers(GERMAN)) == {}
