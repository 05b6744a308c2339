"""Names, and addresses of pages and mail, in English text, and whether a source has them."""

import re
from collections.abc import Iterator

from stages.core.numerals import NO_NAMES
from stages.core.passages import STOP_WORDS, fold

_ADDRESS = re.compile(
    r"(?:https?|ftp)://[^\s<>\"”’)\]}]+|www\.[^\s<>\"”’)\]}]+|(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?<![\w.-])(?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|io|info|co\.uk|de)\b(?:/[^\s<>\"”’)\]}]*)?",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"^(?:\w+://)?(?:www\.)?")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[.!?:;\"“”«»(\[*•\n]|[-–—](?=\s)|\S")
_OPENING = """however nevertheless nonetheless subsequently former
    moreover furthermore therefore according despite unlike instead meanwhile today additionally
    overall similarly finally later now note yes let like using based even well what who mr mrs ms dr sir st lord lady prof
    not no never none nobody nothing neither without cannot answer question summary title fact facts step"""
_NOT_NAMES = STOP_WORDS | NO_NAMES | frozenset(_OPENING.split())
_JOINS = frozenset(("of", "the", "de", "la", "van", "von", "der", "del", "and", "for"))
_ENDINGS = frozenset(
    ("s", "es", "n", "ns", "an", "ian", "ean", "ese", "ish", "i", "er", "ers", "ans", "ians", "ic", "y", "ia", "al")
)
_IRREGULAR = (
    {"france", "french"}, {"britain", "british", "briton", "britons", "uk"}, {"spain", "spanish", "spaniard"},
    {"netherlands", "dutch", "holland"}, {"wales", "welsh"}, {"ireland", "irish"}, {"greece", "greek", "greeks"},
    {"poland", "polish", "pole"}, {"denmark", "danish", "dane"}, {"england", "english"}, {"usa", "us", "american", "america"},
    {"christianity", "christ", "christian", "christians"}, {"germany", "german", "germans"}, {"europe", "european", "eu"},
)  # fmt: skip
_BEGINS = frozenset('.!?:;"“”«»([*•\n')
_TITLES = frozenset(("mr", "mrs", "ms", "dr", "rev", "prof", "st", "gen", "col", "capt", "lt", "sgt", "hon", "sen", "gov"))
"""marks behind which a capital letter says nothing"""


Name = tuple[str, ...]
"""words with capital letters on end, as they stand"""


def addresses(text: str) -> tuple[list[str], str]:
    """Addresses in one form (small letters, no scheme, no www, no mark at the end), and the text with blanks for them."""
    found: list[str] = []

    def take(match: re.Match[str]) -> str:
        address = match[0].rstrip(".,;:!?'*_")
        found.append(_SCHEME.sub("", address.lower()).rstrip("/"))
        return " " * len(address) + match[0][len(address) :]

    text = _ADDRESS.sub(take, text)
    return found, text


class Words:
    """The words of a source, to be asked for names."""

    def __init__(self, text: str) -> None:
        tokens = [token for token in _TOKEN.findall(text) if token[0].isalpha()]
        self.known = frozenset(fold(token) for token in tokens) | {fold(token).replace("'", "") for token in tokens}
        self.by_begin: dict[str, list[str]] = {}
        for word in sorted(self.known):
            self.by_begin.setdefault(word[:4], []).append(word)
        self.acronyms = frozenset(fold(token) for token in tokens if len(token) > 1 and token.isupper())
        capitals = [token for token in tokens if token[0].isupper()]
        self.initials = "".join(fold(token)[:1] for token in capitals)
        self.all_initials = "".join(fold(token)[:1] for token in capitals if fold(token) not in STOP_WORDS)

    def has(self, word: str) -> bool:
        """Whether the source has the word, in any case, or a form of it: Germans, German; NATO for its words."""
        folded = fold(word).replace(".", "")
        if folded in self.known or not folded:
            return True
        if word.isupper() and len(word) > 1 and (folded in self.initials or folded in self.all_initials):
            return True
        if any(folded in group and not group.isdisjoint(self.known) for group in _IRREGULAR):
            return True
        return any(_related(folded, other) for other in self.by_begin.get(folded[:4], ()))

    def lacks(self, name: Name) -> bool:
        """Whether a word of the name is not in the source, and its words are not those of an acronym there."""
        if all(self.has(word) for word in name):
            return False
        initials = "".join(fold(word)[0] for word in name if fold(word))
        long = [fold(word)[0] for word in name if fold(word) and fold(word) not in _JOINS]
        return initials not in self.acronyms and "".join(long) not in self.acronyms


def _related(first: str, second: str) -> bool:
    """Whether two words are one but for an ending of number or origin: America, Americans; Italy, Italian."""
    shared = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        shared += 1
    ends = first[shared:], second[shared:]
    return shared > 3 and all(not end or end in _ENDINGS for end in ends)


def names(text: str) -> list[Name]:
    """Names that a text mentions: words with a capital letter where no sentence begins.

    The first word of a sentence belongs to a name if another word of the name follows it, if it has a possessive ending, is an
    acronym, or stands with a capital elsewhere inside a sentence; never if the text has it in small letters, too. Words of
    headings, or of a text in capitals, are none.
    """
    letters = [char for char in text if char.isalpha()]
    if sum(char.isupper() for char in letters) * 2 > len(letters):
        return []
    runs = [run for line in text.split("\n") if not _is_heading(line) for run in _runs(line)]
    inside = {word for run, begins in runs for word in run[1 if begins else 0 :]}
    small = {token for token in _TOKEN.findall(text) if token.islower()}
    found = []
    for run, begins in runs:
        if begins and not _is_name(run, inside, small):
            run = run[1:]
        kept = tuple(word for word in run if len(word) > 1 and fold(word) not in _NOT_NAMES)
        if kept:
            found.append(kept)
    return found


def _is_name(run: tuple[str, ...], inside: set[str], small: set[str]) -> bool:
    """Whether the first word of a run at the beginning of a sentence belongs to a name."""
    first = run[0]
    if fold(first) in _NOT_NAMES or first.lower() in small:
        return False
    if len(run) > 1 and not first.endswith("ly"):
        return True
    return first in inside or first.endswith(("'s", "’s")) or (first.isupper() and len(first) > 1)


def _runs(line: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Words with capitals on end (of, the and the like between two of them), and whether a sentence begins there."""
    run: list[str] = []
    between: list[str] = []
    begins, start, last = True, True, ""
    for token in [*_TOKEN.findall(line), "."]:
        if token[0].isupper() and token not in ("I", "I'm", "I've", "I'd", "I'll"):
            if not run:
                start = begins
            run += [token]
            between = []
        elif run and token in _JOINS and not between:
            between = [token]
        else:
            if run:
                yield tuple(run), start
            run, between = [], []
        begins = (token[0] in _BEGINS and not (token == "." and fold(last) in _TITLES)) or (begins and not token[0].isalnum())
        last = token


def _is_heading(line: str) -> bool:
    """A short line that ends like no sentence and has mostly capitals."""
    tokens = [token for token in _TOKEN.findall(line) if token[0].isalpha()]
    if not tokens or len(tokens) > 12 or line.rstrip().endswith((".", "!", "?", ",", ";", '"', "”")):
        return False
    long = [token for token in tokens if fold(token) not in STOP_WORDS]
    capitals: int = sum(token[0].isupper() for token in long)
    return capitals * 3 >= 2 * len(long)
