"""The rounds in which documents with similar embeddings are found.

Clusters are found as stages/core/clustering.py says, and each block's documents are sorted by cluster; then

decisions  by clusters          who is dropped for whom, sorted by document

Documents are compared within their cluster alone, a block of them with a block of those that stay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.clustering import BLOCK_DOCUMENTS, BLOCK_PARTS, Clustering, cosines
from stages.core.exchange import (
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
from stages.core.vectors import unpacked

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
        clustering = Clustering(self.column, self.clusters, self.seed)
        centroids: Sequence[Saved] = []
        if self.clusters > 1 and parts:
            centroids = clustering.centroids(sketches, rows, parts)
        placed = sketches.round("clusters", partial(clustering.placed, rows, centroids, self.keep), parts)
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
                near = cosines(own, unpacked(vectors.take(pa.array(others))))
                at = np.argmax(near, axis=1)
                found = near[np.arange(len(mine)), at]
                better = found > best
                best[better], which[better] = found[better], others[at[better]]
            within = np.tril(cosines(own, own), -1)
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


def _in_blocks(positions: list[int], size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(positions), size):
        yield np.array(positions[start : start + size])
