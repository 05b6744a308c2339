"""Repeated n-grams of a list of words."""

from collections import Counter


def slow_top(words: list[str], n: int) -> int:
    """Code points of the most frequent n-gram, words joined by spaces, times its count; the first seen wins a tie."""
    grams = [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]
    if not grams:
        return 0
    gram, count = Counter(grams).most_common(1)[0]
    return len(gram) * count


def slow_duplicate(words: list[str], n: int, between: str) -> int:
    """Code points in n-grams seen before, from left to right; one seen before is passed over whole."""
    seen, chars, index = set(), 0, 0
    while index + n <= len(words):
        gram = between.join(words[index : index + n])
        if gram in seen:
            chars += sum(map(len, words[index : index + n]))
            index += n
        else:
            seen.add(gram)
            index += 1
    return chars
