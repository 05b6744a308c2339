"""Runs of tokens that stand in the corpus more than once, found in rounds without a suffix array.

sketch   hashes of short runs, of each window the smallest (winnowing): every longer run that is repeated has one of these
keys     by blocks of parts    these hashes, sorted
hits     by ranges of hashes   which of them occur twice
runs     by blocks of parts    around these, 128 bits of each run of the wanted length
repeats  by ranges             which of those occur twice, and which is the first one
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.docs import Docs
from stages.core.exchange import Block, Range, binary_of, blocks, facts_of, in_range, numpy_of, place_of, ranges, sorted_table
from stages.core.stage import Global, Saved, Sketches
from stages.core.survivors import LiveRows
from stages.kernels.text import text_of
from stages.kernels.tokens import run_hashes, tokens_of, winnowed

PARTS = 32
"""parts of which one task stores entries, and reads the texts one after the other"""


class RepeatedRuns(Global):
    """Shared by substring_dedup and ngram_dedup."""

    cuts: ClassVar[bool] = True

    keep: Literal["first", "none"] = Field("first", description="whether the first one, in the order of the input, stays")

    def run_tokens(self) -> int:
        """Tokens of the runs that are compared."""
        raise NotImplementedError

    def sketch_parameters(self) -> dict[str, Any]:
        return {"run_tokens": self.run_tokens()}

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([pa.field("hashes", pa.large_binary(), nullable=False)])

    def sketch(self, docs: Docs) -> pa.Table:
        hashes, bounds = run_hashes(tokens_of(docs.text()), self._short())
        chosen, offsets = winnowed(hashes, bounds, self.run_tokens() - self._short() + 1)
        buffers = [None, pa.py_buffer(8 * offsets), pa.py_buffer(hashes[chosen])]
        return pa.table([pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(docs), buffers)], schema=self.sketch_schema())

    def repeated(self, sketches: Sketches) -> tuple[LiveRows, list[Block], Sequence[Saved], dict[str, Any]]:
        """The documents, blocks of them (none where nothing is repeated), the runs that are repeated, and facts.

        A table of runs has, sorted by `document`: its number, the first `token` of the run, and whether it is the `first` one
        of its kind and stays.
        """
        rows = LiveRows(sketches)
        parts = blocks(rows, PARTS)
        keys = sketches.round("keys", partial(_keys, rows), parts)
        entries = sum(saved.read().num_rows for saved in keys)
        hits = sketches.round("hits", partial(_hits, keys), ranges(entries))
        runs = sketches.round("runs", partial(self._runs, rows, hits), parts if entries else [])
        held = sum(saved.read().num_rows for saved in runs)
        repeats = sketches.round("repeats", partial(self._repeats, runs), ranges(held))
        groups = sum(facts_of(saved.read())["groups"] for saved in repeats)
        facts = {"documents": len(rows), "compared": entries, "repeated_runs": groups}
        return rows, parts if held else [], repeats, facts

    def _short(self) -> int:
        """Tokens of the runs that are compared first."""
        return max(4, self.run_tokens() // 4)

    def _runs(self, rows: LiveRows, hits: Sequence[Saved], block: Block) -> pa.Table:
        """Runs of `min_tokens` tokens with a hit in them: 128 bits, document, first token."""
        size, short = self.run_tokens(), self._short()
        mine = in_range(hits, "document", place_of(rows, block)).sort_by("document")
        found: list[tuple[np.ndarray, ...]] = [(*[np.zeros(0, np.uint64)] * 2, *[np.zeros(0, np.int64)] * 2)]
        for numbers, text, at in texts_of(rows, block, numpy_of(mine["document"])):
            tokens = tokens_of(text)
            hashes, bounds = run_hashes(tokens, short)
            hit = np.flatnonzero(np.isin(hashes, numpy_of(mine["key"])[at]))
            owner = np.searchsorted(bounds, hit, side="right") - 1
            first, second = (run_hashes(tokens, size, other)[0] for other in (False, True))
            places = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.maximum(np.diff(tokens.offsets) - size + 1, 0))])
            # runs that begin up to size - short tokens before a hit
            last = np.minimum(hit - bounds[owner], np.diff(places)[owner] - 1)
            start = np.maximum(hit - bounds[owner] - (size - short), 0)
            wanted = start <= last
            steps = np.zeros(int(places[-1]) + 1, np.int64)
            np.add.at(steps, places[owner[wanted]] + start[wanted], 1)
            np.add.at(steps, places[owner[wanted]] + last[wanted] + 1, -1)
            run = np.flatnonzero(np.cumsum(steps[:-1]) > 0)
            document = np.searchsorted(places, run, side="right") - 1
            found.append((first[run], second[run], numbers[document], run - places[document]))
        key, rest, document, token = (np.concatenate(column) for column in zip(*found, strict=True))
        return sorted_table("key", {"key": key, "rest": rest, "document": document, "token": token})

    def _repeats(self, runs: Sequence[Saved], wanted: Range) -> pa.Table:
        """Runs that occur twice: document, first token, and whether it is the first of its kind and stays."""
        table = in_range(runs, "key", wanted)
        key, rest, document, token = (numpy_of(table[name]) for name in ("key", "rest", "document", "token"))
        order = np.lexsort((token, document, rest, key))
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(key[order]) != 0) | (np.diff(rest[order]) != 0)
        starts = np.flatnonzero(new)
        sizes = np.diff(np.append(starts, len(order)))
        twice = order[np.repeat(sizes > 1, sizes)]
        first = new[np.repeat(sizes > 1, sizes)] & (self.keep == "first")
        columns = {"document": document[twice], "token": token[twice], "first": first.astype(np.int8)}
        return sorted_table("document", columns, {"groups": int((sizes > 1).sum())})


def texts_of(rows: LiveRows, block: Block, documents: np.ndarray) -> Any:
    """Part by part: numbers of those of the documents (ascending, some twice) in it, their texts, and where they stand."""
    bounds = np.searchsorted(documents, rows.starts[block[0] : block[1] + 1])
    for at in range(*block):
        mine = slice(bounds[at - block[0]], bounds[at - block[0] + 1])
        numbers = np.unique(documents[mine])
        if len(numbers):
            row = rows.read(at, ["row"])["row"].to_numpy()[numbers - rows.starts[at]]
            yield numbers, text_of(rows.sketches.documents(rows.parts[at], row, ["text"])["text"]), mine


def _keys(rows: LiveRows, block: Block) -> pa.Table:
    keys, documents = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for at in range(*block):
        bounds, data = binary_of(rows.read(at, ["hashes"])["hashes"])
        keys.append(data[bounds[0] : bounds[-1]].view(np.uint64))
        documents.append(np.repeat(rows.starts[at] + np.arange(len(bounds) - 1), np.diff(bounds) // 8))
    return sorted_table("key", {"key": np.concatenate(keys), "document": np.concatenate(documents)})


def _hits(keys: Sequence[Saved], wanted: Range) -> pa.Table:
    """Hashes that occur twice, by document."""
    table = in_range(keys, "key", wanted)
    key = numpy_of(table["key"])
    order = np.argsort(key, kind="stable")
    same = key[order[1:]] == key[order[:-1]]
    twice = order[np.concatenate([[False], same]) | np.concatenate([same, [False]])] if len(key) else order
    return sorted_table("document", {"document": numpy_of(table["document"])[twice], "key": key[twice]})
