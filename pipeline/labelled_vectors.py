"""Labelled documents as vectors: each text once, in an order and on a side that its hash decides."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from pipeline.training_texts import Seen, digest, read_documents
from schemas.errors import InputError
from schemas.recipe import Column
from stages.core.embedding_models import Embed, unit_vectors

PILES, EMBEDDED, EXCERPT = 64, 1024, 300
SIDES = ("train", "calibrate", "judge")
Label = str | float


@dataclass
class Read(Seen):
    """Documents read, and what became of them: copies are one document; a text with several labels is left out."""

    without_label: int = 0
    without_text: int = 0
    copies: int = 0
    several_labels: int = 0
    trained: int = 0
    calibrated: int = 0
    held_back: int = 0
    labels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Side:
    """Documents of one side: vectors of length 1, labels, and of those that are judged the texts' beginnings."""

    vectors: np.ndarray
    labels: list[Label]
    excerpts: list[str]


def labelled(files: Mapping[str, Sequence[str]], text: str, seen: Seen) -> Iterator[tuple[str, Label | None]]:
    """Texts of files that are sorted by label, with the label."""
    for label, paths in files.items():
        for document in read_documents(paths, text, seen):
            yield document["text"], label


def with_column(paths: Sequence[str], text: str, column: str, numbers: bool, seen: Seen) -> Iterator[tuple[str, Label | None]]:
    """Texts of files with the labels of a column, numbers or strings; None where there is none."""
    wanted = Column(column=column, type="float64" if numbers else "string")
    for document in read_documents(paths, text, seen, {"label": wanted}):
        label = document["label"]
        missing = label is None or (numbers and not np.isfinite(label))
        yield document["text"], None if missing else label


def sides(
    documents: Iterator[tuple[str, Label | None]],
    read: Read,
    embed: Embed,
    prefix: str,
    held_back: float,
    seed: int,
    folder: Path,
) -> dict[str, Side]:
    """Embed all documents; `read` counts them. A share `held_back` of the texts is judged, as many are for calibration.

    Texts lie in files meanwhile; in memory are the vectors, 4 bytes a number.
    """
    piles = [folder / f"pile-{at}" for at in range(PILES)]
    with ExitStack() as opened:
        out = [opened.enter_context(pile.open("wb")) for pile in piles]
        for text, label in documents:
            if label is None or not text.strip():
                read.without_label += label is None
                read.without_text += label is not None
                continue
            hashed = digest(text, seed)
            out[int(hashed[:2], 16) % PILES].write(orjson.dumps([hashed, label, text]) + b"\n")
    vectors: dict[str, list[np.ndarray]] = {side: [] for side in SIDES}
    labels: dict[str, list[Label]] = {side: [] for side in SIDES}
    excerpts: list[str] = []
    count: Counter[str] = Counter()
    for pile in piles:
        kept = list(_each_once(pile, read))
        pile.unlink()
        for start in range(0, len(kept), EMBEDDED):
            batch = kept[start : start + EMBEDDED]
            found = unit_vectors(embed([prefix + text for _, _, text in batch]))
            on = [_side(hashed, held_back) for hashed, _, _ in batch]
            for side in SIDES:
                mine = [at for at, name in enumerate(on) if name == side]
                vectors[side].append(found[mine])
                labels[side] += [batch[at][1] for at in mine]
                if side == "judge":
                    excerpts += [batch[at][2][:EXCERPT] for at in mine]
            count.update(str(label) for _, label, _ in batch)
    read.trained, read.calibrated, read.held_back = (len(labels[side]) for side in SIDES)
    read.labels = dict(sorted(count.items()))
    if not read.trained or not read.calibrated or not read.held_back:
        raise InputError(
            f"of {read.documents} documents {read.trained} are left to train on, {read.calibrated} to calibrate and"
            f" {read.held_back} are held back ({held_back:.0%}; {read.without_label} have no label,"
            f" {read.several_labels} several): expected at least one of each"
        )
    return {side: Side(np.concatenate(vectors[side]), labels[side], excerpts if side == "judge" else []) for side in SIDES}


def _each_once(pile: Path, read: Read) -> Iterator[tuple[str, Label, str]]:
    """The documents of a pile in the order of their hashes."""
    entries = sorted((orjson.loads(line) for line in pile.read_bytes().splitlines()), key=lambda entry: entry[:1])
    start = 0
    while start < len(entries):
        stop = start + 1
        while stop < len(entries) and entries[stop][0] == entries[start][0]:
            stop += 1
        if len({entry[1] for entry in entries[start:stop]}) > 1:
            read.several_labels += stop - start
        else:
            read.copies += stop - start - 1
            yield tuple(entries[start])
        start = stop


def _side(hashed: str, held_back: float) -> str:
    # the last 8 bytes: the first put it on its pile
    place = int(hashed[16:], 16) / 2**64
    return "judge" if place < held_back else "calibrate" if place < 2 * held_back else "train"
