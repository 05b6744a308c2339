"""fastText's and datatrove's kernels beside their definitions, which take long."""

import functools
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from comparison import Comparison, cut_slowly, cut_words
from definitions import datatrove
from definitions.fasttext import SlowModel
from fasttext_files import write_model

from stages.core.docs import Docs
from stages.kernels.datatrove_minhash import datatrove_shingles, simplify
from stages.kernels.fasttext_model import Model, read_model
from stages.kernels.fasttext_predict import predict
from stages.kernels.fasttext_scalars import LabelScorer
from stages.kernels.sentences import sentences_of


@functools.cache
def _model(kind: str) -> tuple[Model, SlowModel]:
    settings: dict[str, Any] = {
        "tree": {"loss": 1, "dim": 16, "labels": 9, "word_ngrams": 2},
        "softmax": {"loss": 3, "dim": 6, "chars": (1, 3), "word_ngrams": 3},
        "words": {"loss": 3, "dim": 5, "chars": (0, 0), "words": ["the", "a", "中"]},
        "pruned": {"loss": 1, "dim": 7, "quantised": True, "kept": 40, "word_ngrams": 2, "norms": True},
        "sigmoid": {"loss": 4, "dim": 4},
        "two": {"labels": 2, "chars": (0, 0), "word_ngrams": 3, "quantised": True, "kept": 60},
        "two, characters": {"labels": 2, "chars": (2, 3), "word_ngrams": 2},
        "two, tree": {"labels": 2, "loss": 1, "chars": (0, 0), "word_ngrams": 2},
    }[kind]
    with tempfile.TemporaryDirectory() as folder:
        path = write_model(Path(folder) / "model.bin", **settings)
        return read_model(path), SlowModel(path)


def _predicted(docs: Docs, kind: str) -> list[tuple[int, float]]:
    labels, scores = predict(_model(kind)[0], docs.text())
    return [*zip(labels.tolist(), scores.tolist(), strict=True)]


def _likely(found: tuple[int, float], scores: list[float], close: float = 1e-4) -> bool:
    """Rounding may choose another of the best; the library's 1e-5 for each probability is in the score."""
    label, score = found
    if not scores or label < 0:
        return found == (-1, 0.0) and not scores
    return abs(scores[label] - max(scores)) < close and abs(score - max(scores)) < 2 * close


@functools.cache
def _scorer(kind: str) -> LabelScorer:
    return LabelScorer(_model(kind)[0], 1)


def _scored(score: float, scores: list[float], close: float = 1e-5) -> bool:
    """A text of which nothing is known has the score of the end of line, which the definition leaves out."""
    return not scores or abs(score - scores[1] - 1e-5) < close


def _capped(text: str, size: int) -> bytes:
    return text.encode()[:size].decode(errors="ignore").encode()


def _datatrove_shingles(docs: Docs, hash_: str, bits: int) -> list[list[int]]:
    return by_document(*datatrove_shingles(docs.text(), 2, hash_, bits))


def _datatrove_shingles_slowly(text: str, hash_: str, bits: int) -> list[int]:
    return datatrove.slow_shingles(datatrove.spacy_words(simplify(text)), 2, hash_, bits)


def by_document(hashes: np.ndarray, offsets: np.ndarray) -> list[list[int]]:
    return [hashes[begin:end].tolist() for begin, end in pairwise(offsets.tolist())]


FASTTEXT_COMPARISONS = {
    "fasttext": Comparison(
        lambda docs: _predicted(docs, "tree"), lambda text: _model("tree")[1].scores(text.encode()), _likely
    ),
    "fasttext, first bytes": Comparison(
        lambda docs: [*zip(*(array.tolist() for array in predict(_model("tree")[0], docs.text(), 13)), strict=True)],
        lambda text: _model("tree")[1].scores(_capped(text, 13)),
        _likely,
    ),
}

SLOW_COMPARISONS = {
    **{
        f"fasttext, {kind}": Comparison(
            functools.partial(_predicted, kind=kind),
            lambda text, kind=kind: _model(kind)[1].scores(text.encode()),
            _likely,
        )
        for kind in ("softmax", "words", "pruned")
    },
    **{
        f"fasttext, one label of {kind}": Comparison(
            lambda docs, kind=kind: _scorer(kind)(docs.text()).tolist(),
            lambda text, kind=kind: _model(kind)[1].scores(text.encode()),
            functools.partial(_scored, close=0.01 if kind == "sigmoid" else 1e-5),
        )
        for kind in ("two", "two, characters", "two, tree", "sigmoid")
    },
    "fasttext, sigmoid": Comparison(
        lambda docs: _predicted(docs, "sigmoid"),
        lambda text: _model("sigmoid")[1].scores(text.encode()),
        functools.partial(_likely, close=0.01),  # beside a step of the table, rounding chooses the next
    ),
    "datatrove words": Comparison(
        lambda docs: cut_words(docs, "datatrove"), lambda text: cut_slowly(text, datatrove.spacy_words(text))
    ),
    "datatrove sentences": Comparison(lambda docs: sentences_of(docs.text(), "datatrove").tolist(), datatrove.spacy_sentences),
    **{
        f"datatrove shingles, {hash_} {bits}": Comparison(
            functools.partial(_datatrove_shingles, hash_=hash_, bits=bits),
            functools.partial(_datatrove_shingles_slowly, hash_=hash_, bits=bits),
        )
        for hash_, bits in (("xxhash", 64), ("xxhash", 32))
    },
}
"""Other models, and those that ask spaCy: their definitions take most of the time."""
