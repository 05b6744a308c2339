import random
import re

import pyarrow as pa
import pytest

from stages.kernels.dclm_marks import DclmMarks, dclm_marks, dclm_words
from stages.kernels.text import text_of

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
PIECES = [
    *("the", "THE", "be", "With", "thats", "they", "a", "x1", "12", "²", "Ⅷ", "é", "漢", "e\u0301", "\u0301", "😀"),
    *("#", ".", ".", ".", "...", ". . .", "…", "●", "•", "*", "-", ",", "(the", "the,"),
    *(" ", " ", " ", "\n", "\n", "\t", "\r", "\x0b", "\x0c", "\0", "\x1c", "\x85", "\u00a0", "\u2028", "\u3000"),
]


def slow(text: str) -> DclmMarks:
    pieces = text.split()
    lines = [stripped for line in text.split("\n") if (stripped := line.strip())]
    return DclmMarks(
        words=sum(piece[0].isalnum() for piece in re.split("[ \t\n\v\f\r\0]", text) if piece),
        pieces=len(pieces),
        piece_chars=sum(map(len, pieces)),
        alpha_pieces=sum(any(map(str.isalpha, piece)) for piece in pieces),
        stop_words=sum(piece.lower() in STOP_WORDS for piece in pieces),
        symbols=sum(map(text.count, ("#", "...", ". . .", "…"))),
        lines=len(lines),
        bullet_lines=sum(line[0] in "●•*-" for line in lines),
        ellipsis_lines=sum(line.endswith(("...", ". . .", "…")) for line in lines),
    )


def marks(texts: list[str]) -> list[DclmMarks]:
    found = dclm_marks(text_of(pa.array(texts, pa.large_string())))
    return [DclmMarks(*numbers) for numbers in zip(*(counts.tolist() for counts in found), strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", DclmMarks(0, 0, 0, 0, 0, 0, 0, 0, 0)),
        ("  \n\t", DclmMarks(0, 0, 0, 0, 0, 0, 0, 0, 0)),
        ("The end, the #end.", DclmMarks(3, 4, 15, 4, 2, 1, 1, 0, 0)),
        ("- one\n * two ...\n● 3 . . .\n", DclmMarks(3, 10, 16, 2, 0, 2, 3, 3, 2)),
        ("\0the THE", DclmMarks(2, 2, 7, 2, 1, 0, 1, 0, 0)),
        ("a\u00a0b\0c", DclmMarks(2, 2, 4, 2, 0, 0, 1, 0, 0)),
        (". . . . . . .....", DclmMarks(0, 7, 11, 0, 0, 3, 1, 0, 1)),
    ],
)
def test_what_is_counted(text: str, expected: DclmMarks) -> None:
    assert slow(text) == expected
    assert marks([text]) == [expected]


def test_seeded_random_texts_are_counted_as_python_counts_them() -> None:
    random.seed(1)
    texts = ["".join(random.choices(PIECES, k=random.randrange(40))) for _ in range(20_000)]
    assert marks(texts) == [slow(text) for text in texts]


def test_words_alone_are_the_words_among_the_marks() -> None:
    random.seed(2)
    texts = text_of(pa.array(["".join(random.choices(PIECES, k=random.randrange(40))) for _ in range(5_000)]))
    assert dclm_words(texts).tolist() == dclm_marks(texts).words.tolist()
