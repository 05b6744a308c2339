r"""spaCy's English tokenizer as tables that kernels read. All that is in them comes from the installed spaCy.

Which expression is tried when, and what it wants around a match, is written down in `spacy_affixes` and `spacy_hosts`. That
holds for the expressions whose digests stand here; for others there is an error, never another answer.
"""

import functools
import hashlib
import importlib.metadata
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from schemas.errors import MissingExtra
from stages.kernels.compile import inlined, leaf
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
"""kinds of rows of words: more may follow; a special case ends here; and has other words"""

# Places in `Rules.tables`
FIRSTS, LASTS, PROBABLE, PAIRS = 0, 256, 512, 1536
SPECIALS, SPECIAL_SLOTS = 2560, 4096
ROWS, ROW_SLOTS = SPECIALS + 2 * SPECIAL_SLOTS, 2048
AFFIXES, AFFIX_SLOTS = ROWS + 2 * ROW_SLOTS, 512
MOST_SPECIAL, MOST_WORDS, MOST_AFFIX, MOST_CURRENCY = 63, 12, 12, 3
"""bytes of special cases, words in a row, bytes of units and of currencies: at most so many"""

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
    """Tables of the kernels, few and flat, since each array is handed on as many numbers.

    classes  uint16 for each code point: the sum of the bits above
    tables   uint64, one after another, at the places above
             FIRSTS    for each byte: bit n, if special cases (strings that spaCy has words for: "don't", "Mr.") of n bytes
                       begin with it
             LASTS     for each byte: the same, if they end with it
             PROBABLE  one bit for the upper 16 bits of a special case's hash
             PAIRS     one bit for the first bytes of the first two words of a row that CHANGES
             SPECIALS  hashes of special cases; bit i of the value is set if a word begins at byte i
             ROWS      `row_key` of the words that a special case has if cut by affix rules alone, and of its first few;
                       GOES_ON | ENDS | CHANGES
             AFFIXES   hashes of units and currencies; AFTER_DIGIT | CURRENCY
             The last three are open hash tables, in which a key and its value are beside each other, and the value 0 is free.
    """

    classes: np.ndarray
    tables: np.ndarray


@functools.cache
def spacy_rules() -> Rules:
    """The rules of spaCy's blank English tokenizer. Raises `MissingExtra` without spaCy 3.8."""
    try:
        import spacy
    except ImportError as error:
        raise MissingExtra("mode 'datatrove' cuts words as spaCy does: pip install 'sluice[parity]'") from error
    tokenizer: Any = spacy.blank("en").tokenizer
    _check_expressions(tokenizer)
    special_cases = _special_cases(tokenizer)
    rows, pairs = _rows(tokenizer, special_cases)
    tables = np.zeros(AFFIXES + 2 * AFFIX_SLOTS, np.uint64)
    for special in special_cases:
        string = special.encode()
        size, upper = np.uint64(1 << len(string)), _hash(string) >> 48
        tables[FIRSTS + string[0]] |= size
        tables[LASTS + string[-1]] |= size
        tables[PROBABLE + (upper >> 6)] |= np.uint64(1 << (upper & 63))
    for pair in pairs:
        tables[PAIRS + (pair >> 6)] |= np.uint64(1 << (pair & 63))
    begins = {_hash(special.encode()): _begins(words) for special, words in special_cases.items()}
    _fill(tables, SPECIALS, SPECIAL_SLOTS, begins)
    _fill(tables, ROWS, ROW_SLOTS, rows)
    affixes = _affixes()
    _fill(tables, AFFIXES, AFFIX_SLOTS, {_hash(affix): kind for affix, kind in affixes.items()})
    _check(all(len(affix) <= MOST_AFFIX for affix in affixes), "longer units")
    _check(all(len(affix) <= MOST_CURRENCY for affix, kind in affixes.items() if kind & CURRENCY), "longer currencies")
    return Rules(_classes(), frozen(tables))


def _check(known: bool, what: str) -> None:
    if not known:
        raise MissingExtra(
            f"mode 'datatrove' knows the rules of spaCy 3.8; those of spaCy {importlib.metadata.version('spacy')} have {what}: "
            "pip install 'sluice[parity]'"
        )


