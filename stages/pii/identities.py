"""Identity numbers of persons."""

import re
from collections.abc import Callable, Iterator

from stages.pii.found import Found, Window

_EDGE = rb"(?<![\w.,/-])"
_END = rb"(?![\w/-])(?![.,]\d)"

_SSN = re.compile(_EDGE + rb"(\d{3})([- ]?)(\d{2})\2(\d{4})" + _END)
_SSN_NEAR = re.compile(rb"\bssns?\b|social[ -]security", re.IGNORECASE)
_SSN_NEVER = frozenset(("078051120", "219099999", "457555462", "123456789"))
"""Printed in advertisements and sample forms, and used by thousands since; 123-45-6789 is everybody's example."""

_CPF = re.compile(_EDGE + rb"\d{3}\.\d{3}\.\d{3}-\d{2}" + _END)
_RESIDENT = re.compile(_EDGE + rb"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]" + _END)
_FISCAL = re.compile(rb"(?<![\w.-])[A-Za-z]{6}\d{2}[A-EHLMPR-Ta-ehlmpr-t]\d{2}[A-Za-z]\d{3}[A-Za-z]" + _END)
_NINO = re.compile(
    rb"(?<![\w.-])(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?P<gap> ?)"
    rb"\d\d(?P=gap)\d\d(?P=gap)\d\d(?P=gap)[A-D]" + _END
)
_DNI = re.compile(rb"(?<![\w.-])[XYZxyz\d]-?\d{7}-?[A-Za-z]" + _END)
_TAX_ID = re.compile(_EDGE + rb"[1-9]\d ?\d{3} ?\d{3} ?\d{3}" + _END)


def us_ssn(window: Window) -> Iterator[Found]:
    """US social security number: area 001 to 899 but 666, group and serial number not zero (SSA, 2011); no check digit.

    In the form 123-12-1234; with blanks or without gaps only where "SSN" or "social security" stands near.
    """
    for match in _matches(_SSN, window):
        area, gap, group, serial = match[1], match[2], match[3], match[4]
        if area in (b"000", b"666") or area[:1] == b"9" or group == b"00" or serial == b"0000":
            continue
        value = (area + group + serial).decode()
        near = window.data[max(0, match.start() - 48) : match.start()] + b" " + window.data[match.end() : match.end() + 24]
        if value not in _SSN_NEVER and (gap == b"-" or _SSN_NEAR.search(near)):
            yield Found(*match.span(), "us_ssn", value)


def br_cpf(window: Window) -> Iterator[Found]:
    """Brazilian taxpayer number, with its points: two check digits, sums weighted from 2 upward, mod 11."""
    for match in _matches(_CPF, window):
        value = re.sub(rb"\D", b"", match.group()).decode()
        if len(set(value)) > 1 and all(value[size] == _cpf_check(value[:size]) for size in (9, 10)):
            yield Found(*match.span(), "br_cpf", value)


def _cpf_check(digits: str) -> str:
    rest = sum(int(digit) * weight for weight, digit in enumerate(reversed(digits), 2)) % 11
    return str(11 - rest if rest > 1 else 0)


def cn_resident_id(window: Window) -> Iterator[Found]:
    """Chinese resident identity number: region, a date of birth, check character of ISO 7064 mod 11-2 (GB 11643-1999)."""
    for match in _matches(_RESIDENT, window):
        value = match.group().decode().upper()
        total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(value[:17]))
        if "10X98765432"[total % 11] == value[17]:
            yield Found(*match.span(), "cn_resident_id", value)


_ODD = dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True)) | dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)


def it_codice_fiscale(window: Window) -> Iterator[Found]:
    """Italian fiscal code of a person: 16 characters, the last a check letter (decree of 23 December 1976)."""
    for match in _matches(_FISCAL, window):
        value = match.group().decode().upper()
        total = sum(
            _ODD[char] if place % 2 == 0 else int(char, 36) - (0 if char.isdigit() else 10)
            for place, char in enumerate(value[:15])
        )
        if chr(ord("A") + total % 26) == value[15]:
            yield Found(*match.span(), "it_codice_fiscale", value)


def uk_nino(window: Window) -> Iterator[Found]:
    """British national insurance number: two letters that are given out, six digits, A to D. There is no check digit."""
    for match in _matches(_NINO, window):
        yield Found(*match.span(), "uk_nino", match.group().replace(b" ", b"").decode())


def es_dni(window: Window) -> Iterator[Found]:
    """Spanish identity number, of citizens (DNI) and foreigners (NIE, X, Y and Z read as 0, 1 and 2): letter by mod 23."""
    for match in _matches(_DNI, window):
        value = match.group().replace(b"-", b"").decode().upper()
        number = int(str("XYZ".find(value[0])) + value[1:8]) if value[0] in "XYZ" else int(value[:8])
        if len(value) == 9 and "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == value[8]:
            yield Found(*match.span(), "es_dni", value)


def de_tax_id(window: Window) -> Iterator[Found]:
    """German tax number of a person: of the first ten digits one occurs twice or thrice; check digit of ISO 7064 mod 11, 10."""
    for match in _matches(_TAX_ID, window):
        value = match.group().replace(b" ", b"").decode()
        most = sorted((value[:10].count(digit) for digit in "0123456789"), reverse=True)
        if most[0] in (2, 3) and most[1] == 1 and _mod_11_10(value[:10]) == value[10]:
            yield Found(*match.span(), "de_tax_id", value)


def _mod_11_10(digits: str) -> str:
    product = 10
    for digit in digits:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return str((11 - product) % 10)


def _matches(pattern: re.Pattern[bytes], window: Window) -> Iterator[re.Match[bytes]]:
    # identity numbers may begin with letters that stand before the digits, and end with one behind them
    return pattern.finditer(window.data, max(0, window.start - 3), min(len(window.data), window.stop + 4))


NUMBERS: dict[str, Callable[[Window], Iterator[Found]]] = {
    "us_ssn": us_ssn,
    "br_cpf": br_cpf,
    "cn_resident_id": cn_resident_id,
    "de_tax_id": de_tax_id,
    "uk_nino": uk_nino,
    "es_dni": es_dni,
}
"""Detectors of what begins as a row of digits."""

CODES: dict[str, Callable[[Window], Iterator[Found]]] = {
    "it_codice_fiscale": it_codice_fiscale,
    "cn_resident_id": cn_resident_id,
    "uk_nino": uk_nino,
    "es_dni": es_dni,
}
"""Detectors of letters and digits mixed."""
