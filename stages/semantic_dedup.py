"""Drop documents that mean nearly the same as another, by their embeddings."""

from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.alarm import Alarmed
from stages.core.docs import Docs
from stages.core.semantic_clusters import SemanticClusters
from stages.core.stage import Global, Sketches, Verdicts

CLUSTER_DOCUMENTS, MOST_CLUSTERS = 10_000, 16_384
"""documents of a cluster, about, where the number of clusters is chosen, and the most clusters"""


class SemanticDedup(Alarmed, Global):
    """Keep one of all documents whose embeddings are nearly the same, as `embed_text` writes them.

    Documents are put into clusters by spherical k-means, found on a sample, and compared within their cluster, as in SemDeDup
    (Abbas et al. 2023). There a document goes if any document before it is similar; here it goes only if one that stays is, so
    that every dropped document has at least the cosine `threshold` to its survivor, the most similar one that stays. Up to
    20,000 documents are one cluster, and no pair is missed.

    keep: first      the smaller source, then the smaller id
    keep: longest    the longest text
    keep: nearest    the one nearest to its cluster's centroid, the typical one; of one cluster the first
    keep: farthest   the one farthest from it, which SemDeDup keeps
    keep: a column   the highest value

    Vectors are rounded to whole numbers (stages/core/vectors.py), so that their products are exact and decisions the same on
    any machine and for any number of workers. A document whose vector is zero is kept.

    Memory of a task: the vectors of 131,072 documents while they are put into clusters (768 bytes each of 384 dimensions), or a
    sample of 256 for each cluster, at most 524,288; then two blocks of `block` documents and their products, whatever the size
    of a cluster, and names of its documents.
    """

    embedding: str = Field("_embedding", description="column with the embeddings, lists of as many numbers each", min_length=1)
    threshold: float = Field(0.95, description="cosine from which on documents are duplicates", gt=0, le=1)
    clusters: int | None = Field(
        None, description="clusters; null is one up to 20,000 documents, then one for each 10,000, at most 16,384", ge=1
    )
    keep: str = Field(
        "first",
        description="which document stays: first, longest, nearest, farthest, or the highest value of a column",
        min_length=1,
    )
    block: int = Field(1024, description="documents that are compared with as many others at once", ge=1, le=65_536)
    seed: int = Field(1, description="chooses the sample on which clusters are found", ge=0, lt=2**32)

    def columns_read(self) -> tuple[str, ...]:
        scored = () if self.keep in ("first", "longest", "nearest", "farthest") else (self.keep,)
        return ("text", self.embedding, *scored)

    def sketch_parameters(self) -> dict[str, Any]:
        return {"embedding": self.embedding, "score": self.keep if self._scored() else None}

    def sketch_schema(self) -> pa.Schema:
        field = ("score", pa.float64()) if self._scored() else ("text_bytes", pa.int64())
        return pa.schema([pa.field(*field, nullable=False)])

    def sketch(self, docs: Docs) -> pa.Table:
        if not self._scored():
            values = np.diff(docs.text().offsets)
        else:
            values = np.diff(docs.text().offsets) if self.keep == "longest" else docs.numbers(self.keep)
            values = values.astype(np.float64)
        return pa.table([pa.array(values)], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        clusters = self.clusters or choose_clusters(sketches.rows())
        kept: Literal["first", "score", "nearest", "farthest"] = "score" if self._scored() else self.keep  # type: ignore[assignment]
        facts = SemanticClusters(self.embedding, self.threshold, clusters, kept, self.seed, self.block).solve(
            sketches, verdicts
        )
        return {**facts, "threshold": self.threshold, "alarms": self.raised(facts)}

    def _scored(self) -> bool:
        return self.keep not in ("first", "nearest", "farthest")


def choose_clusters(documents: int) -> int:
    """Clusters for so many documents."""
    if documents <= 2 * CLUSTER_DOCUMENTS:
        return 1
    return min(MOST_CLUSTERS, -(-documents // CLUSTER_DOCUMENTS))
