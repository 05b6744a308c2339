"""Drop documents that are nearly the same as another."""

import functools
import math
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from stages.core.alarm import Alarmed
from stages.core.docs import Docs
from stages.core.indexed import Indexed
from stages.core.near_duplicates import NearDuplicates, band_name, distinct_sets
from stages.core.stage import Drops, Sketches
from stages.kernels.datasketch_minhash import datasketch_minhash
from stages.kernels.datatrove_minhash import datatrove_minhash
from stages.kernels.minhash import band_keys, minhash
from stages.kernels.shingles import shingles
from stages.kernels.text import Text

USUAL_THRESHOLD = 0.8
MOST_VALUES, LEAST_VALUES = 1024, 64
"""values of a signature, where they are chosen: more cost more than they find, fewer estimate nothing"""
UNLIKE = 0.05
"""share of pairs, of half the threshold's similarity, that may be compared where bands and rows are chosen"""
DEVIATIONS = 5
"""standard deviations of an estimate beyond which sets are not compared: of 3 million pairs at the threshold one is missed"""


class MinhashDedup(Alarmed, Indexed):
    """Keep one of all documents that share most of their shingles.

    A signature has bands * rows values, each the minimum of one random order over the document's shingles; two documents
    have a value in common with a probability of their Jaccard similarity s. They are compared if all rows of some band are
    equal: P(s) = 1 - (1 - s**rows)**bands. `threshold` and `recall` choose bands and rows: the fewest values for which P is
    at least `recall` at the threshold, and at most 5 % at half of it. For 0.8 and 0.99 these are 20 x 7.

    verify: exact      a document is dropped if one that stays before it, and shares a band, has at least `threshold` of their
                       shingles in common with it: Jaccard's similarity of the two sets, taken from the texts (64-bit hashes).
    verify: signature  the same by the share of equal values of their signatures, which estimates it.
    verify: none       of all documents joined by chains of shared bands one stays (datatrove's decision).

    The survivor named is the most similar one. With `chains: true` one stays of all documents that are joined by chains of
    verified pairs, as connected components of exact pairs have it; a dropped document may then be unlike its survivor.

    words: plain      shingles of the words of Python's `\\w+`, in lower case
    words: folded     without marks, symbols stay, and all numbers are one: pages that differ in figures alone are equal
    In both every letter of a script without spaces is a word (kernels/shingles.py has all of it).

    mode: datatrove   datatrove 0.10 number for number: simplified text, spaCy's words, affine maps modulo 2**61 - 1, 14 x 8
                      unless told otherwise. For its decisions set verify: none, too.
    mode: datasketch  the numbers of datasketch 2.0's MinHash(num_perm=bands * rows, seed, scheme=scheme) with its SHA-1, over
                      words of text.lower().split() joined by single spaces, or over characters of that joined text.

    Who stays is decided by `keep`, then the smaller source, the smaller id, the address. `keep: root` is datatrove's choice:
    the root of its union by size, fed band by band in the order of signatures, then of the input. A document with fewer words
    than a shingle has no signature: it is kept and never matched (Broder 1997; datatrove does the same).

    Sketch, 20 x 7 at 32 bits: 560 bytes of signature, 160 of band keys, 12 of counts, 8 of score if a column decides. They are
    used again where only threshold, verify, chains or the alarm change, if bands and rows stay. Memory of a task of `solve`: 16
    bytes for each key of half a million documents, or for 8 million keys; then about 80 bytes for each document that shares a
    key with another, at once in one task; then signatures and shingles (8 bytes each) of 65,536 of these, or of the largest
    component.
    """

    version: ClassVar[int] = 3

    threshold: float | None = Field(
        None,
        description="similarity from which on documents are duplicates; null is 0.8, but (1 / bands)**(1 / rows) where both are"
        " given",
        gt=0,
        le=1,
        json_schema_extra={"unit": "share"},
    )
    recall: float = Field(
        0.99, description="share of pairs at the threshold that must be compared; chooses bands and rows", gt=0, lt=1
    )
    bands: int | None = Field(None, description="bands; more find less similar pairs", ge=1, le=1000)
    rows: int | None = Field(None, description="values in a band; more ask for more similar pairs", ge=1, le=100)
    shingle_size: int = Field(5, description="consecutive words (or characters) in a shingle", ge=1, le=1000)
    shingle_unit: Literal["word", "char"] = Field("word", description="what a shingle is made of; for char take 20 or more")
    words: Literal["plain", "folded"] | None = Field(None, description="what a word is in mode: sluice; null is plain")
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
    verify: Literal["none", "signature", "exact"] | None = Field(
        None,
        description="compare shingles or signatures before a drop, or trust bands; null is exact, in other toolkits' modes"
        " signature",
    )
    chains: bool = Field(False, description="drop documents that are similar to the survivor only over others")

    @model_validator(mode="after")
    def _fits_the_mode(self) -> Self:
        if self.mode != "datatrove" and self.hash:
            raise ValueError(f"hash: {self.hash} needs mode: datatrove; the hash of mode: {self.mode} is fixed")
        if self.mode != "datasketch" and self.scheme:
            raise ValueError(f"scheme: {self.scheme} needs mode: datasketch")
        if self.mode != "sluice" and self.words:
            raise ValueError(f"words: {self.words} needs mode: sluice; mode: {self.mode} has its own")
        if self.mode == "datasketch" and self.bits not in (None, 8 * self._width()):
            raise ValueError(f"scheme: {self.scheme or 'affine32'} has {8 * self._width()} bits, not {self.bits}")
        if self.mode == "datatrove" and self.shingle_unit == "char":
            raise ValueError("shingle_unit: char needs mode: sluice or datasketch; datatrove's shingles are words")
        if self.mode != "sluice" and self.verify == "exact":
            raise ValueError(f"verify: exact needs mode: sluice; of mode: {self.mode} only signatures are known")
        if self.keep == "root" and self.verify != "none":
            raise ValueError("keep: root needs verify: none; verification goes by an order of documents")
        if self.verify == "none" and self.threshold is not None and self.bands and self.rows:
            raise ValueError("threshold needs verify: signature or exact; with verify: none a shared band decides")
        if self.verify == "none" and self.chains:
            raise ValueError("chains needs verify: signature or exact; with verify: none all chains count")
        if self.index and self.keep == "root":
            raise ValueError("index needs another keep than root, which goes by the order of one input")
        if "recall" in self.model_fields_set and self.bands and self.rows:
            raise ValueError("recall chooses bands and rows, which are given: leave out the one or the others")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return ("text", self._keep()) if self._keep_column() else ("text",)

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("spacy", "parity"),) if self.mode == "datatrove" else ()

    def sketch_parameters(self) -> dict[str, Any]:
        deciding = {"threshold", "recall", "verify", "chains", "alarm", "alarm_cluster", "alarm_source_fraction", "keep"}
        deciding |= {"index", "supersede"}
        bands, rows = self.shape
        score = self._keep() if self._keep_column() else None
        return {**self.model_dump(mode="json", exclude=deciding), "bands": bands, "rows": rows, "score": score}

    def compared(self) -> Literal["band", "signature", "set"]:
        """What documents are compared by."""
        verify: dict[str, Literal["band", "signature", "set"]] = {"none": "band", "signature": "signature", "exact": "set"}
        return verify[self._verify()]

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and rows, as given or chosen."""
        if self.mode == "datatrove":
            return self.bands or 14, self.rows or 8
        if self.bands and self.rows:
            return self.bands, self.rows
        return choose_shape(self.threshold or USUAL_THRESHOLD, self.recall, self.bands, self.rows)

    def similarity(self) -> float:
        """The threshold, as given or from bands and rows: where a pair is compared about as often as not."""
        if self.threshold is not None:
            return self.threshold
        bands, rows = self.shape
        given = self.mode == "datatrove" or (self.bands and self.rows)
        return float((1 / bands) ** (1 / rows)) if given else USUAL_THRESHOLD

    def sketch_schema(self) -> pa.Schema:
        bands, rows = self.shape
        fields = [pa.field("signature", pa.binary(bands * rows * self._width()))]
        fields += [pa.field(band_name(band), pa.uint64()) for band in range(bands)]
        fields += [pa.field("n_shingles", pa.int32(), nullable=False), pa.field("text_bytes", pa.int64(), nullable=False)]
        return pa.schema([*fields, *([pa.field("score", pa.float64(), nullable=False)] if self._keep_column() else [])])

    def sketch(self, docs: Docs) -> pa.Table:
        text = docs.text()
        signature, counts = self._signatures(text)
        has_none = counts == 0
        valid = pa.py_buffer(np.packbits(~has_none, bitorder="little"))
        kind = pa.binary(math.prod(self.shape) * self._width())
        columns = [pa.FixedSizeBinaryArray.from_buffers(kind, len(docs), [valid, pa.py_buffer(signature)])]
        columns += [pa.array(keys, pa.uint64(), mask=has_none) for keys in band_keys(signature, self.shape[0])]
        columns += [pa.array(counts.astype(np.int32)), pa.array(np.diff(text.offsets))]
        if self._keep_column():
            columns.append(pa.array(docs.numbers(self._keep()).astype(np.float64)))
        return pa.table(columns, schema=self.sketch_schema())

    def _signatures(self, text: Text) -> tuple[np.ndarray, np.ndarray]:
        values, bits = math.prod(self.shape), 8 * self._width()
        if self.mode == "datatrove":
            return datatrove_minhash(text, self.shingle_size, self.hash or "xxhash", values, self.seed, bits)
        if self.mode == "datasketch":
            scheme = self.scheme or "affine32"
            return datasketch_minhash(text, self.shingle_size, self.shingle_unit, values, self.seed, scheme)
        return minhash(text, self.shingle_size, self.shingle_unit, values, self.seed, bits, self.words or "plain")

    def decide(self, sketches: Sketches, drops: Drops) -> dict[str, Any]:
        bands, rows = self.shape
        verify, threshold = self._verify(), self.similarity()
        facts = NearDuplicates(
            bands=bands,
            similar=self.compared(),
            threshold=threshold,
            doubtful=threshold - DEVIATIONS * math.sqrt(threshold * (1 - threshold) / (bands * rows)),
            chains=self.chains,
            keep="score" if self._keep_column() else self._keep(),  # type: ignore[arg-type]
            by_crawl=self.by_crawl(sketches),
            signatures=self._signature_values,
            sets=self._shingles,
        ).solve(sketches, drops)
        alarms = self.raised(facts)
        return {
            **facts,
            "bands": bands,
            "rows": rows,
            "threshold": threshold,
            "verify": verify,
            "match_probability": {f"{s / 100:.2f}": match_probability(s / 100, bands, rows) for s in range(50, 101, 5)},
            "expected_recall": match_probability(threshold, bands, rows),
            "sketch_bytes_per_document": self._sketch_bytes(),
            "alarms": alarms,
        }

    def sets_of(self, text: Text) -> pa.LargeBinaryArray:
        """The set of shingles of each text, 8 bytes each, as an index keeps it."""
        return distinct_sets(self._shingles, text)

    def _shingles(self, text: Text) -> tuple[np.ndarray, np.ndarray]:
        return shingles(text, self.shingle_size, self.shingle_unit, 64, self.words or "plain")

    def _signature_values(self, column: pa.ChunkedArray) -> np.ndarray:
        values = math.prod(self.shape)
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

    def _verify(self) -> Literal["none", "signature", "exact"]:
        return self.verify or ("exact" if self.mode == "sluice" else "signature")

    def _sketch_bytes(self) -> int:
        bands, rows = self.shape
        return bands * (rows * self._width() + 8) + 12 + 8 * self._keep_column()


def match_probability(similarity: float, bands: int, rows: int) -> float:
    """Chance that two documents of this Jaccard similarity share a band (Leskovec, Rajaraman, Ullman, section 3.4.2)."""
    return float(1 - (1 - similarity**rows) ** bands)


@functools.cache
def choose_shape(threshold: float, recall: float, bands: int | None = None, rows: int | None = None) -> tuple[int, int]:
    """Bands and rows with the fewest values that find `recall` of the pairs at `threshold`, and few of those at half of it.

    What is given of the two stays. Where no shape of 1024 values or less tells the two apart well enough, the one that does
    best.
    """
    shapes = []
    for each in [rows] if rows else range(1, MOST_VALUES + 1):
        chance = min(threshold**each, 1 - 1e-12)
        needed = max(1, math.ceil(math.log(1 - recall) / math.log1p(-chance))) if chance > 1e-9 else MOST_VALUES + 1
        if needed > (bands or MOST_VALUES):
            break
        shapes.append((bands or needed, each))
    allowed = [shape for shape in shapes if shape[0] * shape[1] <= MOST_VALUES] or shapes[:1] or [(bands or 1, 1)]
    large = [shape for shape in allowed if shape[0] * shape[1] >= LEAST_VALUES] or allowed[-1:]
    by_cost = sorted(large, key=lambda shape: (shape[0] * shape[1], -shape[1]))
    few = [shape for shape in by_cost if match_probability(threshold / 2, *shape) <= UNLIKE]
    return few[0] if few else min(by_cost, key=lambda shape: match_probability(threshold / 2, *shape))
