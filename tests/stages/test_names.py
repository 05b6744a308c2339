"""Names are words with capitals where no sentence begins; a source has them in any case and form."""

import pytest

from stages.core.names import Words, addresses, names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("He met Marie Curie in Paris.", [("Marie", "Curie"), ("Paris",)]),
        ("The Bank of England is in London.", [("Bank", "England"), ("London",)]),
        ("Marie Curie met him.", [("Marie", "Curie")]),
        ("Mills stood there.", []),
        ("Smith's mill stood there.", [("Smith's",)]),
        ("NATO grew.", [("NATO",)]),
        ("Smith came. Then Smith left.", [("Smith",), ("Smith",)]),
        ("Rose said it. The rose and the Rose.", [("Rose",)]),
        ("I met Dr. Rey on Monday, in June, with Two.", [("Rey",)]),
        ("The History of the Mill\nIt was old.", []),
        ("ALL IS WRITTEN IN CAPITALS HERE.", []),
        ('He said: "Come here." She (Anna) came.', []),
        ("- Item\n* Other", []),
        ("However, the mill -- Anna Rey -- stood.", [("Anna", "Rey")]),
        ("", []),
    ],
)
def test_names_of_a_text(text, found):
    assert names(text) == found


@pytest.mark.parametrize(
    ("word", "source"),
    [
        ("Curie's", "marie curie"),
        ("Italian", "in Italy"),
        ("Americans", "America"),
        ("French", "in France"),
        ("José", "Jose"),
        ("NATO", "the North Atlantic Treaty Organization"),
        ("Internet", "the internet"),
        ("O’Brien", "O'Brien"),
    ],
)
def test_a_source_has_a_word_in_other_forms(word, source):
    assert Words(source).has(word)


@pytest.mark.parametrize(
    ("word", "source"), [("Johnston", "Johnson"), ("Maria", "Marie"), ("UNESCO", "NATO"), ("Italy", "Itasca"), ("Paris", "")]
)
def test_another_word_is_not_the_same(word, source):
    assert not Words(source).has(word)


def test_an_acronym_of_the_source_may_be_written_out():
    assert not Words("The WSE grew.").lacks(("Warsaw", "Stock", "Exchange"))
    assert not Words("The BOE grew.").lacks(("Bank", "Of", "England"))
    assert Words("The WSE grew.").lacks(("Warsaw", "Exchange"))


def test_addresses_have_one_form_and_leave_blanks():
    text = "See https://www.Example.org/a/, www.test.com/b. Or mail a.b@c-d.de; also docs.python.org!"
    found, rest = addresses(text)
    assert found == ["example.org/a", "test.com/b", "a.b@c-d.de", "docs.python.org"]
    assert len(rest) == len(text)
    assert rest.split() == ["See", ",", ".", "Or", "mail", ";", "also", "!"]
