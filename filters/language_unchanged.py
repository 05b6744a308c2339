"""Answers in another language than their source."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from schemas.rule import Limit, Rule, at_most, count
from stages.core import fasttext_models
from stages.core.docs import Docs
from stages.core.generated import PARENT_TEXT
from stages.core.stage import Filter, Measures
from stages.detect_language import packaged_model
from stages.kernels.fasttext_model import Model
from stages.kernels.fasttext_predict import predict


class LanguageUnchanged(Filter):
    """Keep answers in the language of their source, `_parent_text`.

    changed          1 if the most likely languages of the two are not the same, and both are sure
    language_score   the answer's score
    parent_score     the source's score

    A text is told as `detect_language` tells it, as a whole, by lid.176 or the model that is named. Where one of the two is
    shorter than `min_chars`, or has a score below `min_score`, nothing is said: it counts as unchanged. So does a document
    without a parent's text, which is no model's; its scores are 0.
    """

    unit = "document"

    model: str | None = Field(None, description="path of a supervised fastText model (.bin or .ftz); null: lid.176.ftz")
    min_chars: int = Field(60, description="shorter texts are not judged", ge=1, json_schema_extra={"unit": "code points"})
    min_score: float = Field(
        0.5, description="texts with a lower score are not judged", ge=0, le=1, json_schema_extra={"unit": "share"}
    )
    max_changed: Limit | None = count(0, "1 allows another language", "languages")

    def columns_read(self) -> tuple[str, ...]:
        """The answer and its source."""
        return ("text", PARENT_TEXT)

    def files(self) -> tuple[str, ...]:
        """The model."""
        return (str(self._path()),)

    def measures(self) -> dict[str, pa.DataType]:
        """One or none, and two scores."""
        return {"changed": pa.int8(), "language_score": pa.float64(), "parent_score": pa.float64()}

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        measured: Measures = self.open()(docs)
        return measured

    def open(self) -> Callable[[Docs], Measures]:
        """Read the model."""
        model, _ = fasttext_models.load(self._path(), self.name())
        return lambda docs: self._compare(model, docs)

    def rules(self) -> Sequence[Rule]:
        """One rule."""
        return (at_most("changed", self.max_changed, "max_changed"),)

    def _path(self) -> Path:
        return Path(self.model).expanduser() if self.model is not None else packaged_model()

    def _compare(self, model: Model, docs: Docs) -> Measures:
        made = np.asarray(docs.table.column(PARENT_TEXT).is_valid().to_numpy())
        labels, scores, long = zip(*(self._told(model, docs, column) for column in ("text", PARENT_TEXT)), strict=True)
        sure = made & long[0] & long[1] & (scores[0] >= self.min_score) & (scores[1] >= self.min_score)
        return {
            "changed": (sure & (labels[0] != labels[1])).astype(np.int8),
            "language_score": np.where(made, scores[0], 0.0),
            "parent_score": np.where(made, scores[1], 0.0),
        }

    def _told(self, model: Model, docs: Docs, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        labels, scores = predict(model, docs.text(column), None, label_unknown=False)
        long = pc.fill_null(pc.greater_equal(pc.utf8_length(docs.table.column(column)), self.min_chars), False)
        return labels, scores, np.asarray(long.to_numpy())
