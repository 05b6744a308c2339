"""Documents as `ranked.py` orders them, where their groups are clusters of embeddings: sketches with columns added to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.clustering import Clustering
from stages.core.exchange import Block, numpy_of
from stages.core.requests import Cluster
from stages.core.stage import Saved, Sketches
from stages.core.survivors import LiveRows
from stages.core.vectors import nearest, squared_lengths, unpacked
from stages.kernels.hashing import hash_unit, order_keys

HASH = "hash"
NO_CLUSTER = -1
"""the cluster of a document whose vector is zero, which is near to nothing"""


def measure_of(keep: str) -> str:
    """What documents of a cluster are ordered by, the highest first, in the ledger's words."""
    return {"nearest": "centroid_cosine", "farthest": "centroid_distance"}.get(keep, keep)


@dataclass(frozen=True)
class Places:
    """Says of each document its cluster, and a number by which it is ordered there.

    keep  "score" for the column `value` of the sketch, "hash" from 0 to 1, "nearest" for the cosine to the centroid, "farthest"
          for 1 less it
    """

    clustering: Clustering
    keep: str
    seed: int

    def of_block(self, rows: LiveRows, centroids: Sequence[Saved], block: Block) -> pa.Table:
        """`cluster` (int32) and `score` (float64) of the block's documents, in their order."""
        targets = unpacked(centroids[0].read()["vector"])
        clusters, scores, dimensions = [np.zeros(0, np.int32)], [np.zeros(0)], 0
        for at in range(*block):
            table = rows.read(at, ["row", "source", "id", "value"])
            vectors = self.clustering.vectors(rows, at, numpy_of(table["row"]))
            cluster, cosine = _nearest(vectors, targets)
            clusters.append(cluster)
            scores.append(self._scores(table, cosine))
            dimensions = max(dimensions, vectors.shape[1])
        columns = {"cluster": np.concatenate(clusters), "score": np.concatenate(scores)}
        return pa.table(columns).replace_schema_metadata({"facts": f'{{"dimensions": {dimensions}}}'})

    def _scores(self, table: pa.Table, cosine: np.ndarray) -> np.ndarray:
        if self.keep == HASH:
            return hash_unit(order_keys(self.seed, "quota", table["source"], table["id"]))
        if self.keep == "score":
            return np.asarray(table["value"].to_numpy(), np.float64)
        return cosine if self.keep == "nearest" else 1 - cosine


def _nearest(vectors: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each vector's centroid and the cosine to it: one division of whole numbers' roots."""
    lengths = squared_lengths(vectors)
    if not len(targets) or not len(vectors):
        return np.full(len(vectors), NO_CLUSTER, np.int32), np.zeros(len(vectors))
    which, product = nearest(vectors, targets)
    both = np.sqrt(lengths.astype(np.float64) * squared_lengths(targets)[which].astype(np.float64))
    cosine = np.divide(product.astype(np.float64), both, out=np.zeros(len(both)), where=both > 0)
    return np.where(lengths > 0, which, NO_CLUSTER).astype(np.int32), cosine


@dataclass(frozen=True)
class ClusteredSketches:
    """`Sketches` with the columns `group` (the cluster as a string, null without one), `score` and `weight` (1).

    parts   blocks of which `placed` has a table each
    placed  `cluster` and `score` of their documents
    """

    sketches: Sketches
    live: LiveRows
    blocks: Sequence[Block]
    placed: Sequence[Saved]

    def parts(self) -> list[int]:
        """As of the sketches."""
        return self.live.parts

    def rows(self) -> int:
        """As of the sketches."""
        return len(self.live)

    def read(self, part: int, columns: Sequence[str]) -> pa.Table:
        """Columns of the sketch and those that are added."""
        own = ("group", "score", "weight")
        table = self.sketches.read(part, ["row", *(name for name in columns if name not in (*own, "row"))])
        if not table.num_rows:  # it may be in no block
            kinds = {"group": pa.string(), "score": pa.float64(), "weight": pa.int64()}
            added = {name: pa.array([], kind) for name, kind in kinds.items()}
        else:
            mine = self._of_part(part)
            cluster = numpy_of(mine["cluster"])
            names = pa.array(cluster).cast(pa.string())
            group = names if (cluster != NO_CLUSTER).all() else pa.array(names.to_numpy(False), mask=cluster == NO_CLUSTER)
            added = {"group": group, "score": mine["score"], "weight": pa.array(np.ones(len(cluster), np.int64))}
        found = {name: added[name] if name in own else table[name] for name in columns}
        return pa.table(found)

    def _of_part(self, part: int) -> pa.Table:
        at = int(np.searchsorted(self.live.parts, part))
        number = next(index for index, (first, last) in enumerate(self.blocks) if first <= at < last)
        start = int(self.live.starts[at]) - int(self.live.starts[self.blocks[number][0]])
        return self.placed[number].read().slice(start, int(self.live.starts[at + 1] - self.live.starts[at]))

    def documents(self, part: int, rows: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """As of the sketches."""
        return self.sketches.documents(part, rows, columns)

    def round(
        self, name: str, function: Callable[[Any], pa.Table], items: Sequence[Any], model_bytes: int = 0
    ) -> Sequence[Saved]:
        """As of the sketches."""
        return self.sketches.round(name, function, items, model_bytes)

    def folder(self) -> Path:
        """As of the sketches."""
        return self.sketches.folder()

    def progress(self, what: str, units: int) -> Callable[[int], None]:
        """As of the sketches."""
        return self.sketches.progress(what, units)

    def cluster(self) -> Cluster | None:
        """As of the sketches."""
        return self.sketches.cluster()
