"""Find documents that hold items of evaluation sets."""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.rule import Rule, at_most
from stages.core.docs import Docs
from stages.core.evaluation_sets import EvaluationSet, Item, read_items
from stages.core.stage import Edited, Filter, Map, Measures, Stage
from stages.kernels.folding import ALONE, JOINS, PASSED_OVER, lowered
from stages.kernels.lookup import Lookup
from stages.kernels.pieces import without
from stages.kernels.shingles import shingles
from stages.kernels.text import Text, column_of, text_of

EXAMPLE = Path(__file__).parent / "core" / "example_items.jsonl"
"""two items, written for trials of this stage"""
EXCERPT = 200
"""characters of a match that are shown"""


@dataclass(frozen=True)
class Side:
    """What of an item is looked for: its question, or question and answer. `grams` are numbers of n-grams, each once."""

    item: int
    grams: frozenset[int]


@dataclass(frozen=True)
class Match:
    """An item in a document: the share of its n-grams that are there, and the words (from, to) that they cover."""

    item: Item
    overlap: float
    words: tuple[tuple[int, int], ...]


class ContaminationIndex:
    """The n-grams of all items. An item shorter than an n-gram is one n-gram of its own length."""

    def __init__(self, items: Sequence[Item], ngram: int, min_words: int, max_items: int) -> None:
        self.items = items
        self._sizes: dict[int, Lookup] = {}
        self._first: dict[int, int] = {}
        texts = [item.question for item in items] + [f"{item.question}\n{item.answer}" for item in items]
        grams = self._number(texts, ngram, min_words)
        holders: dict[int, set[int]] = defaultdict(set)
        for at, found in enumerate(grams):
            for gram in found:
                holders[gram].add(at % len(items))
        common = {gram for gram, those in holders.items() if len(those) > max_items}
        self.sides = [Side(at % len(items), frozenset(found) - common) for at, found in enumerate(grams)]
        self._sides: dict[int, list[int]] = defaultdict(list)
        for number, side in enumerate(self.sides):
            for gram in side.grams:
                self._sides[gram].append(number)

    def _number(self, texts: list[str], ngram: int, min_words: int) -> list[list[int]]:
        """Numbers of each text's n-grams; n-grams are numbered over all sizes."""
        text = text_of(pa.array(texts, pa.large_string()))
        lengths = np.diff(shingles(text, 1, "word", 64, "plain")[1])
        found: list[list[int]] = [[] for _ in texts]
        first = 0
        for size in sorted({ngram, *(int(n) for n in lengths if min_words <= n < ngram)}):
            hashes, bounds = shingles(text, size, "word", 64, "plain")
            mine = [at for at, length in enumerate(lengths) if (length >= ngram if size == ngram else length == size)]
            chosen = [hashes[bounds[at] : bounds[at + 1]] for at in mine]
            different, which = np.unique(np.concatenate([np.zeros(0, np.uint64), *chosen]), return_inverse=True)
            self._sizes[size], self._first[size] = Lookup(different), first
            ends = np.cumsum([len(one) for one in chosen])
            for at, numbers in zip(mine, np.split(which + first, ends[:-1]) if chosen else [], strict=True):
                found[at] = numbers.tolist()
            first += len(different)
        return found

    def find(self, text: Text) -> dict[int, list[Match]]:
        """Items in each document that has n-grams of some, the largest overlap first."""
        hits: dict[int, list[tuple[int, int, int]]] = defaultdict(list)  # document -> gram, first word, words
        for size, table in self._sizes.items():
            hashes, bounds = shingles(text, size, "word", 64, "plain")
            places = table.find(hashes)
            at = np.flatnonzero(places >= 0)
            document = np.searchsorted(bounds, at, side="right") - 1
            for one, gram, word in zip(
                document.tolist(), (places[at] + self._first[size]).tolist(), (at - bounds[document]).tolist(), strict=True
            ):
                hits[one].append((gram, word, size))
        return {document: found for document, hit in sorted(hits.items()) if (found := self._matches(hit))}

    def _matches(self, hits: list[tuple[int, int, int]]) -> list[Match]:
        seen: dict[int, set[int]] = defaultdict(set)
        for gram, _, _ in hits:
            for number in self._sides.get(gram, ()):
                seen[number].add(gram)
        best: dict[int, float] = defaultdict(float)
        for number, grams in seen.items():
            side = self.sides[number]
            best[side.item] = max(best[side.item], len(grams) / len(side.grams))
        found = []
        for item, share in best.items():
            whole = self.sides[item].grams | self.sides[item + len(self.items)].grams
            words = sorted((word, word + size) for gram, word, size in hits if gram in whole)
            found.append(Match(self.items[item], share, tuple(_merged(words))))
        return sorted(found, key=lambda match: (-match.overlap, match.item.name, match.item.number))


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, stop in spans:
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], stop))
        else:
            out.append((start, stop))
    return out


