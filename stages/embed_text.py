"""Add a vector of each text: its embedding by a model."""

import json
import os
import struct
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from stages.core.embedding_models import Embed, load_sentence_model, load_static_model
from stages.core.model import Answer, Model

EXAMPLE = str(Path(__file__).parent / "core" / "example_embedding")
"""a static model of some hundred words with vectors by chance, for trials of this stage"""


class EmbedText(Model):
    """Write an embedding of each text into a column, normalised to length 1.

    The model is a folder of sentence-transformers, or of model2vec: static vectors, averaged over a text, some hundred times as
    fast on a CPU. Which of the two it is stands in its files. Nothing is downloaded. A text is read up to `max_tokens`; a text
    without a known token has a vector of zeros.

    The column is read by semantic_dedup and other stages; with a name that begins with `_` it is no column of the training set.
    On CPUs each process has one thread, so that the same text has the same vector with any number of workers; where there
    is a GPU it is used. Vectors from a CPU and from a GPU differ in the last bits.
    """

    example: ClassVar[dict[str, Any]] = {"model": EXAMPLE}

    model: str = Field(description="folder of a model of sentence-transformers or model2vec")
    column: str = Field("_embedding", description="column that is written", min_length=1)
    prefix: str = Field("", description="put before each text, where the model was trained with one")
    max_tokens: int | None = Field(None, description="tokens of a text that are read; null is the model's own limit", ge=1)
    precision: Literal["float16", "float32"] = Field("float16", description="type of the numbers that are written")
    batch_size: int = Field(32, description="texts that go through the model at once", ge=1)

    @model_validator(mode="after")
    def _model_is_there(self) -> Self:
        if self.column in ("id", "source", "text"):
            raise ValueError(f"column: {self.column} is a column of every document; name another")
        if not os.path.isdir(self.model):
            raise ValueError(f"model: {self.model} is no folder; expected one of sentence-transformers or model2vec")
        if not self.files():
            raise ValueError(f"model: there is no config.json in {self.model}, as models of either kind have it")
        self._dimensions()
        return self

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("model2vec" if self.is_static() else "sentence_transformers", "embed"),)

    def files(self) -> tuple[str, ...]:
        paths = sorted(
            path for path in Path(self.model).rglob("*") if path.suffix in (".json", ".safetensors", ".txt", ".model")
        )
        return tuple(map(str, paths)) if (Path(self.model) / "config.json").is_file() else ()

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.list_(pa.float16() if self.precision == "float16" else pa.float32(), self._dimensions())}

    def is_static(self) -> bool:
        """Whether the model is one of model2vec."""
        return bool(_json(Path(self.model) / "config.json").get("model_type") == "model2vec")

    def facts(self) -> dict[str, Any]:
        kind = "model2vec" if self.is_static() else "sentence-transformers"
        return {"model": self.model, "kind": kind, "dimensions": self._dimensions()}

    def load(self) -> Answer:
        load = load_static_model if self.is_static() else load_sentence_model
        embed = load(self.model, self.max_tokens, self.batch_size)
        return lambda documents: self._answer(documents, embed)

    def _answer(self, documents: pa.Table, embed: Embed) -> pa.Table:
        texts = [self.prefix + (text or "") for text in documents.column("text").to_pylist()]  # models take Python's strings
        (kind,) = self.columns_written().values()
        vectors = embed(texts) if texts else np.zeros((0, kind.list_size), np.float32)
        if vectors.shape != (len(texts), kind.list_size):
            raise ValueError(f"{self.model} gave {vectors.shape[1]} numbers for a text, its files say {kind.list_size}")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        values = pa.array(unit.astype(kind.value_type.to_pandas_dtype()).ravel())
        return pa.table({self.column: pa.FixedSizeListArray.from_arrays(values, type=kind)})

    def _dimensions(self) -> int:
        folder = Path(self.model)
        if self.is_static():
            return _static_dimensions(folder / "model.safetensors")
        modules = folder / "modules.json"
        if not modules.is_file():
            raise ValueError(f"model: {folder} has no modules.json and is no model2vec: no model of sentence-transformers")
        last = 0
        for module in json.loads(modules.read_text(encoding="utf-8")):
            config = _json(folder / module["path"] / "config.json")
            last = next((config[key] for key in _DIMENSIONS if key in config), last)
        if not last:
            raise ValueError(
                f"model: none of the modules of {folder} says how many numbers it gives ({', '.join(_DIMENSIONS)})"
            )
        return int(last)


_DIMENSIONS = ("out_features", "embedding_dimension", "word_embedding_dimension", "hidden_size")
"""what modules of sentence-transformers call the length of their vectors; the last module of them that says it decides"""


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def _static_dimensions(path: Path) -> int:
    """Second dimension of the tensor `embeddings`, from the header of a file of safetensors."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
        return int(header["embeddings"]["shape"][1])
    except (OSError, struct.error, ValueError, KeyError) as error:
        raise ValueError(f"model: {path} holds no tensor `embeddings`, as models of model2vec have it") from error
