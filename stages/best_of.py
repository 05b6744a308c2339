"""Keep the best of the documents that were made of one, alone or with the worst as a preference pair."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages.core.docs import Docs
from stages.core.exchange import Block, Range, blocks, in_range, numpy_of, place_of, ranges, sorted_table
from stages.core.ranked import descending, score_of
from stages.core.stage import Global, Saved, Sketches, Verdicts
from stages.core.survivors import LiveRows, numbers_or_null, verdict_table
from stages.kernels.hashing import order_keys, text_ids
from stages.kernels.text import text_of

NOBODY = -1
PAIR = {"rejected": pa.large_string(), "rejected_messages": pa.string(), "margin": pa.float64()}


class BestOf(Global):
    """Keep of each group, such as the answers to one request, the documents with the highest scores.

        respond: {samples: 4, sampling: {temperature: 0.8}, endpoint: {base_url: ..., model: ...}}
        annotate: {prompt: response_quality, column: rating, endpoint: ...}
        best_of: {by: rating, pairs: true}

    Equal scores go in the order of a hash of source and id; a null or NaN is last. Documents whose group is null belong to
    none and stay. The ledger tells a dropped document's score and the lowest that stayed in its group.

    With `pairs`, the best stays with the worst of its group beside it, as preference data (DPO): `rejected` and
    `rejected_messages` are the worst one's `text` and `messages`, `margin` is how far their scores are apart. A group without
    two scores that are at least `min_margin` apart has no pair, and is dropped.

    Sketch: 24 bytes for each document. A task holds the entries of half a million documents, or 8 million of one range.
    """

    example: ClassVar[dict[str, Any]] = {"by": "score", "group": "url"}

    by: str = Field(description="column with the score", min_length=1)
    group: str = Field("parent_id", description="column, a string, with one value for each group of a source", min_length=1)
    keep: int = Field(1, description="documents of each group that stay", ge=1)
    pairs: bool = Field(False, description="write the worst of the group beside the best; keep is then 1")
    min_margin: float = Field(
        0.0, description="with pairs, how far the two scores are apart at least, and always more than 0", ge=0
    )

    def columns_read(self) -> tuple[str, ...]:
        pair = ("text", "messages") if self.pairs else ()
        return tuple(dict.fromkeys(("source", "id", self.group, self.by, *pair)))

    def columns_written(self) -> dict[str, pa.DataType]:
        return dict(PAIR) if self.pairs else {}

    def sketch_parameters(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"by", "group"})

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([("group_hash", pa.uint64()), ("score", pa.float64()), ("order", pa.uint64())])

    def sketch(self, docs: Docs) -> pa.Table:
        source, group = (docs.table.column(name) for name in ("source", self.group))
        joined = pc.binary_join_element_wise(
            source.cast(pa.large_string()), group.cast(pa.large_string()), pa.scalar("\0", pa.large_string())
        )
        hashes = text_ids(text_of(joined.fill_null("")))[:, 0]
        mine = pa.array(hashes, mask=~np.asarray(group.is_valid().to_numpy()))
        names = [docs.table.column(name).combine_chunks() for name in ("source", "id")]
        score = docs.table.column(self.by).cast(pa.float64()).fill_null(math.nan)
        return pa.table([mine, score, pa.array(order_keys(0, "best_of", *names))], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        parts = blocks(rows)
        entries = sketches.round("entries", partial(_entries, rows), parts)
        keep = 1 if self.pairs else self.keep
        margin = self.min_margin if self.pairs else None
        decided = sketches.round("decided", partial(_decided, entries, keep, margin), ranges(len(rows)))
        for block in parts:
            self._write(rows, block, in_range(decided, "document", place_of(rows, block)).sort_by("document"), verdicts)
        facts = [saved.read() for saved in decided]
        pairs = sum(int(pc.sum(pc.greater_equal(table["worst"], 0)).as_py() or 0) for table in facts)
        told = {"documents": len(rows), "groups": sum(len(table["group"].unique()) for table in facts)}
        return {**told, **({"pairs": pairs} if self.pairs else {}), "sketch_bytes_per_document": 24}

    def _write(self, rows: LiveRows, block: Block, decided: pa.Table, verdicts: Verdicts) -> None:
        numbers = numpy_of(decided["document"])
        bounds = np.searchsorted(numbers, rows.starts)
        for at in range(*block):
            mine = decided.slice(bounds[at], bounds[at + 1] - bounds[at])
            table = rows.read(at, ["row"])["row"]
            row = table.take(pc.subtract(mine["document"], int(rows.starts[at]))).cast(pa.int32())
            mine = mine.append_column("row", row)
            lost = mine.filter(mine["dropped"])
            if lost.num_rows:
                verdicts.write(rows.parts[at], self._verdicts(lost))
            if self.pairs:
                best = mine.filter(pc.greater_equal(mine["worst"], 0))
                verdicts.add(rows.parts[at], [self._pairs(rows, best)])

    def _verdicts(self, lost: pa.Table) -> pa.Table:
        count = lost.num_rows
        names = np.where(numpy_of(lost["rank"]) == 0, "margin", "best")
        known = {"measure": [self.by] * count, "op": ["at_least"] * count, "limit": numbers_or_null(lost["limit"].to_numpy())}
        return verdict_table(
            {"row": lost["row"], "rule": pa.array(names), "value": numbers_or_null(lost["score"].to_numpy()), **known}
        )

    def _pairs(self, rows: LiveRows, best: pa.Table) -> pa.Table:
        """The worst ones' texts, read from where they stand."""
        worst = numpy_of(best["worst"])
        part = np.searchsorted(rows.starts, worst, side="right") - 1
        texts: dict[int, dict[str, Any]] = {}
        for at in np.unique(part):
            numbers = np.unique(worst[part == at])
            row = numpy_of(rows.read(int(at), ["row"])["row"])[numbers - rows.starts[at]]
            found = rows.sketches.documents(rows.parts[int(at)], row, ["text", "messages"]).to_pylist()
            texts |= dict(zip(numbers.tolist(), found, strict=True))
        columns = {
            "row": best["row"],
            "rejected": pa.array([texts[number]["text"] for number in worst.tolist()], PAIR["rejected"]),
            "rejected_messages": pa.array([texts[number]["messages"] for number in worst.tolist()], PAIR["rejected_messages"]),
            "margin": best["margin"],
        }
        return pa.table(columns)


