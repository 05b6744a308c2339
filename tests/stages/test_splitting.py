"""Long texts are cut where a reader would, and nothing of them is lost."""

import random

from stages.core.splitting import split_text


def words(text: str) -> int:
    return len(text.split())


def test_a_short_text_is_one_piece() -> None:
    assert split_text("one two three", 3, words) == ["one two three"]
    assert split_text("", 3, words) == []


def test_paragraphs_stay_together_as_long_as_they_fit() -> None:
    assert split_text("a b\n\nc d\n\ne f\n\ng", 4, words) == ["a b\n\nc d\n\n", "e f\n\ng"]


def test_a_long_paragraph_is_cut_between_lines_then_sentences_then_words() -> None:
    assert split_text("a b\nc d\ne", 2, words) == ["a b\n", "c d\n", "e"]
    assert split_text("A b. C d! E f? G", 2, words) == ["A b. ", "C d! ", "E f? ", "G"]
    assert split_text("a b c d e", 2, words) == ["a b ", "c d ", "e"]
    assert split_text("short.\n\nlong one two three four\n\nend", 2, words) == [
        "short.\n\n",
        "long one ",
        "two three ",
        "four\n\nend",
    ]


def test_what_has_no_border_is_cut_between_characters() -> None:
    pieces = split_text("字" * 10, 3, len)
    assert "".join(pieces) == "字" * 10
    assert max(map(len, pieces)) <= 3


def test_pieces_put_together_are_the_text_and_fit() -> None:
    rng = random.Random(3)
    for _ in range(500):
        text = "".join(rng.choice(["a", "bb", " ", "\n", "\n\n", ". ", "。", "é", "\u2029"]) for _ in range(rng.randrange(60)))
        limit = rng.randrange(1, 12)
        pieces = split_text(text, limit, len)
        assert "".join(pieces) == text
        assert all(piece and len(piece) <= limit for piece in pieces)
