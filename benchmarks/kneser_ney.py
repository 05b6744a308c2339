"""A trigram model by interpolated Kneser-Ney smoothing as an ARPA file, for KenLM to score with.

KenLM's own estimator is no part of its Python package. Discounts by order and count as in Chen and Goodman 1999 (modified
Kneser-Ney); words that occur once are unknown, so that `<unk>` has a probability.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

Gram = tuple[str, ...]


def write_arpa(sentences: Iterable[list[str]], path: Path) -> dict[str, int]:
    """Estimate from sentences of words; returns how many n-grams of each order were written."""
    kept = [words for words in sentences if words]
    frequency = Counter(word for words in kept for word in words)
    vocabulary = {word for word, count in frequency.items() if count > 1}
    trigrams: Counter[Gram] = Counter()
    for words in kept:
        padded = ["<s>", *(word if word in vocabulary else "<unk>" for word in words), "</s>"]
        trigrams.update(zip(padded, padded[1:], padded[2:], strict=False))
        trigrams[("", "<s>", padded[1])] += 1  # so that bigrams after the beginning are counted
    # below the highest order an n-gram counts once for each word it follows, but at the beginning of a sentence as it is
    bigrams: Counter[Gram] = Counter()
    for (first, *rest), count in trigrams.items():
        bigrams[tuple(rest)] += count if not first else 1
    full = Counter({gram: count for gram, count in trigrams.items() if gram[0]})
    unigrams: Counter[Gram] = Counter(gram[1:] for gram in bigrams)
    uniform = 1.0 / (len(vocabulary) + 2)
    one, one_left = _probabilities(unigrams, {gram: uniform for gram in unigrams})
    one_unknown = one_left[()] * uniform
    two, two_left = _probabilities(bigrams, {gram: one[gram[1:]] for gram in bigrams})
    three, three_left = _probabilities(full, {gram: two[gram[1:]] for gram in full})
    one.setdefault(("<unk>",), one_unknown)
    one[("<s>",)] = 1e-99
    orders = [(one, two_left), (two, three_left), (three, {})]
    with path.open("w", encoding="utf-8") as out:
        out.write("\\data\\\n" + "".join(f"ngram {n}={len(grams)}\n" for n, (grams, _) in enumerate(orders, 1)))
        for n, (grams, left) in enumerate(orders, 1):
            out.write(f"\n\\{n}-grams:\n")
            for gram, probability in sorted(grams.items()):
                backoff = f"\t{math.log10(left[gram]):.6f}" if gram in left else "\t0" if n < 3 else ""
                out.write(f"{math.log10(probability):.6f}\t{' '.join(gram)}{backoff}\n")
        out.write("\n\\end\\\n")
    return {str(n): len(grams) for n, (grams, _) in enumerate(orders, 1)}


def _discounts(counts: Counter[Gram]) -> tuple[float, float, float]:
    n = Counter(min(count, 5) for count in counts.values())
    if not all(n[c] for c in (1, 2, 3, 4)):
        return 0.5, 1.0, 1.5
    y = n[1] / (n[1] + 2 * n[2])
    return 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]


def _left(counts: Counter[Gram]) -> dict[Gram, float]:
    """The share of each context that is left to the lower order."""
    discounts, totals, taken = _discounts(counts), Counter[Gram](), defaultdict[Gram, float](float)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        taken[gram[:-1]] += discounts[min(count, 3) - 1]
    return {context: taken[context] / total for context, total in totals.items()}


def _probabilities(counts: Counter[Gram], lower: dict[Gram, float]) -> tuple[dict[Gram, float], dict[Gram, float]]:
    discounts, left, totals = _discounts(counts), _left(counts), Counter[Gram]()
    for gram, count in counts.items():
        totals[gram[:-1]] += count
    found = {
        gram: (count - discounts[min(count, 3) - 1]) / totals[gram[:-1]] + left[gram[:-1]] * lower[gram]
        for gram, count in counts.items()
    }
    return found, left
