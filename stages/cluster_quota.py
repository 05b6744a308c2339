"""Keep so many documents, spread over clusters of their embeddings."""

import math
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from stages.core.clustered import HASH, NO_CLUSTER, ClusteredSketches, Places, measure_of
from stages.core.clustering import BLOCK_DOCUMENTS, BLOCK_PARTS, Clustering
from stages.core.docs import Docs
from stages.core.exchange import blocks, facts_of
from stages.core.quotas import Quota, apportion, fill, weights_of
from stages.core.ranked import Order, Place, Placed, Ranking, drop_outside, score_of
from stages.core.stage import Global, Sketches, Verdicts
from stages.core.survivors import LiveRows, write_values
from stages.mix import Count

MOST_CLUSTERS, TOLD = 4096, 200
"""the most clusters where their number is chosen, and clusters of which the manifest tells each"""


class ClusterQuota(Global):
    """Keep `documents` documents, or a `fraction` of them, from clusters of their embeddings, each up to its quota.

        cluster_quota: {documents: 100k, clusters: 1000, quota: sqrt, keep: quality_score}

    quota: equal         as many from each cluster: what is rare is raised
    quota: proportional  as many as it has of all: nothing is raised, but each cluster gives its best
    quota: sqrt          by the root of its size, between the two

    Quotas are whole numbers that add up to what was asked for. What a small cluster cannot give is given by the others, by the
    same rule (water filling), so that exactly so many stay; with `exact: false` it is missing. From a cluster are taken

    keep: hash       any, by a hash of source and id
    keep: nearest    those with the largest cosine to the centroid, the typical ones
    keep: farthest   those with the smallest
    keep: a column   those with the highest value; a null or NaN is last

    The ledger tells a dropped document's value and the last value that stayed in its cluster (none where it gave nothing).
    Clusters are those of `semantic_dedup`: spherical k-means on a hashed sample, embeddings as whole numbers, so that they are
    the same on every machine. Documents whose vector is zero are a group of their own, with a null for a cluster. Documents
    with the same value, source and id stay or go together.

    cluster   number of the centroid; any two numbers are only different

    Memory of a task: the vectors of 131,072 documents (768 bytes each of 384 dimensions), or the sample of 256 for each
    cluster, at most 524,288. Kept for a document while this is decided: 12 bytes, and 24 in order.
    """

    example: ClassVar[dict[str, Any]] = {"documents": 8, "clusters": 3}

    documents: Count | None = Field(None, description="documents that stay, such as 100k", ge=0)
    fraction: float | None = Field(None, description="instead: share of the documents that stays, rounded up", ge=0, le=1)
    clusters: int | None = Field(None, description="clusters; null is the root of the number of documents, at most 4,096", ge=1)
    quota: Quota = Field("equal", description="how much of the total each cluster gives")
    keep: str = Field(HASH, description="what stays of a cluster: hash, nearest, farthest, or a column", min_length=1)
    exact: bool = Field(True, description="what a cluster cannot give is given by the others")
    embedding: str = Field("_embedding", description="column with the embeddings, lists of as many numbers each", min_length=1)
    column: str = Field("cluster", description="column that is written", pattern=r"^_?[a-z][a-z0-9_]*$")
    seed: int | None = Field(None, description="of sample and hash; null: from the recipe's seed and the step's name", ge=0)

    @model_validator(mode="after")
    def _one_total(self) -> Self:
        if (self.documents is None) == (self.fraction is None):
            raise ValueError("expected one of documents and fraction, which say how many stay")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.embedding, *((self.keep,) if self._scored() else ()))))

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.int32()}

    def sketch_parameters(self) -> dict[str, Any]:
        return {"embedding": self.embedding, "score": self.keep if self._scored() else None}

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([("value", pa.float64())])

    def sketch(self, docs: Docs) -> pa.Table:
        if not self._scored():
            return pa.table([pa.nulls(len(docs), pa.float64())], schema=self.sketch_schema())
        value = docs.table.column(self.keep).cast(pa.float64()).fill_null(math.nan)
        return pa.table([value], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows, seed = LiveRows(sketches), self.seed or 0
        parts = blocks(rows, BLOCK_PARTS, BLOCK_DOCUMENTS)
        clusters = self.clusters or min(MOST_CLUSTERS, max(1, math.isqrt(len(rows))))
        clustering = Clustering(self.embedding, clusters, seed)
        centroids = clustering.centroids(sketches, rows, parts) if parts else []
        places = Places(clustering, self.keep if not self._scored() else "score", seed)
        placed = sketches.round("clusters", partial(places.of_block, rows, centroids), parts)
        clustered = ClusteredSketches(sketches, rows, parts, placed)
        order = Order(grouped=True, scored=True, seed=seed, salt="cluster_quota")
        ranking = Ranking(clustered, order)
        sizes = {name: documents for name, (documents, _) in ranking.totals().items()}
        wanted = min(len(rows), math.ceil(self.fraction * len(rows)) if self.fraction is not None else self.documents or 0)
        quotas = self._quotas(wanted, sizes)
        taken = {name: ranking.prefix(name, quota) for name, quota in quotas.items()}
        ends: dict[str, Place] = {name: prefix.end for name, prefix in taken.items()}
        measure = measure_of(self.keep)
        for part in clustered.parts():
            drop_outside(Placed.of(clustered, part, order), part, order, ends, verdicts, "quota", measure)
        for block, saved in zip(parts, placed, strict=True):
            numbers = pa.concat_tables(rows.read(at, ["row"]) for at in range(*block))["row"]
            cluster = saved.read()["cluster"].combine_chunks()
            null = np.asarray(cluster.to_numpy() == NO_CLUSTER)
            values = pa.table({"row": numbers.cast(pa.int32()), self.column: pa.array(cluster.to_numpy(), mask=null)})
            write_values(rows, block, values, verdicts)
        told = [facts_of(saved.read()) for saved in placed]
        told_groups = {
            name or "none": {
                "documents": sizes[name],
                "quota": quotas[name],
                "kept_documents": prefix.documents,
                "last_value": _known(score_of(prefix.end.key)) if prefix.documents else None,
            }
            for name, prefix in sorted(taken.items(), key=lambda item: (-sizes[item[0]], item[0]))[:TOLD]
        }
        return {
            "documents": len(rows),
            "wanted": wanted,
            "kept": sum(prefix.documents for prefix in taken.values()),
            "clusters": clusters,
            "without_vector": sizes.get("", 0),
            "dimensions": max((facts["dimensions"] for facts in told), default=0),
            "cluster_sizes": _spread([size for name, size in sizes.items() if name]),
            "cluster_quotas": _spread([quota for name, quota in quotas.items() if name]),
            "measure": measure,
            "groups": told_groups,
        }

    def _quotas(self, wanted: int, sizes: dict[str, int]) -> dict[str, int]:
        names = sorted(sizes)
        counts = [sizes[name] for name in names]
        weights = weights_of(counts, self.quota)
        if self.exact:
            return dict(zip(names, fill(wanted, counts, weights), strict=True))
        parts = apportion(wanted, weights)
        return {name: min(part, size) for name, part, size in zip(names, parts, counts, strict=True)}

    def _scored(self) -> bool:
        return self.keep not in (HASH, "nearest", "farthest")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _spread(counts: list[int]) -> dict[str, int]:
    return {str(share): int(np.quantile(counts, share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0) if counts}
