"""A model by modified Kneser-Ney is that of the formulas, and KenLM reads it."""

import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import kenlm
import numpy as np
import pytest

from pipeline import ngram_counts
from pipeline.kneser_ney import FALLBACK, Model, _discounts, estimate, write_arpa
from pipeline.ngram_counts import Counts, count

Gram = tuple[str, ...]


def sentences(seed: int, many: int = 400, words: int = 40) -> list[list[str]]:
    chance = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(words)]
    names = [f"w{rank}" for rank in range(words - 2)] + ["Ünïcödé", "山"]
    return [chance.choices(names, weights, k=chance.randint(1, 9)) for _ in range(many)]


def written(counts: Counts, path: Path, prune_from: int | None = None) -> tuple[Model, Any]:
    model = estimate(counts, path, prune_from)
    write_arpa(model, path / "model.arpa")
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    return model, kenlm.Model(str(path / "model.arpa"), config)


def slowly(
    texts: Sequence[Sequence[str]], order: int, min_count: int, prune_from: int | None
) -> tuple[Callable[[Gram, str], float], list[str]]:
    """p(w | h) by the definition, and the words it is over. A context begins with `<s>` or inside a sentence."""
    frequency = Counter(word for words in texts for word in words)
    known = {word for word, number in frequency.items() if number >= min_count}
    raw: list[Counter[Gram]] = [Counter() for _ in range(order + 1)]
    before: list[dict[Gram, set[str]]] = [defaultdict(set) for _ in range(order + 1)]
    for words in texts:
        line = ["<s>", *(word if word in known else "<unk>" for word in words), "</s>"]
        for size in range(1, order + 1):
            for end in range(1, len(line)):
                start = end + 1 - size
                if start >= 0:
                    gram = tuple(line[start : end + 1])
                    raw[size][gram] += 1
                    if start:
                        before[size][gram].add(line[start - 1])
    adjusted = [
        {gram: raw[size][gram] if size == order or gram[0] == "<s>" else len(before[size][gram]) for gram in raw[size]}
        for size in range(order + 1)
    ]
    discounts = []
    for size in range(order + 1):
        n = Counter(adjusted[size].values())
        if not all(n[at] for at in (1, 2, 3, 4)):
            discounts.append(FALLBACK)
            continue
        y = n[1] / (n[1] + 2 * n[2])
        found = tuple(at - (at + 1) * y * n[at + 1] / n[at] for at in (1, 2, 3))
        discounts.append(found if all(0 <= one <= at for at, one in enumerate(found, 1)) else FALLBACK)
    vocabulary = sorted(known | {"<unk>", "</s>"})

    def probability(context: Gram, word: str) -> float:
        size = len(context) + 1
        lower = probability(context[1:], word) if context else 1 / len(vocabulary)
        following = {gram: number for gram, number in adjusted[size].items() if gram[:-1] == context}
        total = sum(following.values())
        if not total:
            return lower
        left, own = 0.0, 0.0
        for gram, number in following.items():
            pruned = prune_from is not None and size >= prune_from and raw[size][gram] == 1
            taken = number if pruned else discounts[size][min(number, 3) - 1]
            left += taken
            if gram[-1] == word:
                own = number - taken
        return own / total + left / total * lower

    return probability, vocabulary


@pytest.mark.parametrize(
    ("order", "min_count", "prune_from"),
    [(2, 1, None), (3, 1, None), (3, 2, None), (4, 2, None), (3, 1, 3), (4, 2, 2), (5, 1, 3)],
)
def test_kenlm_gives_the_probabilities_of_the_definition(
    tmp_path: Path, order: int, min_count: int, prune_from: int | None
) -> None:
    texts = sentences(order)
    _, model = written(count(texts, order, min_count, tmp_path), tmp_path, prune_from)
    assert model.order == order
    probability, _ = slowly(texts, order, min_count, prune_from)
    frequency = Counter(word for words in texts for word in words)
    for words in [*texts[:6], ["w0", "never", "w1"], ["w3", "w3", "w3", "w3", "w3"]]:
        line = ["<s>", *(word if frequency[word] >= min_count else "<unk>" for word in words), "</s>"]
        expected = [math.log10(probability(tuple(line[max(0, at - order + 1) : at]), line[at])) for at in range(1, len(line))]
        found = [score for score, _, _ in model.full_scores(" ".join(words))]
        assert found == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("prune_from", [None, 2, 3])
