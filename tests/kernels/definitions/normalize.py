"""Cleaning of invisible characters, line ends, blanks and blank lines."""

import re
import unicodedata

GONE = {*range(32), *range(127, 160), 0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070)}
GONE = (GONE | {0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB}) - {9, 10}


def blank(character: str) -> bool:
    return character == "\t" or unicodedata.category(character) == "Zs"


def slow_clean(text: str, collapse: bool, strip: bool, most: int | None) -> str:
    text = re.sub("\r\n|[\x0a-\x0d\x1c-\x1e\x85\u2028\u2029]", "\n", text)
    text = "".join(c for c in text if ord(c) not in GONE)
    lines = text.split("\n")
    kept, run = [], 0
    for at, line in enumerate(lines):
        is_blank = all(map(blank, line))
        if is_blank and at < len(lines) - 1:
            if most is not None and run >= most:
                continue
            run += 1
        else:
            run = 0
        if strip:
            while line and blank(line[-1]):
                line = line[:-1]
        if collapse:
            line = re.sub(r"[\t\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]{2,}", " ", line)
        kept.append(line)
    return "\n".join(kept)
