"""datatrove mode against spaCy on the whole text."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
import spacy
from definitions import datatrove

from schemas.errors import MissingExtra
from stages.kernels import spacy_words
from stages.kernels.text import text_of
from stages.kernels.words import hash_of, words_of

TOKENIZER = spacy.blank("en").tokenizer


def cut(texts: list[str]) -> list[list[str]]:
    text = text_of(pa.array(texts, pa.large_string()))
    found = words_of(text, "datatrove")
    data = text.data.tobytes()
    all_words = [data[at : at + size].decode() for at, size in zip(found.starts.tolist(), found.sizes.tolist(), strict=True)]
    assert found.lengths.tolist() == [len(word) for word in all_words]
    assert found.hashes.tolist() == [hash_of(word.encode()) for word in all_words]
    return [all_words[low:high] for low, high in zip(found.doc_offsets, found.doc_offsets[1:], strict=False)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t\u2028 ", []),
        (
            "I don't (e.g. at 3.14) well-known...",
            ["I", "do", "n't", "(", "e.g.", "at", "3.14", ")", "well", "-", "known", "..."],
        ),
        ("a:)", ["a", ":)"]),
        ("a:) )", ["a", ":", ")", ")"]),
        ("a:)\n)", ["a", ":)", ")"]),
        ("漢字。 x\u00a0y\x85z", ["漢字", "。", "x", "y", "z"]),
        ("\x00a b\x1fc", ["\x00a", "b", "c"]),
    ],
)
def test_words_are_spacys(text: str, expected: list[str]) -> None:
    assert cut([text]) == [expected]
    assert datatrove.spacy_words(text) == expected


PIECES = [
    *":)(-ax=><38D.,'\"!",
    *" \n\t\u00a0\u2028\x85\x00",
    *"é漢🙂",
    "\u0301",
    "'s",
    "e.g.",
    "http://a.b/c",
    "word ",
    "it's",
    " ",
    "  ",
]


def random_texts(seed: int, count: int) -> list[str]:
    pick, specials = random.Random(seed), sorted(TOKENIZER.rules)
    return [
        "".join(pick.choice(specials) if pick.random() < 0.3 else pick.choice(PIECES) for _ in range(pick.randrange(40)))
        for _ in range(count)
    ]


def test_random_texts_full_of_special_cases_are_cut_as_spacy_cuts_the_whole() -> None:
    texts = random_texts(1, 1500)
    for text, ours in zip(texts, cut(texts), strict=True):
        assert ours == datatrove.spacy_words(text), repr(text)


def test_a_slice_of_a_batch_has_the_words_of_its_rows() -> None:
    column = pa.array(["not me:) )", "don't", None, "a:) )"], pa.large_string()).slice(1, 3)
    found = words_of(text_of(column), "datatrove")
    assert np.diff(found.doc_offsets).tolist() == [2, 0, 4]


def test_the_answer_does_not_depend_on_what_was_seen_or_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = random_texts(2, 300)
    expected = cut(texts)
    monkeypatch.setattr(spacy_words, "_memory", spacy_words._Memory())
    monkeypatch.setattr(spacy_words, "MAX_CHUNKS", 50)
    monkeypatch.setattr(spacy_words, "_CALL_BYTES", 100)
    assert [cut([text])[0] for text in texts] == expected
    assert spacy_words._memory.known <= 50
    assert cut(texts) == expected


def test_threads_share_what_was_seen() -> None:
    batches = [random_texts(seed, 60) for seed in range(3, 11)]
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(cut, batches)] == [[datatrove.spacy_words(text) for text in batch] for batch in batches]


def test_without_spacy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_words, "_memory", spacy_words._Memory())
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingExtra, match=r"pip install 'sluice\[parity\]'"):
        cut(["a"])
