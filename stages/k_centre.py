"""Keep so many documents that are as far from each other as possible."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from schemas.errors import InputError
from schemas.rule import NEAREST_KEPT
from stages.core.clustering import BLOCK_DOCUMENTS, BLOCK_PARTS, Clustering, cosines
from stages.core.docs import Docs
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
from stages.core.farthest_first import distance, farthest_first
from stages.core.quotas import fill
from stages.core.stage import Global, Saved, Sketches, Verdicts
from stages.core.survivors import LiveRows, numbers_or_null, verdict_table
from stages.core.vectors import unpacked
from stages.kernels.hashing import order_keys
from stages.mix import Count

CLUSTER_DOCUMENTS, MOST_CLUSTERS = 25_000, 16_384
"""documents of a cluster, about, where there is more than one, and the most clusters"""
DOCUMENTS_AT_ONCE = 2**17
"""documents of the clusters that one task decides on"""


class KCentre(Global):
    """Keep the `documents` documents that cover all others best: greedy k-centre on their embeddings.

        k_centre: {documents: 5000, score: quality_score}

    The first is that with the smallest hash; then again and again the one that is farthest from all that stay (Gonzalez 1985,
    the core-set of Sener and Savarese 2018). No choice of as many documents leaves less than half the largest distance of a
    document to the nearest that stays. With `score`, the distance times this column counts: what is poor must be far from
    everything else to stay; there is then no such bound. A null or NaN counts 0, and a negative score is an error.

    The distance is that of unit vectors, the root of 2 - 2 x cosine, from 0 to 2. The ledger tells of a dropped document its
    distance (with `score`: times it) to the nearest that stays, which one that is with their cosine, and the distance at which
    the last one was taken. A vector of zeros is a point like any other, at a distance of 1 from all.

    Up to 50,000 documents are taken as a whole, with the work of documents x those that stay x dimensions, at most. More are
    parted into clusters of about 25,000 by k-means as in `semantic_dedup`, or into `clusters`; each gives in proportion to its
    size, and distances are those within a cluster. Vectors are whole numbers: decisions are the same on every machine.

    Memory of a task: 131,072 vectors while they are put into clusters; then 256 MiB of vectors (a larger cluster is read anew
    for each document that is chosen), those of what stays, and 50 bytes for each document of a cluster.
    """

    example: ClassVar[dict[str, Any]] = {"documents": 8}

    documents: Count = Field(description="documents that stay, such as 10k", ge=0)
    score: str | None = Field(None, description="column of numbers from 0 up by which distances are multiplied", min_length=1)
    clusters: int | None = Field(
        None, description="clusters; null is one up to 50,000 documents, then one for each 25,000, at most 16,384", ge=1
    )
    embedding: str = Field("_embedding", description="column with the embeddings, lists of as many numbers each", min_length=1)
    seed: int | None = Field(None, description="of sample and hash; null: from the recipe's seed and the step's name", ge=0)

    def columns_read(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.embedding, *((self.score,) if self.score else ()))))

    def sketch_parameters(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"embedding", "score"})

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([("score", pa.float64())])

    def sketch(self, docs: Docs) -> pa.Table:
        if self.score is None:
            return pa.table([pa.nulls(len(docs), pa.float64())], schema=self.sketch_schema())
        values = docs.table.column(self.score).cast(pa.float64()).fill_null(0).to_numpy()
        values = np.where(np.isnan(values), 0.0, values)
        if (values < 0).any() or np.isinf(values).any():
            odd = values[(values < 0) | np.isinf(values)][0]
            raise InputError(f"k_centre: {self.score} is {odd:g} in a document, expected a number from 0 up")
        return pa.table([values], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        parts = blocks(rows, BLOCK_PARTS, BLOCK_DOCUMENTS)
        clusters = self.clusters or choose_clusters(len(rows))
        clustering = Clustering(self.embedding, clusters, self.seed or 0)
        centroids: Sequence[Saved] = []
        if clusters > 1 and parts:
            centroids = clustering.centroids(sketches, rows, parts)
        placed = sketches.round("clusters", partial(clustering.placed, rows, centroids, "score"), parts)
        seen = [facts_of(saved.read()) for saved in placed]
        sizes = np.sum([facts["sizes"] for facts in seen], axis=0).tolist() if seen else []
        quotas = fill(self.documents, sizes, sizes)
        tasks = batches(np.array(sizes), DOCUMENTS_AT_ONCE) if parts else []
        decisions = sketches.round("decisions", partial(self._decide, placed, quotas), tasks)
        for block in parts:
            self._write(rows, block, in_range(decisions, "number", place_of(rows, block)), verdicts)
        told = [facts_of(saved.read()) for saved in decisions]
        radius = max((facts["radius"] for facts in told), default=0.0)
        return {
            "documents": len(rows),
            "kept": sum(quotas),
            "radius": radius,
            "clusters": clusters,
            "without_vector": sum(facts["without_vector"] for facts in seen),
            "dimensions": max((facts["dimensions"] for facts in seen), default=0),
            **({"distances": told[0]["distances"]} if clusters == 1 and told else {}),
        }

    def _decide(self, placed: Sequence[Saved], quotas: list[int], wanted: Range) -> pa.Table:
        """Who is dropped of the clusters of a range, by number of the document, and the nearest one that stays."""
        slices = slices_in_range(placed, "cluster", wanted)
        narrow = pa.concat_tables([table.drop_columns("vector") for table in slices]).combine_chunks()
        vectors = pa.concat_tables([table.select(["vector"]) for table in slices])["vector"]  # mapped, taken block by block
        hashes = order_keys(self.seed or 0, "k_centre", narrow["source"], narrow["id"])
        cluster, score = numpy_of(narrow["cluster"]), narrow["score"].to_numpy()
        order = np.argsort(cluster, kind="stable")
        names, starts = np.unique(cluster[order], return_index=True)
        tables, radius, distances = [_dropped(narrow, *[np.zeros(0, np.int64)] * 2, *[np.zeros(0)] * 3)], 0.0, {}
        for name, start, stop in zip(names.tolist(), starts, np.append(starts[1:], len(order)), strict=True):
            mine = order[start:stop]
            own = vectors.take(pa.array(mine)) if len(names) > 1 else vectors
            found = farthest_first(own, quotas[name], hashes[mine], score[mine] if self.score else None)
            lost = np.setdiff1d(np.arange(len(mine)), found.chosen, assume_unique=True)
            far = distance(found.squared)
            value = far[lost] * (score[mine][lost] if self.score else 1.0)
            limit = np.full(len(lost), found.value[-1] if len(found.value) else np.nan)
            if len(found.chosen):
                alike = np.concatenate([np.zeros(0), *_alike(own, lost, found.nearest[lost])])
                tables.append(_dropped(narrow, mine[lost], mine[found.nearest[lost]], value, limit, alike))
                radius = max(radius, float(far.max()))
                distances = {str(2**at): float(found.value[2**at - 1]) for at in range(1, len(found.value).bit_length())}
            else:
                nobody = np.full(len(lost), -1)
                tables.append(_dropped(narrow, mine[lost], nobody, *[np.full(len(lost), np.nan)] * 3))
        facts = {"radius": radius, "distances": distances}
        joined = pa.concat_tables(tables)
        return sorted_table("number", {name: joined[name] for name in joined.column_names}, facts)

    def _write(self, rows: LiveRows, block: Block, dropped: pa.Table, verdicts: Verdicts) -> None:
        dropped = dropped.sort_by("number")
        bounds = np.searchsorted(dropped["number"].to_numpy(), rows.starts)
        same = {"rule": NEAREST_KEPT, "measure": f"distance_x_{self.score}" if self.score else "distance", "op": "at_least"}
        for at in range(*block):
            lost = dropped.slice(bounds[at], bounds[at + 1] - bounds[at])
            if lost.num_rows:
                row = rows.read(at, ["row"])["row"].take(pc.subtract(lost["number"], int(rows.starts[at])))
                told = {name: lost[name] for name in lost.column_names if name != "number"}
                columns = {"row": row.cast(pa.int32()), **told}
                verdicts.write(
                    rows.parts[at], verdict_table({**columns, **{key: [it] * lost.num_rows for key, it in same.items()}})
                )


def choose_clusters(documents: int) -> int:
    """Clusters for so many documents."""
    if documents <= 2 * CLUSTER_DOCUMENTS:
        return 1
    return min(MOST_CLUSTERS, math.ceil(documents / CLUSTER_DOCUMENTS))


def _alike(vectors: pa.ChunkedArray, lost: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    """Cosines of pairs of positions, some at a time: -1 with a vector of zeros."""
    found = []
    for start in range(0, len(lost), 256):
        one, other = (unpacked(vectors.take(pa.array(side[start : start + 256]))) for side in (lost, kept))
        found.append(np.diagonal(cosines(one, other)))
    return found


def _dropped(
    members: pa.Table, lost: np.ndarray, kept: np.ndarray, value: np.ndarray, limit: np.ndarray, alike: np.ndarray
) -> pa.Table:
    """Dropped documents and what the ledger tells of them; `lost` and `kept` are positions in `members`, -1 for nobody."""
    nobody = kept < 0
    survivors = members.select(["source", "id"]).take(pa.array(kept, mask=nobody))
    return pa.table(
        {
            "number": members["document"].take(pa.array(lost)).combine_chunks(),
            "value": _known(value),
            "limit": _known(limit),
            "survivor_source": survivors["source"].cast(pa.string()).combine_chunks(),
            "survivor_id": survivors["id"].cast(pa.string()).combine_chunks(),
            "similarity": _known(alike),
        }
    )


def _known(values: np.ndarray) -> pa.Array:
    """Infinity, at which the first was taken, is no number for a ledger either."""
    return numbers_or_null(np.where(np.isinf(values), np.nan, values))
