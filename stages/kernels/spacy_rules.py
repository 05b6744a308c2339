r"""spaCy's English tokenizer as tables that kernels read. All that is in them comes from the installed spaCy.

Which expression is tried when, and what it wants around a match, is written down in `spacy_affixes` and `spacy_hosts`. That
holds for the expressions whose digests stand here; for others there is an error, never another answer.
"""

import functools
import hashlib
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from schemas.errors import MissingExtra
from stages.kernels.compile import leaf
from stages.kernels.hashing import hash_bytes, mix64
from stages.kernels.text import frozen
from stages.kernels.unicode import SPACE as WHITE
from stages.kernels.unicode import classes

PREFIX = 1
"""cut off at the front, whatever follows"""
SUFFIX = 2
"""cut off at the end, whatever is before"""
ICON = 4
"""cut out wherever it stands"""
ALPHA = 8
LOWER = 16
UPPER = 32
"""letters as spaCy has them: those of scripts without case are both lower and upper"""
QUOTE = 64
DIGIT = 128
"""0 to 9"""
BEFORE_STOP = 256
"""after these a full stop is cut off at the end"""
UNIT_END = 512
"""last of a unit or currency that is cut off after a digit"""
INFIX = 1024
"""where an infix may begin"""
HOST = 2048
"""in the name of a host"""
NAME = 4096
r"""\w, in the name of a scheme"""
DECIMAL = 8192
r"""\d, the digits of all scripts"""
SPACE = 16384
CURRENCY_BEGIN = 32768
"""first of a currency of several code points that is cut off at the front"""

AFTER_DIGIT, CURRENCY = 1, 2
"""kinds of affixes: cut off after a digit; cut off at the front, too"""
GOES_ON, ENDS, CHANGES = 1, 2, 4
"""kinds of patterns: more tokens may follow; a special case ends here; and has other tokens"""

_DIGESTS = {
    "prefix": "7aea2cc4f6485aee9e58e1e3fc210071f264803a679d7a972135b8c59ba7bdd5",
    "suffix": "dd56f4c42b61ebcd5a0a3225517eb380c9454f6cb3d240e7d8c470b47c9c19e0",
    "infix": "b63cbb601f9759784870f088ca561d38b31b859289b9de15ac5ba278b02aae1d",
    "url": "7adb1342672774f94ffb32ef3bc6eb2f7a5a803ab8c51920bba19c34fd9cec14",
}
"""SHA-256 of spaCy 3.8's expressions for English"""
_KNOWN_PLANES = 0x40000
"""code points that may have a class of spaCy's; beyond are only tags, variation selectors and private use"""


class Rules(NamedTuple):
    """Tables of the kernels. Keys are in open hash tables whose sizes are powers of two; an empty slot has the value 0.

    classes        uint16 for each code point: the sum of the bits above
    specials       uint64, hashes of the special cases: strings that spaCy has tokens for, such as "don't" and "Mr."
    special_begins uint64, bit i is set if a token begins at byte i of the special case
    probable       uint64, one bit for the upper 16 bits of each of these hashes, so that other strings are seldom looked up
    longest        bytes of the longest special case
    longest_word   bytes of the longest that is of ASCII letters alone
    patterns       uint64, the tokens that a special case has if cut by affix rules alone, each first few of them: see `step`
    pattern_kinds  uint8, GOES_ON | ENDS | CHANGES
    most_tokens    tokens of the longest pattern
    affixes        uint64, hashes of units and currencies
    affix_kinds    uint8, AFTER_DIGIT | CURRENCY
    longest_affix  bytes of the longest of these
    longest_currency  bytes of the longest currency
    """

    classes: np.ndarray
    specials: np.ndarray
    special_begins: np.ndarray
    probable: np.ndarray
    longest: int
    longest_word: int
    patterns: np.ndarray
    pattern_kinds: np.ndarray
    most_tokens: int
    affixes: np.ndarray
    affix_kinds: np.ndarray
    longest_affix: int
    longest_currency: int