def _check_expressions(tokenizer: Any) -> None:
    rules = ("prefix", tokenizer.prefix_search), ("suffix", tokenizer.suffix_search), ("infix", tokenizer.infix_finditer)
    for name, method in (*rules, ("url", tokenizer.url_match)):
        expression = method.__self__
        digest = hashlib.sha256(expression.pattern.encode()).hexdigest()
        _check(digest == _DIGESTS[name] and expression.flags == re.UNICODE, f"another {name} expression (SHA-256 {digest})")
    _check(tokenizer.token_match is None, "an expression for words")


def _special_cases(tokenizer: Any) -> dict[str, list[str]]:
    from spacy.symbols import ORTH

    special_cases = {}
    for special, words in tokenizer.rules.items():
        if special.strip():  # the others are white space
            special_cases[special] = [word[ORTH] for word in words]
            _check(special_cases[special] == [word.text for word in tokenizer(special)], f"{special!r} changed further")
    _check(all(len(special.encode()) <= MOST_SPECIAL for special in special_cases), "longer special cases")
    return special_cases


def _begins(words: list[str]) -> int:
    mask = at = 0
    for word in words:
        mask |= 1 << at
        at += len(word.encode())
    return mask


def _rows(tokenizer: Any, special_cases: dict[str, list[str]]) -> tuple[dict[int, int], set[int]]:
    """Kinds of all rows of words that spaCy's matcher looks for, or for more of; the first bytes of the first two words."""
    from spacy.tokenizer import Tokenizer

    plain = Tokenizer(
        tokenizer.vocab,
        prefix_search=tokenizer.prefix_search,
        suffix_search=tokenizer.suffix_search,
        infix_finditer=tokenizer.infix_finditer,
        url_match=tokenizer.url_match,
    )
    kinds: dict[int, int] = {}
    pairs = set()
    for special, words in special_cases.items():
        # Others are not looked for (spaCy's `faster_heuristics`).
        if not any(rule(special) for rule in (tokenizer.find_prefix, tokenizer.find_infix, tokenizer.find_suffix)):
            continue
        row = [word.text for word in plain(special)]
        changes = CHANGES if row != words else 0
        _check(len(row) <= MOST_WORDS and not (changes and len(row) == 1), f"{special!r} as {row}")
        key = 0
        for number, word in enumerate(row, 1):
            key = int(row_key(np.uint64(key), np.uint64(_hash(word.encode()))))
            kinds[key] = kinds.get(key, 0) | (GOES_ON if number < len(row) else ENDS | changes)
        if changes:
            pairs.add(row[0].encode()[0] << 8 | row[1].encode()[0])
    return kinds, pairs


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


def _fill(tables: np.ndarray, place: int, slots: int, entries: dict[int, int]) -> None:
    _check(2 * len(entries) <= slots, f"{len(entries)} special cases or affixes")
    for key, value in entries.items():
        slot = key % slots
        while tables[place + 2 * slot + 1]:
            slot = (slot + 1) % slots
        tables[place + 2 * slot], tables[place + 2 * slot + 1] = key, value


@leaf
def value_of(tables: Any, place: Any, slots: Any, key: Any) -> Any:
    """The value of a key in one of the hash tables; 0 if it is not there."""
    last = slots - 1
    slot = np.int64(key & np.uint64(last))
    at = place + 2 * slot
    while tables[at + 1] != 0 and tables[at] != key:
        slot = (slot + 1) & last
        at = place + 2 * slot
    return tables[at + 1]


@leaf
def row_key(before: Any, word: Any) -> Any:
    """The key of a row of words: from that of the row without its last word, 0 if there is none, and the last word's hash."""
    return mix64(before ^ word) + np.uint64(1)


_NONE = np.uint64(0)


@inlined
def special_of(data: Any, start: Any, stop: Any, tables: Any) -> Any:
    """Where the words of a special case begin, bit i for byte i; 0 if `data[start:stop]`, not empty, is none."""
    size = stop - start
    if size > MOST_SPECIAL:
        return _NONE
    first, last = np.int64(data[start]), np.int64(data[stop - 1])
    if (tables[FIRSTS + first] & tables[LASTS + last]) >> np.uint64(size) & np.uint64(1) == 0:
        return _NONE
    hashed = hash_bytes(data, start, stop)
    upper = np.int64(hashed >> np.uint64(48))
    if tables[PROBABLE + (upper >> 6)] >> np.uint64(upper & 63) & np.uint64(1) == 0:
        return _NONE
    return value_of(tables, SPECIALS, SPECIAL_SLOTS, hashed)
