"""E-mail addresses, numbers of persons and secrets masked, counted and told to the ledger."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.columns import TEXT
from stages.core.stage import Edited, Map
from stages.kernels.pii_places import code_points
from stages.kernels.text import Text, column_of, text_of
from stages.pii.masks import Form, mask_of
from stages.pii.presidio import Presidio, files_of_model
from stages.pii.search import Search, Span, merged

Type = Literal[
    "email", "ip", "phone", "iban", "card", "us_ssn", "br_cpf", "cn_resident_id", "it_codice_fiscale", "uk_nino", "es_dni",
    "de_tax_id", "key",
]  # fmt: skip
_DEFAULT: tuple[Type, ...] = (
    "email", "ip", "phone", "iban", "card", "us_ssn", "br_cpf", "cn_resident_id", "it_codice_fiscale", "key",
)  # fmt: skip


class RedactPii(Map):
    """Mask personal data and secrets in each text, and count them.

    email   RFC 5321 addresses; not the login of a repository, the user of a URL, or a file (`logo@2x.png`)
    ip      public IPv4 and IPv6; not private, loopback, documentation and other special ranges, nor versions (`v1.2.3.4`)
    phone   what the library phonenumbers calls valid: with + anywhere, without in one of `phone_regions`
    iban    length and structure of the country, check digits (mod 97)
    card    prefix and length of a network, check digit (Luhn)
    us_ssn  123-12-1234 with an area, group and number that are given out
    br_cpf, cn_resident_id, it_codice_fiscale   by form and check digits
    key     keys in the form of some ten issuers, JSON Web Tokens, private keys in PEM, and values of much entropy that are
            assigned to a name as `api_key`
    Not among the defaults, as other numbers look like them: uk_nino (no check digit), es_dni (one in 23 passes), de_tax_id.

    The same value in one document always has the same mask, in any spelling: [EMAIL_1], [EMAIL_2]. `mask: type` writes
    [EMAIL]; `mask: replace` well-formed values that are nobody's: email1@example.com, 192.0.2.1, 2001:db8::1,
    +1 202-555-0100, test cards and IBANs (other types: the numbered mask).

    Columns: `pii_count`, and `pii_<type>` for each type. A Map drops nothing: to drop documents with more than so many
    findings, put `threshold: {column: pii_count, max_value: 5}` behind it, with `action: count` if the texts that stay shall
    stay as they are. The ledger's `edits` have type, offset and length of every finding, never the value; its excerpts show
    texts as they came to a filter, so this step stands best before all filters.

    `engine: presidio` looks, besides, for `entities` with a spaCy model through Microsoft's presidio-analyzer: names and
    places. Their types are the entities in lower case, `person` and `location`. It runs the model on each document, which
    takes most of the time of any recipe.
    """

    types: tuple[Type, ...] = Field(_DEFAULT, description="what to look for")
    phone_regions: tuple[str, ...] = Field(
        ("US",), description="countries (ISO 3166, two letters) whose telephone numbers are found without + and country code"
    )
    action: Literal["mask", "count"] = Field("mask", description="mask what is found, or leave the text and count")
    mask: Form = Field("numbered", description="numbered: [EMAIL_1]; type: [EMAIL]; replace: email1@example.com")
    engine: Literal["rules", "presidio"] = Field("rules", description="rules; or, besides, names and places by presidio")
    spacy_model: str | None = Field(None, description="presidio: an installed package or a folder with a spaCy model")
    language: str = Field("en", description="presidio: language of the model, as spaCy names it")
    entities: tuple[str, ...] = Field(("PERSON", "LOCATION"), description="presidio: entities to look for")
    min_score: float = Field(0.5, description="presidio: certainty from which on an entity counts", ge=0, le=1)

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if (self.engine == "presidio") != (self.spacy_model is not None):
            raise ValueError(
                "engine: presidio needs spacy_model, an installed package or a folder with a spaCy model"
                if self.spacy_model is None
                else "spacy_model is for engine: presidio"
            )
        if len(set(self.types)) < len(self.types):
            raise ValueError(f"types names one twice: {', '.join(self.types)}")
        if "phone" in self.types and self.phone_regions != ("US",):
            from phonenumbers import SUPPORTED_REGIONS

            if unknown := sorted(set(self.phone_regions) - SUPPORTED_REGIONS):
                raise ValueError(f"phone_regions has {unknown[0]!r}, expected countries in two capital letters, e.g. 'GB'")
        return self

    def columns_written(self) -> dict[str, pa.DataType]:
        text = {"text": TEXT} if self.action == "mask" else {}
        return {**text, "pii_count": pa.int64(), **{f"pii_{name}": pa.int64() for name in self._names()}}

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("presidio_analyzer", "pii"),) if self.engine == "presidio" else ()

    def files(self) -> tuple[str, ...]:
        return files_of_model(self.spacy_model) if self.spacy_model is not None else ()

    def _names(self) -> tuple[str, ...]:
        entities = tuple(name.lower() for name in self.entities) if self.engine == "presidio" else ()
        return (*self.types, *(name for name in entities if name not in self.types))

    def open(self) -> Callable[[pa.Table], Edited]:
        find = Search(self.types, self.phone_regions).find
        if self.spacy_model is not None:
            rules, names = find, Presidio(self.spacy_model, self.language, self.entities, self.min_score).find
            return lambda table: self._redacted(table, lambda text: merged(rules(text), names(text)))
        return lambda table: self._redacted(table, find)

    def apply(self, table: pa.Table) -> Edited:
        """What the opened stage does; opens it for one batch."""
        return self.open()(table)

    def _redacted(self, table: pa.Table, find: Callable[[Text], list[Span]]) -> Edited:
        before = table.column("text")
        text = text_of(before)
        spans = find(text)
        document, start, stop = np.array([span[:3] for span in spans], np.int64).reshape(-1, 3).T
        if self.action == "mask":
            masks = [mask.encode() for mask in self._masks(spans)]
            unchanged = not masks and before.type == TEXT and not before.null_count
            after = before if unchanged else column_of(replaced(text, document, start, stop, masks))
            table = _with_column(table, "text", after, TEXT)
        order = {name: at for at, name in enumerate(self._names())}
        counts = np.zeros((len(order), table.num_rows), np.int64)
        np.add.at(counts, (np.array([order[span.type] for span in spans], np.int64), document), 1)
        table = _with_column(table, "pii_count", counts.sum(axis=0), pa.int64())
        for name, column in zip(order, counts, strict=True):
            table = _with_column(table, f"pii_{name}", column, pa.int64())
        at = np.stack([start, stop], axis=1).ravel()
        offset, end = code_points(text, np.repeat(document, 2), at).reshape(-1, 2).T
        return Edited(table, document, [span.type for span in spans], offset, end - offset)

    def _masks(self, spans: Sequence[Span]) -> list[str]:
        """The mask of each finding; values are numbered by document and type in the order in which they come."""
        masks: list[str] = []
        numbers: dict[str, dict[str, int]] = {}
        last = -1
        for span in spans:
            if span.document != last:
                numbers, last = {}, span.document
            seen = numbers.setdefault(span.type, {})
            masks.append(mask_of(self.mask, span.type, seen.setdefault(span.value, len(seen) + 1), span.value))
        return masks


def replaced(text: Text, document: np.ndarray, start: np.ndarray, stop: np.ndarray, masks: Sequence[bytes]) -> Text:
    """The texts with `masks` for the bytes from `start` to `stop`; these ascend and do not overlap."""
    data, at = memoryview(text.data), 0  # type: ignore[arg-type]
    pieces: list[bytes | memoryview] = []
    for first, last, mask in zip(start.tolist(), stop.tolist(), masks, strict=True):
        pieces += [data[at:first], mask]
        at = last
    pieces.append(data[at:])
    growth = np.zeros(len(text.offsets), np.int64)
    np.add.at(growth, document + 1, np.array([len(mask) for mask in masks], np.int64) - (stop - start))
    return Text(text.offsets + np.cumsum(growth), np.frombuffer(b"".join(pieces), np.uint8))


def _with_column(table: pa.Table, name: str, values: Any, kind: pa.DataType) -> pa.Table:
    index = table.schema.get_field_index(name)
    column = values if isinstance(values, pa.ChunkedArray | pa.Array) else pa.array(values, kind)
    if index < 0:
        return table.append_column(pa.field(name, kind), column)
    return table.set_column(index, table.schema.field(index).with_type(kind), column)
