"""Cut out spans that stand in the corpus more than once, wherever in a text they begin."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.cutting import NO_SPANS, WHOLE, Above, excerpts, spans_table, write_spans
from stages.core.exchange import Block, facts_of, in_range, numpy_of, place_of, sorted_table
from stages.core.repeated_runs import RepeatedRuns, texts_of
from stages.core.stage import Saved, Sketches, Verdicts
from stages.core.survivors import LiveRows
from stages.kernels.text import Text
from stages.kernels.tokens import Tokens, covered, tokens_of

TOLD = 20
"""of the longest spans that the facts tell"""


class SubstringDedup(RepeatedRuns):
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

    min_tokens: int = Field(50, description="tokens from which on a repeated span goes", ge=8, le=10_000)
    action: Literal["cut", "drop"] = Field("cut", description="cut spans out, or drop documents that have many")
    max_share: float = Field(0.5, description="share of tokens that may go before action: drop drops the document", ge=0, lt=1)

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows, parts, repeats, facts = self.repeated(sketches)
        spans = sketches.round("spans", partial(self._spans, rows, repeats), parts)
        for block, saved in zip(parts, spans, strict=True):
            if self.action == "cut":
                write_spans(rows, block, saved.read(), verdicts, "repeated_span")
            else:
                self._drop(rows, block, saved.read(), verdicts)
        told = [facts_of(saved.read()) for saved in spans]
        longest = sorted((span for one in told for span in one["longest"]), key=lambda span: (-span[0], *span[1:]))[:TOLD]
        shown = excerpts(rows, [(number, start, stop) for _, number, start, stop in longest])
        return {
            **facts,
            "documents_with_repeats": sum(one["documents"] for one in told),
            "spans": sum(one["spans"] for one in told),
            "tokens": sum(one["tokens"] for one in told),
            "longest": [{"tokens": span[0], **one} for span, one in zip(longest, shown, strict=True)],
        }

    def run_tokens(self) -> int:
        return self.min_tokens

    def _spans(self, rows: LiveRows, repeats: Sequence[Saved], block: Block) -> pa.Table:
        mine = in_range(repeats, "document", place_of(rows, block)).sort_by("document")
        token, first = numpy_of(mine["token"]), numpy_of(mine["first"]).astype(bool)
        found = [np.zeros((5, 0), np.int64)]
        for numbers, text, at in texts_of(rows, block, numpy_of(mine["document"])):
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
        over = share > self.max_share
        above = Above(numbers[over], share[over], self.max_share)
        write_spans(rows, block, NO_SPANS, verdicts, "repeated_span", above)


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
