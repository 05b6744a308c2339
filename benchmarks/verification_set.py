"""True rephrasings of real text, made without a model, for `verification.py`; `verification_faults.py` makes faulty ones.

Everything is chosen by hashes of ids: the set is the same wherever the files are.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

JOINED = 5
"""sentences by editors that make a passage"""
WORDS_PER_EDIT = 12
"""a paraphrase by rule counts as one if it has an edit for so many words or fewer"""
_PAIRS = """also:as well|however:still|because:since|although:though|though:although|many:numerous|several:a number of|
often:frequently|usually:as a rule|sometimes:at times|very:highly|big:large|large:sizeable|small:little|begin:start|
began:started|begins:starts|end:finish|show:demonstrate|shows:demonstrates|showed:demonstrated|use:employ|used:employed|
uses:employs|using:employing|help:assist|helps:assists|called:named|known:familiar|found:discovered|said:stated|
says:states|think:believe|thought:believed|important:significant|different:distinct|main:chief|whole:entire|
about:roughly|almost:nearly|nearly:almost|while:whereas|if:provided that|must:has to|allow:permit|allows:permits|
allowed:permitted|give:provide|gives:provides|gave:provided|become:turn into|became:turned into|persons:people|old:aged|
new:novel|within:inside|until:till|through:by way of|during:in the course of|before:ahead of|after:following|
such as:like|due to:owing to|in order to:so as to|more than:over|less than:under|thus:hence|therefore:for that reason|
hence:thus|but:yet|maybe:perhaps|perhaps:possibly|quickly:rapidly|simply:merely|only:just|just:only|common:widespread|
famous:renowned|computer:machine|word:term|words:terms|person:individual|way:manner|things:objects|kind:sort|sort:kind|
part:portion|problem:difficulty|problems:difficulties|example:instance|children:kids|street:road|some:a few|
usually:mostly|good:fine|bad:poor|asked:inquired|answer:reply|answered:replied|happy:glad|near:close to|
began to:started to|large number of:great many|quite:rather|enough:sufficient|try:attempt|tried:attempted|
trying:attempting|buy:purchase|bought:purchased|wrote:penned|built:constructed|build:construct|died:passed away|
city:town|movie:film|film:movie|job:post|located:situated|received:obtained|won:gained|killed:slain|area:region|
region:area"""
SYNONYMS = dict(pair.strip().split(":") for pair in _PAIRS.split("|"))
EXPANDED = {
    "don't": "do not", "doesn't": "does not", "didn't": "did not", "isn't": "is not", "aren't": "are not", "wasn't": "was not",
    "weren't": "were not", "can't": "cannot", "won't": "will not", "it's": "it is", "that's": "that is", "I'm": "I am",
    "they're": "they are", "you're": "you are", "couldn't": "could not", "wouldn't": "would not", "hasn't": "has not",
}  # fmt: skip
EDITS = {**SYNONYMS, **EXPANDED, **{long: short for short, long in EXPANDED.items() if " not" in long}}
_EDIT = re.compile(r"(?<![\w.@/-])(" + "|".join(sorted(map(re.escape, EDITS), key=len, reverse=True)) + r")(?![\w@/’'-]|\.\w)")
SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\b(?:Mr|Dr|St|Sr|Jr)\.)(?<!\bMrs\.)\s+(?=[A-Z])")
_FRONT = re.compile(
    r"^(In|On|At|By|After|Before|During|Since|From) ([^,.;:()]{3,40}), ((?:the|a|an|it|he|she|they|this|there)\b[^.;:]*)\.$",
    re.I,
)
NUMBER_WORDS = "two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905


@dataclass(frozen=True)
class Item:
    """One answer: its source, what is wrong with it (nothing: ``), and how the rephrasing was made."""

    name: str
    origin: str
    fault: str
    source: str
    text: str
    finish_reason: str = "stop"

    @property
    def is_reported(self) -> bool:
        """Whether it is in the half that figures are reported on; the other is for tuning."""
        return in_reported_half(self.name)


def in_reported_half(name: str) -> bool:
    """Whether what has this name (an id, or a phrasing) is of the half that figures are reported on."""
    return number(name, "half") % 2 == 1


def number(name: str, use: str) -> int:
    """A number that follows from a name and a use alone."""
    return int.from_bytes(hashlib.blake2b(f"{use}/{name}".encode(), digest_size=8).digest(), "little")


def chance(name: str, use: str) -> random.Random:
    """Choices that follow from a name and a use alone."""
    return random.Random(number(name, use))


def true_rephrasings(data: Path, most_of_corpus: int) -> list[Item]:
    """Passages with their rephrasings: by editors, and by rule."""
    return [*by_editors(data / "dedup" / "sentence_rewrites.jsonl.gz"), *by_rule(data / "corpus", most_of_corpus)]


def by_editors(path: Path) -> Iterator[Item]:
    """Sentences of Wikipedia joined to passages, and the same as editors split them in two."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if not adds_words(row["a"], row["b"])]
    rows.sort(key=lambda row: number(row["id"], "passage"))
    for at in range(0, len(rows) - JOINED + 1, JOINED):
        some = rows[at : at + JOINED]
        left, right = (" ".join(untokenised(row[side]) for row in some) for side in "ab")
        yield Item(some[0]["id"], "editors", "", left, restyled(right, chance(some[0]["id"], "style")))


