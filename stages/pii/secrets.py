"""API keys, tokens and private keys."""

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Iterator

from stages.pii.found import Found, Window

_ISSUED = re.compile(
    rb"(?P<aws>(?:AKIA|ASIA)[A-Z2-7]{16})"
    rb"|(?P<github>gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})"
    rb"|(?P<gitlab>glpat-[A-Za-z0-9_-]{20,64})"
    rb"|(?P<slack>xox[abeoprs]-(?:\d+-)*[A-Za-z0-9-]{10,200})"
    rb"|(?P<google>AIza[A-Za-z0-9_-]{35})"
    rb"|(?P<stripe>[sr]k_live_[A-Za-z0-9]{16,250})"
    rb"|(?P<openai>sk-(?:proj-|svcacct-|admin-|ant-(?:api|admin)\d\d-|or-v1-)?[A-Za-z0-9_-]{32,250})"
    rb"|(?P<huggingface>hf_[A-Za-z0-9]{34})"
    rb"|(?P<npm>npm_[A-Za-z0-9]{36})"
    rb"|(?P<sendgrid>SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})"
    rb"|(?P<jwt>eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,})"
)
_PEM = re.compile(
    rb"-----BEGIN (?P<name>(?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?)-----"
    rb"(?P<body>[A-Za-z0-9+/=\s:,.>#|*\\\"'()-]{0,16384}?)(?:-----END (?P=name)-----|\Z)"
)
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/=]{32,}")
_NAME = re.compile(
    rb"(?:api[_-]?key|apikey|access[_-]?key|secret(?:[_-]?(?:key|access[_-]?key))?|private[_-]?key|auth(?:[_-]?(?:key|token))?|token|passw(?:or)?d|pwd"
    rb"|client[_-]?secret|encryption[_-]?key|signing[_-]?key|account[_-]?key|secret[_-]?token)[\"']?\]?\s*\Z",
    re.IGNORECASE,
)
_VALUE = re.compile(rb"[ ]?(?P<quote>[\"']?)(?P<value>[A-Za-z0-9+/_.~-]{16,512}={0,2})(?P=quote)")
_NO_SECRET = re.compile(
    rb"example|sample|dummy|change|your|placeholder|xxxx|0000|1234567|abcdef|secret|password|insert|replace|redacted|test|todo|here",
    re.IGNORECASE,
)
_LEAST_BITS_ISSUED = 3.0
_LEAST_BITS_ASSIGNED = 3.7


def find_issued(window: Window) -> Iterator[Found]:
    """A key in an issuer's form, of at least 3 bits a character: AWS, GitHub, GitLab, Slack, Google, Stripe, OpenAI and

    Anthropic, Hugging Face, npm, SendGrid; and a JSON Web Token (RFC 7519) whose header names an algorithm.
    """
    match = _ISSUED.match(window.data, window.start)
    if match is None or match.lastgroup is None:
        return
    after = window.data[match.end() : match.end() + 1]
    if after.isalnum() or after == b"_":
        return
    value = match.group()
    body = value[4:] if match.lastgroup != "stripe" else value[8:]
    if bits(body) < _LEAST_BITS_ISSUED or (match.lastgroup == "openai" and not re.search(rb"\d", body)):
        return
    if match.lastgroup == "slack" and not re.search(rb"\d", body):
        return
    if match.lastgroup == "jwt" and not _is_header(value.split(b".")[0]):
        return
    yield Found(*match.span(), "key", value.decode())


def _is_header(part: bytes) -> bool:
    try:
        header = json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(header, dict) and "alg" in header


def find_private_key(window: Window) -> Iterator[Found]:
    """A private key in PEM (RFC 7468, OpenSSH, OpenPGP), from BEGIN to END or, where that is cut off, to the end of the text.

    The lines alone, without 64 characters of base64 between them, are no key.
    """
    match = _PEM.match(window.data, window.start)
    if match is None:
        return
    lines = _BASE64_LINE.findall(match["body"])
    if sum(map(len, lines)) >= 64:
        yield Found(*match.span(), "key", b"".join(lines).decode())


def find_assigned(window: Window) -> Iterator[Found]:
    """The value of a variable named as a secret is: at least 3.7 bits a character in 16 or more, and digits.

    Words that examples are made of, paths, names with dots, and numbers in hexadecimal with a hash's name are none.
    """
    data = window.data
    at = max(data.rfind(b"=", 0, window.start), data.rfind(b":", 0, window.start))
    if at < 0 or not _NAME.search(data[:at]):
        return
    match = _VALUE.match(data, at + 1)
    if match is None:
        return
    value = match["value"]
    after = data[match.end() : match.end() + 1]
    if after.isalnum() or after in (b"(", b"[", b"@", b":", b"{", b"$", b"%"):
        return
    if not re.search(rb"\d", value) or not re.search(rb"[A-Za-z]", value) or _NO_SECRET.search(value):
        return
    if not match["quote"] and re.search(rb"[./]", value):
        return
    if bits(value) >= _LEAST_BITS_ASSIGNED and _mixed(value):
        yield Found(*match.span("value"), "key", value.decode())


def bits(value: bytes) -> float:
    """Shannon's entropy of the characters, in bits for each."""
    counts = Counter(value).values()
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in counts) if total else 0.0


def _mixed(value: bytes) -> bool:
    """Not words with marks between: digits and letters change places more often than in `release-2024-final-version`."""
    kinds = re.findall(rb"[A-Z]+|[a-z]+|[0-9]+", value)
    return len(kinds) >= 5 or re.fullmatch(rb"[0-9a-f]{32,}|[0-9A-F]{32,}", value) is not None
