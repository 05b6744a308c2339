"""Scores of each document by a fastText classifier: quality, domain, toxicity."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.columns import DOCUMENT
from stages.core import fasttext_models
from stages.core.stage import Map
from stages.kernels.fasttext_predict import predict
from stages.kernels.fasttext_project import project
from stages.kernels.fasttext_scalars import LabelScorer
from stages.kernels.text import text_of

SHIPPED = "quality-en"
_MODELS = Path(__file__).resolve().parent / "models"


class ScoreFasttext(Map):
    """Write how likely a fastText classifier finds a label for each document, for `threshold` or a ranking to judge.

    quality_score   the model's probability for `label`; `column` names it otherwise

    With `label_column` the most likely label is written there, without `__label__`, and its probability to `column`.

    Any supervised model is read (.bin or .ftz; softmax, hierarchical softmax, one-vs-all; n-grams of words and of characters).
    The whole document is read as one line, line breaks as spaces, as DCLM (Li et al. 2024) and datatrove do. Scores are the
    library's own but for its float32 rounding (below 1e-5 on documents; its sums of hundreds of thousands of words drift, ours
    do not), so they may exceed 1 by 1e-5, and a text of which the model knows nothing, even an empty one, has the score of the
    end of line alone. A model that does not know the end of line gives such a text 0 and no label.

    `quality-en` is a small English model that comes with Sluice: good prose against page furniture and junk. What it was made
    of, and how it does, is in stages/models/quality-en.md.
    """

    model: str = Field(SHIPPED, description="path of a supervised fastText model (.bin or .ftz), or quality-en")
    label: str | None = Field(
        None,
        description="label whose score is written, e.g. `__label__hq` or `hq`; null: of two labels the one not called negative",
    )
    column: str = Field("quality_score", description="name of the column of scores")
    label_column: str | None = Field(None, description="write the most likely label to this column, and its score to `column`")

    @model_validator(mode="after")
    def _columns_make_sense(self) -> Self:
        if self.label is not None and self.label_column is not None:
            raise ValueError("label asks for one label's score, label_column for the best label's: expected one of them")
        for key, name in (("column", self.column), ("label_column", self.label_column)):
            if name is not None and (not name or name in DOCUMENT.names):
                raise ValueError(
                    f"{key} is {name!r}, expected a name that is no column of every document ({', '.join(DOCUMENT.names)})"
                )
        if self.column == self.label_column:
            raise ValueError(f"column and label_column are both {self.column!r}")
        return self

    def columns_written(self) -> dict[str, pa.DataType]:
        labels = {} if self.label_column is None else {self.label_column: pa.string()}
        return labels | {self.column: pa.float64()}

    def files(self) -> tuple[str, ...]:
        return (str(self._path()),)

    def apply(self, table: pa.Table) -> pa.Table:
        return self.open()(table)

    def open(self) -> Callable[[pa.Table], pa.Table]:
        model, key = fasttext_models.load(self._path(), self.name())
        if self.label_column is not None:
            return functools.partial(self._label, _projected(key))
        if self.label is None:
            label = fasttext_models.good_label(model, self.name())
        else:
            label = fasttext_models.find_label(model, self.label, self.name())
        score = _scorer(key, label)
        return lambda table: _with(table, self.column, pa.array(score(text_of(table.column("text"))), pa.float64()))

    def _path(self) -> Path:
        return _MODELS / f"{SHIPPED}.ftz" if self.model == SHIPPED else Path(self.model).expanduser()

    def _label(self, model: Any, table: pa.Table) -> pa.Table:
        assert self.label_column is not None
        found, scores = predict(model, text_of(table.column("text")), label_unknown=True)
        names = pa.array([*model.labels, ""], pa.string())
        labels = names.take(pa.array(np.where(found < 0, len(model.labels), found)))
        return _with(_with(table, self.label_column, labels), self.column, pa.array(scores, pa.float64()))


@functools.lru_cache(maxsize=4)
def _scorer(key: tuple[str, int, int], label: int) -> LabelScorer:
    return LabelScorer(fasttext_models.load(Path(key[0]), ScoreFasttext.name())[0], label)


@functools.lru_cache(maxsize=2)
def _projected(key: tuple[str, int, int]) -> Any:
    return project(fasttext_models.load(Path(key[0]), ScoreFasttext.name())[0])


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    field = pa.field(name, values.type, nullable=False)
    at = table.schema.get_field_index(name)
    return table.append_column(field, values) if at < 0 else table.set_column(at, field, values)
