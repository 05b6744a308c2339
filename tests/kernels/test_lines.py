import random

import numpy as np
import pyarrow as pa
import pytest
from definitions.lines import slow_filled_lines, slow_lines, slow_paragraphs

from stages.kernels.lines import filled_line_repeats, line_repeats, paragraph_repeats, skip_spaces, trim_spaces
from stages.kernels.text import text_of

PIECES = [
    "a",
    "bb",
    "é",
    "e\u0301",
    "漢字",
    "😀",
    "\0",
    " ",
    "\t",
    "\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\x85",
    "\u2028",
    "\u3000",
    "x" * 40,
]


KERNELS = [(paragraph_repeats, slow_paragraphs), (line_repeats, slow_lines), (filled_line_repeats, slow_filled_lines)]


def counts(kernel, texts: list[str]) -> list[list[int]]:
    return np.stack(kernel(text_of(pa.array(texts, pa.large_string())))).T.tolist()


@pytest.mark.parametrize(("kernel", "definition"), KERNELS)
def test_the_kernel_counts_what_the_definition_counts(kernel, definition):
    rng = random.Random(11)
    texts = ["", "\n", "\n\n\n", "a", "a\n", "\na\n"]
    texts += ["".join(rng.choices(PIECES, k=rng.choice((1, 4, 20, 300)))) for _ in range(600)]
    assert counts(kernel, texts) == [definition(text) for text in texts]


@pytest.mark.parametrize(("kernel", "definition"), KERNELS)
def test_a_slice_of_a_batch_counts_like_the_same_texts_alone(kernel, definition):
    array = pa.array(["zz\nzz", "a\na\nb", None, "c\n\nc"], pa.large_string()).slice(1)
    assert np.stack(kernel(text_of(array))).T.tolist() == [definition(text) for text in ("a\na\nb", "", "c\n\nc")]


def test_an_empty_batch_gives_no_counts():
    assert counts(line_repeats, []) == []


def test_a_break_at_both_ends_gives_two_equal_empty_lines():
    assert counts(line_repeats, ["\nab\n"]) == [[3, 1, 0, 2, 4]]


def test_one_break_does_not_part_paragraphs():
    assert counts(paragraph_repeats, ["\n a\na\n\n\na\na "]) == [[2, 1, 3, 6, 12]]


def test_a_carriage_return_before_the_break_is_no_part_of_a_filled_line():
    assert counts(filled_line_repeats, ["ab\r\n\r\nab\nc"]) == [[3, 1, 2, 5, 10]]


def test_what_is_trimmed_is_what_python_strips():
    for code in range(0x3100):
        raw = f"{chr(code)}a{chr(code)}".encode()
        data = np.frombuffer(raw, np.uint8)
        start = skip_spaces(data, 0, len(raw))
        stop = trim_spaces(data, start, len(raw))
        assert raw[start:stop].decode() == raw.decode().strip(), hex(code)
