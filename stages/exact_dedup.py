"""Drop documents with the same text, URL or other columns as another."""

import functools
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages.core.dates import seconds_of
from stages.core.docs import Docs
from stages.core.exchange import Block, Range, blocks, facts_of, in_range, numpy_of, place_of, ranges, sorted_table
from stages.core.indexed import Indexed, crawls_of
from stages.core.stage import Drops, Saved, Sketches
from stages.core.survivors import (
    DROPPED,
    LiveRows,
    dropped_table,
    largest_groups,
    largest_of,
    source_pairs,
    survivor_order,
    write_verdicts,
)
from stages.kernels.hashing import plain_text_ids, text_ids
from stages.kernels.text import Text

HELD_DOCUMENTS = 2**22
"""numbers of documents, of which those that are the first of their group are decided on at once"""


class ExactDedup(Indexed):
    """Keep one of all documents with equal texts, or with equal values in other columns. Empty texts are equal, too.

    With `columns: [url_key]` (see `parse_url`) one page of each address stays. A document without a value in one of the columns
    is like no other.

    Values are compared by 128 bits (two XXH64): n different texts hold a false pair with a probability of n**2 / 2**129,
    1.5e-19 for 10 billion documents; a Bloom filter of 8 bits per document would lose 2 % of all unique ones.

    The survivor is the first in the order of `keep`; ties go to the smaller source, then the smaller id, then the address, so
    that the answer does not depend on how the input was cut into parts.

    Sketch: 16 bytes per document, 24 unless `keep` is `first`. A task of `solve` holds the hashes of half a million documents,
    or 8 million hashes of one range, or about 100 bytes for each duplicate of the groups that 4 million documents begin.
    """

    normalize: Literal["none", "whitespace_case"] = Field(
        "none",
        description="what is compared: the bytes, or the text in lower case with each run of white space as one space",
    )
    columns: tuple[str, ...] = Field(("text",), description="columns whose values are compared, strings", min_length=1)
    keep: str = Field(
        "first",
        description="which duplicate stays: `first` by source and id, `longest` text, `latest` or `earliest` by `date`, or the "
        "highest value of the column named here",
        min_length=1,
    )

    def columns_read(self) -> tuple[str, ...]:
        read = {"first": (), "longest": ("text",), "latest": ("date",), "earliest": ("date",)}.get(self.keep, (self.keep,))
        return tuple(dict.fromkeys((*self.columns, *read)))

    def sketch_schema(self) -> pa.Schema:
        score = [] if self.keep == "first" else [pa.field("score", pa.float64(), nullable=False)]
        return pa.schema([pa.field("text_hash", pa.binary(16), nullable=self.columns != ("text",)), *score])

    def sketch(self, docs: Docs) -> pa.Table:
        columns = [self._hashes(docs)]
        if self.keep != "first":
            columns.append(pa.array(self._scores(docs), pa.float64(), from_pandas=False))
        return pa.table(columns, schema=self.sketch_schema())

    def _hashes(self, docs: Docs) -> pa.Array:
        hash_texts = text_ids if self.normalize == "none" else plain_text_ids
        ids = [hash_texts(docs.text(name)) for name in self.columns]
        together = ids[0] if len(ids) == 1 else _ids_of_ids(ids)
        array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(docs), [None, pa.py_buffer(together)])
        if self.columns == ("text",):
            return array
        present = functools.reduce(pc.and_, (docs.table.column(name).is_valid() for name in self.columns))
        return pc.if_else(present.combine_chunks(), array, pa.scalar(None, pa.binary(16)))

    def _scores(self, docs: Docs) -> np.ndarray:
        if self.keep == "longest":
            return np.diff(docs.text().offsets).astype(np.float64)
        if self.keep in ("latest", "earliest"):
            seconds = seconds_of(docs.table.column("date"))
            return seconds if self.keep == "latest" else -seconds
        return docs.numbers(self.keep).astype(np.float64)

    def sketch_parameters(self) -> dict[str, Any]:
        score = None if self.keep == "first" else self.keep
        return {**self.model_dump(mode="json", include={"normalize", "columns"}), "score": score}

    def compared(self) -> str:
        return "hash"

    def decide(self, sketches: Sketches, drops: Drops) -> dict[str, Any]:
        rows = LiveRows(sketches)
        parts = blocks(rows)
        hashes = sketches.round("hashes", partial(_sorted_hashes, rows), parts)
        twins = sketches.round("twins", partial(_twins, hashes), ranges(len(rows)))
        members = sketches.round("members", partial(self._members, rows, twins), parts)
        starts = range(0, len(rows), HELD_DOCUMENTS)
        decide = partial(_decide, members, self.by_crawl(sketches))
        decisions = sketches.round("decisions", decide, [(at, at + HELD_DOCUMENTS - 1) for at in starts])
        for block in parts:
            write_verdicts(rows, block, in_range(decisions, "number", place_of(rows, block)), drops)
        decided = [facts_of(saved.read()) for saved in decisions]
        return {
            "documents": len(rows),
            "dropped": sum(saved.read().num_rows for saved in decisions),
            "groups": sum(facts["groups"] for facts in decided),
            "largest_components": largest_of(group for facts in decided for group in facts["largest"]),
            "source_pairs": source_pairs(saved.read() for saved in decisions),
            "sketch_bytes_per_document": 16 if self.keep == "first" else 24,
        }

    def _members(self, rows: LiveRows, twins: Sequence[Saved], block: Block) -> pa.Table:
        """Who the documents of the block are that have a twin, by group."""
        mine = in_range(twins, "document", place_of(rows, block)).sort_by("document")
        numbers = numpy_of(mine["document"])
        bounds = np.searchsorted(numbers, rows.starts[block[0] : block[1] + 1])
        columns = ["source", "id", *([] if self.keep == "first" else ["score"])]
        found, crawls = [], [np.zeros(0, np.int32)]
        for at in range(*block):
            local = numbers[bounds[at - block[0]] : bounds[at - block[0] + 1]] - rows.starts[at]
            found.append(rows.read(at, columns).take(pa.array(local)))
            crawls.append(crawls_of(rows, at, len(local)))
        first = {"group": mine["group"], "document": mine["document"], "crawl": np.concatenate(crawls)}
        return sorted_table("group", {**first, **_columns_of(pa.concat_tables(found))})


