"""What is written in the place of what was found."""

from collections.abc import Callable
from typing import Literal

from stages.pii.cards import luhn
from stages.pii.ibans import mod_97

Form = Literal["numbered", "type", "replace"]


def mask_of(form: Form, type: str, number: int, value: str) -> str:
    """The mask of the `number`-th (from 1) different value of a type in a document."""
    if form == "numbered":
        return f"[{type.upper()}_{number}]"
    if form == "type":
        return f"[{type.upper()}]"
    make = _REPLACEMENTS.get(type)
    return make(number, value) if make else f"[{type.upper()}_{number}]"


def _email(number: int, value: str) -> str:
    return f"email{number}@example.com"


def _ip(number: int, value: str) -> str:
    """Of the documentation ranges (RFC 5737, RFC 3849); IPv4 has 762 of them, then they begin again."""
    if ":" in value:
        return f"2001:db8::{number:x}"
    block, last = divmod((number - 1) % 762, 254)
    return f"{('192.0.2', '198.51.100', '203.0.113')[block]}.{last + 1}"


def _phone(number: int, value: str) -> str:
    """Numbers that North America keeps for fiction, 555-0100 to 555-0199, in area after area."""
    area, line = divmod(number - 1, 100)
    return f"+1 {(202, 212, 213, 303, 305, 312, 404, 415, 503, 617)[area % 10]}-555-{100 + line:04}"


def _card(number: int, value: str) -> str:
    """Numbers that begin as Visa's and name no bank."""
    body = f"400000{number % 10**9:09}"
    return next(body + digit for digit in "0123456789" if luhn(body + digit))


def _iban(number: int, value: str) -> str:
    """British, of a bank named TEST."""
    body = f"TEST000000{number % 10**8:08}"
    return f"GB{98 - mod_97('GB00' + body):02}{body}"


def _us_ssn(number: int, value: str) -> str:
    """Of area 900, in which none are given out."""
    return f"900-{number // 9999 % 99 + 1:02}-{number % 9999 + 1:04}"


def _key(number: int, value: str) -> str:
    return f"EXAMPLE_KEY_{number}"


_REPLACEMENTS: dict[str, Callable[[int, str], str]] = {
    "email": _email,
    "ip": _ip,
    "phone": _phone,
    "card": _card,
    "iban": _iban,
    "us_ssn": _us_ssn,
    "key": _key,
}
