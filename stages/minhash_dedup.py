"""Drop documents that are nearly the same as another."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from stages.core.docs import Docs
from stages.core.stage import Global, Sketches, Verdicts
from stages.core.survivors import Duplicates, LiveRows, largest_groups, survivor_order
from stages.kernels.components import (
    equal_shares,
    link_equal,
    members_by_component,
    separate,
    similar_survivors,
    union_roots,
)
from stages.kernels.datasketch_minhash import datasketch_minhash
from stages.kernels.datatrove_minhash import datatrove_minhash
from stages.kernels.minhash import band_keys, minhash
from stages.kernels.text import Text

HELD_MEMBERS = 2**18
"""documents whose signatures `solve` holds at once; a larger component is held whole"""


class MinhashDedup(Global):
    """Keep one of all documents that share most of their shingles.

    A signature has bands * rows values, each the minimum of one random order over the document's shingles; two documents
    have a value in common with a probability of their Jaccard similarity s. They are compared if all rows of some band are
    equal: P(s) = 1 - (1 - s**rows)**bands, 0.92 at 0.8 and half at about 0.7 with 14 x 8.

    verify: signature  a document is dropped if one that stays before it, and shares a band, has at least min_similarity
                       of its values; the survivor named is the most similar one. Nothing is dropped over a chain of others.
    verify: none       of all documents joined by chains of shared bands one stays (datatrove's decision).

    mode: sluice      shingles of folded words: lower case, no marks, numbers as 0, no punctuation; every letter of a script
                      without spaces is a word (kernels/shingles.py has all of it).
    mode: datatrove   datatrove 0.10 number for number: simplified text, spaCy's words, affine maps modulo 2**61 - 1. For
                      its decisions set verify: none, too.
    mode: datasketch  the numbers of datasketch 2.0's MinHash(num_perm=bands * rows, seed, scheme=scheme) with its SHA-1, over
                      words of text.lower().split() joined by single spaces, or over characters of that joined text.

    Who stays is decided by `keep`, then the smaller source, the smaller id, the address. `keep: root` is datatrove's choice:
    the root of its union by size, fed band by band in the order of signatures, then of the input. A document with fewer words
    than a shingle has no signature: it is kept and never matched (Broder 1997; datatrove does the same).

    Sketch, 14 x 8 at 32 bits: 448 bytes of signature, 112 of band keys, 12 of counts, 8 of score if a column decides.
    `solve` holds about 33 bytes per document while it joins one band after the other, then about 2 KB per member of a
    component for a quarter of a million members at a time, and about 100 bytes per dropped document. It reads each band
    once, and signatures and names of components' members alone.
    """

    version: ClassVar[int] = 2

    bands: int = Field(14, description="bands; more find less similar pairs", ge=1, le=1000)
    rows: int = Field(8, description="values in a band; more ask for more similar pairs", ge=1, le=100)
    shingle_size: int = Field(5, description="consecutive words (or characters) in a shingle", ge=1, le=1000)
    shingle_unit: Literal["word", "char"] = Field("word", description="what a shingle is made of; for char take 20 or more")
    bits: Literal[32, 64] | None = Field(
        None, description="width of a value; null is 32, but 64 in datatrove mode and for scheme: affine64"
    )
    hash: Literal["xxhash", "sha1"] | None = Field(
        None, description="hash of a shingle in datatrove mode; null is xxhash, sha1 gives FineWeb's numbers"
    )
    scheme: Literal["affine32", "affine64", "legacy"] | None = Field(
        None, description="permutations in datasketch mode; null is affine32, its default; legacy is that of its version 1"
    )
    seed: int = Field(1, description="chooses the random orders", ge=0, lt=2**32)
    mode: Literal["sluice", "datatrove", "datasketch"] = Field("sluice", description="whose words, hashes and random orders")
    keep: str | None = Field(
        None,
        description="which duplicate stays: `first` by source and id, `longest`, `root`, or the highest value of the column"
        " named here; null is root in datatrove mode with verify: none, else first",
        min_length=1,
    )
    verify: Literal["none", "signature"] = Field("signature", description="compare signatures before a drop, or trust bands")
    min_similarity: float | None = Field(
        None,
        description="share of equal values from which on a document is dropped; null is (1 / bands)**(1 / rows)",
        ge=0,
        le=1,
        json_schema_extra={"unit": "share"},
    )

    @model_validator(mode="after")
    def _fits_the_mode(self) -> Self:
        if self.mode != "datatrove" and self.hash:
            raise ValueError(f"hash: {self.hash} needs mode: datatrove; the hash of mode: {self.mode} is fixed")
        if self.mode != "datasketch" and self.scheme:
            raise ValueError(f"scheme: {self.scheme} needs mode: datasketch")
        if self.mode == "datasketch" and self.bits not in (None, 8 * self._width()):
            raise ValueError(f"scheme: {self.scheme or 'affine32'} has {8 * self._width()} bits, not {self.bits}")
        if self.mode == "datatrove" and self.shingle_unit == "char":
            raise ValueError("shingle_unit: char needs mode: sluice or datasketch; datatrove's shingles are words")
        if self.keep == "root" and self.verify != "none":
            raise ValueError("keep: root needs verify: none; verification goes by an order of documents")
        if self.verify == "none" and self.min_similarity is not None:
            raise ValueError("min_similarity needs verify: signature; with verify: none a shared band decides")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return ("text", self._keep()) if self._keep_column() else ("text",)

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("spacy", "parity"),) if self.mode == "datatrove" else ()

    def threshold(self) -> float:
        """Similarity at which a pair is found about as often as not: (1 / bands)**(1 / rows)."""
        return float((1 / self.bands) ** (1 / self.rows))

    def sketch_schema(self) -> pa.Schema:
        fields = [pa.field("signature", pa.binary(self.bands * self.rows * self._width()))]
        fields += [pa.field(_band(band), pa.uint64()) for band in range(self.bands)]
        fields += [pa.field("n_shingles", pa.int32(), nullable=False), pa.field("text_bytes", pa.int64(), nullable=False)]
        return pa.schema([*fields, *([pa.field("score", pa.float64(), nullable=False)] if self._keep_column() else [])])

    def sketch(self, docs: Docs) -> pa.Table:
        text, values = docs.text(), self.bands * self.rows
        signature, counts = self._signatures(text)
        has_none = counts == 0
        valid = pa.py_buffer(np.packbits(~has_none, bitorder="little"))
        kind = pa.binary(values * self._width())
        columns = [pa.FixedSizeBinaryArray.from_buffers(kind, len(docs), [valid, pa.py_buffer(signature)])]
        columns += [pa.array(keys, pa.uint64(), mask=has_none) for keys in band_keys(signature, self.bands)]
        columns += [pa.array(counts.astype(np.int32)), pa.array(np.diff(text.offsets))]
        if self._keep_column():
            columns.append(pa.array(docs.numbers(self._keep()).astype(np.float64)))
        return pa.table(columns, schema=self.sketch_schema())

    def _signatures(self, text: Text) -> tuple[np.ndarray, np.ndarray]:
        values, bits = self.bands * self.rows, 8 * self._width()
        if self.mode == "datatrove":
            return datatrove_minhash(text, self.shingle_size, self.hash or "xxhash", values, self.seed, bits)
        if self.mode == "datasketch":
            scheme = self.scheme or "affine32"
            return datasketch_minhash(text, self.shingle_size, self.shingle_unit, values, self.seed, scheme)
        return minhash(text, self.shingle_size, self.shingle_unit, values, self.seed, bits)

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        counts = rows.column("n_shingles", np.dtype(np.int32))
        forest, has_signature = separate(len(rows)), counts > 0
        for band in range(self.bands):
            link_equal(forest, rows.column(_band(band), np.dtype(np.uint64)), has_signature)
        members, bounds = members_by_component(forest)
        duplicates, kept = Duplicates(), 0
        largest: list[dict[str, Any]] = []
        for first, end in _batches(bounds):
            numbers = np.sort(members[bounds[first] : bounds[end]])
            stayed, largest = self._decide(rows, numbers, forest[numbers], duplicates, largest)
            kept += stayed
        duplicates.write(rows, verdicts)
        components = len(bounds) - 1
        return {
            "documents": len(rows),
            "without_signature": int((~has_signature).sum()),
            "dropped": duplicates.count(),
            "kept_by_verification": kept - components,
            "components": components,
            "largest_components": largest,
            "source_pairs": duplicates.source_pairs(),
            "threshold": self.threshold(),
            "min_similarity": self._min_similarity() if self.verify == "signature" else None,
            "match_probability": {f"{s / 100:.2f}": self._match_probability(s / 100) for s in range(50, 101, 5)},
            "sketch_bytes_per_document": self._sketch_bytes(),
        }

    def _decide(
        self,
        rows: LiveRows,
        numbers: np.ndarray,
        component: np.ndarray,
        duplicates: Duplicates,
        largest: list[dict[str, Any]],
    ) -> tuple[int, list[dict[str, Any]]]:
        """Add the dropped documents of whole components; return how many stay, and the largest components so far."""
        keys = [_band(band) for band in range(self.bands)] if self.verify == "signature" else []
        score_column = {"first": [], "root": [], "longest": ["text_bytes"]}.get(self._keep(), ["score"])
        table = rows.gather(numbers, ["source", "id", "signature", *score_column, *keys])
        score = table[score_column[0]].to_numpy().astype(np.float64) if score_column else None
        if self._keep() == "root":
            order = np.lexsort((numbers, ~union_roots(self._signature_values(table["signature"]), self.bands), component))
        else:
            order = survivor_order(component, score, table["source"], table["id"])
        table, numbers, component = table.take(pa.array(order)), numbers[order], component[order]
        starts = np.flatnonzero(np.diff(component, prepend=-1))
        sizes = np.diff(np.append(starts, len(component)))
        signature = self._signature_values(table["signature"])
        if self.verify == "signature":
            by_band = np.stack([table[key].to_numpy() for key in keys])
            survivors = similar_survivors(signature, by_band, self._min_similarity())
        else:
            survivors = np.repeat(starts, sizes)
            survivors[starts] = -1
        dropped = np.flatnonzero(survivors >= 0)
        similarity = equal_shares(signature, dropped, survivors[dropped])
        duplicates.add(numbers, table, dropped, survivors[dropped], similarity)
        return len(numbers) - len(dropped), largest_groups(largest, sizes, starts, table)

    def _signature_values(self, column: pa.ChunkedArray) -> np.ndarray:
        values = self.bands * self.rows
        array = column.combine_chunks()
        chunk = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
        kind = np.dtype(np.uint32 if self._width() == 4 else np.uint64)
        start = chunk.offset * values
        return np.frombuffer(chunk.buffers()[1], kind)[start : start + len(chunk) * values].reshape(-1, values)

    def _keep(self) -> str:
        return self.keep or ("root" if self.mode == "datatrove" and self.verify == "none" else "first")

    def _keep_column(self) -> bool:
        return self._keep() not in ("first", "longest", "root")

    def _width(self) -> int:
        if self.mode == "datasketch":
            return 8 if self.scheme == "affine64" else 4
        return (self.bits or (64 if self.mode == "datatrove" else 32)) // 8

    def _min_similarity(self) -> float:
        return self.threshold() if self.min_similarity is None else self.min_similarity

    def _match_probability(self, similarity: float) -> float:
        return float(1 - (1 - similarity**self.rows) ** self.bands)

    def _sketch_bytes(self) -> int:
        return self.bands * (self.rows * self._width() + 8) + 12 + 8 * self._keep_column()


def _band(band: int) -> str:
    return f"band_{band:03d}"


def _batches(bounds: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of whole components with at most `HELD_MEMBERS` members each, or with one component."""
    first = 0
    while first < len(bounds) - 1:
        end = max(first + 1, int(np.searchsorted(bounds, bounds[first] + HELD_MEMBERS, side="right")) - 1)
        yield first, end
        first = end
