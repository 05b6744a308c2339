"""Select prompts for a benchmark: those that meet the most criteria, evenly over topics that are good as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.errors import InputError
from stages.core.clustered import NO_CLUSTER, ClusteredSketches, Places
from stages.core.clustering import BLOCK_DOCUMENTS, BLOCK_PARTS, Clustering
from stages.core.docs import Docs
from stages.core.exchange import Block, blocks, numpy_of
from stages.core.quotas import fill
from stages.core.ranked import Order, Place, Placed, Prefix, Ranking, score_of
from stages.core.stage import Global, Saved, Sketches, Verdicts
from stages.core.survivors import LiveRows, verdict_table, write_values
from stages.kernels.hashing import hash_unit, order_keys
from stages.mix import Count

NOT_JUDGED, NO_TOPIC, MIN_CRITERIA, MIN_TOPIC, QUOTA = "not_judged", "no_topic", "min_criteria", "min_topic_mean", "quota"
NOBODY = Place(-1, -1)
TOLD = 200
"""topics of which the manifest tells each"""


class SelectPrompts(Global):
    """Keep `prompts` prompts for a benchmark, evenly over topics: BenchBuilder's selection (Li et al. 2024, section 4).

        embed_text: {model: FOLDER}
        judge_criteria: {endpoint: {base_url: ..., model: ...}}
        select_prompts: {prompts: 500, topics: 1000}

    Topics are clusters of the embeddings, as `semantic_dedup` finds them (in the paper UMAP and HDBSCAN). A prompt goes if it
    meets fewer than `min_criteria` criteria, or if the mean over all judged prompts of its topic is below `min_topic_mean`; 6
    and 5 are the paper's. From each topic that is left as many are taken as from any other; what one lacks the others give, and
    where there are more topics than prompts, those with the highest means give one each. Within a topic they are chosen by
    hash, as in the paper at random, or the best first.

    The ledger's rules are `not_judged`, `no_topic` (the vector is zero), `min_criteria`, `min_topic_mean`, `quota`; the first
    that a prompt breaks is the reason. If fewer prompts pass than are asked for, all of them stay, and a warning says so.

    topic   number of the cluster; null where there is none

    Memory: as `cluster_quota`.
    """

    example: ClassVar[dict[str, Any]] = {"prompts": 4, "topics": 3, "min_criteria": 0, "min_topic_mean": 0}

    prompts: Count = Field(description="prompts that stay", ge=0)
    topics: int = Field(1000, description="clusters that prompts are put into", ge=1)
    criteria: str = Field("criteria", description="column with the number of criteria that are met", min_length=1)
    min_criteria: float = Field(6, description="keep prompts that meet so many", ge=0)
    min_topic_mean: float = Field(5, description="keep topics whose prompts meet so many on average", ge=0)
    keep: Literal["hash", "best"] = Field("hash", description="which of a topic's prompts stay")
    embedding: str = Field("_embedding", description="column with the embeddings, lists of as many numbers each", min_length=1)
    column: str = Field("topic", description="column that is written", pattern=r"^_?[a-z][a-z0-9_]*$")
    seed: int | None = Field(None, description="of sample and hash; null: from the recipe's seed and the step's name", ge=0)

    def columns_read(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.embedding, self.criteria)))

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.int32()}

    def sketch_parameters(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"embedding", "criteria"})

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([("value", pa.float64())])

    def sketch(self, docs: Docs) -> pa.Table:
        value = docs.table.column(self.criteria).cast(pa.float64()).fill_null(np.nan).to_numpy()
        if (odd := value[~np.isnan(value) & ((value != np.floor(value)) | (np.abs(value) > 2**31))]).size:
            raise InputError(f"select_prompts: {self.criteria} is {odd[0]:g} in a document, expected a whole number")
        return pa.table([value], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows, seed = LiveRows(sketches), self.seed or 0
        parts = blocks(rows, BLOCK_PARTS, BLOCK_DOCUMENTS)
        clustering = Clustering(self.embedding, self.topics, seed)
        centroids = clustering.centroids(sketches, rows, parts) if parts else []
        placed = sketches.round("clusters", partial(Places(clustering, "score", seed).of_block, rows, centroids), parts)
        topics = Topics.of(placed, self.topics, self.min_criteria)
        good = topics.means >= self.min_topic_mean
        passing = sketches.round("passing", partial(self._passing, rows, placed, good, parts), range(len(parts)))
        order = Order(grouped=True, scored=True, seed=seed, salt="select_prompts")
        clustered = ClusteredSketches(sketches, rows, parts, passing)
        taken = self._taken(Ranking(clustered, order), topics)
        ends = {"": NOBODY, **{name: prefix.end for name, prefix in taken.items()}}
        limits = {name: score_of(prefix.end.key) for name, prefix in taken.items() if prefix.documents}
        for number, block in enumerate(parts):
            table = placed[number].read()
            for at in range(*block):
                start, stop = (int(rows.starts[end] - rows.starts[block[0]]) for end in (at, at + 1))
                inside = Placed.of(clustered, rows.parts[at], order).inside(ends)
                self._write(rows, at, table.slice(start, stop - start), inside, topics, limits, verdicts)
            cluster = numpy_of(table["cluster"])
            numbers = pa.concat_tables(rows.read(at, ["row"]) for at in range(*block))["row"].cast(pa.int32())
            values = pa.table({"row": numbers, self.column: pa.array(cluster, mask=cluster == NO_CLUSTER)})
            write_values(rows, block, values, verdicts)
        filled = topics.documents > 0
        kept = sum(prefix.documents for prefix in taken.values())
        few = f"{kept:,} prompts pass both thresholds, {self.prompts:,} were asked for"
        return {
            "documents": len(rows),
            "judged": int(topics.judged.sum()),
            "meeting_enough": int(topics.meeting.sum()),
            "topics": int(filled.sum()),
            "topics_passing": int((good & filled).sum()),
            "wanted": self.prompts,
            "kept": kept,
            "alarms": [few] if kept < self.prompts else [],
            "groups": topics.told(taken),
        }

    def _taken(self, ranking: Ranking, topics: "Topics") -> dict[str, Prefix]:
        """What is taken of each topic that is left: as much as of any other, as far as it goes."""
        sizes = {name: documents for name, (documents, _) in ranking.totals().items() if name}
        # a topic with a higher mean is first where not all can give one more
        names = sorted(sizes, key=lambda name: (-topics.means[int(name)], int(name)))
        quotas = fill(self.prompts, [sizes[name] for name in names], [1] * len(names))
        return {name: ranking.prefix(name, quota) for name, quota in zip(names, quotas, strict=True)}

    def _passing(
        self, rows: LiveRows, placed: Sequence[Saved], good: np.ndarray, parts: Sequence[Block], number: int
    ) -> pa.Table:
        """The block's documents with the cluster of those that may stay, and by what they are chosen there."""
        table = placed[number].read()
        cluster, score = numpy_of(table["cluster"]), numpy_of(table["score"])
        stays = (cluster != NO_CLUSTER) & (score >= self.min_criteria)  # NaN is not
        stays[stays] = good[cluster[stays]]
        if self.keep == "hash":
            names = pa.concat_tables(rows.read(at, ["source", "id"]) for at in range(*parts[number]))
            score = hash_unit(order_keys(self.seed or 0, "select_prompts", names["source"], names["id"]))
        return pa.table({"cluster": np.where(stays, cluster, NO_CLUSTER).astype(np.int32), "score": score})

    def _write(
        self,
        rows: LiveRows,
        at: int,
        placed: pa.Table,
        inside: np.ndarray,
        topics: "Topics",
        limits: dict[str, float],
        verdicts: Verdicts,
    ) -> None:
        """The verdicts on a part, each with the first rule that its prompt breaks."""
        table = rows.read(at, ["row", "source", "id"])
        cluster, score = numpy_of(placed["cluster"]), numpy_of(placed["score"])
        means, there = topics.means, cluster != NO_CLUSTER
        mean = np.where(there, means[cluster], np.nan)
        chosen_by = score
        if self.keep == "hash":
            chosen_by = hash_unit(order_keys(self.seed or 0, "select_prompts", table["source"], table["id"]))
        last = np.array([limits.get(str(one), np.nan) for one in cluster.tolist()])
        nothing = np.full(len(cluster), np.nan)
        breaks: list[tuple[str, str | None, np.ndarray, np.ndarray, np.ndarray]] = [
            (NOT_JUDGED, None, np.isnan(score), nothing, nothing),
            (NO_TOPIC, None, ~there, nothing, nothing),
            (MIN_CRITERIA, self.criteria, score < self.min_criteria, score, np.full(len(cluster), float(self.min_criteria))),
            (MIN_TOPIC, "topic_mean", mean < self.min_topic_mean, mean, np.full(len(cluster), float(self.min_topic_mean))),
            (QUOTA, self.criteria if self.keep == "best" else "hash", ~inside, chosen_by, last),
        ]
        lost = np.flatnonzero(~inside)
        if not len(lost):
            return
        which = np.argmax(np.stack([broken[lost] for _, _, broken, _, _ in breaks]), axis=0)
        value = np.choose(which, [values[lost] for *_, values, _ in breaks])
        limit = np.choose(which, [limits_[lost] for *_, limits_ in breaks])
        measures = [breaks[one][1] for one in which.tolist()]
        columns = {
            "row": numpy_of(table["row"])[lost].astype(np.int32),
            "rule": [breaks[one][0] for one in which.tolist()],
            "measure": pa.array(measures, pa.string()),
            "value": pa.array(value, pa.float64(), from_pandas=True),
            "op": pa.array([None if name is None else "at_least" for name in measures], pa.string()),
            "limit": pa.array(limit, pa.float64(), from_pandas=True),
        }
        verdicts.write(rows.parts[at], verdict_table(columns))


