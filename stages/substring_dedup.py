"""Cut out spans that stand in the corpus more than once, wherever in a text they begin."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.columns import VERDICT
from stages.core.cutting import WHOLE, excerpts, spans_table, write_spans
from stages.core.docs import Docs
from stages.core.exchange import (
    Block,
    Range,
    binary_of,
    blocks,
    facts_of,
    in_range,
    numpy_of,
    place_of,
    ranges,
    sorted_table,
)
from stages.core.stage import Global, Saved, Sketches, Verdicts
from stages.core.survivors import LiveRows
from stages.kernels.text import Text, text_of
from stages.kernels.tokens import Tokens, covered, run_hashes, tokens_of, winnowed

PARTS = 32
"""parts of which one task stores entries, and reads the texts one after the other"""
TOLD = 20
"""of the longest spans that the facts tell"""


class SubstringDedup(Global):
    """Cut out spans of `min_tokens` tokens or more that stand in the corpus a second time; the first one may stay.

    A token is a run of letters, numerals and marks, or any other code point but white space; each letter of a script without
    spaces is one. Case counts, white space does not. Every run of `min_tokens` tokens that occurs twice anywhere, in one
    document or in two, is found, as by a suffix array (Lee et al. 2022, "Deduplicating training data makes language models
    better", section 4.2), but none has to fit into one machine:

    sketch   hashes of short runs, of each window the smallest (winnowing): every longer run that is repeated has one of these
    hits     which of them occur twice, by ranges of hashes
    runs     around these, 128 bits of each run of `min_tokens` tokens
    repeats  which of those occur twice, by ranges
    spans    a token goes if a run covers it that is not the first one, in the order of the input, and no first one does

    So one copy of everything stays (`keep: first`), or none. What goes begins and ends with a token; the white space behind it
    goes, too. Edits in the ledger are of type `repeated_span`; a document of which nothing would be left is dropped by the rule
    `nothing_left`. With `action: drop` documents are dropped whole, if more than `max_share` of their tokens would go.

    Sketch: about 2 / (min_tokens - min_tokens // 4) hashes of 8 bytes for each token, a fourteenth of the text for 50 tokens.
    A task of `solve` holds the hashes of 32 parts, and of 8 million of one range.
    """

    cuts: ClassVar[bool] = True

    min_tokens: int = Field(50, description="tokens from which on a repeated span goes", ge=8, le=10_000)
    keep: Literal["first", "none"] = Field("first", description="whether the first one, in the order of the input, stays")
    action: Literal["cut", "drop"] = Field("cut", description="cut spans out, or drop documents that have many")
    max_share: float = Field(0.5, description="share of tokens that may go before action: drop drops the document", ge=0, lt=1)

    def sketch_parameters(self) -> dict[str, Any]:
        return {"min_tokens": self.min_tokens}

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([pa.field("hashes", pa.large_binary(), nullable=False)])

    def sketch(self, docs: Docs) -> pa.Table:
        hashes, bounds = run_hashes(tokens_of(docs.text()), self._short())
        chosen, offsets = winnowed(hashes, bounds, self.min_tokens - self._short() + 1)
        buffers = [None, pa.py_buffer(8 * offsets), pa.py_buffer(hashes[chosen])]
        return pa.table([pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(docs), buffers)], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        parts = blocks(rows, PARTS)
        keys = sketches.round("keys", partial(_keys, rows), parts)
        entries = sum(saved.read().num_rows for saved in keys)
        hits = sketches.round("hits", partial(_hits, keys), ranges(entries))
        runs = sketches.round("runs", partial(self._runs, rows, hits), parts if entries else [])
        held = sum(saved.read().num_rows for saved in runs)
        repeats = sketches.round("repeats", partial(self._repeats, runs), ranges(held))
        spans = sketches.round("spans", partial(self._spans, rows, repeats), parts if held else [])
        for block, saved in zip(parts, spans, strict=bool(held)):
            if self.action == "cut":
                write_spans(rows, block, saved.read(), verdicts, "repeated_span")
            else:
                self._drop(rows, block, saved.read(), verdicts)
        told = [facts_of(saved.read()) for saved in spans]
        longest = sorted((span for facts in told for span in facts["longest"]), key=lambda span: (-span[0], *span[1:]))[:TOLD]
        shown = excerpts(rows, [(number, start, stop) for _, number, start, stop in longest])
        return {
            "documents": len(rows),
            "compared": entries,
            "repeated_runs": sum(facts_of(saved.read())["groups"] for saved in repeats),
            "documents_with_repeats": sum(facts["documents"] for facts in told),
            "spans": sum(facts["spans"] for facts in told),
            "tokens": sum(facts["tokens"] for facts in told),
            "longest": [{"tokens": span[0], **one} for span, one in zip(longest, shown, strict=True)],
        }

    def _short(self) -> int:
        """Tokens of the runs that are compared first."""
        return max(4, self.min_tokens // 4)

    def _runs(self, rows: LiveRows, hits: Sequence[Saved], block: Block) -> pa.Table:
        """Runs of `min_tokens` tokens with a hit in them: 128 bits, document, first token."""
        size, short = self.min_tokens, self._short()
        mine = in_range(hits, "document", place_of(rows, block)).sort_by("document")
        found: list[tuple[np.ndarray, ...]] = [(*[np.zeros(0, np.uint64)] * 2, *[np.zeros(0, np.int64)] * 2)]
        for numbers, text, at in _texts(rows, block, numpy_of(mine["document"])):
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

    def _spans(self, rows: LiveRows, repeats: Sequence[Saved], block: Block) -> pa.Table:
        mine = in_range(repeats, "document", place_of(rows, block)).sort_by("document")
        token, first = numpy_of(mine["token"]), numpy_of(mine["first"]).astype(bool)
        found = [np.zeros((5, 0), np.int64)]
        for numbers, text, at in _texts(rows, block, numpy_of(mine["document"])):
            tokens = tokens_of(text)
            local = np.searchsorted(numbers, numpy_of(mine["document"])[at])
            places, total = tokens.offsets[local] + token[at], int(tokens.offsets[-1])
            gone = covered(places[~first[at]], self.min_tokens, total)
            gone &= ~covered(places[first[at]], self.min_tokens, total)
            document, begin, end, count = spans_of(text, tokens, gone)
            found.append(np.stack([numbers[document], begin, end, count, np.diff(tokens.offsets)[document]]))
        document, start, stop, count, whole = np.concatenate(found, axis=1)
        longest = np.argsort(-count, kind="stable")[:TOLD]
        told = [(int(count[at]), int(document[at]), max(0, int(start[at])), int(stop[at])) for at in longest]
        facts = {
            "documents": len(np.unique(document)),
            "spans": len(document),
            "tokens": int(count.sum()),
            "longest": told,
        }
        columns = {**spans_table(document, start, stop), "tokens": count, "of": whole}
        return pa.table(columns).replace_schema_metadata(sorted_table("of", {"of": whole[:0]}, facts).schema.metadata)

    def _drop(self, rows: LiveRows, block: Block, spans: pa.Table, verdicts: Verdicts) -> None:
        numbers, first, which = np.unique(numpy_of(spans["document"]), return_index=True, return_inverse=True)
        share = np.bincount(which, numpy_of(spans["tokens"])) / numpy_of(spans["of"])[first]
        numbers, share = numbers[share > self.max_share], share[share > self.max_share]
        bounds = np.searchsorted(numbers, rows.starts)
        for at in range(*block):
            mine = slice(bounds[at], bounds[at + 1])
            if mine.start < mine.stop:
                row = rows.read(at, ["row"])["row"].to_numpy()[numbers[mine] - rows.starts[at]]
                told = {"rule": "max_share", "measure": "repeated_share", "op": "at_most"}
                known = {"row": row, "value": share[mine], "limit": np.full(len(row), self.max_share)}
                known |= {name: [value] * len(row) for name, value in told.items()}
                columns = [pa.array(known[f.name], f.type) if f.name in known else pa.nulls(len(row), f.type) for f in VERDICT]
                verdicts.write(rows.parts[at], pa.table(columns, schema=VERDICT))


class Spans(NamedTuple):
    """What goes of the texts of a batch: document, start and stop in bytes of its text (or `WHOLE`), tokens. All int64."""

    document: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    tokens: np.ndarray


def spans_of(text: Text, tokens: Tokens, gone: np.ndarray) -> Spans:
    """Spans of the tokens that go, up to the next token that stays, or at the end of a text from the last one that stays."""
    owner = np.repeat(np.arange(len(text.offsets) - 1), np.diff(tokens.offsets))
    edges = np.zeros(len(gone), bool)
    edges[tokens.offsets[:-1][np.diff(tokens.offsets) > 0]] = True  # a span ends with its document
    begins = gone & (edges | ~np.concatenate([[False], gone[:-1]]))
    first = np.flatnonzero(begins)
    ends = gone & np.concatenate([~gone[1:] | edges[1:], [True]])[: len(gone)]
    last = np.flatnonzero(ends)
    document = owner[first]
    at_start, at_end = first == tokens.offsets[document], last == tokens.offsets[document + 1] - 1
    start, stop = tokens.start[first].copy(), tokens.stop[last].copy()
    stop[~at_end] = tokens.start[last[~at_end] + 1]
    start[at_end & ~at_start] = tokens.stop[first[at_end & ~at_start] - 1]
    offsets, whole = text.offsets[document], at_start & at_end
    return Spans(
        document,
        np.where(whole, WHOLE, start - offsets),
        stop - offsets,
        last - first + 1,
    )


def _texts(rows: LiveRows, block: Block, documents: np.ndarray) -> Any:
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
