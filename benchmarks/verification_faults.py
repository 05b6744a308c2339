"""One fault in each of many true rephrasings, for `verification.py`: the kinds that a model's answers have."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from verification_phrasings import LEAKS, REFUSALS
from verification_set import NUMBER_WORDS, SENTENCE, Item, chance, in_reported_half, number

_AUXILIARY = re.compile(r"\b(is|was|are|were|can|could|will|would|has been|have been|had|should|may)\b(?! not\b| n't)")
_NOT = re.compile(
    r"\b(is|was|are|were|can|could|will|would|has|have|had|should|may|do|does|did) not\b"
    r"|\b(is|was|are|were|do|does|did)n't\b|\bcannot\b"
)
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|[.,]\d)|\b(?:" + "|".join(NUMBER_WORDS) + r")\b")
_CAPITAL = re.compile(r"\b[A-Z][a-z]{3,}\b")

Fault = Callable[[Item, random.Random], str | None]


def changed_number(item: Item, luck: random.Random) -> str | None:
    """One number is another that the source does not have."""
    places = list(_NUMBER.finditer(item.text))
    luck.shuffle(places)
    for place in places:
        old = place[0]
        for _ in range(8):
            if old in NUMBER_WORDS:
                new = luck.choice(NUMBER_WORDS)
            else:
                at = luck.choice([at for at, char in enumerate(old) if char.isdigit()])
                new = old[:at] + str(luck.randint(1, 9)) + old[at + 1 :]
            word = str(NUMBER_WORDS.index(new) + 2) if new in NUMBER_WORDS else new
            if new != old and not re.search(rf"\b(?:{re.escape(new)}|{re.escape(word)})\b", item.source):
                return item.text[: place.start()] + new + item.text[place.end() :]
    return None


def swapped_numbers(item: Item, luck: random.Random) -> str | None:
    """Two numbers of different sentences change places."""
    parts = SENTENCE.split(item.text)
    places = [(at, match) for at, part in enumerate(parts) for match in list(_NUMBER.finditer(part))[:1]]
    pairs = [(a, b) for a in places for b in places if a[0] < b[0] and a[1][0] != b[1][0]]
    if not pairs:
        return None
    for at, match, new in ((one[0], one[1], two[1][0]) for pair in [luck.choice(pairs)] for one, two in (pair, pair[::-1])):
        parts[at] = parts[at][: match.start()] + new + parts[at][match.end() :]
    return " ".join(parts)


def changed_name(proper: frozenset[str]) -> Fault:
    """One proper noun is another, in all places; `proper` has words that never occur in small letters."""
    pool = sorted(proper)

    def change(item: Item, luck: random.Random) -> str | None:
        mine = sorted({word for word in _CAPITAL.findall(item.text) if word in proper and word in item.source})
        if not mine:
            return None
        old, new = luck.choice(mine), luck.choice(pool)
        return re.sub(rf"\b{old}\b", new, item.text) if new.lower() not in item.source.lower() else None

    return change


def flipped_negation(item: Item, luck: random.Random) -> str | None:
    """A sentence says the opposite: a `not` is taken out, or put behind an auxiliary verb."""
    negated = list(_NOT.finditer(item.text))
    if negated and luck.random() < 0.6:
        place = luck.choice(negated)
        verb = "can" if place[0] == "cannot" else place[1] or place[2]
        return item.text[: place.start()] + verb + item.text[place.end() :]
    plain = list(_AUXILIARY.finditer(item.text))
    if not plain:
        return None
    place = luck.choice(plain)
    verb = place[0].split()
    return item.text[: place.start()] + " ".join([verb[0], "not", *verb[1:]]) + item.text[place.end() :]


def added_fact(others: list[str]) -> Fault:
    """A sentence of another document stands somewhere between two of the answer's, or at an end."""

    def add(item: Item, luck: random.Random) -> str | None:
        parts = SENTENCE.split(item.text)
        parts.insert(luck.randint(0, len(parts)), luck.choice(others))
        return " ".join(parts)

    return add


