"""From places to findings: windows are cut out of the batch, and each kind of place is given to its detectors."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from stages.kernels.pii_places import ASSIGNED, CODE, EMAIL, IPV4, IPV6, NUMBER, PEM, PREFIX, places_of
from stages.kernels.text import Text
from stages.pii import cards, emails, ibans, identities, networks, secrets
from stages.pii.found import Found, Window
from stages.pii.phones import Phones

TYPES = (
    "email", "ip", "phone", "iban", "card", "us_ssn", "br_cpf", "cn_resident_id", "it_codice_fiscale", "uk_nino", "es_dni",
    "de_tax_id", "key",
)  # fmt: skip
"""Types in order of precedence between findings that overlap and begin at one place; `key` goes before all."""

_BEFORE, _AFTER = 64, 32
"""bytes of context that detectors may look at"""
_PEM_BYTES = 20_000

Detector = Callable[[Window], Iterator[Found]]


class Span(NamedTuple):
    """A finding in a batch; start and stop are bytes of the batch."""

    document: int
    start: int
    stop: int
    type: str
    value: str


_Ranked = tuple[int, int, int, int, str, str]
"""document, start, rank of the type, minus stop, type, value: in this order findings take precedence"""


class Search:
    """Finds the given types in the texts of a batch."""

    def __init__(self, types: Sequence[str], phone_regions: Sequence[str]) -> None:
        numbers: list[tuple[str, Detector]] = [("card", cards.find_card), *identities.NUMBERS.items()]
        if "phone" in types:
            numbers.append(("phone", Phones(phone_regions).find))
        by_kind: dict[int, list[tuple[str, Detector]]] = {
            EMAIL: [("email", emails.find_email)],
            NUMBER: numbers,
            IPV4: [("ip", networks.find_ipv4)],
            IPV6: [("ip", networks.find_ipv6)],
            CODE: [("iban", ibans.find_iban), *identities.CODES.items()],
            PREFIX: [("key", secrets.find_issued)],
            PEM: [("key", secrets.find_private_key)],
            ASSIGNED: [("key", secrets.find_assigned)],
        }
        self._detectors = {kind: [find for type_, find in detectors if type_ in types] for kind, detectors in by_kind.items()}
        self._rank = {type_: rank for rank, type_ in enumerate(TYPES)} | {"key": -1}

    def find(self, text: Text) -> list[Span]:
        """All findings in the order of the text; of two that overlap, the one that begins first stays, and a key before all."""
        places = places_of(text)
        wanted = np.isin(places.kind, [kind for kind, detectors in self._detectors.items() if detectors])
        document, start, stop, kind = (column[wanted] for column in places)
        low = np.maximum(text.offsets[document], start - _BEFORE)
        high = np.minimum(text.offsets[document + 1], np.where(kind == PEM, start + _PEM_BYTES, stop + _AFTER))
        data = memoryview(text.data)  # type: ignore[arg-type]
        found: list[_Ranked] = []
        columns = (document, low, high, start - low, stop - low, kind)
        # a loop over places, which are few: one in some thousand bytes of prose
        for row, first, last, begin, end, which in zip(*(column.tolist() for column in columns), strict=True):
            window = Window(bytes(data[first:last]), begin, end)
            for detector in self._detectors[which]:
                for one in detector(window):
                    found.append((row, first + one.start, self._rank[one.type], -first - one.stop, one.type, one.value))
        return _without_overlaps(found)


def merged(rules: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Both, in the order of the text; where two overlap, what rules found stays."""
    spans, at = list(rules), 0
    for span in others:
        while at < len(rules) and (rules[at].document, rules[at].stop) <= (span.document, span.start):
            at += 1
        if at == len(rules) or (rules[at].document, rules[at].start) >= (span.document, span.stop):
            spans.append(span)
    return sorted(spans)


def _without_overlaps(found: list[_Ranked]) -> list[Span]:
    spans: list[Span] = []
    for document, start, _, end, type_, value in sorted(found):
        span = Span(document, start, -end, type_, value)
        if spans and _overlap(spans[-1], span):
            if span.type != "key" or spans[-1].type == "key":
                continue
            while spans and _overlap(spans[-1], span):
                spans.pop()
        spans.append(span)
    return spans


def _overlap(before: Span, span: Span) -> bool:
    return before.document == span.document and span.start < before.stop
