"""Near-copies are found in languages without spaces, with marks, or with neither as they are in English."""

import functools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from definitions.shingles import folded_words, joined
from in_memory import documents, solve

from stages.minhash_dedup import MinhashDedup, match_probability

# the same 24 sentences in each language, written for this test
SENTENCES: dict[str, list[str]] = json.loads((Path(__file__).parent / "sentences.json").read_text(encoding="utf-8"))
UNSPACED = {"zh", "ja", "th"}
PAIRS = 100
SEEDS = range(10)
"""texts of the same few sentences have minima in common: only other random orders are other trials"""
UNITS: dict[str, dict[str, Any]] = {
    "word": {"words": "folded"},
    "char": {"words": "folded", "shingle_unit": "char", "shingle_size": 12},
}


def shingles(text: str, stage: MinhashDedup) -> set[tuple[str, ...]]:
    """The definition of what a document is a set of."""
    words = folded_words(text)
    units = [word for word, _ in words] if stage.shingle_unit == "word" else joined(words)
    return {tuple(units[at : at + stage.shingle_size]) for at in range(len(units) - stage.shingle_size + 1)}


def jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    return len(left & right) / len(left | right)


def planted(language: str, stage: MinhashDedup) -> list[tuple[str, str, float]]:
    """Texts of twelve sentences, a copy of each with places changed, and their Jaccard similarity: evenly from 0.8 to 0.9."""
    rng, found = random.Random(3), []
    between = "" if language in ("zh", "ja") else " "
    while len(found) < PAIRS:
        text = between.join(rng.sample(SENTENCES[language], 12))
        units = list(text) if language in UNSPACED else text.split()
        others = list("".join(SENTENCES[language])) if language in UNSPACED else " ".join(SENTENCES[language]).split()
        whole, least = shingles(text, stage), rng.uniform(0.82, 0.9)
        copy, similarity = text, 1.0
        while similarity > least:
            units[rng.randrange(len(units))] = rng.choice(others)
            copy = ("" if language in UNSPACED else " ").join(units)
            similarity = jaccard(whole, shingles(copy, stage))
        if similarity > least - 0.02:
            found.append((text, copy, similarity))
    return found


@functools.cache
def recall(language: str, unit: str) -> tuple[float, float]:
    """The share of planted copies that are dropped, and the share that share a band by the formula."""
    stages = [MinhashDedup(seed=seed, **UNITS[unit]) for seed in SEEDS]
    pairs = planted(language, stages[0])
    rows = [("s", f"{at:03d} {side}", text) for at, pair in enumerate(pairs) for side, text in zip("ab", pair[:2], strict=True)]
    found = 0
    for stage in stages:
        dropped, facts = solve(stage, documents(*rows))
        assert facts["without_signature"] == 0
        found += sum(id.endswith("b") for _, id in dropped)
    expected = sum(match_probability(similarity, *stages[0].shape) for _, _, similarity in pairs) / PAIRS
    return found / len(SEEDS) / PAIRS, expected


@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize("language", ["zh", "ja", "th", "ar", "hi"])
def test_planted_copies_are_found_as_in_english(language: str, unit: str) -> None:
    assert len(SENTENCES[language]) == len(SENTENCES["en"]) == 24
    found, expected = recall(language, unit)
    assert found == pytest.approx(expected, abs=0.03)
    assert found == pytest.approx(recall("en", unit)[0], abs=0.03)
