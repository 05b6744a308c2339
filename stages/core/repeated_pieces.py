"""Lines or paragraphs that stand in the corpus more than once are cut out of texts, in rounds.

keys      by blocks of parts   128 bits of every piece that is long enough, sorted
repeats   by ranges of keys    the pieces that go, by document
spans     by blocks of parts   where they stand in the texts
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.cutting import excerpts, piece_spans, spans_table, write_spans
from stages.core.docs import Docs
from stages.core.exchange import Block, Range, binary_of, blocks, facts_of, in_range, numpy_of, place_of, ranges, sorted_table
from stages.core.stage import Global, Saved, Sketches, Verdicts
from stages.core.survivors import LiveRows
from stages.kernels.hashing import plain_text_ids, text_ids
from stages.kernels.pieces import Pieces, gathered, pieces_of
from stages.kernels.text import Text, text_of

PARTS = 256
"""parts of which one task stores entries, and reads the texts one after the other"""
TOLD = 20
"""of the most frequent pieces that the facts tell"""


class RepeatedPieces(Global):
    """Shared by line_dedup and paragraph_dedup."""

    cuts: ClassVar[bool] = True
    paragraphs: ClassVar[bool]

    normalize: Literal["none", "whitespace_case"] = Field(
        "whitespace_case",
        description="what is compared: the bytes, or the text in lower case with each run of white space as one space",
    )
    keep: Literal["first", "none"] = Field("first", description="whether the first one, in the order of the input, stays")
    min_count: int = Field(2, description="occurrences in the corpus from which on they go", ge=2)
    min_chars: int = Field(40, description="characters below which nothing is compared", ge=1)

    def sketch_parameters(self) -> dict[str, Any]:
        return {"normalize": self.normalize, "min_chars": self.min_chars}

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([pa.field("ids", pa.large_binary(), nullable=False)])

    def sketch(self, docs: Docs) -> pa.Table:
        text = docs.text()
        pieces = pieces_of(text, self.paragraphs)
        chosen = np.flatnonzero(pieces.chars >= self.min_chars)
        each = gathered(text, pieces.start[chosen], pieces.stop[chosen])
        ids = text_ids(each) if self.normalize == "none" else plain_text_ids(each)
        bounds = 16 * np.searchsorted(chosen, pieces.offsets)
        array = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(docs), [None, pa.py_buffer(bounds), pa.py_buffer(ids)])
        return pa.table([array], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        parts = blocks(rows, PARTS)
        keys = sketches.round("keys", partial(_keys, rows), parts)
        entries = sum(saved.read().num_rows for saved in keys)
        repeats = sketches.round("repeats", partial(self._repeats, keys), ranges(entries))
        spans = sketches.round("spans", partial(self._spans, rows, repeats), parts if entries else [])
        for block, saved in zip(parts, spans, strict=bool(entries)):
            write_spans(rows, block, saved.read(), verdicts, "repeated_paragraph" if self.paragraphs else "repeated_line")
        told = [facts_of(saved.read()) for saved in repeats]
        return {
            "documents": len(rows),
            "compared": entries,
            "repeated": sum(facts["groups"] for facts in told),
            "cut": sum(saved.read().num_rows for saved in repeats),
            "most_frequent": self._most_frequent(rows, [group for facts in told for group in facts["largest"]]),
        }

    def _repeats(self, keys: Sequence[Saved], wanted: Range) -> pa.Table:
        table = in_range(keys, "key", wanted)
        key, rest, document, piece = (numpy_of(table[name]) for name in ("key", "rest", "document", "piece"))
        order = np.lexsort((piece, document, rest, key))
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(key[order]) != 0) | (np.diff(rest[order]) != 0)
        starts = np.flatnonzero(new)
        sizes = np.diff(np.append(starts, len(order)))
        gone = np.repeat(sizes >= self.min_count, sizes)
        if self.keep == "first":
            gone[starts] = False
        repeated = np.flatnonzero(sizes >= self.min_count)
        largest = repeated[np.argsort(-sizes[repeated], kind="stable")][:TOLD]
        first = order[starts[largest]]
        groups = zip(sizes[largest].tolist(), document[first].tolist(), piece[first].tolist(), strict=True)
        chosen = order[gone]
        columns = {"document": document[chosen], "piece": piece[chosen]}
        return sorted_table("document", columns, {"groups": len(repeated), "largest": list(groups)})

    def _spans(self, rows: LiveRows, repeats: Sequence[Saved], block: Block) -> pa.Table:
        mine = in_range(repeats, "document", place_of(rows, block))
        document, piece = numpy_of(mine["document"]), numpy_of(mine["piece"])
        order = np.lexsort((piece, document))
        document, piece = document[order], piece[order]
        bounds = np.searchsorted(document, rows.starts[block[0] : block[1] + 1])
        found = [np.zeros((3, 0), np.int64)]
        for at in range(*block):
            part = slice(bounds[at - block[0]], bounds[at - block[0] + 1])
            numbers, local = np.unique(document[part], return_inverse=True)
            if len(numbers):
                row = rows.read(at, ["row"])["row"].to_numpy()[numbers - rows.starts[at]]
                text = text_of(rows.sketches.documents(rows.parts[at], row, ["text"])["text"])
                which, start, stop = self._spans_of(text, local, piece[part])
                found.append(np.stack([numbers[which], start, stop]))
        return pa.table(spans_table(*np.concatenate(found, axis=1)))

    def _spans_of(self, text: Text, document: np.ndarray, piece: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Document, start and stop of what goes."""
        pieces = pieces_of(text, self.paragraphs)
        gone = np.zeros(len(pieces.start), bool)
        before, compared = self._compared(pieces)
        gone[compared[before[document] + piece]] = True
        return piece_spans(text, pieces, gone)

    def _compared(self, pieces: Pieces) -> tuple[np.ndarray, np.ndarray]:
        """How many pieces that are compared stand before each document, and which pieces these are."""
        chosen = np.flatnonzero(pieces.chars >= self.min_chars)
        return np.searchsorted(chosen, pieces.offsets), chosen

    def _most_frequent(self, rows: LiveRows, groups: list[list[int]]) -> list[dict[str, Any]]:
        groups = sorted(groups, key=lambda group: (-group[0], *group[1:]))[:TOLD]
        places = []
        for _, number, piece in groups:
            at = int(np.searchsorted(rows.starts, number, side="right")) - 1
            row = rows.read(at, ["row"])["row"].to_numpy()[[number - rows.starts[at]]]
            text = text_of(rows.sketches.documents(rows.parts[at], row, ["text"])["text"])
            pieces = pieces_of(text, self.paragraphs)
            which = self._compared(pieces)[1][piece]
            places.append((number, int(pieces.start[which]), int(pieces.stop[which])))
        return [{"count": group[0], **told} for group, told in zip(groups, excerpts(rows, places), strict=True)]


def _keys(rows: LiveRows, block: Block) -> pa.Table:
    ids, documents, pieces = [np.zeros((0, 2), np.uint64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for at in range(*block):
        bounds, data = binary_of(rows.read(at, ["ids"])["ids"])
        counts = np.diff(bounds) // 16
        ids.append(data[bounds[0] : bounds[-1]].view(np.uint64).reshape(-1, 2))
        documents.append(np.repeat(rows.starts[at] + np.arange(len(counts)), counts))
        pieces.append(np.arange(len(ids[-1])) - np.repeat(np.cumsum(counts) - counts, counts))
    both = np.concatenate(ids)
    columns = {"key": both[:, 0], "rest": both[:, 1], "document": np.concatenate(documents)}
    return sorted_table("key", {**columns, "piece": np.concatenate(pieces).astype(np.int32)})
