"""The class table against `unicodedata` and `str`, code point by code point, and the decoder against `bytes.decode`."""

import unicodedata

import numpy as np
import pytest

from stages.kernels import unicode as u

ALL = [chr(code) for code in range(0x110000)]


def having(bit: int) -> set[str]:
    return {chr(code) for code in np.flatnonzero(u.classes() & bit)}


@pytest.mark.parametrize(
    ("bit", "belongs"),
    [
        (u.LETTER, str.isalpha),
        (u.MARK, lambda char: unicodedata.category(char)[0] == "M"),
        (u.DIGIT, lambda char: unicodedata.category(char)[0] == "N"),
        (u.SPACE, str.isspace),
        (u.UPPER, lambda char: unicodedata.category(char) in ("Lu", "Lt")),
        (u.LOWER, lambda char: unicodedata.category(char) == "Ll"),
        (u.SYMBOL, lambda char: unicodedata.category(char)[0] in "PS"),
        (u.FORMAT, lambda char: unicodedata.category(char) == "Cf" and char not in "\u200b\ufeff"),
        (u.LINE_BREAK, lambda char: char == "\r" or len(f"a{char}b".splitlines()) == 2),
    ],
    ids=["letter", "mark", "digit", "space", "upper", "lower", "symbol", "format", "line_break"],
)
def test_every_code_point_has_the_class_that_python_gives_it(bit: int, belongs) -> None:
    assert having(bit) == {char for char in ALL if belongs(char)}


def test_hidden_is_every_control_that_is_not_white_space_the_zero_width_space_and_the_byte_order_mark() -> None:
    controls = {char for char in ALL[:256] if unicodedata.category(char) == "Cc" and not char.isspace()}
    assert having(u.HIDDEN) == controls | {"\u200b", "\ufeff"}


@pytest.mark.parametrize("char", "漢々〇かカーｶไกກមက𠀀")
def test_letters_of_scripts_without_spaces_are_unspaced(char: str) -> None:
    assert u.classes()[ord(char)] & u.UNSPACED


@pytest.mark.parametrize("char", "aé한ب5٣๓。、ิ्")
def test_other_letters_and_all_marks_digits_and_punctuation_are_not_unspaced(char: str) -> None:
    assert not u.classes()[ord(char)] & u.UNSPACED


def test_only_letters_and_numerals_are_unspaced() -> None:
    assert having(u.UNSPACED) <= having(u.LETTER) | having(u.DIGIT)


def test_datatroves_sets_have_their_sizes_and_odd_members() -> None:
    punctuation, terminal = having(u.PUNCTUATION), having(u.TERMINAL)
    assert (len(punctuation), len(terminal), len(punctuation | terminal)) == (129, 159, 281)
    assert "１" in punctuation
    assert not punctuation & {"\t", "\n", "2", "½", "©"}
    assert {".", "?", "!", "。"} <= terminal
    assert not terminal & {'"', "'", ":", ";", "…"}


def test_the_decoder_reads_every_code_point() -> None:
    for first in range(0, 0x110000, 7919):
        text = "".join(char for char in ALL[first : first + 40] if not 0xD800 <= ord(char) < 0xE000)
        data, position, codes = np.frombuffer(text.encode(), np.uint8), 0, []
        while position < len(data):
            code, size = u.decode(data, position, len(data))
            codes.append(code)
            position += size
        assert codes == [ord(char) for char in text]


@pytest.mark.parametrize("cut", [b"\xc3", b"\xe6\xbc", b"\xf0\x9f\x99"])
def test_a_sequence_cut_off_reads_as_one_replacement_character_a_byte(cut: bytes) -> None:
    assert u.decode(np.frombuffer(cut, np.uint8), 0, len(cut)) == (0xFFFD, 1)