def test_probabilities_of_all_words_sum_to_one_after_any_context(tmp_path: Path, prune_from: int | None) -> None:
    texts = sentences(7, many=1500, words=60)
    counts = count(texts, 4, 2, tmp_path)
    model, read = written(counts, tmp_path, prune_from)
    longest = model.orders[-1].table.head(20).to_dicts()
    seen = [[counts.words[row[f"w{at}"]] for at in (1, 2, 3)] for row in longest]
    assert any(context[0] == "<s>" for context in seen)
    for context in [*seen, [], ["w1"], ["w2", "w1"], ["never", "w0"], ["w5", "never"]]:
        state = kenlm.State()
        (read.BeginSentenceWrite if context[:1] == ["<s>"] else read.NullContextWrite)(state)
        for word in [word for word in context if word != "<s>"]:
            after = kenlm.State()
            read.BaseScore(state, word, after)
            state = after
        # words, </s> and <unk>, which are numbers 2 and 3
        total = sum(10 ** read.BaseScore(state, word, kenlm.State()) for word in counts.words[2:])
        assert total == pytest.approx(1, abs=1e-6)


def test_discounts_are_those_of_chen_and_goodman() -> None:
    # n1..n4 = 4, 3, 2, 1: Y = 4 / 10
    found = _discounts(np.array([1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 9]))
    assert found == pytest.approx((1 - 2 * 0.4 * 3 / 4, 2 - 3 * 0.4 * 2 / 3, 3 - 4 * 0.4 * 1 / 2))
    assert _discounts(np.array([1, 1, 2, 2, 3, 3, 9])) is None
    # D1 would be below 0
    assert _discounts(np.array([1, *[2] * 9, 3, 4])) is not None
    assert _discounts(np.array([1, 1, 2, *[3] * 90, 4])) is None


def test_a_tiny_text_takes_the_fixed_discounts_and_says_so(tmp_path: Path) -> None:
    model, read = written(count([["a", "b"], ["a"]], 3, 1, tmp_path), tmp_path)
    assert all(fact["discounts_by_fallback"] for fact in model.facts())
    assert model.facts()[0]["discounts"] == list(FALLBACK)
    assert read.score("a b") > read.score("b a")


def test_counts_do_not_depend_on_the_order_of_sentences_or_on_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*sentences(3), ["long"] * 50]
    expected = count(texts, 3, 1, tmp_path)
    monkeypatch.setattr(ngram_counts, "WINDOWS", 16)
    other = count(texts[::-1], 3, 1, tmp_path)
    assert other.table.equals(expected.table)
    assert other.words == expected.words
    assert list(tmp_path.iterdir()) == []
    lines = [["<s>", *words, "</s>"] for words in texts]
    grams = Counter(gram for line in lines for gram in zip(line, line[1:], line[2:], strict=False))
    grams.update(("", *line[:2]) for line in lines)
    assert expected.table["count"].sum() == sum(len(words) + 1 for words in texts)
    named = {tuple(expected.words[row[f"w{at}"]] for at in (1, 2, 3)): row["count"] for row in other.table.to_dicts()}
    assert named == grams


def test_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    texts = sentences(5, many=800)
    models = []
    for order_of_texts in (texts, texts[::-1]):
        write_arpa(estimate(count(order_of_texts, 4, 2, tmp_path), tmp_path, 3), tmp_path / "model.arpa")
        models.append((tmp_path / "model.arpa").read_bytes())
    assert models[0] == models[1]


def test_tokens_that_look_like_marks_are_unknown_and_empty_sentences_do_not_count(tmp_path: Path) -> None:
    counts = count([["<s>", "a"], [], ["</s>", "a", "<unk>"]], 2, 1, tmp_path)
    assert counts.words == ["", "<s>", "</s>", "<unk>", "a"]
    assert (counts.sentences, counts.tokens, counts.unknown) == (2, 5, 3)


def test_pruning_leaves_every_context_and_every_end_of_what_stays(tmp_path: Path) -> None:
    model = estimate(count(sentences(9), 4, 1, tmp_path), tmp_path, 2)
    tables = [
        set(order.table.select([f"w{at}" for at in range(1, size + 1)]).rows()) for size, order in enumerate(model.orders, 1)
    ]
    assert all(order.pruned for order in model.orders[1:])
    for shorter, longer in itertools.pairwise(tables):
        assert {gram[:-1] for gram in longer} <= shorter
        assert {gram[1:] for gram in longer} <= shorter
    with pytest.raises(ValueError, match="expected 2 or more"):
        estimate(count(sentences(9), 2, 1, tmp_path), tmp_path, 1)
