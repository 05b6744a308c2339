"""fastText models by path, read once for each process and each state of the file."""

import difflib
import functools
import os
from pathlib import Path

from schemas.errors import InputError
from stages.kernels.fasttext_model import Model, read_model

_NEGATIVE = frozenset(["0", "bad", "cc", "false", "junk", "low", "lq", "neg", "negative", "no", "spam"])


def load(path: Path, step: str) -> tuple[Model, tuple[str, int, int]]:
    """The model in a file, and what tells this state of the file from others. Raises `InputError` that names the step."""
    try:
        status = path.stat()
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"{step}: the model {path} cannot be read: {error.strerror}") from error
    key = os.fspath(path), status.st_mtime_ns, status.st_size
    try:
        return _read(*key), key
    except ValueError as error:
        raise InputError(f"{step}: {path}: {error}") from error


@functools.lru_cache(maxsize=2)
def _read(path: str, _modified: int, _size: int) -> Model:
    return read_model(Path(path))


def find_label(model: Model, wanted: str, step: str) -> int:
    """The index of a label, named with `__label__` or without. Raises `InputError` with the nearest one."""
    name = wanted.removeprefix("__label__")
    if name in model.labels:
        return model.labels.index(name)
    near = difflib.get_close_matches(name, model.labels, 1, 0.3)
    meant = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"{step}: the model has no label {name!r}; {meant}its labels are {listed(model.labels)}")


def good_label(model: Model, step: str) -> int:
    """The index of the label that is not the negative one of two. Raises `InputError` with the labels where there is none."""
    good = [at for at, name in enumerate(model.labels) if not _is_negative(name)]
    if len(model.labels) == 2 and len(good) == 1:
        return good[0]
    raise InputError(
        f"{step}: which label's score is to be written cannot be told from the model's labels, {listed(model.labels)}: name it"
        " in `label`, or ask for the best one with `label_column`"
    )


def _is_negative(name: str) -> bool:
    name = name.lower()
    return name in _NEGATIVE or name.startswith(("non-", "non_", "not-", "not_"))


def listed(labels: tuple[str, ...], most: int = 10) -> str:
    """The first labels, and how many more there are."""
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(map(repr, labels[:most])) + more
