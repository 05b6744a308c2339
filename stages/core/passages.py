"""Sentences and words of English prose: which sentences of a source one comes from, and what is negated in it."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

_STOP = """a about above after again against all also although am an and any are as at be because been before being below
    between both but by can could did do does doing down during each either else ever few for from further get gets got had
    has have having he her here hers him his how however i if in into is it its itself just many may me might more most much
    must my nor of off on once one only onto or other others our out over own per quite rather same shall she should since so
    some such than that the their them then there these they this those though through thus to too under until up upon us
    very was we were what when where whether which while who whom whose why will with within would yet you your"""
STOP_WORDS = frozenset(_STOP.split())
"""words without content of their own; words that negate are not among them"""

_NEGATORS = frozenset(
    ("not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "cannot", "without", "n't")
)
_ALMOST = frozenset(
    ("unable", "fail", "fails", "failed", "failing", "lack", "lacks", "lacked", "refused", "hardly", "rarely", "seldom")
)
"""words that say of what follows what a negator would, and that a paraphrase may have for one"""
_NO_CONTENT = frozenset(("longer", "even", "one", "able", "well", "yet", "always"))
"""words behind a negator that are not what is negated: no longer, no one"""
_NOT_NEGATED = frozenset(("only", "just", "merely", "simply", "other", "least"))
"""words before which a negator is none: not only, none other"""
_CLAUSE = frozenset(
    (",", "until", "because", "since", "but", "when", "than", "as", "if", "although", "though", "while", "unless")
)
"""marks and words behind which nothing is negated"""
_BEFORE_NOUNS = frozenset(("no", "none", "nobody", "nothing", "without"))
"""negators that negate a verb before them: he won no prize, he did not win a prize"""
_SCOPE = 5
"""words behind a negator that it may negate"""

_BREAK = re.compile(r"""(?<=[.!?])(?P<close>["'”’)\]]*)\s+(?=["'“‘(\[]*[^\W_a-z])|\n\s*\n|\n(?=\s*(?:[-*•#]|\d{1,3}[.)])\s)""")
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Lt|Sgt|Rev|Jr|Sr|vs|No|Inc|Ltd|Co|cf|ca|e\.g|i\.e)|\b[A-Z])\.$"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MARKS = frozenset(",;:()—–")
_TOKEN = re.compile(rf"{_WORD.pattern}|[,;:()—–]")
_NUMBERED = re.compile(r"\b[Nn]o\.?\s*(?=\d)")
_SUFFIX = re.compile(r"(?:ings?|edly|ed|ies|es|ly|s|e|y)$")


def sentences(text: str) -> list[str]:
    """Sentences, and items of lists. A full stop of an abbreviation or an initial ends none."""
    found: list[str] = []
    start = 0
    for match in [*_BREAK.finditer(text), None]:
        piece = text[start:] if match is None else text[start : match.start()] + (match["close"] or "")
        start = len(text) if match is None else match.end()
        if found and _ABBREVIATED.search(found[-1]):
            found[-1] += " " + piece
        elif piece.strip():
            found.append(piece.strip())
    return found


@lru_cache(maxsize=2**16)
def fold(word: str) -> str:
    """A word in small letters without accents, and without an 's at its end."""
    plain = unicodedata.normalize("NFKD", word.replace("’", "'")).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return plain.removesuffix("'s").removesuffix("s'").strip("'")


@lru_cache(maxsize=2**16)
def stem(folded: str) -> str:
    """What is left of a folded word without its ending, six letters at most: use, uses and useful are near, not all equal."""
    shorter = _SUFFIX.sub("", folded)
    return (shorter if len(shorter) > 2 else folded)[:6]


def content(folded: Iterable[str]) -> list[str]:
    """Stems of the words that have content of their own."""
    return [stem(word) for word in folded if len(word) > 2 and word not in STOP_WORDS and not negates(word)]


def negates(word: str) -> bool:
    """Whether a folded word negates what follows."""
    return word in _NEGATORS or word.endswith("n't")


class Negation(NamedTuple):
    """What one negator negates: words of content behind it up to a mark, and those with one before a `no`, as stems.

    Of `unable` and the like only the scope is kept: they excuse a negator on the other side, and accuse nobody.
    """

    behind: tuple[str, ...]
    scope: frozenset[str]

    def first_in(self, known: Collection[str]) -> str | None:
        """The first of the two words next behind it that is known."""
        return next((word for word in self.behind[:2] if word in known), None)


