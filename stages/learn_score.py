"""Learn a score from labels of some documents, and give it to all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.errors import StageError
from stages.core.docs import Docs
from stages.core.embedding_models import vectors_of
from stages.core.exchange import batches, numpy_of
from stages.core.head_fitting import Fitting, fit
from stages.core.heads import Head, Kind, read_head, write_head
from stages.core.score_figures import regression_figures
from stages.core.stage import Global, Saved, Sketches, Verdicts
from stages.kernels.hashing import hash_unit, order_keys

UNIT_DOCUMENTS = 16384
"""documents whose vectors are in memory at a time"""
FEWEST = 20
"""labels, below which nothing can be learnt and tried"""


class LearnScore(Global):
    """Write a score that is learnt, in the same run, from the documents that have a label: dear for a few, cheap for all.

        embed_text: {model: FOLDER}
        annotate: {prompt: educational_value, sample: 0.02, column: label, endpoint: ...}
        learn_score: {label: label}
        threshold: {column: learned_score, min_value: 3}

    A layer (`kind: linear`, least squares) or two (`mlp`) on the embedding of each document, fitted to the labels, as
    FineWeb-Edu's classifier is to an LLM's (Penedo et al. 2024, section 4) and QuRating's to comparisons (Wettig et al. 2024):
    `label` may be the column of `annotate`, of `compare_documents`, or of your data.

    A share of the labelled documents, chosen by hash, is held back. The manifest has on them rank correlation, mean error and,
    at each of `thresholds`, precision, recall and F1 of `score >= cut` against `label >= cut` with 95 % intervals, and what
    share of all documents has such a score. `save` keeps the head for `score_head` in other recipes.

    Sketch: 9 bytes for each document. Vectors are read in blocks of 16,384; those of labelled documents are held, 4 bytes for
    each number.
    """

    example: ClassVar[dict[str, Any]] = {"label": "score"}

    label: str = Field(description="column with labels, numbers; null where there is none", min_length=1)
    embedding: str = Field("_embedding", description="column with embeddings, as embed_text writes it", min_length=1)
    column: str = Field("learned_score", description="column that is written", pattern=r"^_?[a-z][a-z0-9_]*$")
    kind: Kind = Field("linear", description="one layer, or two with ReLU between them (mlp)")
    held_back: float = Field(0.2, description="share of the labelled documents that are not learnt from", gt=0, lt=1)
    thresholds: tuple[float, ...] = Field((3.0,), description="scores at which agreement is told")
    l2: float = Field(1e-2, description="weight of the squared length of all weights, beside the mean squared error", ge=0)
    save: str | None = Field(None, description="folder where the head is kept")
    seed: int | None = Field(None, description="of what is held back; null: from the recipe's seed and the step", ge=0)

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("torch", "embed"),)

    def deciding_parameters(self) -> dict[str, Any]:
        return {name: value for name, value in super().deciding_parameters().items() if name not in ("save", "thresholds")}

    def columns_read(self) -> tuple[str, ...]:
        return ("source", "id", self.label, self.embedding)

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.float64()}

    def sketch_parameters(self) -> dict[str, Any]:
        return {"label": self.label}

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([("label", pa.float64())])

    def sketch(self, docs: Docs) -> pa.Table:
        return pa.table([docs.table.column(self.label).cast(pa.float64())], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        parts = sketches.parts()
        if not sketches.rows():
            return {"documents": 0}
        labelled = sketches.round("labelled", _Labelled(self, sketches), parts)
        folder = sketches.folder()
        (told,) = sketches.round("head", partial(self._learnt, labelled, folder), [0])
        facts: dict[str, Any] = told.read().to_pylist()[0]
        units = [unit for part in parts for unit in _units(sketches, part)]
        scores = sketches.round("scores", _Scored(self, sketches, folder), units)
        shares = {f"{cut:g}": [0, 0] for cut in self.thresholds}
        of_part: dict[int, list[Saved]] = {part: [] for part in parts}
        for (part, _), saved in zip(units, scores, strict=True):
            of_part[part].append(saved)
            values = numpy_of(saved.read()[self.column])
            for cut in self.thresholds:
                shares[f"{cut:g}"][0] += int((values >= cut).sum())
                shares[f"{cut:g}"][1] += len(values)
        for part, tables in of_part.items():
            verdicts.add(part, (saved.read() for saved in tables))
        if self.save is not None:
            Path(self.save).mkdir(parents=True, exist_ok=True)
            write_head(read_head(folder), Path(self.save))
        found = {**facts, "at_cuts": self._at_cuts(labelled, folder)}
        for row in found["at_cuts"]:
            hits, count = shares[f"{row['cut']:g}"]
            row["share_of_all"] = round(hits / count, 4) if count else 0.0
        return {"documents": sketches.rows(), **found}

    def _learnt(self, labelled: Sequence[Saved], folder: Path, item: int) -> pa.Table:
        """Fit the head, keep it in the folder, and tell how it does on what was held back."""
        vectors, wanted, apart = self._read(labelled)
        if len(wanted) < FEWEST or apart.sum() < 2 or (~apart).sum() < 2:
            raise StageError(
                f"learn_score: {len(wanted)} documents have a label in {self.label!r}, {int(apart.sum())} of them held back:"
                f" expected {FEWEST} or more to learn from and to try on"
            )
        seed = (self.seed or 0) % 2**63
        own, other = (vectors[~apart], wanted[~apart]), (vectors[apart], wanted[apart])
        layers, _ = fit(*own, other, self.kind, "regression", 1, Fitting(l2=self.l2), seed)
        head = Head(self.kind, "regression", (), layers, (), {"column": self.embedding})
        write_head(head, folder)
        found = regression_figures(head.scores(other[0]), other[1], self.thresholds[0] if self.thresholds else math.inf, seed)
        rounded = {name: [row[key] for key in ("value", "low", "high")] for name, row in found.items()}
        agreement = {name: rounded[name] for name in ("spearman", "pearson", "mean_absolute_error")}
        facts = {"learnt_from": len(own[1]), "held_back": len(other[1]), "agreement": agreement}
        return pa.Table.from_pylist([facts])

    def _at_cuts(self, labelled: Sequence[Saved], folder: Path) -> list[dict[str, Any]]:
        vectors, wanted, apart = self._read(labelled)
        scores = read_head(folder).scores(vectors[apart])
        rows = []
        for cut in self.thresholds:
            figures = regression_figures(scores, wanted[apart], cut, (self.seed or 0) % 2**63)
            told = {name: [figures[name][key] for key in ("value", "low", "high")] for name in ("precision", "recall", "f1")}
            rows.append({"cut": cut, **told})
        return rows

    def _read(self, labelled: Sequence[Saved]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vectors and labels, in the order of a hash, and which are held back."""
        table = pa.concat_tables([saved.read() for saved in labelled]).combine_chunks()
        order = np.lexsort((numpy_of(table["label"]), numpy_of(table["key"])))
        flat = table["vector"].combine_chunks().flatten().to_numpy()
        vectors = flat.reshape(table.num_rows, -1)[order] if table.num_rows else np.zeros((0, 1), np.float32)
        return vectors, numpy_of(table["label"])[order], hash_unit(numpy_of(table["key"])[order]) < self.held_back


