import random
import re
import unicodedata
from collections import Counter

import pyarrow as pa
import pytest
from definitions.words import is_format, is_unspaced

from stages.core.docs import Docs
from stages.kernels.copies import TOP_SIZES, UNION_SIZES, gram_copies, segment_copies

SEGMENTS = ["a", "bb", "c c", "é漢", "a", " a", "a\t", " ", "", "", "\u3000", "x" * 20, "\x1ca"]
WORDS = ["a", "b", "cc", "é漢字", "12", "²", "😀", ",", ".", "-", "don't", "x" * 9, "a1_b", "_", "カナ", "e\u0301", "\u0301"]
WORDS += [
    "f(x)",
    "a.b",
    "1.2",
    "1,000",
    "a,b",
    "a:b",
    "1:2",
    "l·l",
    "it’s",
    "3;4",
    "a.1",
    "x-y",
    "http://a.b/c",
    "a.漢",
    "c\u200dd",
]


def docs_of(texts: list[str]) -> Docs:
    return Docs(pa.table({"text": pa.array(texts, pa.large_string())}))


def slow_segments(text: str, breaks: int) -> tuple[int, ...]:
    segments = [stripped for part in text.split("\n" * breaks) if (stripped := part.strip())]
    copies = {segment: count for segment, count in Counter(segments).items() if count > 1}
    in_copies = sum(len(segment) * count for segment, count in copies.items())
    return len(segments), sum(map(len, segments)), sum(copies.values()), in_copies


def kind(char: str) -> str:
    """Letters as a, numerals as 9, letters of scripts without spaces as U, what is attached as m, marks as they are."""
    category = unicodedata.category(char)
    if is_unspaced(char):
        return "U"
    if is_format(char) or category[0] in "LNM":
        return {"L": "a", "N": "9"}.get(category[0], "m")
    return char if category[0] in "PS" else " "


SLOW_WORD = re.compile("Um*|(?:am*(?:[.'’:·](?=a))?|9m*(?:[.,;'’](?=9))?|_m*)+")


def slow_words(text: str) -> list[str]:
    kinds = "".join(map(kind, text))
    return [text[found.start() : found.end()] for found in SLOW_WORD.finditer(kinds) if re.search("[aU9]", found[0])]


def slow_grams(found: list[str]) -> tuple[int, list[int], list[int]]:
    top, union = [], []
    for n in (*TOP_SIZES, *UNION_SIZES):
        grams = [tuple(found[place : place + n]) for place in range(len(found) - n + 1)]
        counts = Counter(grams)
        most = max(counts.values(), default=1)
        longest = max((len("".join(gram)) for gram, count in counts.items() if count == most), default=0)
        covered = {place + index for place, gram in enumerate(grams) if counts[gram] > 1 for index in range(n)}
        if n in TOP_SIZES:
            top.append(most * longest if most > 1 else 0)
        else:
            union.append(sum(len(found[place]) for place in covered))
    return sum(map(len, found)), top, union


def segments(texts: list[str], breaks: int) -> list[tuple[int, ...]]:
    found = segment_copies(docs_of(texts).text(), breaks)
    return list(zip(*(counts.tolist() for counts in found), strict=True))


def grams(texts: list[str]) -> list[tuple[int, list[int], list[int]]]:
    found = gram_copies(docs_of(texts).text())
    return [
        (chars, *parts)
        for chars, *parts in zip(found.chars.tolist(), found.top.T.tolist(), found.union.T.tolist(), strict=True)
    ]


def test_every_copy_of_a_line_counts_the_first_too() -> None:
    assert segments(["one\n two \nONE\none\n\n\none"], 1) == [(5, 15, 3, 9)]


@pytest.mark.parametrize(
    ("text", "expected"), [("a\n\na", (2, 2, 2, 2)), ("a\n\n\na", (2, 2, 2, 2)), ("a\nb\n\na\n", (2, 4, 0, 0))]
)
def test_paragraphs_end_at_two_newlines_and_are_stripped(text: str, expected: tuple[int, ...]) -> None:
    assert segments([text], 2) == [expected]


@pytest.mark.parametrize("breaks", [1, 2])
def test_segments_of_seeded_random_texts_are_those_of_python(breaks: int) -> None:
    random.seed(breaks)
    texts = []
    for _ in range(10_000):
        parts = random.choices(SEGMENTS, k=random.randrange(12))
        texts.append("".join(part + "\n" * random.randrange(4) for part in parts))
    assert segments(texts, breaks) == [slow_segments(text, breaks) for text in texts]


def test_the_longest_of_the_most_frequent_n_grams_is_the_top_and_one_occurrence_is_none() -> None:
    assert grams(["a b, a b ccc ddd ccc ddd"]) == [(16, [12, 0, 0], [0] * 6)]
    assert grams(["a b c d"]) == [(4, [0, 0, 0], [0] * 6)]


def test_marks_part_the_words_of_n_grams_but_for_some_inside() -> None:
    cut = [*"f x don't a.b 1,000 a b a_b http c.d e 2 year ² it’s l·l a:b 1 2".split(), *"漢字カナ", "ab"]  # noqa: SIM905
    assert slow_words("f(x) don't a.b 1,000 a,b a_b http://c.d/e 2-year ² it’s l·l a:b 1:2 漢字カナab -_-") == cut
    assert grams(["f(x) f-x a.b"]) == [(7, [4, 0, 0], [0] * 6)]


def test_words_of_repeated_n_grams_count_once_where_copies_overlap() -> None:
    assert grams(["a a a a a a"]) == [(6, [10, 12, 12], [6, 0, 0, 0, 0, 0])]


def test_n_grams_of_seeded_random_texts_are_those_of_python() -> None:
    random.seed(3)
    texts = []
    for _ in range(10_000):
        some = random.sample(WORDS, random.randrange(1, 6))
        texts.append(random.choice(["", " ", " "]).join(random.choices(some, k=random.randrange(40))))
    assert grams(texts) == [slow_grams(slow_words(text)) for text in texts]
