"""International bank account numbers."""

import functools
import re
from collections.abc import Iterator

from stages.pii.found import Found, Window

_STRUCTURES = """
4!a20!c AZ; 4!a14!c BH; 4!c4!n16!c BY; 12!n BE; 16!n AT BA EE LT MN XK; 8!c15!n2!c BR; 4!a16!n VG; 4!a6!n8!c BG; 23!n BI DJ MR
18!n CR DE ME RS VA; 17!n HR; 8!n16!c AL CY; 20!n CZ ES SE SK TN; 14!n AX DK FI FO GL SD; 4!c20!n DO; 25!n EG; 4!a20!n HN NI SV
2!a12!n FK; 10!n11!c2!n BL FR GF GP MC MF MQ NC PF PM RE TF WF YT; 2!a16!n GE; 4!a15!c GI; 7!n16!c GR; 24!c GT; 24!n HU PL
22!n IS; 4!a15!n IQ; 4!a14!n GB IE; 19!n AE IL SO TL; 1!a10!n12!c IT SM; 4!a4!n18!c JO YE; 3!n13!c KZ LU; 4!a22!c KW; 4!a13!c LV
4!n20!c LB; 21!n LY PT ST; 5!n12!c CH LI; 8!n12!c AD; 4!a5!n18!c MT; 4!a19!n3!a MU; 20!c MD; 4!a10!n NL; 3!n10!c2!n MK; 11!n NO
3!n16!c OM; 4!a16!c PK RO; 4!a21!c PS QA; 14!n15!c RU; 2!n18!c SA; 4!a20!n3!a SC; 15!n SI; 4!a24!c LC; 6!n16!c TR; 6!n19!c UA
"""
"""Structure of the account number by country: n digits, a letters, c both. SWIFT IBAN Registry, release 103."""

_IBAN = re.compile(rb"[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}")
_CLASSES = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}


@functools.cache
def _patterns() -> dict[str, tuple[int, re.Pattern[str]]]:
    """By country: length of the account number, and what it looks like."""
    found: dict[str, tuple[int, re.Pattern[str]]] = {}
    for entry in _STRUCTURES.replace("\n", ";").split(";"):
        if not entry.strip():
            continue
        structure, *countries = entry.split()
        parts = re.findall(r"(\d+)!([nac])", structure)
        pattern = re.compile("".join(f"{_CLASSES[kind]}{{{size}}}" for size, kind in parts))
        found |= dict.fromkeys(countries, (sum(int(size) for size, _ in parts), pattern))
    return found


def find_iban(window: Window) -> Iterator[Found]:
    """An IBAN (ISO 13616) of a country's length and structure whose check digits are right (mod 97), in groups of four or none.

    In one case of letters: all capitals, or none.
    """
    data, start = window.data, window.start
    match = _IBAN.match(data, start, min(len(data), window.stop + 1))
    if match is None or (start and data[start - 1 : start].isalnum()):
        return
    country = data[start : start + 2].decode().upper()
    if country not in _patterns():
        return
    length, pattern = _patterns()[country]
    stop, seen, gaps = start, 0, []
    while stop < match.end() and seen < length + 4:
        if data[stop] == 0x20:
            gaps.append(seen)
        else:
            seen += 1
        stop += 1
    written = data[start:stop].decode()
    value = written.replace(" ", "")
    if len(value) != length + 4 or value not in (value.upper(), value.lower()) or data[stop : stop + 1].isalnum():
        return
    if any(gap % 4 for gap in gaps) or (gaps and len(gaps) != (len(value) - 1) // 4):
        return
    value = value.upper()
    if pattern.fullmatch(value[4:]) and mod_97(value) == 1:
        yield Found(start, stop, "iban", value)


def mod_97(iban: str) -> int:
    """The remainder of ISO 7064: the first four characters put last, letters as numbers from 10; 1 for a right IBAN."""
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97