@dataclass(frozen=True)
class Sentence:
    """A sentence with its words, folded, and a `,` for each mark that parts clauses."""

    text: str
    tokens: tuple[str, ...]

    @cached_property
    def content(self) -> frozenset[str]:
        """Stems of its words of content."""
        return frozenset(content(self.tokens))

    @cached_property
    def negations(self) -> tuple[Negation, ...]:
        """What its negators negate; one without a word of content near it is none."""
        return self._negated[0]

    @cached_property
    def affirmed(self) -> frozenset[str]:
        """Stems of words of content that stand somewhere without a negator near them."""
        return self._negated[1]

    @cached_property
    def _negated(self) -> tuple[tuple[Negation, ...], frozenset[str]]:
        found: list[Negation] = []
        near: set[int] = set()
        for at, word in enumerate(self.tokens):
            if not (negates(word) or word in _ALMOST) or self.tokens[max(0, at - 1) : at] == ("or",):
                continue
            if at + 1 < len(self.tokens) and self.tokens[at + 1] in _NOT_NEGATED:
                continue
            end = at + 1
            while end < min(len(self.tokens), at + 1 + _SCOPE) and self.tokens[end] not in _CLAUSE:
                end += 1
            places = [place for place in range(at + 1, end) if not _is_aside(self.tokens[place])]
            behind = content(self.tokens[place] for place in places)
            if word in _BEFORE_NOUNS:
                places += range(max(0, at - 1), at)
            near.update(places)
            if behind:
                found.append(
                    Negation(tuple(behind) if negates(word) else (), frozenset(content(self.tokens[place] for place in places)))
                )
        return tuple(found), frozenset(content(word for at, word in enumerate(self.tokens) if at not in near))


def _is_aside(word: str) -> bool:
    """Whether a word behind a negator is not what is negated: one of manner or time."""
    return word in _NO_CONTENT or (word.endswith("ly") and len(word) > 4)


def passage(text: str) -> list[Sentence]:
    """All sentences of a text."""
    found = []
    for sentence in sentences(text):
        tokens = [fold(match) if match[0] not in _MARKS else "," for match in _TOKEN.findall(_NUMBERED.sub("", sentence))]
        found.append(Sentence(sentence, tuple(tokens)))
    return found


class Source:
    """A source's sentences, found by their words. A sentence that occurs twice is there once."""

    _MOST = 200
    """sentences that are looked at for one word: words of more sentences tell nothing"""

    def __init__(self, text: str) -> None:
        self.sentences = list({sentence.tokens: sentence for sentence in passage(text)}.values())
        self._places: dict[str, list[int]] = {}
        for at, sentence in enumerate(self.sentences):
            for word in sentence.content:
                self._places.setdefault(word, []).append(at)

    def share_of(self, sentence: Sentence) -> float:
        """The share of a sentence's words of content that the source has; 1 where it has none."""
        found = sum(word in self._places for word in sentence.content)
        return found / len(sentence.content) if sentence.content else 1.0

    def origins(self, sentence: Sentence, most: int = 4, least: float = 0.15) -> list[Sentence]:
        """The sentences of the source that it comes from: each adds `least` of its words, words of few sentences weighing more.

        Chosen greedily, the one with most words first.
        """
        weights = {word: 1.0 / len(self._places[word]) for word in sentence.content if word in self._places}
        whole = sum(weights.values()) + len(sentence.content) - len(weights)
        chosen: list[Sentence] = []
        left: Collection[str] = sorted(weights)
        while left and len(chosen) < most:
            scores: dict[int, float] = {}
            for word in left:
                for at in self._places[word][: self._MOST]:
                    scores[at] = scores.get(at, 0.0) + weights[word]
            best = min(scores, key=lambda at: (-scores[at], at))
            if scores[best] < least * whole:
                break
            chosen.append(self.sentences[best])
            left = [word for word in left if word not in self.sentences[best].content]
        return chosen


def flips(sentence: Sentence, origins: Collection[Sentence]) -> bool:
    """Whether what one of the two negates occurs in the other, and nothing near it is negated there.

    What an origin has with a negator and without one may have been taken from either place.
    """
    known, theirs = _union(origin.content for origin in origins), [one for origin in origins for one in origin.negations]
    reached = _union(negation.scope for negation in theirs)
    if any(negation.first_in(known) and not negation.scope & reached for negation in sentence.negations):
        return True
    mine, affirmed = _union(one.scope for one in sentence.negations), _union(origin.affirmed for origin in origins)
    lost = (negation.behind[0] for negation in theirs if negation.behind and not negation.scope & mine)
    return any(word in sentence.affirmed and word not in affirmed for word in lost)


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
