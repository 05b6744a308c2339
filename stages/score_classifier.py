"""Scores of each document by any Hugging Face classifier of sequences."""

import re
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.columns import DOCUMENT
from stages.core.model import Answer, Model
from stages.core.sequence_classifiers import (
    Activation,
    Classifier,
    Logits,
    activated,
    backbone_folder,
    examine,
    find_folder,
    load_classifier,
)

EXAMPLE = str(Path(__file__).parent / "core" / "example_classifier")
"""a model of some hundred words with weights by chance, for trials of stages"""
DIGITS = 5


class ScoreClassifier(Model):
    """Write what a classifier of Hugging Face says of each document: FineWeb-Edu's, NeMo Curator's, or any other.

    classifier_score   of a model with one output, its score as it is (FineWeb-Edu's: 0 to 5, a little beyond at both ends); of
                       one with labels, the probability of the most likely one, which stands in `label_column`

    With `outputs` the scores of these labels are written instead: of one label to `column`, of several to `column` with `_`
    and the label in lower case behind it. Outputs become scores by the model's own problem type: softmax, with
    multi_label_classification sigmoid, with regression nothing; `activation` names another.

    A model is a folder or a name in Hugging Face's cache; nothing is downloaded, and no code of a model is run. Two kinds
    are known: those that `AutoModelForSequenceClassification` loads, and NeMo Curator's (quality-classifier-deberta and
    others of its kind), a backbone with one layer on its first token, whose `config.json` says `base_model` and `id2label`.
    Of the backbone its own config.json must be in the cache or in the folder `base_model`.

    Of a text the first `max_tokens` tokens are read, marks included: 512 as FineWeb-Edu did, or fewer where the model has
    no more places. A text without tokens has nulls. Batches are formed inside a unit, by length. Scores are rounded to 5
    places, which hides what padding and the order of sums do to the last bits; on a GPU they may differ by about that.
    """

    example: ClassVar[dict[str, Any]] = {"model": EXAMPLE}

    model: str = Field(description="folder of the model, or its name in Hugging Face's cache")
    revision: str | None = Field(None, description="of a model by name, the commit, tag or branch in the cache; null: main")
    base_model: str | None = Field(
        None, description="folder or cached name with the config.json of the backbone, for NeMo's kind"
    )
    outputs: tuple[str, ...] = Field(
        (), description="labels whose scores are written; none: the only score, or the best label's"
    )
    column: str = Field(
        "classifier_score", description="name of the column of scores, or how names of several begin", min_length=1
    )
    label_column: str | None = Field(
        None, description="write the most likely label to this column; null: to classifier_label, where there are no `outputs`"
    )
    activation: Literal["auto", "softmax", "sigmoid", "none"] = Field("auto", description="from outputs to scores")
    max_tokens: int = Field(512, description="tokens of a text that are read", ge=1)
    batch_size: int = Field(32, description="texts that go through the model at once", ge=1)

    @model_validator(mode="after")
    def _outputs_are_there(self) -> Self:
        try:
            classifier = self._classifier()
        except ValueError as error:
            raise ValueError(f"model: {error}") from error
        if classifier.backbone is not None:
            backbone_folder(classifier, self.base_model)
        if unknown := [label for label in self.outputs if label not in classifier.labels]:
            known = ", ".join(map(repr, classifier.labels[:20]))
            raise ValueError(f"outputs: the model has no {unknown[0]!r}; it has {known}")
        if self.base_model is not None and classifier.backbone is None:
            raise ValueError("base_model: the model is a whole one and needs no config of a backbone")
        if self.label_column is not None and len(classifier.labels) == 1:
            raise ValueError("label_column: the model has one output, no labels")
        names = [name for name, _ in self._columns(classifier)]
        if len(set(names)) < len(names):
            raise ValueError(f"outputs: columns would have the same name: {', '.join(names)}")
        if taken := set(names) & set(DOCUMENT.names):
            raise ValueError(f"there is a column {min(taken)!r} already; name another")
        return self

    def _classifier(self) -> Classifier:
        return examine(find_folder(self.model, self.revision))

    def _columns(self, classifier: Classifier) -> list[tuple[str, str | None]]:
        """Columns, and the label whose score each holds: "" for that of the best label, None for the best label itself."""
        found: list[tuple[str, str | None]]
        if len(self.outputs) == 1 or len(classifier.labels) == 1:
            found = [(self.column, (*self.outputs, *classifier.labels)[0])]
        else:
            found = [(f"{self.column}_{_as_name(label)}", label) for label in self.outputs] or [(self.column, "")]
        labels = self.label_column or ("classifier_label" if found[0][1] == "" else None)
        return [(labels, None), *found] if labels is not None else found

    def columns_written(self) -> dict[str, pa.DataType]:
        columns = self._columns(self._classifier())
        return {name: pa.string() if label is None else pa.float64() for name, label in columns}

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("transformers", "embed"), ("torch", "embed"))

    def files(self) -> tuple[str, ...]:
        classifier = self._classifier()
        if classifier.backbone is None:
            return classifier.files()
        return (*classifier.files(), str(backbone_folder(classifier, self.base_model) / "config.json"))

    def facts(self) -> dict[str, Any]:
        classifier = self._classifier()
        told = {"labels": list(classifier.labels), "activation": self._activation(classifier), "max_tokens": self.max_tokens}
        return {"model": self.model, **told, "backbone": classifier.backbone}

    def _activation(self, classifier: Classifier) -> Activation:
        return classifier.activation if self.activation == "auto" else self.activation

    def load(self) -> Answer:
        classifier = self._classifier()
        logits = load_classifier(classifier, self.base_model, self.max_tokens, self.batch_size, self.name())
        return partial(self._answer, classifier, logits)

    def _answer(self, classifier: Classifier, logits: Logits, documents: pa.Table) -> pa.Table:
        texts = [text or "" for text in documents.column("text").to_pylist()]  # models take Python's strings
        found, known = logits(texts) if texts else (np.zeros((0, len(classifier.labels))), np.zeros(0, bool))
        # adding nothing makes 0 of -0
        scores = np.round(activated(found, self._activation(classifier)), DIGITS) + 0.0
        best = scores.argmax(axis=1)
        columns = {}
        for name, label in self._columns(classifier):
            if label is None:
                numbers = pa.array(best, pa.int64(), mask=~known)
                columns[name] = pa.array(classifier.labels, pa.string()).take(numbers)
            else:
                at = classifier.labels.index(label) if label else best
                columns[name] = pa.array(scores[np.arange(len(texts)), at], pa.float64(), mask=~known)
        return pa.table(columns)


def _as_name(label: str) -> str:
    return re.sub(r"\W+", "_", label.lower()).strip("_")
