"""N-grams of items are found where their words are the same, whatever their hashes are."""

import random
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from definitions.shingles import plain_words
from random_texts import CONSTRUCTS

from stages.kernels.item_grams import ItemGrams, words_of
from stages.kernels.shingles import shingles
from stages.kernels.text import text_of

WORDS = [
    "the",
    "The",
    "of",
    "THE",
    "naïve",
    "café",
    "1",
    "10",
    "_",
    "straße",
    "漢字",
    "กิน",
    "a\u00adb",
    "ab",
    "ΣΑΣ",
    "σας",
    "İ",
]
GAPS = [" ", " ", "\n", ", ", "—", "... ", "\u200b", "\u3000"]


def random_text(pick: random.Random, words: int, kinds: int) -> str:
    return "".join(pick.choice(WORDS[:kinds]) + pick.choice(GAPS) for _ in range(words))


def grams_slowly(text: str, size: int) -> list[tuple[str, ...]]:
    words = ["".join(pieces) for pieces, _ in plain_words(text)]
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def all_grams(items: list[str], sizes: list[int], bits: int = 64) -> tuple[ItemGrams, list[tuple[str, ...]]]:
    """The table of all n-grams of these sizes of all items, and what each of those given to it is."""
    text = text_of(pa.array(items, pa.large_string()))
    words = words_of(text)
    first, size, expected = [], [], []
    for item, begin in zip(items, words.offsets.tolist(), strict=False):
        for one in sizes:
            for at, gram in enumerate(grams_slowly(item, one)):
                first.append(begin + at)
                size.append(one)
                expected.append(gram)
    return ItemGrams(text, words, np.array(first, np.int64), np.array(size, np.int64), bits), expected


@pytest.mark.parametrize("bits", [64, 5, 1])
def test_equal_n_grams_have_one_number_and_others_another_even_where_hashes_are_equal(bits: int) -> None:
    pick = random.Random(3)
    for kinds in (3, 6, len(WORDS)):
        made, expected = all_grams([random_text(pick, pick.randrange(20), kinds) for _ in range(12)], [2, 3, 5], bits)
        numbers: dict[tuple[str, ...], int] = {}
        assert made.numbers.tolist() == [numbers.setdefault(gram, len(numbers)) for gram in expected]
        assert [expected[at] for at in made.first.tolist()] == list(numbers)
        assert made.sizes.tolist() == [len(gram) for gram in numbers]


@pytest.mark.parametrize("bits", [64, 5])
def test_n_grams_are_found_as_by_the_definition(bits: int) -> None:
    pick = random.Random(4)
    found_at_all = 0
    for kinds in (2, 5, len(WORDS)):
        made, expected = all_grams([random_text(pick, pick.randrange(1, 12), kinds) for _ in range(8)], [2, 3, 4], bits)
        numbers = {gram: number for number, gram in enumerate(dict.fromkeys(expected))}
        documents = [random_text(pick, pick.randrange(40), kinds) for _ in range(60)]
        # the batch is a slice, and its last documents are read with bytes behind them that do not count
        hits = made.find(text_of(pa.array(["skipped", *documents], pa.large_string()).slice(1)))
        data = "".join(documents).encode()
        given = [
            (document, number, word)
            for document, number, word in zip(hits.document.tolist(), hits.gram.tolist(), hits.word.tolist(), strict=True)
        ]
        wanted = [
            (document, numbers[gram], at)
            for document, text in enumerate(documents)
            for size in (2, 3, 4)
            for at, gram in enumerate(grams_slowly(text, size))
            if gram in numbers
        ]
        assert sorted(given) == sorted(wanted)
        found_at_all += len(given)
        names = list(numbers)
        for number, start, stop in zip(hits.gram.tolist(), hits.start.tolist(), hits.stop.tolist(), strict=True):
            span = data[start:stop].decode()
            assert grams_slowly(span, len(names[number])) == [names[number]]
            assert span == span.strip(" \n,—.\u200b\u3000")
    assert found_at_all > 1000


def test_more_hits_than_there_is_room_for_are_all_found() -> None:
    made, _ = all_grams(["a b"], [2])
    hits = made.find(text_of(pa.array(["a b " * 5000, "b", "A\nB"], pa.large_string())))
    assert len(hits.gram) == 5001
    assert (hits.document[-1], hits.word[-1], hits.start[-1], hits.stop[-1]) == (2, 0, 20001, 20004)


def test_a_table_of_nothing_finds_nothing() -> None:
    made, _ = all_grams(["a"], [2])
    assert made.find(text_of(pa.array(["a b c"], pa.large_string()))).gram.tolist() == []
    made, _ = all_grams(["a b"], [2])
    assert made.find(text_of(pa.array([], pa.large_string()))).gram.tolist() == []


def test_words_have_places_as_their_hashes_have_numbers() -> None:
    pick = random.Random(5)
    alphabet = [
        "a",
        "B",
        "é",
        "1",
        "_",
        " ",
        "\n",
        ".",
        "-",
        "漢",
        "か",
        "ก",
        "ิ",
        "\u0301",
        "\u00ad",
        "👍",
        "ß",
        "한",
        *CONSTRUCTS,
    ]
    values = ["".join(pick.choices(alphabet, k=pick.randrange(40))) for _ in range(1000)]
    text = text_of(pa.array(values, pa.large_string()))
    hashes, bounds = shingles(text, 1, "word", 64, "plain")
    words = words_of(text)
    assert words.offsets.tolist() == bounds.tolist()
    data = text.data.tobytes()
    spans = [data[a:b].decode() for a, b in zip(words.start.tolist(), words.stop.tolist(), strict=True)]
    alone, _ = shingles(text_of(pa.array(spans, pa.large_string())), 1, "word", 64, "plain")
    assert alone.tolist() == hashes.tolist()
    for value, (low, high) in zip(values, pairwise(words.offsets.tolist()), strict=True):
        assert [plain_words(span) for span in spans[low:high]] == [[word] for word in plain_words(value)]
