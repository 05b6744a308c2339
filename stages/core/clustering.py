"""Documents put into clusters by their embeddings: spherical k-means on a sample, and every document's nearest centroid.

sample     by blocks of parts   vectors of documents that a hash chooses
centroids  at once              k-means on these
clusters   by blocks of parts   every document's nearest centroid
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from stages.core.exchange import Block, numpy_of, place_of, sorted_table
from stages.core.stage import Saved, Sketches
from stages.core.survivors import LiveRows
from stages.core.vectors import k_means, nearest, packed, squared_lengths, unpacked, whole_vectors
from stages.kernels.hashing import order_keys

BLOCK_PARTS, BLOCK_DOCUMENTS = 64, 2**17
"""parts whose vectors one task reads and sorts, and documents in them: 100 MB of 384 dimensions"""
VECTORS_AT_ONCE = 2**14
SAMPLED, MOST_SAMPLED = 256, 2**19
"""documents on which centroids are found: so many for each cluster, and at most so many"""
ROUNDS = 20


@dataclass(frozen=True)
class Clustering:
    """How documents are put into clusters.

    column    of the documents, with their embeddings
    clusters  centroids
    seed      chooses the sample
    """

    column: str
    clusters: int
    seed: int

    def centroids(self, sketches: Sketches, rows: LiveRows, parts: Sequence[Block]) -> Sequence[Saved]:
        """One table with the centroids that a sample of the documents gives; fewer than `clusters` of fewer documents."""
        sample = sketches.round("sample", partial(self._sample, rows), parts)
        return sketches.round("centroids", self._centroids, [sample])

    def vectors(self, rows: LiveRows, at: int, numbers: np.ndarray) -> np.ndarray:
        """Vectors of documents of a part, some thousand at a time: as floats they are four times as large."""
        found = []
        for start in range(0, max(1, len(numbers)), VECTORS_AT_ONCE):
            some = numbers[start : start + VECTORS_AT_ONCE]
            found.append(whole_vectors(rows.sketches.documents(rows.parts[at], some, [self.column])[self.column]))
        return stacked(found)

    def placed(self, rows: LiveRows, centroids: Sequence[Saved], keep: str, block: Block) -> pa.Table:
        """The documents of the block by cluster: who they are, their score, their vector.

        keep  "score" for that of the sketch, else the product with the centroid, with "farthest" its negative
        """
        targets = unpacked(centroids[0].read()["vector"]) if centroids else np.zeros((0, 0), np.int16)
        columns = ["row", "source", "id", *(["score"] if keep == "score" else [])]
        clusters, scores, vectors, tables = [np.zeros(0, np.int32)], [np.zeros(0)], [], []
        sources = Counter[str]()
        for at in range(*block):
            table = rows.read(at, columns)
            tables.append(table.select(["source", "id"]))
            sources.update({row["values"]: row["counts"] for row in table["source"].value_counts().to_pylist()})
            found = self.vectors(rows, at, numpy_of(table["row"]))
            which, score = np.zeros(len(found), np.int32), np.zeros(len(found))
            if len(targets) and len(found):
                which, product = nearest(found, targets)
                score = product.astype(np.float64) * (-1 if keep == "farthest" else 1)
            clusters.append(which)
            scores.append(table["score"].to_numpy().astype(np.float64) if keep == "score" else score)
            vectors.append(found)
        joined, where, together = pa.concat_tables(tables), np.concatenate(clusters), stacked(vectors)
        facts = {
            "sizes": np.bincount(where, minlength=self.clusters).tolist(),
            "sources": dict(sources),
            "without_vector": int((squared_lengths(together) == 0).sum()),
            "dimensions": together.shape[1],
        }
        first, last = place_of(rows, block)
        columns_ = {"cluster": where, "document": np.arange(first, last + 1), "score": np.concatenate(scores)}
        named = {"source": joined["source"], "id": joined["id"], "vector": packed(together)}
        return sorted_table("cluster", {**columns_, **named}, facts)

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
            vectors.append(self.vectors(rows, at, numpy_of(table["row"])[chosen]))
        return sorted_table("key", {"key": np.concatenate(keys), "vector": packed(stacked(vectors))})

    def _centroids(self, sample: Sequence[Saved]) -> pa.Table:
        tables = [table for table in (saved.read() for saved in sample) if table.num_rows]
        keys = np.concatenate([numpy_of(table["key"]) for table in tables])
        vectors = stacked([unpacked(table["vector"]) for table in tables])
        # equal hashes have equal vectors or are one in 2**64; rows of zeros have no direction
        order = np.argsort(keys, kind="stable")[: min(SAMPLED * self.clusters, MOST_SAMPLED)]
        chosen = vectors[order]
        chosen = chosen[squared_lengths(chosen) > 0]
        return pa.table({"vector": packed(k_means(chosen, min(self.clusters, len(chosen)), ROUNDS))})


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosines (float64) of all pairs; -1 with a vector of zeros, which is similar to nothing."""
    products = (one.astype(np.float32) @ other.astype(np.float32).T).astype(np.float64)
    lengths = np.sqrt(np.outer(squared_lengths(one), squared_lengths(other)).astype(np.float64))
    return np.divide(products, lengths, out=np.full_like(products, -1.0), where=lengths > 0)


def stacked(vectors: list[np.ndarray]) -> np.ndarray:
    """All vectors in one array; lists without any do not know their dimensions."""
    filled = [one for one in vectors if len(one)] or vectors[:1]
    return np.concatenate(filled) if filled else np.zeros((0, 0), np.int16)
