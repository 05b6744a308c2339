"""Cut out paragraphs, or drop documents, most of whose n-grams stand in the corpus before."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.cutting import Above, piece_spans, spans_table, write_spans
from stages.core.exchange import Block, facts_of, in_range, numpy_of, place_of, sorted_table
from stages.core.repeated_runs import RepeatedRuns, texts_of
from stages.core.stage import Saved, Sketches, Verdicts
from stages.core.survivors import LiveRows
from stages.kernels.pieces import Pieces, pieces_of
from stages.kernels.tokens import Tokens, tokens_of


class NgramDedup(RepeatedRuns):
    """Cut out paragraphs of which more than `max_share` of the n-grams occur earlier in the corpus.

    The rule of DCLM's Bloom filter (Li et al. 2024, "DataComp-LM"), which has 13 words and 0.8, without its false positives:
    every n-gram is counted exactly, by 128 bits. With `unit: document` documents are dropped by the share of all n-grams of
    their paragraphs; with `unit: both` documents first, and of those that stay the paragraphs are cut.

    Tokens are those of substring_dedup. A paragraph is a run of lines without an empty line between them; its n-grams are those
    that begin and end in it, and one of fewer than `ngram` tokens is not judged. An n-gram is repeated if it is not the first
    one of its kind in the order of the input, whether or not the first one's paragraph stays: DCLM's filter forgets n-grams of
    paragraphs that it removes. With `keep: none` all that occur twice are.

    Edits in the ledger are of type `repeated_paragraph`; a document of which nothing is left is dropped by `nothing_left`.
    Sketch and memory: as those of substring_dedup, about 1.5 bytes for each token.
    """

    ngram: int = Field(13, description="tokens of an n-gram", ge=8, le=1000)
    max_share: float = Field(0.8, description="share of n-grams that may be repeated", ge=0, lt=1)
    unit: Literal["paragraph", "document", "both"] = Field("both", description="what is judged, and goes")

    def run_tokens(self) -> int:
        return self.ngram

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows, parts, repeats, facts = self.repeated(sketches)
        judged = sketches.round("judged", partial(self._judged, rows, repeats), parts)
        for block, saved in zip(parts, judged, strict=True):
            table = saved.read()
            share, dropped = numpy_of(table["share"]), numpy_of(table["dropped"]).astype(bool)
            number = numpy_of(table["document"])
            above = Above(number[dropped], share[dropped], self.max_share)
            write_spans(rows, block, table.filter(pa.array(~dropped)), verdicts, "repeated_paragraph", above)
        told = [facts_of(saved.read()) for saved in judged]
        return {
            **facts,
            "judged_ngrams": sum(one["ngrams"] for one in told),
            "cut_paragraphs": sum(one["cut"] for one in told),
            "dropped_documents": sum(one["dropped"] for one in told),
        }

    def _judged(self, rows: LiveRows, repeats: Sequence[Saved], block: Block) -> pa.Table:
        """Spans that go, by document; of a document that is dropped one row, with its share."""
        mine = in_range(repeats, "document", place_of(rows, block)).sort_by("document")
        token, first = numpy_of(mine["token"]), numpy_of(mine["first"]).astype(bool)
        found = [np.zeros((5, 0))]
        ngrams = cut = 0
        for numbers, text, at in texts_of(rows, block, numpy_of(mine["document"])):
            tokens, pieces = tokens_of(text), pieces_of(text, True)
            local = np.searchsorted(numbers, numpy_of(mine["document"])[at])
            repeated = np.zeros(int(tokens.offsets[-1]) + 1, bool)
            repeated[tokens.offsets[local[~first[at]]] + token[at][~first[at]]] = True
            counts = counts_of(tokens, pieces, repeated[:-1], self.ngram)
            ngrams += int(counts.ngrams.sum())
            owner = np.repeat(np.arange(len(numbers)), np.diff(pieces.offsets))
            share, over = self._documents_over(counts, owner, len(numbers))
            gone = (counts.repeated > self.max_share * counts.ngrams) & ~over[owner] & (self.unit != "document")
            cut += int(gone.sum())
            document, start, stop = piece_spans(text, pieces, gone)
            lost = np.flatnonzero(over)
            found.append(np.stack([numbers[lost], share[lost], np.ones(len(lost)), *np.zeros((2, len(lost)))]))
            found.append(np.stack([numbers[document], *np.zeros((2, len(document))), start, stop]))
        number, share, dropped, start, stop = np.concatenate(found, axis=1)
        order = np.lexsort((start, number))
        columns = {**spans_table(number[order], start[order], stop[order]), "share": share[order], "dropped": dropped[order]}
        facts = {"ngrams": ngrams, "cut": cut, "dropped": int(dropped.sum())}
        return sorted_table("document", columns, facts)

    def _documents_over(self, counts: "Counts", owner: np.ndarray, documents: int) -> tuple[np.ndarray, np.ndarray]:
        """Of each document the share of repeated n-grams, and whether it is dropped for it."""
        repeated, total = (np.bincount(owner, weights, documents) for weights in (counts.repeated, counts.ngrams))
        share = np.divide(repeated, total, out=np.zeros(documents), where=total > 0)
        return share, (share > self.max_share) & (self.unit != "paragraph")


class Counts(NamedTuple):
    """Of each paragraph: its n-grams, and how many of them are repeated (int64)."""

    ngrams: np.ndarray
    repeated: np.ndarray


def counts_of(tokens: Tokens, pieces: Pieces, repeated: np.ndarray, size: int) -> Counts:
    """N-grams by paragraph. `repeated` says of each token of the batch whether the n-gram that begins with it is repeated."""
    first = np.searchsorted(tokens.start, pieces.start)
    after = np.searchsorted(tokens.start, pieces.stop)
    last = np.maximum(after - size + 1, first)  # behind the last token with which an n-gram begins
    sums = np.concatenate([[0], np.cumsum(repeated)])
    return Counts(last - first, sums[last] - sums[first])