class ContaminationMarks(Map):
    """Writes into columns what of evaluation sets a document holds, or cuts it out.

    contamination        largest share of an item's n-grams that the document has, 0 to 1
    contaminated_by      that item, `set:number`, where the share is above `max_overlap`; else null
    contaminated_span    the first 200 characters of the document's text that match it
    """

    version: ClassVar[int] = 1

    sets: tuple[EvaluationSet, ...] = Field(description="evaluation sets: name, path, question, answer", min_length=1)
    ngram: int = Field(13, description="words of an n-gram", ge=3, le=100)
    min_words: int = Field(
        8, description="words below which an item is not looked for; up to `ngram` it is looked for whole", ge=3
    )
    max_items: int = Field(10, description="n-grams of more items than this say nothing: they are instructions", ge=1)
    max_overlap: float = Field(
        0.1, description="largest share of an item's n-grams, of the question or with the answer, that may be there", ge=0, lt=1
    )
    action: Literal["tag", "cut"] = Field("tag", description="write columns, or cut what matches out of the text, too")

    @model_validator(mode="after")
    def _sets_have_items(self) -> Self:
        if len({one.name for one in self.sets}) < len(self.sets):
            raise ValueError("two evaluation sets have the same name")
        for one in self.sets:
            if os.path.isfile(one.path):  # what is not there is told with all other files that are missing
                try:
                    read_items(one)
                except Exception as error:
                    raise ValueError(str(error)) from error
        return self

    def columns_written(self) -> dict[str, pa.DataType]:
        marks = {"contamination": pa.float64(), "contaminated_by": pa.string(), "contaminated_span": pa.string()}
        return marks | ({"text": pa.large_string()} if self.action == "cut" else {})

    def files(self) -> tuple[str, ...]:
        return tuple(one.path for one in self.sets)

    def open(self) -> Callable[[pa.Table], Edited]:
        items = [item for one in self.sets for item in read_items(one)]
        index = ContaminationIndex(items, self.ngram, self.min_words, self.max_items)
        return lambda table: self._marked(table, index)

    def apply(self, table: pa.Table) -> Edited:
        """What the opened stage does; opens it for one batch."""
        return self.open()(table)

    def _marked(self, table: pa.Table, index: ContaminationIndex) -> Edited:
        text = text_of(table.column("text"))
        share = np.zeros(table.num_rows)
        by: list[str | None] = [None] * table.num_rows
        spans: list[str | None] = [None] * table.num_rows
        row: list[int] = []
        kinds: list[str] = []
        places: list[tuple[int, int, int, int]] = []  # bytes of the batch, and code points of the document
        for document, matches in index.find(text).items():
            share[document] = matches[0].overlap
            found = [match for match in matches if match.overlap > self.max_overlap]
            if not found:
                continue
            start, stop = int(text.offsets[document]), int(text.offsets[document + 1])
            string = text.data[start:stop].tobytes().decode()
            chars = word_spans(string)
            by[document] = found[0].item.label
            first = found[0].words[0]
            spans[document] = string[chars[first[0]][0] : chars[first[1] - 1][1]][:EXCERPT]
            for one in _apart([(words, match.item.label) for match in found for words in match.words]):
                (low, high), label = one
                begin, end = chars[low][0], chars[high - 1][1]
                row.append(document)
                kinds.append(label)
                before = start + len(string[:begin].encode())
                places.append((before, before + len(string[begin:end].encode()), begin, end - begin))
        starts, stops, offsets, lengths = np.array(places, np.int64).reshape(-1, 4).T
        edited = np.array(row, np.int64)
        if self.action == "cut":
            table = _with(table, "text", column_of(without(text, edited, starts, stops)), pa.large_string())
        table = _with(table, "contamination", pa.array(share), pa.float64())
        table = _with(table, "contaminated_by", pa.array(by, pa.string()), pa.string())
        table = _with(table, "contaminated_span", pa.array(spans, pa.string()), pa.string())
        return Edited(table, edited, kinds, offsets, lengths)


