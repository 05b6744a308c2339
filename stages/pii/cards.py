"""Payment cards."""

import re
from collections.abc import Iterator

from stages.pii.found import Found, Window

_CARD = re.compile(
    rb"(?<![\d.,/_-])(?:(?<!\d{9} )\d{12,19}(?! \d{9})"
    rb"|(?<!\d )(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|3\d{3}([ -])\d{6}\2\d{4,5})(?! \d))"
    rb"(?![\w/-])(?![.,]\d)"
)
"""digits alone, not in a row of such; groups of four, or American Express's and Diners Club's"""

_NEAR = re.compile(
    rb"\b(?:cards?|cc|ccn|visa|master ?card|maestro|amex|american express|diners|discover|jcb|mir|unionpay|credit|debit|pan"
    rb"|payments?|kreditkarte|karte|carte|tarjeta|cart\xc3\xa3o|carta|kaart)\b|\xd0\xba\xd0\xb0\xd1\x80\xd1\x82",
    re.IGNORECASE,
)
_OTHER = re.compile(rb"(?:nonce|hash|seed|salt|uuid|guid|checksum|timestamp|epoch|\bid|isbn|ean)\W{1,5}\Z", re.IGNORECASE)

_ISSUERS: tuple[tuple[int, int, tuple[int, ...], bool], ...] = (
    # first and last prefix, lengths, and whether it takes a word nearby to be sure
    (4, 4, (16,), False),  # Visa
    (4, 4, (13, 19), True),
    (51, 55, (16,), False),  # Mastercard
    (2221, 2720, (16,), False),
    (34, 34, (15,), False),  # American Express
    (37, 37, (15,), False),
    (6011, 6011, (16,), False),  # Discover
    (644, 659, (16,), False),
    (6011, 6011, (17, 18, 19), True),
    (644, 659, (17, 18, 19), True),
    (300, 305, (14,), True),  # Diners Club
    (309, 309, (14,), True),
    (36, 36, (14,), True),
    (38, 39, (14,), True),
    (3528, 3589, (16,), False),  # JCB
    (3528, 3589, (17, 18, 19), True),
    (2131, 2131, (15,), True),
    (1800, 1800, (15,), True),
    (62, 62, (16,), False),  # UnionPay
    (62, 62, (17, 18, 19), True),
    (2200, 2204, (16,), False),  # Mir
    (50, 50, tuple(range(12, 20)), True),  # Maestro
    (56, 69, tuple(range(12, 20)), True),
    (3, 6, (16,), True),  # issuers of travel, entertainment and banking
)
"""Ranges of ISO/IEC 7812 as the networks publish them."""


def find_card(window: Window) -> Iterator[Found]:
    """Card numbers with the prefix and length of a known network and a right check digit (Luhn, ISO/IEC 7812-1, annex B).

    Digits stand alone or in the groups of a card. What one random number in ten would pass is asked for a word nearby: all
    lengths but 15 (American Express) and 16, and Maestro.
    """
    for match in _CARD.finditer(window.data, window.start, min(len(window.data), window.stop + 2)):
        digits = re.sub(rb"\D", b"", match.group()).decode()
        kind = issued(digits)
        if kind is None or not luhn(digits) or len(set(digits)) == 1:
            continue
        if _OTHER.search(window.data, max(0, match.start() - 16), match.start()):
            continue
        near = window.data[max(0, match.start() - 48) : match.start()] + b" " + window.data[match.end() : match.end() + 24]
        if kind or _NEAR.search(near):
            yield Found(*match.span(), "card", digits)


def issued(digits: str) -> bool | None:
    """Whether prefix and length of a known network are enough by themselves; None if no network has them."""
    answers = [
        not unsure
        for first, last, lengths, unsure in _ISSUERS
        if len(digits) in lengths and first <= int(digits[: len(str(first))]) <= last
    ]
    return any(answers) if answers else None


def luhn(digits: str) -> bool:
    """Every second digit from the right doubled, nine taken from what is above nine: the sum ends with 0."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) << (place & 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
