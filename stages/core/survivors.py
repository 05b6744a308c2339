"""Which of several duplicates stays, and how that is written down. Shared by the Globals that drop duplicates."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.columns import VERDICT
from stages.core.stage import Drops, Sketches, Verdicts

DROPPED = pa.schema(
    [
        ("number", pa.int64()),
        ("source", pa.string()),
        ("survivor_source", pa.string()),
        ("survivor_id", pa.string()),
        ("similarity", pa.float64()),
        ("cluster", pa.string()),
    ]
)
"""Dropped documents by number, each with its own source, and for whom it was dropped."""

TOLD_CLUSTERS = 20


class LiveRows:
    """Numbers the live documents of all parts from 0, in the order of their addresses."""

    def __init__(self, sketches: Sketches) -> None:
        self.sketches = sketches
        self.parts = sketches.parts()
        counts = [sketches.read(part, ["row"]).num_rows for part in self.parts]
        self.starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def read(self, at: int, columns: Sequence[str]) -> pa.Table:
        """Columns of the sketches of the part that is number `at` among those that there are."""
        return self.sketches.read(self.parts[at], columns)


def survivor_order(
    group: np.ndarray,
    score: np.ndarray | None,
    source: pa.ChunkedArray,
    id: pa.ChunkedArray,
    crawl: np.ndarray | None = None,
) -> np.ndarray:
    """Positions of documents by group, and in each group from the one that is kept before all others to the last.

    An earlier crawl comes first, if crawls are given. Then a higher score (NaN last), then the smaller source, then the smaller
    id (by code points), then the smaller address: the documents are given in its order.
    """
    keys = {"group": pa.array(group)}
    if crawl is not None:
        keys["crawl"] = pa.array(crawl)
    if score is not None:
        keys["score"] = pa.array(score, pa.float64(), from_pandas=False)
    keys |= {"source": source, "id": id, "address": pa.array(np.arange(len(group)))}
    sort_keys = [(name, "descending" if name == "score" else "ascending") for name in keys]
    return np.asarray(pc.sort_indices(pa.table(keys), sort_keys=sort_keys)).astype(np.int64)


def dropped_table(
    numbers: np.ndarray,
    members: pa.Table,
    dropped: np.ndarray,
    survivors: np.ndarray,
    clusters: np.ndarray,
    similarity: np.ndarray,
) -> pa.Table:
    """`DROPPED` of `numbers[dropped]`, sorted by number.

    dropped, survivors, clusters  positions in `numbers` and `members` (source, id), as many each; a cluster is named after the
                                  document that is kept before all others of it
    """
    order = np.argsort(numbers[dropped])
    named = {name: members[name].take(pa.array(survivors[order])).cast(pa.string()) for name in ("source", "id")}
    first = members.select(["source", "id"]).take(pa.array(clusters[order]))
    columns = {
        "number": pa.array(numbers[dropped[order]]),
        "source": members["source"].take(pa.array(dropped[order])).cast(pa.string()),
        "survivor_source": named["source"],
        "survivor_id": named["id"],
        "similarity": pa.array(similarity[order], pa.float64()),
        "cluster": pc.binary_join_element_wise(first["source"].cast(pa.string()), first["id"].cast(pa.string()), ":"),
    }
    return pa.table(columns, schema=DROPPED)


def source_pairs(tables: Iterable[pa.Table]) -> list[dict[str, Any]]:
    """How many documents of a source were dropped for one of which source; most first."""
    found: Counter[tuple[str, str]] = Counter()
    for table in tables:
        counted = table.group_by(["source", "survivor_source"]).aggregate([([], "count_all")]).to_pylist()
        found.update({(row["source"], row["survivor_source"]): row["count_all"] for row in counted})
    pairs = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [{"source": source, "survivor_source": kept, "documents": count} for (source, kept), count in pairs]


def source_counts(seen: Iterable[dict[str, Any]], pairs: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Documents of each source, counted in `sources` of what was seen, and how many of them were dropped."""
    documents, dropped = Counter[str](), Counter[str]()
    for facts in seen:
        documents.update(facts["sources"])
    for pair in pairs:
        dropped[pair["source"]] += pair["documents"]
    return {name: {"documents": documents[name], "dropped": dropped[name]} for name in sorted(documents)}


def write_verdicts(rows: LiveRows, block: tuple[int, int], dropped: pa.Table, verdicts: Drops) -> None:
    """Write the verdicts of the parts from the first to before the second, on documents of them in `dropped`, in any order."""
    dropped = dropped.sort_by("number")
    bounds = np.searchsorted(dropped["number"].to_numpy(), rows.starts)
    for at in range(*block):
        lost = dropped.slice(bounds[at], bounds[at + 1] - bounds[at])
        if lost.num_rows:
            local = pc.subtract(lost["number"], pa.scalar(int(rows.starts[at])))
            row = rows.read(at, ["row"])["row"].take(local)
            verdicts.write(rows.parts[at], _verdicts_of(row.cast(pa.int32()), lost))


def _verdicts_of(row: pa.ChunkedArray, lost: pa.Table) -> pa.Table:
    told = {name: lost[name] for name in ("survivor_source", "survivor_id", "similarity", "cluster")}
    return verdict_table({"row": row, "rule": ["duplicate"] * lost.num_rows, **told})


def verdict_table(known: dict[str, Any]) -> pa.Table:
    """`VERDICT` with these columns, `row` among them, and nulls in the others."""
    count = len(known["row"])
    return pa.table({f.name: known.get(f.name, pa.nulls(count, f.type)) for f in VERDICT}, schema=VERDICT)


def numbers_or_null(values: np.ndarray) -> pa.Array:
    """Numbers for the ledger (float64), null where they are NaN."""
    return pa.array(values, pa.float64(), from_pandas=True)


def write_values(rows: LiveRows, block: tuple[int, int], values: pa.Table, verdicts: Verdicts) -> None:
    """Write the columns that a Global adds to the documents of a block: a row for each live one, in order."""
    first = int(rows.starts[block[0]])
    for at in range(*block):
        start, stop = int(rows.starts[at]), int(rows.starts[at + 1])
        verdicts.add(rows.parts[at], [values.slice(start - first, stop - start)])


def largest_groups(sizes: np.ndarray, first: np.ndarray, members: pa.Table) -> list[dict[str, Any]]:
    """The 20 largest groups, and those as large as the last: size, source and id of the survivor, a row of `members`."""
    largest = np.argsort(-sizes, kind="stable")
    largest = largest[sizes[largest] >= sizes[largest[min(TOLD_CLUSTERS, len(largest)) - 1]]] if len(largest) else largest
    names = members.select(["source", "id"]).take(pa.array(first[largest])).to_pylist()
    return [
        {"size": int(sizes[at]), "survivor_source": name["source"], "survivor_id": name["id"]}
        for at, name in zip(largest, names, strict=True)
    ]


def largest_of(groups: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The 20 largest of what `largest_groups` found in several places."""
    return sorted(groups, key=lambda group: (-group["size"], group["survivor_source"], group["survivor_id"]))[:TOLD_CLUSTERS]