@dataclass(frozen=True)
class Topics:
    """Of each topic, by number: its prompts, how many are judged, how many meet enough criteria, and criteria met in all."""

    documents: np.ndarray
    judged: np.ndarray
    meeting: np.ndarray
    met: np.ndarray

    @classmethod
    def of(cls, placed: Sequence[Saved], topics: int, min_criteria: float) -> "Topics":
        """Counted over all blocks; criteria are whole numbers, so that sums do not depend on an order."""
        counts = np.zeros((4, topics))
        for saved in placed:
            table = saved.read()
            cluster, score = numpy_of(table["cluster"]), numpy_of(table["score"])
            there = cluster != NO_CLUSTER
            known = there & ~np.isnan(score)
            enough = known & (score >= min_criteria)
            for row, chosen in enumerate((there, known, enough)):
                counts[row] += np.bincount(cluster[chosen], minlength=topics)
            counts[3] += np.bincount(cluster[known], score[known], minlength=topics)
        return cls(*counts)

    @cached_property
    def means(self) -> np.ndarray:
        """Criteria that a topic's judged prompts meet on average, 0 of a topic without any."""
        return np.asarray(np.divide(self.met, self.judged, out=np.zeros(len(self.met)), where=self.judged > 0))

    def told(self, taken: Mapping[str, Prefix]) -> dict[str, Any]:
        """JSON-ready: the largest topics."""
        found = {}
        for at in np.argsort(-self.documents, kind="stable")[:TOLD].tolist():
            if self.documents[at]:
                counts = {"documents": int(self.documents[at]), "meeting_enough": int(self.meeting[at])}
                kept = taken[str(at)].documents if str(at) in taken else 0
                found[str(at)] = {**counts, "mean": float(self.means[at]), "kept_documents": kept}
        return found