def adds_words(first: str, second: str) -> bool:
    """Whether the second has a number or a capital inside a sentence that is new, or more than two new words of four letters.

    Many of the editors' rewrites add facts: those are no true rephrasings. Of the others some still do.
    """
    old = set(re.findall(r"\w+", first.lower()))
    new = [word for word in re.findall(r"(?:(?<=[.!?:\"'] )|^)\w+|\w+", second) if word.lower() not in old]
    inside = [word for word in re.findall(r"(?<=[\w,;)] )\w+", second) if word.lower() not in old]
    facts = [word for word in inside if word[0].isupper()] + [word for word in new if any(map(str.isdigit, word))]
    return bool(facts) or sum(len(word) > 3 for word in new) > 2


def restyled(text: str, luck: random.Random) -> str:
    """Numbers and dates in another form, about every second: 1,000 for 1000, twelve for 12, 12 May 2020 for May 12, 2020."""

    def other(match: re.Match[str]) -> str:
        old = match[0]
        if luck.random() < 0.5:
            return old
        if old.lower() in NUMBER_WORDS:
            return str(NUMBER_WORDS.index(old.lower()) + 2)
        if match["day"]:
            return f"{match['day']} {match['month']}" + (f" {match['year']}" if match["year"] else "")
        if match["share"]:
            return match["share"] + (" percent" if old.endswith("%") else "%")
        if "," in old:
            return old.replace(",", "")
        value = int(old)
        return NUMBER_WORDS[value - 2] if 2 <= value <= 12 else f"{value:,}" if value >= 10_000 else old

    return _STYLED.sub(other, text)


_STYLED = re.compile(
    r"\b(?P<month>January|February|March|April|June|July|August|September|October|November|December) (?P<day>\d{1,2})"
    r"(?:, (?P<year>\d{4}))?\b"
    r"|\b(?P<share>\d+)(?:%| percent\b)|(?<![\w.,$£-])\d{1,3}(?:,\d{3})+(?![\w.,-])|(?<![\w.,$£/:-])[1-9]\d{0,6}(?=[ ][a-z])"
    r"|\b(?:" + "|".join(NUMBER_WORDS) + r")\b"
)


def untokenised(text: str) -> str:
    """Words and marks without the blanks that a tokenizer put between them."""
    text = re.sub(r"\s*''\s*", ' " ', text)
    parts = text.split('"')
    text = '"'.join(part.strip() if at % 2 else part for at, part in enumerate(parts)) if len(parts) % 2 else " ".join(parts)
    text = re.sub(r" ([.,;:!?%)\]])", r"\1", re.sub(r"([(\[$£]) ", r"\1", text))
    text = re.sub(r" (n't|'s|'re|'ve|'d|'ll|'m)\b", r"\1", text)
    return re.sub(r"\s+", " ", text).strip()


def by_rule(folder: Path, most: int) -> Iterator[Item]:
    """English prose of 60 to 300 words, with other words, other forms, other order of sentences."""
    import polars as pl

    table = pl.concat(
        [pl.read_parquet(path, columns=["id", "text", "lang", "kind"]) for path in sorted(folder.glob("*.parquet"))]
    )
    rows = table.filter(
        (pl.col("lang") == "en") & pl.col("kind").is_in(["prose", "forum", "dialogue", "web", "docs"])
    ).to_dicts()
    found = 0
    for row in sorted(rows, key=lambda row: number(row["id"], "corpus")):
        text = "\n\n".join(re.sub(r"\s+", " ", part).strip() for part in re.split(r"\n\s*\n", row["text"]))
        size = len(text.split())
        if not 60 <= size <= 300 or not text.endswith((".", "!", "?", '"', ")")) or _SENSE.search(text):
            continue
        text = re.sub(r"\n\n", " ", text)
        rephrased, edits = paraphrase(text, chance(row["id"], "order"))
        if edits * WORDS_PER_EDIT >= size:
            yield Item(row["id"], "rule", "", text, rephrased)
            found += 1
            if found == most:
                return


_SENSE = re.compile(r"\b(?:n|v|vt|vi|adj|obs)\. |\s\d\. ")
"""numbered senses of dictionaries, which are no sentences"""


def is_closed(sentence: str) -> bool:
    """Whether quotes and brackets that begin in a sentence end in it."""
    pairs = ("“”", "‘’", "()", "[]", "{}")
    return not sentence.count('"') % 2 and all(sentence.count(left) == sentence.count(right) for left, right in pairs)


def paraphrase(text: str, luck: random.Random) -> tuple[str, int]:
    """The text in other words, and the number of edits; no number, name or negation changes."""
    edits = 0

    def edit(match: re.Match[str]) -> str:
        nonlocal edits
        edits += 1
        return EDITS[match[1]]

    made = []
    for sentence in SENTENCE.split(text):
        moved = _FRONT.match(sentence)
        if moved:
            edits += 1
            rest = moved[3][0].upper() + moved[3][1:]
            sentence = f"{rest} {moved[1].lower()} {moved[2]}."
        made.append(restyled(_EDIT.sub(edit, sentence), luck))
    for at in range(len(made) - 1):
        if luck.random() < 0.4 and is_closed(made[at]) and is_closed(made[at + 1]):
            made[at], made[at + 1] = made[at + 1], made[at]
            edits += 1
    return " ".join(made), edits


def in_other_languages(path: Path) -> Iterator[Item]:
    """English paragraphs with their translations by people, which stand in the same order in each language."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    by_language: dict[str, list[str]] = {}
    for row in rows:
        by_language.setdefault(row["lang"], []).append(row["text"])
    english = by_language.pop("en")
    others = sorted(by_language)
    for at, source in enumerate(english):
        yield Item(f"xquad-{at}", "xquad", "other language", source, by_language[others[at % len(others)]][at % len(english)])
