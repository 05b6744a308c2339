"""Seeded random texts: letters of every script, all that is invisible, and the structures that kernels look for."""

import functools
import random
import unicodedata
from collections.abc import Callable

SPACES = [chr(code) for code in range(0x3001) if chr(code).isspace()]
BREAKS = ["\n", "\n", "\n", "\n\n", "\n\n\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
_CONSTRUCTS = (
    "use coo—ies|use coo\u2100ies|http://a\"b|http://<x|ftp://|:/x|dogs''s|漢's|-漢|x'2|a\u0315\u0316|a\u0316\u0315|"
    "[1]|[]|[23]|[٣]|[1|[edit]|[citation needed]|[12, 3]|[ 1]|{|}|lorem ipsum|Lorem Ipsum|LOREM IPSUM|lorem İpsum|javascript|"
    "JavaScript|use coo\u212aies|uses cookies|use of cookies|Use Cookies|terms of use|Privacy Policy|cookie policy|"
    "privacy  policy|it's|we’ll|they'RE|don't|o'clock|rock'n'roll|dogs'|'t|J.|e.g.|U.S.|U.S.'s|Mr.|3.14|1,000|10:30|1/2|"
    "2-year|GPL-2|a_b|__init__|me@x.org|end.Next|example.com|http://|://|https://a.b/c-d?e=1).|ftp://x/>|-1|--flag|/etc/x|//|"
    "--|---|—|——|–|...|....|…|. . .|..|!|?!|。|！」|”|)|»|•|-|* |# |##|＃|१२३|٣٤|①|½|Ⅳ|ﬁ|ß|ẞ|İ|ı|ς|Σ|ǅ|Ａ|１|한국어|각|각|"
    "é|e\u0301|a\u0323\u0307|a\u0307\u0323|\u0344|क्षि|กิน|ขึ้น|မြန်မာ|ខ្មែរ|漢字かな|ｶﾀｶﾅ|々〇|👍🏽|👩\u200d👩\u200d👧|❤️|🇺🇳|1️⃣|"
    ":)|a:) )|:-(|</s>|__label__x|"
    "__label__l1|the|be|to|of|and|that|have|with|und|это|中|\u200b|\ufeff|\u200d|\u00ad|\u2060|\u202e|\0|\x1f|\x7f|\x9f|\ufffd|\uffff|"
    "\U0010ffff|\U000e0041|\U000f0000"
)
CONSTRUCTS = _CONSTRUCTS.split("|")


@functools.cache
def scripts() -> dict[str, tuple[list[str], list[str]]]:
    """Letters and marks by script, that is by the first word of their names."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for code in (
        *range(0x3400),
        *range(0x4DC0, 0x4E20),
        *range(0xA000, 0xAC20),
        *range(0xF900, 0x1B300),
        *range(0x1D000, 0x20100),
    ):
        kind = unicodedata.category(chr(code))[0]
        if kind in "LM":
            name = unicodedata.name(chr(code), "TANGUT")  # some ideographs have no name in Python's tables
            found.setdefault(name.split()[0], ([], []))[kind == "M"].append(chr(code))
    return {script: found[script] for script in sorted(found) if found[script][0]}


@functools.cache
def _kinds() -> dict[str, list[str]]:
    """Code points by category, the unassigned, private and ideographic ones only in part."""
    found: dict[str, list[str]] = {}
    for code in (
        *range(0x3400),
        *range(0xA000, 0xAC00),
        *range(0xE000, 0xE010),
        *range(0xF900, 0x1FC00),
        *range(0xE0000, 0xE0200),
    ):
        found.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    found["Lo"] = found["Lo"] + [chr(code) for code in (0x4E00, 0x9FFF, 0xAC00, 0xD7A3, 0x20000, 0x2A6DF, 0x3134A)]
    return dict(sorted(found.items()))


def _word(pick: random.Random, script: str) -> str:
    letters, marks = scripts()[script]
    word = ""
    for _ in range(pick.choice((1, 1, 2, 3, 4, 5, 7, 12))):
        word += pick.choice(letters)
        while marks and pick.random() < 0.15:
            word += pick.choice(marks)
    return word


def _vocabulary(pick: random.Random, size: int) -> list[str]:
    script = pick.choice((pick.choice([*scripts()]), "LATIN"))
    return [pick.choice(CONSTRUCTS) if pick.random() < 0.15 else _word(pick, script) for _ in range(size)]


def _soup(pick: random.Random, size: int) -> str:
    kinds = _kinds()
    return "".join(pick.choice(kinds[pick.choice([*kinds])]) for _ in range(size))


def _constructs(pick: random.Random, size: int) -> str:
    between = pick.choice(("", " ", pick.choice(SPACES), pick.choice(BREAKS)))
    return "".join(pick.choice(CONSTRUCTS) + (between if pick.random() < 0.5 else "") for _ in range(size // 4))


def _words(pick: random.Random, size: int) -> str:
    vocabulary = _vocabulary(pick, pick.choice((1, 2, 5, 40)))
    words = pick.choices(vocabulary, k=size // 5 + 1)
    if pick.random() < 0.5:  # a block that comes again
        begin = pick.randrange(len(words))
        words += words[begin : begin + pick.randint(1, 20)] + pick.choices(words, k=2)
    return pick.choice((" ", " ", "\n", "", pick.choice(SPACES))).join(words)


def _lines(pick: random.Random, size: int) -> str:
    vocabulary = _vocabulary(pick, 12)
    lines = []
    for _ in range(size // 15 + 1):
        line = pick.choice(("", "", "- ", "• ", " ", "\t")) + " ".join(pick.choices(vocabulary, k=pick.choice((0, 1, 2, 3, 6))))
        lines.append(line + pick.choice(("", ".", ".", "!", "?", '"', "...", "…", ".[1]", ". ", "。", ":")))
    lines = [pick.choice(lines) if pick.random() < 0.3 else line for line in lines]
    text = "".join(line + (pick.choice(BREAKS) if pick.random() < 0.3 else "\n") for line in lines)
    return text.rstrip("\n") if pick.random() < 0.5 else text


def _latin(pick: random.Random, size: int) -> str:
    return "".join(pick.choices("aAbBzZ09 .,-'/:@_\n#[]{}", k=size))


def _long_word(pick: random.Random, size: int) -> str:
    length = pick.choice((7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, size, 999, 1000, 1001))
    return (
        pick.choice(("", "a b "))
        + pick.choice(("x", "é", "漢", "Ab", "🙂", "-", ".", "\u0301", "1")) * length
        + pick.choice(("", " a.", "."))
    )


def _cut(pick: random.Random, size: int) -> str:
    """A piece of another text, which may end inside of a structure."""
    text = pick.choice(_KINDS[:-1])(pick, size)
    first, second = sorted(pick.choices(range(len(text) + 1), k=2))
    return text[first:second]


_KINDS: list[Callable[[random.Random, int], str]] = [
    _soup,
    _constructs,
    _constructs,
    _words,
    _words,
    _lines,
    _lines,
    _latin,
    _long_word,
    _cut,
]
_SIZES = (0, 1, 2, 3, 5, 8, 12, 20, 20, 30, 40, 60, 90, 150)


def random_text(pick: random.Random) -> str:
    """Most have less than 100 code points, one of 50 up to some thousand."""
    size = pick.choice(_SIZES) if pick.random() < 0.98 else pick.choice((500, 2000))
    if not size:
        return pick.choice(("", pick.choice(SPACES), pick.choice(BREAKS), pick.choice(CONSTRUCTS)))
    return pick.choice(_KINDS)(pick, size)


def random_texts(seed: int, count: int) -> list[str]:
    """The same for the same seed."""
    pick = random.Random(seed)
    return [random_text(pick) for _ in range(count)]
