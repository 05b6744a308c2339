"""KenLM models by path, with what cuts texts for them, read once for each process and each state of the files."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from stages.core.lm_text import Split, splitter

MODEL, PIECES = "model.arpa", "sentencepiece.model"
"""Files of a folder that `sluice train perplexity` writes; the second only if it was trained on pieces."""


def model_file(path: str) -> Path:
    """The file of a model: the path itself, or of a folder its `model.arpa`."""
    place = Path(path).expanduser()
    return place / MODEL if place.is_dir() else place


def pieces_file(path: str, pieces: str | None) -> Path | None:
    """The model of sentencepiece that goes with a model: the one that is named, or the one in its folder."""
    if pieces is not None:
        return Path(pieces).expanduser()
    own = Path(path).expanduser() / PIECES
    return own if own.is_file() else None


class LanguageModel:
    """A KenLM model and what cuts lines into its tokens. Threads may share it."""

    def __init__(self, model: Any, split: Split) -> None:
        self._model = model
        self.split = split

    def log10(self, lines: Sequence[Sequence[str]]) -> tuple[float, int]:
        """The sum of the logarithms of the lines' probabilities, with their ends, and how many tokens and ends that are."""
        return sum(self._model.score(" ".join(line)) for line in lines), sum(len(line) + 1 for line in lines)


def load(model: Path, pieces: Path | None, step: str) -> LanguageModel:
    """The model in these files. Raises `InputError` that names the step."""
    return _load(_state(model, step), None if pieces is None else _state(pieces, step), step)


State = tuple[str, int, int]


def _state(path: Path, step: str) -> State:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{step}: {path} cannot be read: {error.strerror}") from error
    return os.fspath(path), status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=64)
def _load(model: State, pieces: State | None, step: str) -> LanguageModel:
    import kenlm

    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        read = kenlm.Model(model[0], config)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{step}: {model[0]} cannot be read as a KenLM model: {error}") from error
    return LanguageModel(read, splitter(None if pieces is None else Path(pieces[0]), step))