@dataclass
class _Labelled:
    """Vectors and labels of a part's documents that have one, in a worker."""

    stage: LearnScore
    sketches: Sketches

    def __call__(self, part: int) -> pa.Table:
        table = self.sketches.read(part, ["row", "source", "id", "label"])
        table = table.filter(table["label"].is_valid())
        vectors = _vectors(self.stage, self.sketches, part, table["row"].to_numpy())
        keys = order_keys(self.stage.seed or 0, "learn_score", table["source"], table["id"])
        column = pa.array(list(vectors), pa.list_(pa.float32()))
        return pa.table({"key": keys, "label": table["label"], "vector": column})


@dataclass
class _Scored:
    """Scores of a unit, in a worker."""

    stage: LearnScore
    sketches: Sketches
    folder: Path

    def __call__(self, unit: tuple[int, np.ndarray]) -> pa.Table:
        part, rows = unit
        scores = _head(self.folder).scores(_vectors(self.stage, self.sketches, part, rows))
        return pa.table({"row": pa.array(rows, pa.int32()), self.stage.column: pa.array(scores, pa.float64())})


@lru_cache(maxsize=2)
def _head(folder: Path) -> Head:
    return read_head(folder)


def _vectors(stage: LearnScore, sketches: Sketches, part: int, rows: np.ndarray) -> np.ndarray:
    """(rows, dimensions) float32, of length 1."""
    return vectors_of(sketches.documents(part, rows, [stage.embedding])[stage.embedding], None, "learn_score")


def _units(sketches: Sketches, part: int) -> list[tuple[int, np.ndarray]]:
    rows = sketches.read(part, ["row"])["row"].to_numpy()
    return [(part, rows[first : last + 1]) for first, last in batches(np.ones(len(rows), np.int64), UNIT_DOCUMENTS)]
