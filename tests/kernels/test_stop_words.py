"""Stop words are counted by the document's list, each once; a definition on strings beside."""

import random

import numpy as np
import pyarrow as pa
import pytest

from stages.kernels.stop_words import count_words_of, stop_words_of
from stages.kernels.text import Text, text_of
from stages.kernels.words import HAS_ALPHA, NOT_PUNCT, Words, words_of

LISTS = (("the", "of", "ab"), ("der", "ใน", "ให้", "のは", "の", "of", "l'"), ())


def cut(texts: list[str]) -> tuple[Text, Words]:
    text = text_of(pa.array(["skipped the of", *texts], pa.large_string()).slice(1))
    return text, words_of(text)


def found(texts: list[str], which: list[int] | None, lists: tuple[tuple[str, ...], ...] = LISTS) -> list[int]:
    places = None if which is None else np.array(which)
    return count_words_of(cut(texts)[1], stop_words_of(lists, "sluice"), places)[3].tolist()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("der Hund, der", 1),
        ("ในเมืองให้", 2),
        ("ใ น", 0),
        ("ใ", 0),
        ("これのは本", 2),
        ("の は", 1),
        ("は", 0),
        ("l' l'ami", 1),
        ("", 0),
    ],
)
def test_a_stop_word_of_several_words_stands_where_these_follow_without_a_gap(text: str, count: int) -> None:
    assert found([text], [1]) == [count]


def test_each_document_is_read_by_its_own_list() -> None:
    texts = ["the der of the"] * 5
    assert found(texts, [0, 1, 2, -1, 0]) == [2, 2, 0, 0, 2]
    assert found(texts, None) == [2] * 5


def test_words_do_not_go_on_in_the_next_document() -> None:
    assert found(["ใ", "น", "ใน"], [1, 1, 1]) == [0, 0, 1]


def test_the_case_counts() -> None:
    assert found(["The OF the"], [0]) == [1]


def test_no_list_at_all_counts_nothing() -> None:
    assert found(["the of", ""], [-1, -1], ()) == [0, 0]


def slow(text: Text, words: Words, document: int, stop_words: tuple[str, ...]) -> tuple[int, int, int, int]:
    rows = range(words.doc_offsets[document], words.doc_offsets[document + 1])
    spans = [(int(words.starts[row]), int(words.starts[row] + words.sizes[row])) for row in rows]
    strings = [text.data[start:stop].tobytes().decode() for start, stop in spans]
    counted = [row for row in rows if words.flags[row] & NOT_PUNCT]
    different = 0
    for stop_word in stop_words:
        parts, part_words = cut([stop_word])
        pieces = [
            parts.data[start : start + size].tobytes().decode()
            for start, size in zip(part_words.starts, part_words.sizes, strict=True)
        ]
        different += any(
            strings[at : at + len(pieces)] == pieces
            and all(spans[at + number][1] == spans[at + number + 1][0] for number in range(len(pieces) - 1))
            for at in range(len(strings))
        )
    letters = sum(int(words.lengths[row]) for row in counted)
    return len(counted), letters, sum(bool(words.flags[row] & HAS_ALPHA) for row in rows), different


PIECES = ["the", "of", "ab", "der", "ใน", "ให้", "ใ", "の", "は", "l'", "l", "'", " ", " ", ".", "1", "é", "\u0301", "\n"]


def test_random_texts_are_counted_as_the_definition_says() -> None:
    pick = random.Random(3)
    texts = ["".join(pick.choices(PIECES, k=pick.randrange(20))) for _ in range(1500)]
    which = [pick.randrange(-1, 3) for _ in texts]
    text, words = cut(texts)
    counts = np.array(count_words_of(words, stop_words_of(LISTS, "sluice"), np.array(which))).T.tolist()
    for document, source in enumerate(texts):
        stop_words = LISTS[which[document]] if which[document] >= 0 else ()
        assert tuple(counts[document]) == slow(text, words, document, stop_words), repr(source)


def test_many_lists_of_many_words_are_kept_apart() -> None:
    lists = tuple(tuple(f"w{word}" for word in range(start, start + 60)) for start in range(0, 600, 50))
    texts = [" ".join(f"w{word}" for word in range(0, 660, 10))] * len(lists)
    assert found(texts, list(range(len(lists))), lists) == [6] * len(lists)


def test_datatrove_s_mode_compares_whole_words() -> None:
    words = words_of(text_of(pa.array(["don't like the"], pa.large_string())), "datatrove")
    counted = count_words_of(words, stop_words_of((("do", "n't", "don't", "the"),), "datatrove"), None)
    assert counted[3].tolist() == [3]
