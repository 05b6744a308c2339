import random
import re

import pyarrow as pa
import pytest

from stages.kernels.line_corrections import NO_LIMIT, Corrections, correct_lines
from stages.kernels.line_patterns import COUNTED, kinds_of_code_points
from stages.kernels.text import column_of, text_of

ALL = Corrections(0.5, True, True, 2, 10)
BARE = Corrections(NO_LIMIT, False, False, NO_LIMIT, NO_LIMIT)
COUNTER = re.compile(rf"^\W*\d(?:,|\.|\d)*[kmb]?\s+(?:{'|'.join(COUNTED)})\W*$")
EDITS = [r"\s?items in cart", r"\s?read more...$", r"^sign-in\s?"]
PIECES = [
    *("one", "two three", "A", "AB", "É", "Ⅷ", "Ⓐ", "ǅ", "12", "٣", "²", "1,234.5", "3K", "4 m", "_", "漢", "😀", "e\u0301"),
    *("likes", "Shares", "views", "followers!", "3 likes", "(12.5k  Comments)", "items in cart", "3 Items In Cart"),
    *("Read more...", "read more", "Read more ab", "...", "Sign-in", "sign-in ", "SIGN-IN", "ABC DEF"),
    *(" ", " ", " ", "\t", "\u00a0", "\u3000", "\x1c", "\r", "\n", "\n", "\n", "\n\n", "!", "."),
]


def slow(text: str, rules: Corrections) -> tuple[str, int, int]:
    before = text.split("\n") if text else []
    lines = before
    if rules.max_uppercase_fraction != NO_LIMIT:
        limit = rules.max_uppercase_fraction
        lines = [line for line in lines if not line or sum(map(str.isupper, line)) / len(line) <= limit]
    lines = stripped(lines)
    if rules.numeric_lines:
        lines = stripped([line for line in lines if not line or not all(map(str.isdigit, line))])
    if rules.counters:
        lines = stripped([line for line in lines if not COUNTER.search(line.lower())])
    if rules.min_words_per_line != NO_LIMIT:
        lines = [line for line in lines if not line or len(line.split()) >= rules.min_words_per_line]
    for pattern in EDITS if rules.max_edited_words != NO_LIMIT else []:
        after = []
        for line in lines:
            short = len(line.split()) <= rules.max_edited_words
            changed = re.sub(pattern, "", line, flags=re.I) if short else line
            if not short or not line or changed.strip():
                after.append(changed)
        lines = stripped(after)
    return "\n".join(lines), len(before), len(before) - len(lines)


def stripped(lines: list[str]) -> list[str]:
    text = "\n".join(lines).strip()
    return text.split("\n") if text else []


def corrected(texts: list[str], rules: Corrections = ALL) -> list[tuple[str, int, int]]:
    found = correct_lines(text_of(pa.array(texts, pa.large_string())), rules)
    return list(zip(column_of(found.text).to_pylist(), found.lines.tolist(), found.removed.tolist(), strict=True))


def line(text: str, rules: Corrections = ALL) -> str:
    """What becomes of a line in the middle of others."""
    ((found, _, _),) = corrected([f"the first line\n{text}\nthe last line"], rules)
    return found.removeprefix("the first line").removesuffix("the last line").strip("\n")


@pytest.mark.parametrize(
    ("kept", "removed", "rules"),
    [
        ("AB cd e", "ABC d e", BARE._replace(max_uppercase_fraction=2 / 7)),
        ("ABC def", "ABCD ef", BARE._replace(max_uppercase_fraction=0.5)),
        ("12 ", "12", BARE._replace(numeric_lines=True)),
        ("1.2", "²٣", BARE._replace(numeric_lines=True)),
        ("3 likes you", "3 likes", BARE._replace(counters=True)),
        ("likes", "» 1,234.5K\u00a0Followers «", BARE._replace(counters=True)),
        ("3likes", "3 \t downvotes...", BARE._replace(counters=True)),
        ("3 k likes", "3k likes", BARE._replace(counters=True)),
        ("two words", "word", BARE._replace(min_words_per_line=2)),
        ("one two three", "two words", BARE._replace(min_words_per_line=3)),
    ],
)
def test_a_line_on_either_side_of_a_correction(kept: str, removed: str, rules: Corrections) -> None:
    assert line(kept, rules) == kept
    assert line(removed, rules) == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("3 Items in cart now", "3 now"),
        ("items in cart items in cart", ""),
        ("See all. Read more...", "See all."),
        ("See all. READ MORE abc", "See all. READ MORE abc"),
        ("See all. Read more ab", "See all."),
        ("Read more... of it", "Read more... of it"),
        ("Sign-in to see it", "to see it"),
        ("To sign-in here", "To sign-in here"),
        ("Sign-in Read more...", ""),
        ("Sign-in 2 3 4 5 6 7 8 9 10", "2 3 4 5 6 7 8 9 10"),
        ("Sign-in 2 3 4 5 6 7 8 9 10 11", "Sign-in 2 3 4 5 6 7 8 9 10 11"),
    ],
)
def test_short_lines_lose_their_buttons(before: str, after: str) -> None:
    assert line(before) == after


def test_the_first_line_is_stripped_before_its_begin_is_looked_at_and_another_is_not() -> None:
    assert corrected(["  Sign-in to see\n  Sign-in to see"]) == [("to see\n  Sign-in to see", 2, 0)]


def test_a_text_of_furniture_alone_is_empty_afterwards() -> None:
    assert corrected(["HOME\n12\n\n3 likes", "", "\n"]) == [("", 4, 4), ("", 0, 0), ("", 2, 2)]


@pytest.mark.parametrize(
    "rules",
    [
        ALL,
        BARE,
        ALL._replace(min_words_per_line=NO_LIMIT),
        ALL._replace(max_uppercase_fraction=NO_LIMIT, min_words_per_line=0, max_edited_words=2),
        BARE._replace(max_edited_words=3),
    ],
)
def test_seeded_random_texts_are_corrected_as_python_does_it(rules: Corrections) -> None:
    random.seed(4)
    texts = ["".join(random.choices(PIECES, k=random.randrange(30))) for _ in range(5_000)]
    assert corrected(texts, rules) == [slow(text, rules) for text in texts]


def test_kinds_of_all_code_points_are_those_of_python() -> None:
    kinds = kinds_of_code_points()
    word = re.compile(r"\w")
    for code in range(len(kinds)):
        character = chr(code)
        bits = (character.isupper(), character.isdigit(), character.isdecimal(), word.match(character) is not None)
        assert kinds[code] == sum(bit << place for place, bit in enumerate(bits)), hex(code)