def _entries(rows: LiveRows, block: Block) -> pa.Table:
    """Group, score and order of the documents of a block that are in a group."""
    found = []
    for at in range(*block):
        table = rows.read(at, ["group_hash", "score", "order"])
        table = table.append_column("document", pa.array(np.arange(rows.starts[at], rows.starts[at + 1])))
        found.append(table.filter(table["group_hash"].is_valid()))
    return sorted_table(
        "group_hash", {name: pa.concat_tables(found)[name] for name in ("group_hash", "score", "order", "document")}
    )


def _decided(entries: Sequence[Saved], keep: int, margin: float | None, wanted: Range) -> pa.Table:
    """Of each document of the groups in a range whether it is dropped and for which limit, and of a best one the worst."""
    table = in_range(entries, "group_hash", wanted)
    group, key = numpy_of(table["group_hash"]), descending(table["score"].to_numpy().astype(np.float64))
    order = np.lexsort((numpy_of(table["document"]), numpy_of(table["order"]), key, group))
    group, key, document = group[order], key[order], numpy_of(table["document"])[order]
    starts = np.flatnonzero(np.diff(group, prepend=group[:1] + np.uint64(1)) != 0) if len(group) else np.zeros(0, np.int64)
    sizes = np.diff(np.append(starts, len(group)))
    first, rank = np.repeat(starts, sizes), np.arange(len(group)) - np.repeat(starts, sizes)
    score = np.array([score_of(int(value)) for value in np.unique(key)])[np.searchsorted(np.unique(key), key)]
    scored = ~np.isnan(score)
    limit = score[np.minimum(first + keep - 1, first + np.repeat(sizes, sizes) - 1)]
    worst, apart = np.full(len(group), NOBODY), np.full(len(group), np.nan)
    dropped = rank >= keep
    if margin is not None:
        last = starts + np.maximum(1, np.add.reduceat(scored, starts) if len(starts) else starts) - 1
        apart[starts] = score[starts] - score[last]
        good = (apart[starts] > 0) & (apart[starts] >= margin)
        worst[starts[good]] = document[last[good]]
        dropped[starts[~good]] = True
        limit[starts] = score[last] + margin
    columns = {"document": document, "group": group, "rank": rank, "score": score, "limit": limit}
    return sorted_table("document", {**columns, "dropped": dropped, "worst": worst, "margin": apart})
