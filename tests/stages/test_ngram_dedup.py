"""Paragraphs and documents of repeated n-grams go, as a table of every n-gram says."""

import random
from collections import Counter
from itertools import pairwise
from typing import Any, Literal

import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from stages.core import exchange, repeated_runs
from stages.ngram_dedup import NgramDedup

A = "alpha beta gamma delta epsilon zeta eta theta iota kappa"  # 10 words, 3 n-grams of 8
B = "one two three four five six seven eight nine ten"


def curated(
    stage: NgramDedup, texts: list[str], edges: list[int] | None = None
) -> tuple[list[str | None], dict[str, Any], InMemory]:
    table = documents(*[("s", f"{at:03d}", text) for at, text in enumerate(texts)])
    memory = InMemory(stage, [table.slice(a, b - a) for a, b in pairwise(edges or [0, len(texts)])])
    facts = stage.solve(memory, memory)
    return memory.cut_texts(), facts, memory


def slowly(texts: list[str], size: int, most: float, unit: str, keep: str) -> list[str | None]:
    """Of single-spaced words; paragraphs stand between empty lines."""
    grams = [
        [[tuple(words[at : at + size]) for at in range(len(words) - size + 1)] for words in map(str.split, text.split("\n\n"))]
        for text in texts
    ]
    # n-grams across the border of two paragraphs count as occurrences, too
    flat = [[tuple(words[at : at + size]) for at in range(len(words) - size + 1)] for words in map(str.split, texts)]
    counts = Counter(gram for text in flat for gram in text)
    seen: set[tuple[str, ...]] = set()
    flags: list[dict[int, bool]] = []
    for text in flat:
        found = {}
        for at, gram in enumerate(text):
            found[at] = counts[gram] > 1 and (keep == "none" or gram in seen)
            seen.add(gram)
        flags.append(found)
    left: list[str | None] = []
    for text, found, paragraphs in zip(texts, flags, grams, strict=True):
        at, shares, total, repeats = 0, [], 0, 0
        for paragraph, words in zip(paragraphs, map(str.split, text.split("\n\n")), strict=True):
            repeated = sum(found[at + gram] for gram in range(len(paragraph)))
            shares.append(repeated > most * len(paragraph))
            total, repeats = total + len(paragraph), repeats + repeated
            at += len(words)
        if unit != "paragraph" and total and repeats / total > most:
            left.append(None)
        elif unit == "document":
            left.append(text)
        else:
            stays = [paragraph for paragraph, gone in zip(text.split("\n\n"), shares, strict=True) if not gone]
            left.append("\n\n".join(stays) if stays else None)
    return left


def test_a_repeated_paragraph_is_cut_and_the_first_stays() -> None:
    texts, facts, memory = curated(NgramDedup(ngram=8, unit="paragraph"), [f"{A}\n\nfirst words", f"{B}\n\n{A}\n\nmore words"])
    assert texts == [f"{A}\n\nfirst words", f"{B}\n\nmore words"]
    assert facts["cut_paragraphs"] == 1
    assert [row["type"] for row in memory.cuts[0].to_pylist()] == ["repeated_paragraph"]
    assert curated(NgramDedup(ngram=8, unit="paragraph", keep="none"), [A, f"{B}\n\n{A}"])[0] == [None, B]


@pytest.mark.parametrize(("most", "stays"), [(0.5, True), (0.49, False)])
def test_a_paragraph_at_the_limit_stays(most: float, stays: bool) -> None:
    # of 4 n-grams of 8 words 2 are repeated
    half = "alpha beta gamma delta epsilon zeta eta theta iota new1 new2"
    texts, _, _ = curated(NgramDedup(ngram=8, max_share=most, unit="paragraph"), [A, half])
    assert texts == [A, half if stays else None]


def test_a_document_of_repeats_is_dropped_with_its_share() -> None:
    mixed = f"{A}\n\n{A}\n\n{B}"
    texts, facts, memory = curated(NgramDedup(ngram=8, max_share=0.6, unit="document"), [A, mixed])
    assert texts == [A, None]
    (row,) = memory.written[0].to_pylist()
    assert (row["rule"], row["measure"], row["op"], row["limit"]) == ("max_share", "repeated_share", "at_most", 0.6)
    assert row["value"] == pytest.approx(6 / 9)
    assert facts["dropped_documents"] == 1


def test_a_document_above_the_limit_and_one_of_which_nothing_is_left_may_stand_in_one_part() -> None:
    texts, _, memory = curated(NgramDedup(ngram=8, max_share=0.7, unit="both"), [A, B, f"{A}\n\n{B}", f"{A}\n\nshort", A])
    assert texts == [A, B, None, None, None]
    assert {row["rule"] for row in memory.written[0].to_pylist()} == {"max_share"}
    texts, _, memory = curated(NgramDedup(ngram=8, max_share=0.7, unit="paragraph"), [A, A])
    assert {row["rule"] for row in memory.written[0].to_pylist()} == {"nothing_left"}


def test_short_paragraphs_and_texts_are_not_judged() -> None:
    texts = ["short", "short", "", "\n\n"]
    assert curated(NgramDedup(), texts)[0] == texts


@pytest.mark.parametrize("seed", range(24))
def test_random_texts_are_judged_as_a_table_of_every_ngram_says(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    pool = [" ".join(rng.choices("abcdef", k=rng.randrange(5, 25))) for _ in range(6)]

    def paragraph() -> str:
        words = rng.choice(pool).split()
        if rng.random() < 0.6:
            words[rng.randrange(len(words))] = f"w{rng.randrange(50)}"
        return " ".join(words)

    texts = ["\n\n".join(paragraph() for _ in range(rng.randrange(1, 4))) for _ in range(14)]
    unit: Literal["paragraph", "document", "both"] = rng.choice(["paragraph", "document", "both"])
    keep: Literal["first", "none"] = rng.choice(["first", "none"])
    most = rng.choice([0.2, 0.5, 0.8])
    edges = [0, *sorted(rng.sample(range(1, 14), 2)), 14]
    monkeypatch.setattr(repeated_runs, "PARTS", rng.choice([1, 32]))
    monkeypatch.setattr(exchange, "RANGE_ENTRIES", rng.choice([9, 2**20]))
    stage = NgramDedup(ngram=8, max_share=most, unit=unit, keep=keep)
    assert curated(stage, texts, edges)[0] == slowly(texts, 8, most, unit, keep)


def test_an_empty_corpus_has_no_repeats() -> None:
    empty = documents(("s", "0", "x")).slice(0, 0)
    memory = InMemory(NgramDedup(), [empty])
    assert NgramDedup().solve(memory, memory)["cut_paragraphs"] == 0
    assert pa.concat_tables([empty]).num_rows == 0