class ContaminationLimit(Filter):
    """Keep documents with at most `max_overlap` of an item's n-grams, as `ContaminationMarks` wrote it."""

    unit = "word"
    max_overlap: float = Field(0.1, description="largest share of an item's n-grams", ge=0, lt=1)

    def columns_read(self) -> tuple[str, ...]:
        return ("contamination",)

    def measures(self) -> dict[str, pa.DataType]:
        return {"contamination": pa.float64()}

    def measure(self, docs: Docs) -> Measures:
        return {"contamination": docs.numbers("contamination").astype(np.float64)}

    def rules(self) -> Sequence[Rule]:
        return [at_most("contamination", self.max_overlap, "max_overlap")]


class Decontaminate(ContaminationMarks):
    r"""Tag documents that hold items of evaluation sets, drop them, or cut the items out.

    Texts are compared by n-grams of words: Python's `\w+` in lower case, so that case, punctuation and white space do not
    count; letters of scripts without spaces are words by themselves. GPT-3 (Brown et al. 2020, appendix C) compares 13 words,
    and takes one common n-gram for contamination. Here a document is contaminated by an item if it has more than `max_overlap`
    of the n-grams of the item's question, or of question and answer; an item shorter than an n-gram, but of at least
    `min_words` words, is looked for as a whole. N-grams that more than `max_items` items have (instructions, answer formats)
    do not count.

    contamination        largest share of an item's n-grams that the document has, 0 to 1
    contaminated_by      that item, `set:number`, where the share is above `max_overlap`; else null
    contaminated_span    the first 200 characters of the document's text that match it

    action: tag   columns only (the default)
    action: drop  documents above `max_overlap` are dropped; share and limit stand in the ledger
    action: cut   the words that match are cut out, from the first to the last of each run

    The ledger's `edits` have every match, with the item as type; the manifest counts them by item. The files' SHA-256 is in
    the fingerprint and in the manifest. N-grams are compared by 64-bit hashes: of 10 billion words and 500,000 n-grams, one in
    3,700 runs finds an n-gram that is not there. What is rephrased is not found.
    """

    example: ClassVar[dict[str, Any]] = {"sets": [{"name": "example", "path": str(EXAMPLE), "question": "question"}]}
    action: Literal["tag", "drop", "cut"] = Field(
        "tag", description="write columns, drop the document, or cut out what matches"
    )  # type: ignore[assignment]

    def nodes(self) -> Sequence[Stage]:
        """The Map, and with `action: drop` the Filter."""
        keys = {name: getattr(self, name) for name in ContaminationMarks.model_fields}
        marks = ContaminationMarks(**{**keys, "action": "cut" if self.action == "cut" else "tag"})
        return (marks, ContaminationLimit(max_overlap=self.max_overlap)) if self.action == "drop" else (marks,)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Start and stop of each plain word (kernels/shingles.py), in characters."""
    table = lowered()
    found: list[tuple[int, int]] = []
    begin, last, alone = -1, -1, False
    for at, char in enumerate(text):
        entry = int(table[ord(char)])
        if entry == PASSED_OVER:
            continue
        if begin >= 0 and (entry == 0 or entry & ALONE or (alone and not entry & JOINS)):
            found.append((begin, last))
            begin = -1
        if entry and begin < 0:
            begin, alone = at, bool(entry & ALONE)
        last = at + 1
    return [*found, (begin, last)] if begin >= 0 else found


def _apart(spans: list[tuple[tuple[int, int], str]]) -> list[tuple[tuple[int, int], str]]:
    """Spans in the order of the text without overlaps: of two, what is left of the later one stays."""
    out: list[tuple[tuple[int, int], str]] = []
    end = 0
    for (start, stop), label in sorted(spans):
        if stop > end:
            out.append(((max(start, end), stop), label))
            end = stop
    return out


def _with(table: pa.Table, name: str, column: Any, kind: pa.DataType) -> pa.Table:
    field = pa.field(name, kind)
    at = table.schema.get_field_index(name)
    return table.append_column(field, column) if at < 0 else table.set_column(at, field, column)