def copied(item: Item, luck: random.Random) -> str | None:
    """The source itself, in small letters or without a sentence, or the rephrasing behind seven tenths of the source."""
    parts = SENTENCE.split(item.source)
    way = luck.randint(0, 3)
    if way == 0:
        return item.source
    if way == 1:
        return item.source.lower() if luck.random() < 0.5 else re.sub(r"[,;]", "", item.source)
    if len(parts) < 4:
        return None
    if way == 2:
        parts.pop(luck.randrange(len(parts)))
        return " ".join(parts)
    words, mine = item.source.split(), item.text.split()
    return " ".join(words[: int(0.7 * len(words))] + mine[int(0.7 * len(mine)) :])


def phrased(phrasings: tuple[str, ...]) -> Callable[[Item, random.Random, str], str]:
    """A phrasing of the half that the item is in."""

    def phrase(item: Item, luck: random.Random, half: str) -> str:
        mine = [one for one in phrasings if in_reported_half(one) == (half == "reported")]
        topic = " ".join(item.source.split()[3:7]).strip(".,;:()\"'")
        return luck.choice(mine).format(topic=topic, text=item.text)

    return phrase


def cut(item: Item, luck: random.Random) -> str | None:
    """The text breaks off somewhere in its second half, in a word or behind one, but behind no whole sentence."""
    at = luck.randint(len(item.text) // 2, len(item.text) - 3)
    text = item.text[:at].rstrip()
    return None if text.endswith((".", "!", "?", '"', ")")) else text


def loop(item: Item, luck: random.Random) -> str | None:
    """Some words of the second half come again and again, until a limit."""
    words = item.text.split()
    at, size = luck.randint(len(words) // 2, len(words)), luck.randint(3, 12)
    again = words[at - size : at]
    return " ".join([*words[:at], *again * luck.randint(8, 20), *again[: luck.randint(0, size)]])


def proper_nouns(items: list[Item]) -> frozenset[str]:
    """Words of four letters or more that stand with a capital inside sentences, and nowhere in small letters."""
    texts = [item.source for item in items]
    small = {word for text in texts for word in re.findall(r"\b[a-z]{4,}\b", text)}
    inside = Counter(word for text in texts for word in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b", text))
    months = "January February March April June July August September October November December".split()  # noqa: SIM905
    days = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905
    return frozenset(word for word in inside if word.lower() not in small and word not in (*months, *days))


def faulty(items: list[Item], most: int) -> list[Item]:
    """At most so many items of each fault in each half, made of the true ones."""
    sentences = [part for item in items for part in SENTENCE.split(item.source) if 8 <= len(part.split()) <= 30]
    faults: dict[str, Fault] = {
        "changed numbers": changed_number,
        "swapped numbers": swapped_numbers,
        "changed names": changed_name(proper_nouns(items)),
        "flipped negations": flipped_negation,
        "added facts": added_fact(sentences),
        "copies": copied,
        "cut endings": cut,
        "loops": loop,
        "unrelated": lambda item, luck: luck.choice([other for other in luck.sample(items, 2) if other is not item]).text,
    }
    found: list[Item] = []
    for name, fault in faults.items():
        counts: Counter[bool] = Counter()
        for item in sorted(items, key=lambda item: number(item.name, name)):
            if counts[item.is_reported] < most and (text := fault(item, chance(item.name, name))) and text != item.text:
                counts[item.is_reported] += 1
                found.append(replace(item, fault=name, text=text))
    for name, phrase in (("refusals", phrased(REFUSALS)), ("chat around the text", phrased(LEAKS))):
        counts = Counter()
        for item in sorted(items, key=lambda item: number(item.name, name)):
            if counts[item.is_reported] < most:
                counts[item.is_reported] += 1
                half = "reported" if item.is_reported else "tuning"
                found.append(replace(item, fault=name, text=phrase(item, chance(item.name, name), half)))
    return found
