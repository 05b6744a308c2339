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


class Spans(NamedTuple):
    """Findings of a batch in the order of the text, none overlapping another; start and stop are bytes of the batch."""

    document: list[int]
    start: list[int]
    stop: list[int]
    type: list[str]
    value: list[str]


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
        self._detectors = {
            kind: [find for type_, find in detectors if type_ in types] for kind, detectors in by_kind.items()
        }
        self._rank = {type_: rank for rank, type_ in enumerate(TYPES)} | {"key": -1}

    def find(self, text: Text) -> Spans:
        """All findings; what overlaps an earlier, longer or more certain one is left out."""
        places = places_of(text)
        wanted = np.isin(places.kind, [kind for kind, detectors in self._detectors.items() if detectors])
        document, start, stop, kind = (column[wanted] for column in places)
        low = np.maximum(text.offsets[document], start - _BEFORE)
        high = np.minimum(text.offsets[document + 1], np.where(kind == PEM, start + _PEM_BYTES, stop + _AFTER))
        data = memoryview(text.data)
        found: list[tuple[int, int, int, int, str, str]] = []
        columns = (document, low, high, start - low, stop - low, kind)
        # a loop over places, which are few: one in some thousand bytes of prose
        for row, first, last, begin, end, which in zip(*(column.tolist() for column in columns), strict=True):
            window = Window(bytes(data[first:last]), begin, end)
            for detector in self._detectors[which]:
                for one in detector(window):
                    found.append((row, first + one.start, self._rank[one.type], first + one.stop, one.type, one.value))
        return _without_overlaps(found)


def merged(rules: Spans, others: Spans) -> Spans:
    """Both, in the order of the text; where two overlap, what rules found stays."""
    taken = sorted(zip(rules.document, rules.start, rules.stop, rules.type, rules.value, strict=True))
    rows = list(taken)
    at = 0
    for row in zip(*others, strict=True):
        while at < len(taken) and (taken[at][0], taken[at][2]) <= (row[0], row[1]):
            at += 1
        if at == len(taken) or (taken[at][0], taken[at][1]) >= (row[0], row[2]):
            rows.append(row)
    return Spans(*map(list, zip(*sorted(rows), strict=True))) if rows else rules


def _without_overlaps(found: list[tuple[int, int, int, int, str, str]]) -> Spans:
    spans = Spans([], [], [], [], [])
    for document, start, rank, stop, type_, value in sorted(found):
        if spans.stop and start < spans.stop[-1] and document == spans.document[-1]:
            if rank >= 0 or spans.type[-1] == "key":
                continue
            while spans.stop and start < spans.stop[-1] and document == spans.document[-1]:
                for column in spans:
                    column.pop()
        for column, item in zip(spans, (document, start, stop, type_, value), strict=True):
            column.append(item)  # type: ignore[attr-defined]
    return spans
