"""Shingles do not depend on case, punctuation, numbers or white space; their hashes equal the definition."""

import random
import re
import unicodedata
from itertools import pairwise

import pyarrow as pa
import pytest
from definitions.shingles import ZERO, hashes_slowly, is_alone, plain_words

from stages.kernels.folding import ALONE, folded
from stages.kernels.shingles import shingles
from stages.kernels.text import text_of


def hashes_of(texts: list[str], size: int, unit: str = "word", bits: int = 64, kind: str = "folded") -> list[list[int]]:
    hashes, offsets = shingles(text_of(pa.array(["skipped", *texts]).slice(1)), size, unit, bits, kind)
    return [hashes[start:end].tolist() for start, end in pairwise(offsets)]


@pytest.mark.parametrize(
    "same",
    [
        "the 24 naive cafes open at noon and close",
        "  The 1999 NAÏVE\r\ncafés -- open (at) noon, and\u2028\tclose!!!\x00",
        "the 7 nai\u0308ve cafe\u0301s. open; at: noon… and “close”",
        "the ٣ na\u00adive cafes open at\u200bnoon-and_close",
        "the 1,024.50 naive cafes open at noon and close",
        "the 2024-01-05 10:30 naive cafes open at noon and close",
    ],
)
@pytest.mark.parametrize("unit", ["word", "char"])
def test_case_marks_numbers_punctuation_and_white_space_do_not_count(same: str, unit: str) -> None:
    first, second = hashes_of(["the 24 naive cafes open at noon and close", same], 5, unit)
    assert first == second
    assert len(first) == (5 if unit == "word" else 36)


@pytest.mark.parametrize("other", ["the 24 naive cafes open at noon and closed", "the naive 24 cafes open at noon and close"])
@pytest.mark.parametrize("unit", ["word", "char"])
def test_other_words_and_another_order_count(other: str, unit: str) -> None:
    first, second = hashes_of(["the 24 naive cafes open at noon and close", other], 5, unit)
    assert set(first) != set(second)


def test_a_document_has_a_shingle_from_its_fifth_word_on() -> None:
    found = hashes_of(["", "one two three four", "one two three four five", "a, b. c! d? --- ***", "1 2 3 4 5 6"], 5)
    assert [len(one) for one in found] == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("漢字かな", 4),
        ("ภาษาไทย", 7),
        ("မြန်မာ", 3),  # a letter goes with its marks
        ("使用Python编程", 5),
        ("👩 🎉 👍", 3),
        ("한국어 문장", 2),
        ("हिन्दी भाषा", 2),
        ("اللغة العربية", 2),
        ("don't re-use U.S. mail@example.com", 9),
        ("abc123def", 1),
        ("1 2 3", 1),
        ("┌──┐ │ one │ ▒▒▒", 1),
    ],
)
def test_a_word_is_a_run_of_letters_or_a_letter_of_a_script_without_spaces(text: str, words: int) -> None:
    assert [len(one) for one in hashes_of([text], 1)] == [words]


def test_characters_have_a_space_only_between_words_of_scripts_with_spaces() -> None:
    together, apart, mixed, also = hashes_of(["漢字かな", "漢字 かな。", "使用 go vet 编程", "使用go-vet编程"], 3, "char")
    assert together == apart
    assert len(together) == 2
    assert mixed == also
    assert len(mixed) == 2 + 6 + 2 - 2


def test_the_lower_width_is_the_upper_half() -> None:
    wide, narrow = (hashes_of(["some words of a text"], 2, bits=bits)[0] for bits in (64, 32))
    assert narrow == [hash_ >> 32 for hash_ in wide]


