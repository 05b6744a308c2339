"""Sentences and words of English prose: which sentences of a source one comes from, and what is negated in it."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

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
_NO_CONTENT = frozenset(("longer", "only", "even", "one", "able"))
"""words behind a negator that are not what is negated: no longer, not only, no one"""
_SCOPE = 5
"""words behind a negator that it may negate"""

_BREAK = re.compile(
    r"""(?<=[.!?])["'”’)\]]*\s+(?=["'“‘(\[]*[^\W_a-z])|\n\s*\n|\n(?=\s*(?:[-*•#]|\d{1,3}[.)])\s)""",
)
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Lt|Sgt|Rev|Jr|Sr|vs|No|Inc|Ltd|Co|cf|ca|e\.g|i\.e)|\b[A-Z])\.$"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SUFFIX = re.compile(r"(?:ings?|edly|ed|ies|es|ly|s|e|y)$")


def sentences(text: str) -> list[str]:
    """Sentences, and items of lists. A full stop of an abbreviation or an initial ends none."""
    found: list[str] = []
    for piece in _BREAK.split(text):
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


def words(text: str) -> list[str]:
    """Words of letters, folded, in order."""
    return [fold(match) for match in _WORD.findall(text)]


def content(folded: Iterable[str]) -> list[str]:
    """Stems of the words that have content of their own."""
    return [stem(word) for word in folded if len(word) > 2 and word not in STOP_WORDS and not negates(word)]


def negates(word: str) -> bool:
    """Whether a folded word negates what follows."""
    return word in _NEGATORS or word.endswith("n't")


@dataclass(frozen=True)
class Sentence:
    """A sentence with its words, folded."""

    text: str
    words: tuple[str, ...]

    @cached_property
    def content(self) -> frozenset[str]:
        """Stems of its words of content."""
        return frozenset(content(self.words))

    @cached_property
    def negations(self) -> tuple[frozenset[str], frozenset[str]]:
        """Stems that stand next behind a negator, and all that stand in the reach of one."""
        heads, reached = set(), set()
        for at, word in enumerate(self.words):
            if not negates(word):
                continue
            near = [word for word in self.words[at + 1 : at + 1 + _SCOPE] if word not in _NO_CONTENT]
            scope = content(near)
            heads.update(scope[:1])
            reached.update(scope)
        return frozenset(heads), frozenset(reached)


def passage(text: str) -> list[Sentence]:
    """All sentences of a text."""
    return [Sentence(sentence, tuple(words(sentence))) for sentence in sentences(text)]


class Source:
    """A source's sentences, found by their words. A sentence that occurs twice is there once."""

    _MOST = 200
    """sentences that are looked at for one word: words of more sentences tell nothing"""

    def __init__(self, text: str) -> None:
        self.sentences = list({sentence.words: sentence for sentence in passage(text)}.values())
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
    """Whether a word is negated here or in the sentences it comes from, and occurs in the other without being negated."""
    heads, reached = sentence.negations
    theirs: frozenset[str] = frozenset().union(*(origin.negations[1] for origin in origins))
    their_heads: frozenset[str] = frozenset().union(*(origin.negations[0] for origin in origins))
    # a word that one of the origins has without a negator may have been taken from that one
    affirmed: frozenset[str] = frozenset().union(*(origin.content - origin.negations[1] for origin in origins))
    known: frozenset[str] = frozenset().union(*(origin.content for origin in origins))
    added = (heads & known) - theirs
    lost = (their_heads & sentence.content) - reached - affirmed
    return bool(added or lost)
