"""Sentences, the sentences they come from, and what is negated in them."""

import pytest

from stages.core.passages import Source, flips, passage, sentences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said "Go." Then he went.', ['He said "Go."', "Then he went."]),
        ("Mr. Smith met J. R. Jones. They left.", ["Mr. Smith met J. R. Jones.", "They left."]),
        ("It cost 3.5 euros, e.g. Roughly that.", ["It cost 3.5 euros, e.g. Roughly that."]),
        ("A heading\n\nA text\n- an item\n- another", ["A heading", "A text", "- an item", "- another"]),
        ("A line\nof a sentence.", ["A line\nof a sentence."]),
        ("", []),
    ],
)
def test_sentences(text, found):
    assert sentences(text) == found


SOURCE = Source("The mill grinds corn. The weir holds water. Two brothers built the mill, the weir and the bridge long ago.")


def origins(text):
    return [SOURCE.sentences.index(origin) for origin in SOURCE.origins(passage(text)[0])]


def test_a_sentence_comes_from_those_that_have_its_words():
    assert origins("Corn is ground in a mill") == [0]
    assert origins("A weir that holds water") == [1]
    assert origins("The bridge of two brothers holds water") == [2, 1]
    assert origins("Something else entirely") == []


def test_the_share_of_words_that_a_source_has():
    assert SOURCE.share_of(passage("the mill and volcano")[0]) == 0.5
    assert SOURCE.share_of(passage("of the")[0]) == 1.0


@pytest.mark.parametrize(
    ("source", "answer", "flipped"),
    [
        ("He won the prize.", "He did not win. He won no prize.", True),
        ("He won the prize.", "He never won the prize.", True),
        ("He never won the prize.", "He won the prize.", True),
        ("He never won the prize.", "He didn't win, and won no prize.", False),
        ("He won no prize.", "He did not win a prize.", False),
        ("He did not win the prize.", "He failed to win the prize.", False),
        ("He won the prize, not the money.", "He won the prize.", False),
        ("He won the prize.", "He won not only the prize.", False),
        ("He won prize No. 3 there.", "He won prize number 3 there.", False),
        ("He did not win the prize until he was old.", "He did not win until he was old.", False),
        ("It is unclear whether or not he won.", "It is unclear whether he won.", False),
        ("The prize was not given there, and was given here.", "The prize was given here.", False),
        ("He stayed, as the prize was not given.", "He stayed. The prize was not given.", False),
    ],
)
def test_a_negation_that_changes_is_seen(source, answer, flipped):
    known = Source(source)
    assert any(flips(sentence, known.origins(sentence)) for sentence in passage(answer)) == flipped
