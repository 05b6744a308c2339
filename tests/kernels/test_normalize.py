import random
import unicodedata

import pyarrow as pa
import pytest
from definitions.normalize import slow_clean

from stages.kernels.normalize import CHANGED, FORM, _table, clean
from stages.kernels.text import column_of, text_of

ALPHABET = [
    *"ab.é中ह🙂\u0301\u0323\u0315\u0316\u09be\u0bbe\u1161\u11a8\uac00\u1100\u212b\u2126\ufb01\uff21\u00a0\u2003\u3000\u3099か\u0344",
    *"\n\r\t \x00\x0b\x0c\x1c\x1f\x7f\x85\u2028\u2029",
    *"\u00ad\u200b\u200c\u200d\u2060\ufeff\ufffe\ufe0f\u202e\u061c\U000e0067\U0001d15e",
    *["\r\n", "  ", "\n\n\n\n", " \n", "\t\t", "\n \n", "plain ascii words", "\n\n"],
]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("collapse", "strip", "most"), [(False, True, 2), (True, True, 0), (True, False, 1), (False, False, None)]
)
def test_cleaning_is_its_definition(seed: int, collapse: bool, strip: bool, most: int | None) -> None:
    choice = random.Random(seed)
    texts = ["".join(choice.choices(ALPHABET, k=choice.choice([0, 1, 3, 12, 60]))) for _ in range(200)]
    column = pa.array(["before", *texts, "after"], pa.large_string()).slice(1, len(texts))
    cleaned, flags = clean(text_of(column), "NFC", collapse, strip, most)
    for text, after, flag in zip(texts, column_of(cleaned).to_pylist(), flags, strict=True):
        expected = slow_clean(text, collapse, strip, most)
        assert after == expected, repr(text)
        assert bool(flag & CHANGED) == (expected != text), repr(text)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@pytest.mark.parametrize("seed", range(4))
def test_a_text_that_is_not_in_the_form_is_flagged(form: str, seed: int) -> None:
    choice = random.Random(seed)
    texts = ["".join(choice.choices(ALPHABET, k=choice.choice([1, 2, 3, 4, 12]))) for _ in range(400)]
    cleaned, flags = clean(text_of(pa.array(texts)), form, False, False, None)  # type: ignore[arg-type]
    for text, flag in zip(column_of(cleaned).to_pylist(), flags, strict=True):
        assert unicodedata.is_normalized(form, text) or flag & FORM, repr(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_every_pair_that_python_would_join_is_flagged(form: str) -> None:
    seconds = [chr(code) for code in range(0x20000) if unicodedata.combining(chr(code)) or 0x1161 <= code < 0x1200]
    table = _table(form)  # type: ignore[arg-type]
    for first in "aAeouわक\u0915\u09c7\u0bc6\u1025\u1100가\U00011099\U00011347":
        for second in seconds:
            if not unicodedata.is_normalized(form, first + second):  # type: ignore[arg-type]
                assert table[ord(second)] & 256 or table[ord(first)] & 256, (first, second)


def test_composed_text_and_thai_are_not_flagged() -> None:
    _, flags = clean(text_of(pa.array(["naïve café", "ที่นี่", "हिन्दी", "中文", "plain"])), "NFC", False, True, 2)
    assert flags.tolist() == [0, 0, 0, 0, 0]


def test_marks_in_the_wrong_order_are_flagged_also_when_something_between_them_goes() -> None:
    # classes 232 and 220; neither joins with a letter
    texts = ["a\u0316\u0315", "a\u0315\u0316", "a\u0315\u200b\u0316", "a\u0315 \u0316", "a\u0315b\u0316", "\u0315\n\u0316"]
    _, flags = clean(text_of(pa.array(texts)), "NFC", False, True, None)
    assert [int(flag & FORM) for flag in flags] == [0, FORM, FORM, 0, 0, 0]