@functools.cache
def spacy_rules() -> Rules:
    """The rules of spaCy's blank English tokenizer. Raises `MissingExtra` without spaCy 3.8."""
    try:
        import spacy
    except ImportError as error:
        raise MissingExtra("mode 'datatrove' cuts words as spaCy does: pip install 'sluice[parity]'") from error
    tokenizer: Any = spacy.blank("en").tokenizer
    _check(tokenizer, spacy.__version__)
    special_cases = _special_cases(tokenizer)
    begins = {special.encode(): _begins(tokens) for special, tokens in special_cases.items()}
    patterns, most_tokens = _patterns(tokenizer, special_cases)
    affixes = _affixes()
    specials, special_begins = _table({_hash(special): mask for special, mask in begins.items()}, np.uint64)
    probable = np.zeros(1 << 10, np.uint64)
    for special in begins:
        upper = _hash(special) >> 48
        probable[upper >> 6] |= np.uint64(1 << (upper & 63))
    return Rules(
        _classes(),
        specials,
        special_begins,
        frozen(probable),
        max(map(len, begins)),
        max(len(special) for special in begins if special.isalpha() and special.isascii()),
        *_table(patterns, np.uint8),
        most_tokens,
        *_table({_hash(affix): kind for affix, kind in affixes.items()}, np.uint8),
        max(map(len, affixes)),
        max(len(affix) for affix, kind in affixes.items() if kind & CURRENCY),
    )


def _check(tokenizer: Any, version: str) -> None:
    rules = ("prefix", tokenizer.prefix_search), ("suffix", tokenizer.suffix_search), ("infix", tokenizer.infix_finditer)
    for name, method in (*rules, ("url", tokenizer.url_match)):
        expression = method.__self__
        digest = hashlib.sha256(expression.pattern.encode()).hexdigest()
        if digest != _DIGESTS[name] or expression.flags != re.UNICODE or tokenizer.token_match:
            raise MissingExtra(
                f"mode 'datatrove' knows the rules of spaCy 3.8; spaCy {version} has another {name} expression (SHA-256 {digest}): "
                "pip install 'sluice[parity]'"
            )


def _special_cases(tokenizer: Any) -> dict[str, list[str]]:
    from spacy.symbols import ORTH

    special_cases = {}
    for special, tokens in tokenizer.rules.items():
        if special.strip():  # the others are white space
            special_cases[special] = [token[ORTH] for token in tokens]
            if special_cases[special] != [token.text for token in tokenizer(special)]:
                raise MissingExtra(f"mode 'datatrove' knows the rules of spaCy 3.8, in which nothing changes {special!r} further")
    return special_cases


def _begins(tokens: list[str]) -> int:
    mask = at = 0
    for token in tokens:
        mask |= 1 << at
        at += len(token.encode())
    return mask


def _patterns(tokenizer: Any, special_cases: dict[str, list[str]]) -> tuple[dict[int, int], int]:
    """Kinds of every row of tokens that spaCy's matcher of special cases looks for, or for more of."""
    from spacy.tokenizer import Tokenizer

    plain = Tokenizer(
        tokenizer.vocab,
        prefix_search=tokenizer.prefix_search,
        suffix_search=tokenizer.suffix_search,
        infix_finditer=tokenizer.infix_finditer,
        url_match=tokenizer.url_match,
    )
    kinds: dict[int, int] = {}
    most_tokens = 0
    for special, tokens in special_cases.items():
        # Others are not looked for (spaCy's `faster_heuristics`).
        if not any(rule(special) for rule in (tokenizer.find_prefix, tokenizer.find_infix, tokenizer.find_suffix)):
            continue
        found = [token.text for token in plain(special)]
        state = 0
        for number, token in enumerate(found, 1):
            state = int(step(np.uint64(state), np.uint64(_hash(token.encode()))))
            kind = GOES_ON if number < len(found) else ENDS | (CHANGES if found != tokens else 0)
            kinds[state] = kinds.get(state, 0) | kind
        if len(found) == 1 and found != tokens:
            raise MissingExtra(f"mode 'datatrove' knows the rules of spaCy 3.8, in which {special!r} is not made of one token")
        most_tokens = max(most_tokens, len(found))
    return kinds, most_tokens


def _affixes() -> dict[bytes, int]:
    from spacy.lang.char_classes import LIST_CURRENCY, LIST_UNITS

    affixes = dict.fromkeys(map(str.encode, LIST_UNITS), AFTER_DIGIT)
    return affixes | dict.fromkeys((_unescaped(currency).encode() for currency in LIST_CURRENCY), AFTER_DIGIT | CURRENCY)


