import random

import numpy as np
import pyarrow as pa
from definitions.repetition import slow_duplicate, slow_top

from stages.kernels.grams import repeated_grams
from stages.kernels.joined_grams import joined_duplicates
from stages.kernels.text import text_of
from stages.kernels.words import words_of


def measured(array: pa.Array) -> tuple[list[list[int]], list[list[int]], list[list[int]], list[list[str]]]:
    text = text_of(array)
    words = words_of(text)
    tokens = [bytes(text.data[start : start + size]).decode() for start, size in zip(words.starts, words.sizes, strict=True)]
    by_document = [tokens[a:b] for a, b in zip(words.doc_offsets[:-1], words.doc_offsets[1:], strict=True)]
    grams = repeated_grams(words)
    return grams.top.T.tolist(), grams.duplicates.T.tolist(), joined_duplicates(text, words).T.tolist(), by_document


def check(array: pa.Array) -> None:
    top, duplicate, joined, documents = measured(array)
    assert top == [[slow_top(words, n) for n in (2, 3, 4)] for words in documents]
    assert duplicate == [[slow_duplicate(words, n, " ") for n in range(5, 11)] for words in documents]
    assert joined == [[slow_duplicate(words, n, "") for n in range(5, 11)] for words in documents]


def test_kernels_count_what_the_definitions_count():
    rng = random.Random(5)
    vocabularies = [
        ["a"],
        ["a", "b"],
        ["can", "not", "cannot", "a", "b", "ab"],
        ["é", "e\u0301", "漢字", "😀", "\0", "!", "..."],
    ]
    vocabularies.append(["".join(rng.choices("abcdefgh", k=rng.randint(1, 12))) for _ in range(30)])
    texts = ["", " ", "a", "a b", "a b c d e", "\n\r\n\x85\u2028"]
    for _ in range(500):
        words = rng.choices(rng.choice(vocabularies), k=rng.choice((1, 3, 6, 12, 40, 200)))
        if rng.random() < 0.5:  # a block that comes again
            begin = rng.randrange(len(words))
            words += words[begin : begin + rng.randint(1, 40)] + rng.choices(words, k=3)
        texts.append(rng.choice((" ", "  ", "\n", "\u3000")).join(words))
    check(pa.array(texts, pa.large_string()))


def test_a_slice_of_a_batch_counts_like_the_same_texts_alone():
    check(pa.array(["zz " * 30, "a b c d e " * 4, None, "x y " * 9], pa.large_string()).slice(1))


def test_an_empty_batch_gives_no_counts():
    assert measured(pa.array([], pa.large_string()))[:3] == ([], [], [])


def test_the_first_of_equally_frequent_n_grams_is_the_top():
    top, *_ = measured(pa.array(["a bb ccc", "a a a bbb bbb bbb"], pa.large_string()))
    assert top[0] == [4, 8, 0]
    assert top[1] == [6, 5, 9]  # "a a" comes before "bbb bbb"


def test_n_grams_with_the_same_letters_are_equal_however_they_are_parted_only_where_they_are_joined():
    _, duplicate, joined, _ = measured(pa.array(["ab c d e f ; a bc d e f"], pa.large_string()))
    assert (duplicate[0][0], joined[0][0]) == (0, 6)


def test_a_repeated_n_gram_is_passed_over_whole():
    _, duplicate, joined, _ = measured(pa.array(["a " * 16], pa.large_string()))
    assert duplicate[0] == joined[0] == [15, 12, 14, 8, 9, 10] == [slow_duplicate(["a"] * 16, n, "") for n in range(5, 11)]


def test_an_n_gram_that_comes_more_often_than_a_slot_can_count_is_found():
    check(pa.array(["a b " * 700 + "c d " * 900, "x " * 70_000], pa.large_string()))


def test_one_long_document_among_short_ones_is_counted():
    rng = random.Random(2)
    long = " ".join("".join(rng.choices("abc", k=rng.randint(1, 5))) for _ in range(5000))
    check(pa.array(["a b", long, "a b", np.str_("a b a b a b a b a b a b")], pa.large_string()))
