import random

import pyarrow as pa
import pytest
from definitions.datatrove import spacy_sentences
from definitions.sentences import slow_sentences

from stages.kernels.sentences import sentences_of
from stages.kernels.text import text_of

PIECES = [
    "foo", "Bar", "漢字", "é", "e\u0301", "😀", "\0", "Mr.", "etc.", "e.g.", "U.S.", "3.14", ".", "!", "?", "...", "…",
    "。", "！", "．", "।", '"', "'", "”", "」", ")", "(", "“", ":)", "a:) )", "!?", "-",
    " ", "  ", "\t", "\u3000", "\u00a0", "\x1c", "\r", "\x85", "\n", "\n",
]  # fmt: skip


def counts(array: pa.Array, mode: str) -> list[int]:
    return sentences_of(text_of(array), mode).tolist()


def one(text: str) -> int:
    return counts(pa.array([text], pa.large_string()), "sluice")[0]


def random_texts(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    texts = ["", " ", "\n", "."]
    for _ in range(count):
        texts.append("".join(rng.choice(PIECES) + " " * (rng.random() < 0.5) for _ in range(rng.choice((1, 4, 12, 40)))))
    return texts


def test_our_count_is_that_of_the_definition():
    texts = random_texts(4, 800)
    assert counts(pa.array(texts, pa.large_string()), "sluice") == [slow_sentences(text) for text in texts]


def test_datatrove_counts_what_the_sentencizer_gives():
    texts = random_texts(7, 800)
    assert counts(pa.array(texts, pa.large_string()), "datatrove") == [spacy_sentences(text) for text in texts]


@pytest.mark.parametrize("mode", ["sluice", "datatrove"])
def test_a_slice_of_a_batch_counts_like_the_same_texts_alone(mode):
    array = pa.array(["zz. Zz. Zz.", "One. Two! Three", None, "a\nb\n\nc."], pa.large_string()).slice(1)
    assert counts(array, mode) == [3, 0, 3]


@pytest.mark.parametrize("mode", ["sluice", "datatrove"])
def test_an_empty_batch_gives_no_counts(mode):
    assert counts(pa.array([], pa.large_string()), mode) == []


def test_closing_quotes_and_brackets_belong_to_the_sentence():
    assert one('He said: "No." She (too!) left.') == 3
    assert one("(Yes.) [No!] “Well?”") == 3


def test_a_mark_inside_a_word_ends_nothing():
    assert one("See example.com or 3.14 now") == 1


def test_full_width_marks_need_no_space():
    assert one("你好。世界！「好。」他说。") == 4


def test_marks_alone_are_no_sentence():
    assert one("... !? 。。") == 0


def test_a_line_ends_a_sentence():
    assert one("one\ntwo\n\nthree") == 3
