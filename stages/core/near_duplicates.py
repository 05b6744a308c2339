"""The rounds in which near-duplicates are found among the sketches of all documents, and which of them stay.

keys        by blocks of parts   the keys of all bands of the block's documents, sorted
pairs       by ranges of keys    a spanning forest of the documents whose keys are equal
components  at once              the forests put together, components numbered
members     by blocks of parts   signatures, and the sets of shingles, of documents that have a component, sorted by component
decisions   by components        who is dropped for whom, sorted by document

Each round reads what the one before stored; only documents that share a key with another are in the last three.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.core.exchange import (
    Block,
    Range,
    batches,
    binary_of,
    blocks,
    facts_of,
    in_range,
    numpy_of,
    place_of,
    ranges,
    sorted_table,
)
from stages.core.indexed import crawls_of
from stages.core.sketch_index import JoinedSketches
from stages.core.stage import Drops, Saved, Sketches
from stages.core.survivors import (
    DROPPED,
    LiveRows,
    dropped_table,
    largest_groups,
    largest_of,
    source_counts,
    source_pairs,
    survivor_order,
    write_verdicts,
)
from stages.kernels.components import forest_of, union_roots
from stages.kernels.minhash import band_keys
from stages.kernels.similarity import NO_SETS, Sets, distinct, shares, similar_clusters, similar_survivors
from stages.kernels.text import Text, frozen, text_of

HELD_VALUES = 2**24
"""values of signatures, and shingles, of the components that are decided on at once, or of one larger component"""
JOINED_EDGES = 2**22
"""edges that are at least put together at once"""
MEMBER_PARTS = 64
"""parts of whose documents one task finds shingles: a part is some megabytes of text"""
AT_ONCE = 2**20
"""bytes of text whose shingles are hashed at once: the memory of the last ones is warm"""

Similar = Literal["band", "signature", "set"]


@dataclass(frozen=True)
class NearDuplicates:
    """How documents with signatures are compared, and who of those that are similar stays.

    similar   what makes two documents similar: a shared band, or in two documents that share one `threshold` of equal values of
              their signatures, or of the shingles that they have together
    doubtful  share of equal values below which sets are not compared
    chains    one document stays of all that are joined by similar pairs; else every dropped document is similar to its survivor
    keep      "first", "longest", "root", or "score", the highest value of that column of the sketch
    by_crawl  documents of earlier crawls stay before others; sketches are `JoinedSketches`
    sets      hashes of the shingles of texts (uint64) and their offsets by document
    """

    bands: int
    similar: Similar
    threshold: float
    doubtful: float
    chains: bool
    keep: Literal["first", "longest", "root", "score"]
    by_crawl: bool
    signatures: Callable[[pa.ChunkedArray], np.ndarray]
    sets: Callable[[Text], tuple[np.ndarray, np.ndarray]]

    def solve(self, sketches: Sketches, verdicts: Drops) -> dict[str, Any]:
        """Write the verdicts; facts as those of `MinhashDedup.solve`."""
        rows = LiveRows(sketches)
        parts = blocks(rows)
        keys = sketches.round("keys", partial(self._keys, rows), parts)
        seen = [facts_of(saved.read()) for saved in keys]
        with_signature = sum(facts["with_signature"] for facts in seen)
        pairs = sketches.round("pairs", partial(_pairs, keys), ranges(self.bands * with_signature))
        (components,) = sketches.round("components", _components, [pairs])
        found = facts_of(components.read())
        members = sketches.round("members", partial(self._members, rows, components), blocks(rows, MEMBER_PARTS))
        weights = np.zeros(found["components"], np.int64)
        for saved in members:
            table = saved.read()
            np.add.at(weights, numpy_of(table["component"]), numpy_of(table["weight"]))
        decisions = sketches.round("decisions", partial(self._decide, members), batches(weights, HELD_VALUES))
        for block in parts if decisions else []:
            write_verdicts(rows, block, in_range(decisions, "number", place_of(rows, block)), verdicts)
        decided = [facts_of(saved.read()) for saved in decisions]
        pairs_of_sources = source_pairs(saved.read() for saved in decisions)
        dropped = sum(saved.read().num_rows for saved in decisions)
        return {
            "documents": len(rows),
            "without_signature": len(rows) - with_signature,
            "dropped": dropped,
            "kept_by_verification": found["members"] - dropped - found["components"],
            "components": found["components"],
            "members": found["members"],
            "largest_components": largest_of(group for facts in decided for group in facts["largest"]),
            "source_pairs": pairs_of_sources,
            "sources": source_counts(seen, pairs_of_sources),
        }

    def _keys(self, rows: LiveRows, block: Block) -> pa.Table:
        keys, documents, sources = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)], Counter[str]()
        with_signature = 0
        for at in range(*block):
            table = rows.read(at, ["source", "n_shingles", *map(band_name, range(self.bands))])
            has_keys = np.flatnonzero(numpy_of(table["n_shingles"]))
            with_signature += len(has_keys)
            sources.update({row["values"]: row["counts"] for row in table["source"].value_counts().to_pylist()})
            for band in range(self.bands):
                of_band = table[band_name(band)].fill_null(0).to_numpy()[has_keys]
                keys.append(of_band + np.uint64(band))  # equal keys of different bands are no match
                documents.append(rows.starts[at] + has_keys)
        facts = {"with_signature": with_signature, "sources": dict(sources)}
        return sorted_table("key", {"key": np.concatenate(keys), "document": np.concatenate(documents)}, facts)

    def _members(self, rows: LiveRows, components: Saved, block: Block) -> pa.Table:
        """Of documents of the block that have a component: who they are, what they are compared by, and what that weighs."""
        mine = in_range([components], "document", place_of(rows, block))
        numbers = numpy_of(mine["document"])
        bounds = np.searchsorted(numbers, rows.starts[block[0] : block[1] + 1])
        score = {"longest": ["text_bytes"], "score": ["score"]}.get(self.keep, [])
        columns, tables, sets = ["row", "source", "id", "signature", *score], [], [pa.array([], pa.large_binary())]
        crawls = [np.zeros(0, np.int32)]
        for at in range(*block):
            local = numbers[bounds[at - block[0]] : bounds[at - block[0] + 1]] - rows.starts[at]
            table = rows.read(at, columns).take(pa.array(local))
            if self.similar == "set" and len(local):
                sets += self._sets_of_part(rows, at, local, table)
            tables.append(table)
            crawls.append(crawls_of(rows, at, len(local)))
        joined = pa.concat_tables(tables)
        named = dict(zip(["source", "id", "signature", *["score" for _ in score]], joined.columns[1:], strict=True))
        weight = np.full(joined.num_rows, joined["signature"].type.byte_width // 8)
        if self.similar == "set":
            named["shingles"] = pa.chunked_array(sets)
            weight += pc.binary_length(named["shingles"]).to_numpy() // 8
        first = {"component": mine["component"], "document": mine["document"], "crawl": np.concatenate(crawls)}
        return sorted_table("component", {**first, "weight": weight, **named})

    def _sets_of_part(self, rows: LiveRows, at: int, local: np.ndarray, table: pa.Table) -> list[pa.Array]:
        """Sets of some documents of a part: as an index keeps them, or of their texts."""
        part = rows.parts[at]
        if isinstance(rows.sketches, JoinedSketches) and rows.sketches.part_of_run(part) is None:
            return list(rows.read(at, ["shingles"])["shingles"].take(pa.array(local)).chunks)
        texts = rows.sketches.documents(part, numpy_of(table["row"]), ["text"])
        return [distinct_sets(self.sets, text_of(texts["text"]))]

    def _decide(self, members: Sequence[Saved], wanted: Range) -> pa.Table:
        """`DROPPED` of the components of a range."""
        table = in_range(members, "component", wanted)
        numbers, component = numpy_of(table["document"]), numpy_of(table["component"])
        score = table["score"].to_numpy().astype(np.float64) if "score" in table.column_names else None
        if self.keep == "root":
            signature = self.signatures(table["signature"])
            order = np.lexsort((numbers, ~union_roots(signature, self.bands), component))
        else:
            crawl = numpy_of(table["crawl"]) if self.by_crawl else None
            order = survivor_order(component, score, table["source"], table["id"], crawl)
        table, numbers, component = table.take(pa.array(order)), numbers[order], component[order]
        signature = self.signatures(table["signature"])
        sets = _sets_of(table["shingles"]) if self.similar == "set" else NO_SETS
        clusters, survivors, similarity = self._survivors(signature, sets, component)
        dropped = np.flatnonzero(survivors >= 0)
        gone = dropped_table(numbers, table, dropped, survivors[dropped], clusters[dropped], similarity[dropped])
        first, sizes = np.unique(clusters, return_counts=True)
        largest = largest_groups(sizes[sizes > 1], first[sizes > 1], table)
        return sorted_table("number", {name: gone[name] for name in DROPPED.names}, {"largest": largest})

    def _survivors(self, signature: np.ndarray, sets: Sets, component: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each document the first of its cluster, its survivor or -1, and their similarity."""
        if self.similar == "band" or self.chains:
            if self.similar == "band":
                starts = np.flatnonzero(np.diff(component, prepend=-1))
                clusters = np.repeat(starts, np.diff(np.append(starts, len(component))))
            else:
                by_band = band_keys(signature, self.bands)
                clusters = similar_clusters(signature, by_band, self.threshold, self.doubtful, sets)
            itself = clusters == np.arange(len(clusters))
            return clusters, np.where(itself, -1, clusters), shares(signature, sets, np.arange(len(clusters)), clusters)
        by_band = band_keys(signature, self.bands)
        survivors, similarity = similar_survivors(signature, by_band, self.threshold, self.doubtful, sets)
        return np.where(survivors < 0, np.arange(len(survivors)), survivors), survivors, similarity


