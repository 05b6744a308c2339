"""A shingle's code points: lower case, no marks, digits as 0; what separates, what is passed over, what is a word by itself."""

import pytest
from definitions.shingles import fold, is_alone

from stages.kernels.folding import ALONE, CODE, JOINS, PASSED_OVER, folded


def test_each_code_point_is_folded_by_its_definition() -> None:
    table = folded()
    for code in [*range(0xD800), *range(0xE000, 0x20000), 0x20000, 0x2A6DF, 0xE0041, 0xE0100]:
        expected = fold(chr(code))
        if expected is None:
            assert table[code] == PASSED_OVER
        else:
            assert table[code] & CODE == (ord(expected) if expected else 0)


def test_letters_of_scripts_without_spaces_and_symbols_are_words_by_themselves() -> None:
    table = folded()
    for code in [*range(0xD800), 0x20000, 0x1F44D]:
        if is_alone(chr(code)):
            assert table[code] & ALONE


@pytest.mark.parametrize("char", "aéßжΣب한क๑0½ⅷ")
def test_letters_of_other_scripts_and_numbers_are_parts_of_words(char: str) -> None:
    assert 0 < folded()[ord(char)] < JOINS


def test_a_spacing_mark_joins_the_letter_before_it() -> None:
    assert folded()[ord("ာ")] == ord("ာ") | JOINS
    assert folded()[ord("ि")] == ord("ि") | JOINS
