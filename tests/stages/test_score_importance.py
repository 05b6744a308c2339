"""Importance weights are those of the definition; noise makes a sample of them."""

import itertools
import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from schemas.errors import InputError
from stages import score_importance
from stages.kernels.shingles import shingles
from stages.kernels.text import text_of
from stages.score_importance import ScoreImportance

TEXTS = ["the river rises in the hills", "buy now buy now cheap", "", "hills and river", "now the hills"]
TARGET = ["the river and the hills", "a river rises"]


@pytest.fixture
def target(tmp_path: Path) -> str:
    path = tmp_path / "target.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TARGET))
    return str(path)


def scores(stage: ScoreImportance, texts: list[str], edges: tuple[int, ...] = ()) -> list[float]:
    table = documents(*[("s", f"{at}", text) for at, text in enumerate(texts)])
    bounds = [0, *edges, len(texts)]
    memory = InMemory(stage, [table.slice(a, b - a) for a, b in itertools.pairwise(bounds)])
    stage.solve(memory, memory)
    found: list[float] = []
    for part in memory.parts():
        assert memory.values[part]["row"].to_pylist() == memory.sketched[part]["row"].to_pylist()
        found += memory.values[part]["importance"].to_pylist()
    return found


def slowly(texts: list[str], buckets: int) -> list[float]:
    def ngrams(text: str) -> Counter[int]:
        found: Counter[int] = Counter()
        words = re.findall(r"\w+", text.lower())
        for size in (1, 2):
            for at in range(len(words) - size + 1):
                alone = text_of(pa.array([" ".join(words[at : at + size])], pa.large_string()))
                found[int(shingles(alone, size, "word", 64, "plain")[0][0] % np.uint64(buckets))] += 1
        return found

    wanted = sum((ngrams(text) for text in TARGET), Counter())
    corpus = sum((ngrams(text) for text in texts), Counter())

    def probability(counts: Counter[int], bucket: int) -> float:
        return (counts[bucket] + 1) / (sum(counts.values()) + buckets)

    return [
        sum(n * math.log(probability(wanted, bucket) / probability(corpus, bucket)) for bucket, n in ngrams(text).items())
        for text in texts
    ]


@pytest.mark.parametrize("buckets", [5, 10_000])
def test_a_weight_is_the_product_of_its_ngrams_ratios_for_any_parts(target: str, buckets: int) -> None:
    stage = ScoreImportance(target=target, buckets=buckets, noise=False)
    found = scores(stage, TEXTS)
    assert found == pytest.approx(slowly(TEXTS, buckets), abs=1e-4)
    assert found[2] == 0
    assert scores(stage, TEXTS, (1, 1, 3)) == found


def test_what_is_like_the_target_scores_higher(target: str) -> None:
    found = scores(ScoreImportance(target=target, buckets=50, noise=False, per_ngram=True), TEXTS + ["buy it now cheap"] * 20)
    assert found[1] < 0 < found[0]
    assert found[20] < 0 < found[3]


def test_noise_chooses_in_proportion_to_the_weights(target: str) -> None:
    plain = scores(ScoreImportance(target=target, noise=False), ["river", "now"])
    share = 1 / (1 + math.exp(plain[1] - plain[0]))
    wins = 0
    for seed in range(400):
        first, second = scores(ScoreImportance(target=target, seed=seed), ["river", "now"])
        wins += first > second
    assert abs(wins / 400 - share) < 4 * math.sqrt(share * (1 - share) / 400)


def test_long_texts_are_hashed_in_pieces(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = ScoreImportance(target=target)
    expected = scores(stage, TEXTS)
    monkeypatch.setattr(score_importance, "TEXT_BYTES", 7)
    assert scores(stage, TEXTS) == expected


def test_a_target_without_words_or_field_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "empty.jsonl").write_text('{"text": " ."}\n')
    with pytest.raises(InputError, match="has no words in 'text'"):
        scores(ScoreImportance(target=str(tmp_path / "empty.jsonl")), TEXTS)
    with pytest.raises(InputError, match="row 0 has no field 'body'; it has text"):
        scores(ScoreImportance(target=target, target_text="body"), TEXTS)


def test_facts_tell_how_far_the_corpus_is_from_the_target(target: str) -> None:
    def divergence(texts: list[str]) -> Any:
        table = documents(*[("s", f"{at}", text) for at, text in enumerate(texts)])
        memory = InMemory(ScoreImportance(target=target), [table])
        return ScoreImportance(target=target).solve(memory, memory)["divergence"]

    assert divergence(TARGET) == 0
    assert 0 < divergence(TEXTS) < divergence(["buy now"] * 20)
