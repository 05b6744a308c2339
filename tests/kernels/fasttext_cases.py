"""Kinds of fastText models, and texts with what the library treats in its own way."""

import random

PIECES = [
    *["the", "und", "это", "ist", "中", "a", "b", "ab", "不", "中中中", "naïve", "e\u0301", "🙂", "👩\u200d👩", "__label__x"],
    *[
        "__label__l1",
        "</s>",
        "</s>x",
        "x" * 16,
        "x" * 17,
        "ж" * 300,
        " ",
        "\t",
        "\n",
        "\r\n",
        "\0",
        "\v",
        "\f",
        "\u0085",
        "\u2028",
    ],
    # bytes below the blank that separate nothing, at all places of eight
    *["\x01", "a\x1f", "ab\x08b", "abcdef\x7f\x1e", "1234567", "12345678", "123456789"],
]
# the shape that has a way of its own through the kernel: pruned, 16 numbers, 2 to 4 characters, buckets with a reciprocal
LID176 = {"quantised": True, "loss": 1, "dim": 16, "labels": 20, "buckets": 128}
KINDS = {
    "hierarchical": {"loss": 1},
    "negative": {"loss": 2},
    "softmax": {"loss": 3},
    "one against all": {"loss": 4},
    "one label": {"loss": 1, "labels": 1},
    "sixteen dimensions": {"loss": 1, "dim": 16, "labels": 20},
    "no n-grams": {"chars": (0, 0)},
    "single characters too": {"chars": (1, 3)},
    "pairs of words": {"word_ngrams": 2},
    "four words, no characters": {"word_ngrams": 4, "chars": (0, 0)},
    "no end of line": {"words": ["the", "a"]},
    "quantised": {"quantised": True},
    "quantised, last part shorter": {"quantised": True, "dim": 7, "norms": True},
    "quantised, pruned": {"quantised": True, "kept": 40, "word_ngrams": 2, "norms": True, "loss": 1},
    "like lid.176": {**LID176, "kept": 40, "norms": True},
    "like lid.176, hardly pruned": {**LID176, "kept": 127},
    "like lid.176, pairs of words": {**LID176, "kept": 40, "word_ngrams": 2},
    "like lid.176, all pruned": {**LID176, "kept": 0},
    "like lid.176, buckets without a reciprocal": {**LID176, "kept": 40, "buckets": 97},
    "five characters, pruned": {**LID176, "kept": 40, "chars": (2, 5)},
    "five characters": {"buckets": 128, "chars": (2, 5)},
    "quantised output": {"quantised": True, "kept": 40, "quantised_output": True},
    "all pruned": {"quantised": True, "kept": 0},
    "old file": {"version": 11},
}


def texts(seed: int, count: int) -> list[str]:
    choice = random.Random(seed)
    made = []
    for _ in range(count):
        parts = choice.choices(PIECES, k=choice.choice([0, 1, 2, 5, 30]))
        made.append(choice.choice(["", " "]).join(parts))
    return made
