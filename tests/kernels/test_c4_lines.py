import random

import pyarrow as pa
import pytest
from definitions.c4_lines import slow_edit

from stages.kernels.c4_lines import NO_LIMIT, LineRules, edit_lines
from stages.kernels.text import column_of, text_of

ALL = LineRules(1000, True, True, 3, True, True, True, True)
OPEN = ALL._replace(terminal_punctuation=False)
BARE = LineRules(NO_LIMIT, False, False, NO_LIMIT, False, False, False, False)
PIECES = [
    "foo", "bar baz", "one two three.", "one two three!", "end.", '"', "'", "?", "...", "…", "[1]", "[]", "[٣]", "[1", "[edit]",
    "[citation needed]", "[12, 3]", "{", "}", "Lorem Ipsum", "lorem İpsum", "JavaScript", "use coo\u212aies", "Privacy Policy",
    "terms of use", "Use of Cookies", "x" * 12, "é", "e\u0301", "漢字。", "😀", "\0",
    " ", "\u3000", "\u00a0", "\t", "\n", "\n", "\r\n",
    "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\u2028", "\u2029",
]  # fmt: skip


def edited(array: pa.Array, rules: LineRules) -> list[tuple[str, int, int, int, int]]:
    found = edit_lines(text_of(array), rules)
    numbers = (found.lines, found.lines_removed, found.lorem_ipsum, found.curly_bracket)
    return list(zip(column_of(found.text).to_pylist(), *(column.tolist() for column in numbers), strict=True))


def edited_text(text: str, rules: LineRules = ALL) -> str:
    return edited(pa.array([text], pa.large_string()), rules)[0][0]


@pytest.mark.parametrize("rules", [ALL, OPEN, BARE, OPEN._replace(max_word_length=11), ALL._replace(citations=False)])
def test_the_kernel_edits_as_the_definition_does(rules):
    rng = random.Random(9)
    texts: list[str | None] = ["", " ", "\n", "\r", "\r\n\r"]
    for _ in range(800):
        texts.append("".join(rng.choice(PIECES) + " " * (rng.random() < 0.7) for _ in range(rng.choice((1, 3, 8, 30)))))
    assert edited(pa.array(texts, pa.large_string()), rules) == [slow_edit(text, rules) for text in texts]


def test_a_slice_of_a_batch_is_edited_like_the_same_texts_alone():
    array = pa.array(["zz", "one two three.\nfour", None, "a {"], pa.large_string()).slice(1)
    assert edited(array, ALL) == [("one two three.", 2, 1, 0, 0), ("", 0, 0, 0, 0), ("", 1, 1, 0, 0)]


def test_an_empty_batch_stays_empty():
    assert edited(pa.array([], pa.large_string()), ALL) == []


def test_lines_are_those_of_splitlines_for_every_code_point():
    codes = [code for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    found = edited(pa.array([f"a{chr(code)}b" for code in codes], pa.large_string()), BARE)
    assert [lines for _, lines, *_ in found] == [len(f"a{chr(code)}b".splitlines()) for code in codes]


def test_a_line_with_three_words_is_kept_and_with_two_removed():
    assert edited_text("one two three.\none two.") == "one two three."


def test_a_word_of_1000_code_points_is_kept_and_one_more_removes_the_line():
    assert edited_text("a b " + "é" * 999 + ".") == "a b " + "é" * 999 + "."
    assert edited_text("a b " + "é" * 1000 + ".") == ""


def test_words_are_counted_before_citations_are_cut_out():
    assert edited_text("one two [1].") == "one two ."


def test_white_space_left_by_a_citation_hides_the_full_stop():
    assert edited_text("one two three. [1]") == ""
    assert edited_text("one two three.[1]") == "one two three."


def test_digits_of_any_script_make_a_citation_and_lists_do_not():
    assert edited_text("a b c[٣] d[] e[1, 2].") == "a b c d e[1, 2]."


def test_an_ellipsis_is_no_terminal_punctuation():
    assert edited_text("one two three...\none two three..") == "one two three.."


def test_reading_stops_at_the_first_hit_so_that_only_one_is_reported():
    array = pa.array(["a { b.\nlorem ipsum c.", "lorem ipsum c.\na { b."], pa.large_string())
    assert [seen[3:] for seen in edited(array, ALL)] == [(0, 1), (1, 0)]


def test_a_bracket_in_a_line_that_is_removed_before_is_not_seen():
    assert edited(pa.array(["javascript a { b."], pa.large_string()), ALL) == [("", 1, 1, 0, 0)]


def test_the_kelvin_sign_is_a_k_and_the_dotted_i_is_no_i():
    assert edited_text("we use coo\u212aies here.") == ""
    assert edited_text("the lorem İpsum text.") == "the lorem İpsum text."