def _columns_of(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _sorted_hashes(rows: LiveRows, block: Block) -> pa.Table:
    numbers, hashes = [np.zeros(0, np.int64)], [np.zeros((0, 2), np.uint64)]
    for at in range(*block):
        column = rows.read(at, ["text_hash"])["text_hash"]
        present = np.flatnonzero(column.is_valid().to_numpy())
        numbers.append(rows.starts[at] + present)
        hashes.append(_hashes_of(column)[present])
    ids = np.concatenate(hashes)
    return sorted_table("key", {"key": ids[:, 0], "rest": ids[:, 1], "document": np.concatenate(numbers)})


def _twins(hashes: Sequence[Saved], wanted: Range) -> pa.Table:
    """Documents of which another has the same hash, each with the smallest of its group."""
    table = in_range(hashes, "key", wanted)
    key, rest, documents = (numpy_of(table[name]) for name in ("key", "rest", "document"))
    order = np.lexsort((documents, rest, key))
    key, rest, documents = key[order], rest[order], documents[order]
    new = np.ones(len(order), bool)
    new[1:] = (key[1:] != key[:-1]) | (rest[1:] != rest[:-1])
    starts = np.flatnonzero(new)
    sizes = np.diff(np.append(starts, len(order)))
    twin = np.repeat(sizes > 1, sizes)
    return sorted_table("document", {"document": documents[twin], "group": np.repeat(documents[starts], sizes)[twin]})


def _decide(members: Sequence[Saved], by_crawl: bool, wanted: Range) -> pa.Table:
    """`DROPPED` of the groups whose smallest document is in a range."""
    table = in_range(members, "group", wanted).sort_by("document")
    group = numpy_of(table["group"])
    score = table["score"].to_numpy() if "score" in table.column_names else None
    crawl = numpy_of(table["crawl"]) if by_crawl else None
    order = survivor_order(group, score, table["source"], table["id"], crawl)
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    first = np.repeat(order[starts], sizes)
    gone = np.ones(len(order), bool)
    gone[starts] = False
    ones, survivors = np.ones(int(gone.sum())), first[gone]
    dropped = dropped_table(numpy_of(table["document"]), table, order[gone], survivors, survivors, ones)
    facts = {"groups": len(starts), "largest": largest_groups(sizes, order[starts], table)}
    return sorted_table("number", {name: dropped[name] for name in DROPPED.names}, facts)


def _ids_of_ids(ids: list[np.ndarray]) -> np.ndarray:
    """One id for each row of several."""
    rows, size = len(ids[0]), 16 * len(ids)
    data = np.ascontiguousarray(np.concatenate(ids, axis=1)).view(np.uint8).reshape(-1)
    return text_ids(Text(np.arange(0, size * (rows + 1), size, dtype=np.int64), data))


def _hashes_of(column: pa.ChunkedArray) -> np.ndarray:
    chunks = [
        np.frombuffer(chunk.buffers()[1], np.uint64)[2 * chunk.offset : 2 * (chunk.offset + len(chunk))]
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.concatenate([np.zeros(0, np.uint64), *chunks]).reshape(-1, 2)