def band_name(band: int) -> str:
    """Column of the sketch."""
    return f"band_{band:03d}"


def distinct_sets(sets: Callable[[Text], tuple[np.ndarray, np.ndarray]], text: Text) -> pa.LargeBinaryArray:
    """Each text's set of shingles, 8 bytes each: of lists, pyarrow takes rows twenty times as slowly."""
    sizes, hashes = [np.zeros(1, np.int64)], [NO_SETS.hashes]
    for first, last in batches(np.diff(text.offsets), AT_ONCE):
        found = distinct(*sets(Text(text.offsets[first : last + 2], text.data)))
        sizes.append(np.diff(found.bounds))
        hashes.append(found.hashes)
    bounds = 8 * np.cumsum(np.concatenate(sizes))
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(np.concatenate(hashes))]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(bounds) - 1, buffers)


def _sets_of(column: pa.ChunkedArray) -> Sets:
    bounds, data = binary_of(column)
    return Sets(frozen(bounds // 8), frozen(data[: bounds[-1]].view(np.uint64)))


def _pairs(keys: Sequence[Saved], wanted: Range) -> pa.Table:
    """A spanning forest of the documents with equal keys: each with the smallest one of its tree, roots left out."""
    table = in_range(keys, "key", wanted)
    found, documents = numpy_of(table["key"]), numpy_of(table["document"])
    order = np.argsort(found, kind="stable")
    same = found[order[1:]] == found[order[:-1]]
    documents = documents[order]
    node, root = forest_of(documents[:-1][same], documents[1:][same])
    return sorted_table("document", {"document": node[node != root], "root": root[node != root]})


def _components(pairs: Sequence[Saved]) -> pa.Table:
    """Documents of components of two or more, by number, and the number of the component, by its smallest document."""
    documents = component = np.zeros(0, np.int64)
    pending: list[pa.Table] = []
    for at, saved in enumerate(pairs):
        pending.append(saved.read())
        # a forest has one edge for a document, however many ranges join it: they are put together as they come
        if at == len(pairs) - 1 or sum(table.num_rows for table in pending) > max(JOINED_EDGES, len(documents)):
            left = [documents, *(numpy_of(table["document"]) for table in pending)]
            right = [component, *(numpy_of(table["root"]) for table in pending)]
            documents, component = forest_of(np.concatenate(left), np.concatenate(right))
            pending.clear()
    roots, which = np.unique(component, return_inverse=True)
    facts = {"members": len(documents), "components": len(roots)}
    return sorted_table("document", {"document": documents, "component": which.astype(np.int64)}, facts)
