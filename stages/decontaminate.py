"""Find documents that hold items of evaluation sets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.rule import Rule, at_most
from stages.core.contamination import ContaminationIndex, excerpt
from stages.core.docs import Docs
from stages.core.evaluation_sets import EvaluationSet, check_sets, read_items, read_texts
from stages.core.stage import Edited, Filter, Map, Measures, Stage
from stages.kernels.pieces import without
from stages.kernels.pii_places import code_points
from stages.kernels.text import column_of, text_of

_MARKS = ("contaminated_by", "contaminated_span", "contaminated_item")
_SIDE_BY_SIDE = pa.schema(
    {"row": pa.int64(), "set": pa.string(), "item": pa.int64(), "overlap": pa.float64()}
    | {"document": pa.string(), "matches": pa.string()}
)
EXAMPLE = Path(__file__).parent / "core" / "example_items.jsonl"
"""two items, written for trials of this stage"""


class ContaminationMarks(Map):
    """Writes into columns what of evaluation sets a document holds, or cuts it out.

    contamination        largest share of an item's n-grams that the document has, 0 to 1
    contaminated_by      that item, `set:number`, where the share is above `max_overlap`; else null
    contaminated_span    the longest span of words that the document has in common with it, its first 200 characters
    contaminated_item    the same words as they stand in the item
    """

    version: ClassVar[int] = 2

    sets: tuple[EvaluationSet, ...] = Field(description="evaluation sets: name, path, question, answer", min_length=1)
    ngram: int = Field(13, description="words of an n-gram", ge=3, le=100)
    min_words: int = Field(
        8, description="words below which an item is not looked for; up to `ngram` it is looked for whole", ge=3
    )
    max_items: int = Field(10, description="n-grams of more items than this say nothing: they are instructions", ge=1)
    generic: tuple[str, ...] = Field(
        (), description="files of texts, one a line, whose n-grams say nothing, as those of more than `max_items` items"
    )
    max_overlap: float = Field(
        0.1, description="largest share of an item's n-grams, of the question or with the answer, that may be there", ge=0, lt=1
    )
    action: Literal["tag", "cut"] = Field("tag", description="write columns, or cut what matches out of the text, too")

    @model_validator(mode="after")
    def _sets_have_items(self) -> Self:
        check_sets(self.sets)
        return self

    def columns_written(self) -> dict[str, pa.DataType]:
        marks = {"contamination": pa.float64()} | dict.fromkeys(_MARKS, pa.string())
        return marks | ({"text": pa.large_string()} if self.action == "cut" else {})

    def files(self) -> tuple[str, ...]:
        return (*(one.path for one in self.sets), *self.generic)

    def index(self) -> ContaminationIndex:
        """The items' n-grams. Raises `InputError` where nothing of a set can be found."""
        items = [item for one in self.sets for item in read_items(one)]
        generic = [line for path in self.generic for line in read_texts(path)]
        return ContaminationIndex(items, self.ngram, self.min_words, self.max_items, generic)

    def open(self) -> Callable[[pa.Table], Edited]:
        index = self.index()
        return lambda table: self._marked(table, index)

    def apply(self, table: pa.Table) -> Edited:
        """What the opened stage does; opens it for one batch."""
        return self.open()(table)

    def side_by_side(self, table: pa.Table) -> pa.Table:
        """What documents and items have in common: a row for each document and item above `max_overlap`.

        row, id             of the document; `id` only where the table has it
        set, item, overlap  as in `contaminated_by` and `contamination`
        document, matches   the longest span of words that are the same, as they stand in the document and in the item
        """
        index = self.index()
        text = text_of(table.column("text"))
        rows = [
            {
                "row": row,
                "set": match.item.name,
                "item": match.item.number,
                "overlap": match.overlap,
                "document": excerpt(text, match.longest.start, match.longest.stop),
                "matches": index.item_excerpt(match),
            }
            for row, matches in index.find(text).items()
            for match in matches
            if match.overlap > self.max_overlap
        ]
        found = pa.Table.from_pylist(rows, _SIDE_BY_SIDE)
        if "id" not in table.column_names:
            return found
        return found.add_column(1, "id", table.column("id").take(found["row"]))

    def _marked(self, table: pa.Table, index: ContaminationIndex) -> Edited:
        text = text_of(table.column("text"))
        share = np.zeros(table.num_rows)
        marks: dict[str, list[str | None]] = {name: [None] * table.num_rows for name in _MARKS}
        told: list[tuple[int, int, int, str]] = []  # document, bytes of the batch, item
        for row, matches in index.find(text).items():
            share[row] = matches[0].overlap
            found = [match for match in matches if match.overlap > self.max_overlap]
            if not found:
                continue
            first = found[0]
            shown = (first.item.label, excerpt(text, *first.longest[2:4]), index.item_excerpt(first))
            for name, value in zip(_MARKS, shown, strict=True):
                marks[name][row] = value
            spans = [(span.start, span.stop, match.item.label) for match in found for span in match.spans]
            told += [(row, *span) for span in _apart(spans)]
        document, start, stop = np.array([one[:3] for one in told], np.int64).reshape(-1, 3).T
        offset, end = code_points(text, np.repeat(document, 2), np.stack([start, stop], axis=1).ravel()).reshape(-1, 2).T
        if self.action == "cut":
            table = _with(table, "text", column_of(without(text, document, start, stop)), pa.large_string())
        table = _with(table, "contamination", pa.array(share), pa.float64())
        for name, values in marks.items():
            table = _with(table, name, pa.array(values, pa.string()), pa.string())
        return Edited(table, document, [one[3] for one in told], offset, end - offset)


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
    `min_words` words, is looked for as a whole. N-grams that more than `max_items` items have (instructions, answer formats),
    or that are in a text of `generic` (a licence, a prompt), do not count.

    contamination        largest share of an item's n-grams that the document has, 0 to 1
    contaminated_by      that item, `set:number`, where the share is above `max_overlap`; else null
    contaminated_span    the longest span of words that the document has in common with it, its first 200 characters
    contaminated_item    the same words as they stand in the item

    action: tag   columns only (the default)
    action: drop  documents above `max_overlap` are dropped; share and limit stand in the ledger
    action: cut   the words that match are cut out, from the first to the last of each run

    The ledger's `edits` have every match, with the item as type; the manifest counts them by item. The files' SHA-256 is in
    the fingerprint and in the manifest. N-grams are looked up by hashes, and count only if all their words are the same. What
    is rephrased is not found. `side_by_side` shows what documents and items have in common.
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


def _apart(spans: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """Spans in the order of the text without overlaps: of two, what is left of the later one stays."""
    end = -1
    for start, stop, label in sorted(spans):
        if stop > end:
            yield max(start, end), stop, label
            end = stop


def _with(table: pa.Table, name: str, column: Any, kind: pa.DataType) -> pa.Table:
    field = pa.field(name, kind)
    at = table.schema.get_field_index(name)
    return table.append_column(field, column) if at < 0 else table.set_column(at, field, column)
