"""Embedding models of two libraries behind one call."""

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Embed = Callable[[Sequence[str]], np.ndarray]
"""Vectors (float32, texts x dimensions) of texts."""


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
