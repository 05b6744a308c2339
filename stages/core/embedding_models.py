"""Embedding models of two libraries behind one call."""

import copy
import hashlib
import json
import os
import struct
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.errors import StageError
from stages.core.model import Model

Embed = Callable[[Sequence[str]], np.ndarray]
"""Vectors (float32, texts x dimensions) of texts."""


EXAMPLE = str(Path(__file__).parent / "example_embedding")
"""a static model of some hundred words with vectors by chance, for trials of stages"""


class EmbeddingModel(Model):
    """A Model whose model is a folder of sentence-transformers or model2vec."""

    model: str = Field(description="folder of a model of sentence-transformers or model2vec")
    prefix: str = Field("", description="put before each text, where the model was trained with one")
    max_tokens: int | None = Field(None, description="tokens of a text that are read; null is the model's own limit", ge=1)
    batch_size: int = Field(32, description="texts that go through the model at once", ge=1)

    @model_validator(mode="after")
    def _model_is_there(self) -> Self:
        if not os.path.isdir(self.model):
            raise ValueError(f"model: {self.model} is no folder; expected one of sentence-transformers or model2vec")
        if not (Path(self.model) / "config.json").is_file():
            raise ValueError(f"model: there is no config.json in {self.model}, as models of either kind have it")
        self.dimensions()
        return self

    def requirements(self) -> tuple[tuple[str, str], ...]:
        return (("model2vec" if self.is_static() else "sentence_transformers", "embed"),)

    def files(self) -> tuple[str, ...]:
        paths = sorted(
            path for path in Path(self.model).rglob("*") if path.suffix in (".json", ".safetensors", ".txt", ".model")
        )
        return tuple(map(str, paths))

    def is_static(self) -> bool:
        """Whether the model is one of model2vec."""
        return bool(_json(Path(self.model) / "config.json").get("model_type") == "model2vec")

    def facts(self) -> dict[str, Any]:
        kind = "model2vec" if self.is_static() else "sentence-transformers"
        return {"model": self.model, "kind": kind, "dimensions": self.dimensions()}

    def load_model(self) -> Embed:
        """The model, for any thread of this process."""
        load = load_static_model if self.is_static() else load_sentence_model
        return load(self.model, self.max_tokens, self.batch_size)

    def dimensions(self) -> int:
        """Numbers of a vector, as the model's files say."""
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


def fingerprint(model: EmbeddingModel) -> str:
    """SHA-256 of the names and contents of a model's files, wherever its folder is."""
    found = hashlib.sha256()
    for path in model.files():
        with open(path, "rb") as content:
            hashed = hashlib.file_digest(content, "sha256").hexdigest()
        found.update(f"{Path(path).relative_to(model.model).as_posix()} {hashed}\n".encode())
    return found.hexdigest()


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """The vectors with length 1 (float32); zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0))


def vectors_of(column: pa.ChunkedArray, dimensions: int | None, step: str) -> np.ndarray:
    """A column of embeddings (documents x dimensions, float32), scaled to length 1. Raises `StageError` if it is none."""
    kind = column.type
    fits = pa.types.is_fixed_size_list(kind) and dimensions in (None, kind.list_size)
    if not fits or column.null_count:
        wanted = "" if dimensions is None else f"of {dimensions} numbers "
        raise StageError(
            f"{step}: the embeddings are {kind} with {column.null_count} nulls, expected a vector {wanted}for each document"
        )
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return unit_vectors(flat.reshape(len(column), kind.list_size).astype(np.float32))


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


def load_sentence_model(folder: str, max_tokens: int | None, batch_size: int) -> Embed:
    """A model of sentence-transformers, on a GPU if there is one, else with one thread of this process."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        # more threads add up in another order, and there is a process for each CPU already
        torch.set_num_threads(1)
    model = SentenceTransformer(folder, device="cuda" if on_gpu else "cpu", local_files_only=True)
    if max_tokens is not None:
        model.max_seq_length = max_tokens
    weights = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    of_thread = threading.local()

    def embed(texts: Sequence[str]) -> np.ndarray:
        if not hasattr(of_thread, "model"):
            # a call sets its tokenizer to a length, which two threads must not do at once: the weights alone are shared
            of_thread.model = copy.deepcopy(model, dict(weights))
        found = of_thread.model.encode(list(texts), batch_size=batch_size, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(found, np.float32)

    return embed


def load_static_model(folder: str, max_tokens: int | None, batch_size: int) -> Embed:
    """A model of model2vec. Each thread has a tokenizer of its own: a call sets its length."""
    from model2vec import StaticModel

    limit: dict[str, Any] = {} if max_tokens is None else {"max_length": max_tokens}
    model: Any = StaticModel.from_pretrained(folder, force_download=False, quantize_to="float32", **limit)
    of_thread = threading.local()

    def embed(texts: Sequence[str]) -> np.ndarray:
        if not hasattr(of_thread, "model"):
            of_thread.model = copy.copy(model)
            of_thread.model.tokenizer = copy.deepcopy(model.tokenizer)
        # batches are formed in order, and a text's mean is its own: the size of a batch decides nothing
        return np.asarray(
            of_thread.model.encode(list(texts), batch_size=max(batch_size, 256), use_multiprocessing=False), np.float32
        )

    return embed