def test_plain_words_are_those_of_a_regular_expression() -> None:
    texts = ["It's 10:30, snake_case & CamelCase; ÉTÉ_2 naïve x² 5 % …", "Жук и №7 -- ΟΔΟΣ οδος", "_", "__a__ 0 00 ---"]
    for text in texts:
        words = re.findall(r"\w+", text.lower().replace("ς", "σ"))
        assert ["".join("0" if char == ZERO else char for char in word) for word, _ in plain_words(text)] == words
        assert len(hashes_of([text], 1, kind="plain")[0]) == len(words)


def test_of_plain_words_case_and_punctuation_do_not_count_but_numbers_do() -> None:
    one, same, other, marked = hashes_of(
        ["On day 24: ΟΔΟΣ e\u0301t\u00ade", "on DAY 24 -- οδος, e\u0301te", "on day 7 οδος e\u0301te", "on day 24 οδος ete"],
        2,
        kind="plain",
    )
    assert one == same
    assert (len(set(one) - set(other)), len(set(one) - set(marked))) == (2, 1)


MARKED = "_aBzZ@[`{09٣é \n\r\t\x00\x85\u2028.,-'ΣςİȺßж漢がーｱ한👩👍🏽\u200d\u0301\u0e33นिﬁ½ⅷ⃣ာ\u200b\ufeff\u00ad\ufe0f"


@pytest.mark.parametrize("kind", ["folded", "plain"])
@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_hashes_equal_their_definition(unit: str, size: int, kind: str) -> None:
    rng = random.Random(size)
    texts = ["".join(rng.choices(MARKED, k=rng.randrange(60))) for _ in range(500)]
    texts += ["".join(rng.choices("abcXYZ", k=length)) + " 1 " for length in range(200)] + ["", "word " * 9]
    assert hashes_of(texts, size, unit, kind=kind) == [hashes_slowly(text, size, unit, kind) for text in texts]


@pytest.mark.parametrize("kind", ["folded", "plain"])
def test_hashes_equal_their_definition_where_blocks_of_bytes_end(kind: str) -> None:
    rng = random.Random(7)
    alphabets = ["ab ", "ab_ ", "abcdefgh ", "abcdefghijklmnopqrstuvwxyz ", "ab1 ", "abcé ", "漢ab ", "0 .", "Ж ж"]
    texts = [
        "".join(rng.choices(alphabet, k=rng.choice([1, 2, 62, 63, 64, 65, 126, 127, 128, 129, 300])))
        for alphabet in alphabets
        for _ in range(100)
    ]
    for unit in ("word", "char"):
        assert hashes_of(texts, 2, unit, kind=kind) == [hashes_slowly(text, 2, unit, kind) for text in texts]


@pytest.mark.parametrize("kind", ["folded", "plain"])
def test_hashes_equal_their_definition_for_ten_thousand_texts_of_all_scripts(kind: str) -> None:
    rng = random.Random(23)
    assigned = [code for code in range(0x20000) if unicodedata.category(chr(code)) not in ("Cs", "Cn", "Co")]
    # what this Python's `unicodedata` names otherwise than the table's ranges is no matter of hashing
    assigned = [code for code in assigned if bool(folded()[code] & ALONE) == is_alone(chr(code))]
    assert len(assigned) > 78_000
    texts = []
    for _ in range(10_000):
        start = rng.randrange(len(assigned))
        near = [*assigned[start : start + 40], 0x20, 0x61, 0x2E]
        texts.append("".join(map(chr, rng.choices(near, k=rng.randrange(30)))))
    for unit in ("word", "char"):
        assert hashes_of(texts, 2, unit, kind=kind) == [hashes_slowly(text, 2, unit, kind) for text in texts]


def test_the_bytes_of_the_next_text_do_not_count() -> None:
    whole = "one two three"
    texts = [whole[:end] for end in range(len(whole) + 1)]
    column = pa.array([part for text in texts for part in (text, "a" * 99)])
    hashes, offsets = shingles(text_of(column), 1, "word", 64)
    for at, text in enumerate(texts):
        assert hashes[offsets[2 * at] : offsets[2 * at + 1]].tolist() == hashes_slowly(text, 1, "word")