def _classes() -> np.ndarray:
    from spacy.lang import char_classes as of
    from spacy.lang.punctuation import TOKENIZER_PREFIXES, TOKENIZER_SUFFIXES
    from spacy.lang.tokenizer_exceptions import URL_PATTERN

    before_stop = re.fullmatch(r"\(\?<=(\[.*])\)\\\.", TOKENIZER_SUFFIXES[-2])
    host = re.search(r"\[A-Z[^]]*](?=\\\.)", URL_PATTERN)
    if before_stop is None or host is None:
        raise MissingExtra("mode 'datatrove' knows the rules of spaCy 3.8: pip install 'sluice[parity]'")
    every = "".join(map(chr, range(_KNOWN_PLANES)))
    table = np.zeros(0x110000, np.uint16)
    expressions = {
        ICON | PREFIX | SUFFIX | INFIX: f"[{of.ICONS}]",
        ALPHA: f"[{of.ALPHA}]",
        LOWER: f"[{of.ALPHA_LOWER}]",
        UPPER: f"[{of.ALPHA_UPPER}]",
        QUOTE: f"[{of.CONCAT_QUOTES}]",
        DIGIT: "[0-9]",
        BEFORE_STOP: before_stop[1],
        INFIX: r"[.…+\-*^,:<>=/–—~]",
        HOST: host[0],
        NAME: r"\w",
        DECIMAL: r"\d",
    }
    for bits, expression in expressions.items():
        for run in re.finditer(f"{expression}+", every):
            table[run.start() : run.end()] |= bits
    _mark(table, PREFIX, (piece for piece in map(_unescaped, TOKENIZER_PREFIXES) if len(piece) == 1))
    _mark(table, SUFFIX, (piece for piece in map(_unescaped, TOKENIZER_SUFFIXES) if len(piece) == 1))
    affixes = [(affix.decode(), kind) for affix, kind in _affixes().items()]
    _mark(table, UNIT_END, (affix[-1] for affix, _ in affixes))
    _mark(table, CURRENCY_BEGIN, (affix[0] for affix, kind in affixes if kind & CURRENCY and len(affix) > 1))
    table[(classes() & WHITE) != 0] |= SPACE
    return frozen(table)


def _mark(table: np.ndarray, bits: int, characters: Iterable[str]) -> None:
    table[[ord(character) for character in characters]] |= bits


def _unescaped(piece: str) -> str:
    return re.sub(r"\\(.)", r"\1", piece)


def _hash(string: bytes) -> int:
    return int(hash_bytes(frozen(np.frombuffer(string, np.uint8)), 0, len(string)))


def _table(entries: dict[int, int], kind: type) -> tuple[np.ndarray, np.ndarray]:
    size = 1 << (2 * len(entries)).bit_length()
    keys, values = np.zeros(size, np.uint64), np.zeros(size, kind)
    for key, value in entries.items():
        slot = key & (size - 1)
        while values[slot]:
            slot = (slot + 1) & (size - 1)
        keys[slot], values[slot] = key, value
    return frozen(keys), frozen(values)


@leaf
def value_of(keys: Any, values: Any, key: Any) -> Any:
    """The value of a key in one of the tables; 0 if it is not there."""
    last = np.uint64(len(keys) - 1)
    slot = key & last
    while values[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & last
    return values[slot]


@leaf
def step(state: Any, token: Any) -> Any:
    """The key of a row of tokens: of the row without its last one, 0 if there is none, and of the last one's hash."""
    return mix64(state ^ token) + np.uint64(1)


_NONE = np.uint64(0)


@leaf
def begins_of(rules: Any, hashed: Any) -> Any:
    """Where the tokens of a special case with this hash begin, as a bit for each byte; 0 if there is no such special case."""
    upper = hashed >> np.uint64(48)
    if rules.probable[upper >> np.uint64(6)] >> (upper & np.uint64(63)) & np.uint64(1) == 0:
        return _NONE
    return value_of(rules.specials, rules.special_begins, hashed)


@leaf
def special_of(data: Any, start: Any, stop: Any, rules: Any) -> Any:
    """`begins_of` the string `data[start:stop]`."""
    if stop - start > rules.longest:
        return _NONE
    return begins_of(rules, hash_bytes(data, start, stop))
