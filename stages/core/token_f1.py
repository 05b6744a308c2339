"""How much of a text is in another, by words."""

import re
from collections import Counter

_TOKEN = re.compile(r"\w+")


def token_f1(text: str, gold: str) -> float:
    """F1 of the two multisets of tokens, runs of letters, digits and `_` in lower case; 1 if neither text has any.

    Twice the tokens they share over the tokens of both. As in article extraction benchmarks, though those count shingles.
    """
    found, wanted = Counter(_TOKEN.findall(text.lower())), Counter(_TOKEN.findall(gold.lower()))
    total = found.total() + wanted.total()
    return 2 * (found & wanted).total() / total if total else 1.0
