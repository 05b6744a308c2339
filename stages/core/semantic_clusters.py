"""The rounds in which documents with similar embeddings are found.

sample     by blocks of parts   vectors of documents that a hash chooses
centroids  at once              k-means on these
clusters   by blocks of parts   every document's nearest centroid, sorted by it, and what decides which document stays
decisions  by clusters          who is dropped for whom, sorted by document

Documents are compared within their cluster alone, a block of them with a block of those that stay.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.exchange import (
    Block,
    Range,
    batches,
    blocks,
    facts_of,
    in_range,
    numpy_of,
    place_of,
    slices_in_range,
    sorted_table,
)
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
from stages.core.vectors import k_means, nearest, packed, squared_lengths, unpacked, whole_vectors
from stages.kernels.hashing import order_keys

BLOCK_PARTS, BLOCK_DOCUMENTS = 64, 2**17
"""parts whose vectors one task reads and sorts, and documents in them: 100 MB of 384 dimensions"""
VECTORS_AT_ONCE = 2**14
SAMPLED, MOST_SAMPLED = 256, 2**19
"""documents on which centroids are found: so many for each cluster, and at most so many"""
ROUNDS = 20
DOCUMENTS_AT_ONCE = 2**18
"""documents of the clusters that one task decides on"""


@dataclass(frozen=True)
class SemanticClusters:
    """How documents are put into clusters and compared there.

    column     of the documents, with their embeddings
    threshold  cosine from which on two documents are similar
    clusters   centroids
    keep       "first", or "score", the highest of that column of the sketch, or "nearest" or "farthest" from the centroid
    seed       chooses the sample
    block      documents that are compared with as many at once
    """

    column: str
    threshold: float
    clusters: int
    keep: str
    seed: int
    block: int

    def solve(self, sketches: Sketches, verdicts: Drops) -> dict[str, Any]:
        """Write the verdicts; facts as those of `SemanticDedup.solve`."""
        rows = LiveRows(sketches)
        parts = blocks(rows, BLOCK_PARTS, BLOCK_DOCUMENTS)
        centroids: Sequence[Saved] = []
        if self.clusters > 1 and parts:
            sample = sketches.round("sample", partial(self._sample, rows), parts)
            centroids = sketches.round("centroids", self._centroids, [sample])
        placed = sketches.round("clusters", partial(self._placed, rows, centroids), parts)
        seen = [facts_of(saved.read()) for saved in placed]
        sizes = sum((np.array(facts["sizes"]) for facts in seen), np.zeros(self.clusters, np.int64))
        tasks = batches(sizes, DOCUMENTS_AT_ONCE) if parts else []
        decisions = sketches.round("decisions", partial(self._decide, placed), tasks)
        for block in parts:
            write_verdicts(rows, block, in_range(decisions, "number", place_of(rows, block)), verdicts)
        decided = [facts_of(saved.read()) for saved in decisions]
        pairs = source_pairs(saved.read() for saved in decisions)
        filled = sizes[sizes > 0]
        return {
            "documents": len(rows),
            "dropped": sum(saved.read().num_rows for saved in decisions),
            "without_vector": sum(facts["without_vector"] for facts in seen),
            "dimensions": max((facts["dimensions"] for facts in seen), default=0),
            "clusters": self.clusters,
            "cluster_sizes": {
                str(share): int(np.quantile(filled, share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0) if len(filled)
            },
            "largest_components": largest_of(group for facts in decided for group in facts["largest"]),
            "source_pairs": pairs,
            "sources": source_counts(seen, pairs),
        }

    def _vectors(self, rows: LiveRows, at: int, numbers: np.ndarray) -> np.ndarray:
        """Vectors of documents of a part, some thousand at a time: as floats they are four times as large."""
        found = []
        for start in range(0, max(1, len(numbers)), VECTORS_AT_ONCE):
            some = numbers[start : start + VECTORS_AT_ONCE]
            found.append(whole_vectors(rows.sketches.documents(rows.parts[at], some, [self.column])[self.column]))
        return _stacked(found)

    def _sample(self, rows: LiveRows, block: Block) -> pa.Table:
        """Documents whose hash is small enough, about as many as are wanted: the hash, and the vector."""
        wanted = min(SAMPLED * self.clusters, MOST_SAMPLED)
        # half as many again, so that enough are there; the smallest hashes of all are then taken
        limit = min(1.0, 1.5 * wanted / len(rows) + 64 / len(rows)) * 2.0**64
        keys, vectors = [np.zeros(0, np.uint64)], []
        for at in range(*block):
            table = rows.read(at, ["row", "source", "id"])
            of_part = order_keys(self.seed, "semantic_dedup", table["source"], table["id"])
            chosen = np.flatnonzero(of_part.astype(np.float64) <= limit)
            keys.append(of_part[chosen])
            vectors.append(self._vectors(rows, at, numpy_of(table["row"])[chosen]))
        return sorted_table("key", {"key": np.concatenate(keys), "vector": packed(_stacked(vectors))})

    def _centroids(self, sample: Sequence[Saved]) -> pa.Table:
        tables = [table for table in (saved.read() for saved in sample) if table.num_rows]
        keys = np.concatenate([numpy_of(table["key"]) for table in tables])
        vectors = _stacked([unpacked(table["vector"]) for table in tables])
        # equal hashes have equal vectors or are one in 2**64; rows of zeros have no direction
        order = np.argsort(keys, kind="stable")[: min(SAMPLED * self.clusters, MOST_SAMPLED)]
        chosen = vectors[order]
        chosen = chosen[squared_lengths(chosen) > 0]
        return pa.table({"vector": packed(k_means(chosen, min(self.clusters, len(chosen)), ROUNDS))})

    def _placed(self, rows: LiveRows, centroids: Sequence[Saved], block: Block) -> pa.Table:
        """The documents of the block by cluster: who they are, their score, their vector."""
        targets = unpacked(centroids[0].read()["vector"]) if centroids else np.zeros((0, 0), np.int16)
        columns = ["row", "source", "id", *(["score"] if self.keep == "score" else [])]
        clusters, scores, vectors, tables = [np.zeros(0, np.int32)], [np.zeros(0)], [], []
        sources = Counter[str]()
        for at in range(*block):
            table = rows.read(at, columns)
            tables.append(table.select(["source", "id"]))
            sources.update({row["values"]: row["counts"] for row in table["source"].value_counts().to_pylist()})
            found = self._vectors(rows, at, numpy_of(table["row"]))
            which, score = np.zeros(len(found), np.int32), np.zeros(len(found))
            if len(targets) and len(found):
                which, product = nearest(found, targets)
                score = product.astype(np.float64) * (-1 if self.keep == "farthest" else 1)
            clusters.append(which)
            scores.append(table["score"].to_numpy().astype(np.float64) if self.keep == "score" else score)
            vectors.append(found)
        joined, where, stacked = pa.concat_tables(tables), np.concatenate(clusters), _stacked(vectors)
        facts = {
            "sizes": np.bincount(where, minlength=self.clusters).tolist(),
            "sources": dict(sources),
            "without_vector": int((squared_lengths(stacked) == 0).sum()),
            "dimensions": stacked.shape[1],
        }
        first, last = place_of(rows, block)
        columns_ = {"cluster": where, "document": np.arange(first, last + 1), "score": np.concatenate(scores)}
        named = {"source": joined["source"], "id": joined["id"], "vector": packed(stacked)}
        return sorted_table("cluster", {**columns_, **named}, facts)

    def _decide(self, placed: Sequence[Saved], wanted: Range) -> pa.Table:
        """`DROPPED` of the clusters of a range."""
        slices = slices_in_range(placed, "cluster", wanted)
        narrow = pa.concat_tables([table.drop_columns("vector") for table in slices]).combine_chunks()
        vectors = pa.concat_tables([table.select(["vector"]) for table in slices])["vector"]  # mapped, taken block by block
        cluster = numpy_of(narrow["cluster"])
        score = None if self.keep == "first" else numpy_of(narrow["score"])
        order = survivor_order(cluster, score, narrow["source"], narrow["id"])
        starts = np.append(np.flatnonzero(np.diff(cluster[order], prepend=-1)), len(order))
        survivors, similarity = np.full(len(order), -1), np.zeros(len(order))
        for start, stop in pairwise(starts):
            mine = order[start:stop]
            survivors[mine], similarity[mine] = self._compare(vectors, mine)
        dropped = np.flatnonzero(survivors >= 0)
        gone = dropped_table(
            numpy_of(narrow["document"]), narrow, dropped, survivors[dropped], survivors[dropped], similarity[dropped]
        )
        first, sizes = np.unique(survivors[dropped], return_counts=True)
        facts = {"largest": largest_groups(sizes + 1, first, narrow)}
        return sorted_table("number", {name: gone[name] for name in DROPPED.names}, facts)

    def _compare(self, vectors: pa.ChunkedArray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For the documents of a cluster, in the order in which they are kept: the survivor or -1, and the cosine."""
        survivors, similarity = np.full(len(order), -1), np.zeros(len(order))
        kept: list[int] = []
        for start in range(0, len(order), self.block):
            mine = order[start : start + self.block]
            own = unpacked(vectors.take(pa.array(mine)))
            best, which = np.full(len(mine), -1.0), np.full(len(mine), -1)
            for others in _in_blocks(kept, self.block):
                cosines = _cosines(own, unpacked(vectors.take(pa.array(others))))
                at = np.argmax(cosines, axis=1)
                found = cosines[np.arange(len(mine)), at]
                better = found > best
                best[better], which[better] = found[better], others[at[better]]
            within = np.tril(_cosines(own, own), -1)
            stays = best < self.threshold
            # one by one, as a document is compared with those that stay alone; only those with a similar one before them
            for at in np.flatnonzero(stays & (within >= self.threshold).any(axis=1)):
                if (within[at, :at][stays[:at]] >= self.threshold).any():
                    stays[at] = False
            within[:, ~stays] = -1.0
            at = np.argmax(within, axis=1)
            found = within[np.arange(len(mine)), at]
            better = ~stays & (found > best)
            best[better], which[better] = found[better], mine[at[better]]
            survivors[start : start + len(mine)] = np.where(stays, -1, which)
            similarity[start : start + len(mine)] = np.where(stays, 0.0, best)
            kept += mine[stays].tolist()
        return survivors, similarity


def _cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosines (float64) of all pairs; -1 with a vector of zeros, which is similar to nothing."""
    products = (one.astype(np.float32) @ other.astype(np.float32).T).astype(np.float64)
    lengths = np.sqrt(np.outer(squared_lengths(one), squared_lengths(other)).astype(np.float64))
    return np.divide(products, lengths, out=np.full_like(products, -1.0), where=lengths > 0)


def _in_blocks(positions: list[int], size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(positions), size):
        yield np.array(positions[start : start + size])


def _stacked(vectors: list[np.ndarray]) -> np.ndarray:
    """All vectors in one array; lists without any do not know their dimensions."""
    filled = [one for one in vectors if len(one)] or vectors[:1]
    return np.concatenate(filled) if filled else np.zeros((0, 0), np.int16)
