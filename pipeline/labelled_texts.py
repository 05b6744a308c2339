"""Documents of two classes as lines for fastText: each text once, in an order and on a side that its hash decides."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.training_texts import Seen, read_documents

PILES = 64
"""Texts are laid on piles by hash, each of which is sorted in memory."""
LABELS = {"hq": b"hq", "cc": b"cc"}
"""DCLM's names: high quality, and Common Crawl"""


@dataclass
class Counts(Seen):
    """Documents of one class: read, used once for several copies, left out and on which side."""

    without_words: int = 0
    copies: int = 0
    in_both_classes: int = 0
    trained: int = 0
    held_back: int = 0


@dataclass(frozen=True)
class Split:
    """Files of lines `__label__hq text`, sorted by hash, and what became of each class's documents."""

    train: Path
    held_back: Path
    counts: dict[str, Counts]


def split(files: dict[str, Sequence[str]], text: str, held_back: float, seed: int, folder: Path) -> Split:
    """Lay the documents of both classes into `folder`. A text is held back if its hash with the seed is below that share.

    Copies of a text are one document, and a text that is in both classes is in none: what it is, is not known.
    """
    counts = {label: Counts() for label in LABELS}
    piles = [folder / f"pile-{pile}" for pile in range(PILES)]
    with ExitStack() as opened:
        out = [opened.enter_context(pile.open("wb")) for pile in piles]
        for label, paths in files.items():
            for line in _lines(paths, text, counts[label]):
                # the seed as a key: another seed is another order and another side
                digest = hashlib.blake2b(line, digest_size=16, key=seed.to_bytes(8, "little")).hexdigest().encode()
                out[int(digest[:2], 16) % PILES].write(digest + b" " + LABELS[label] + b" " + line + b"\n")
    train, held = folder / "train.txt", folder / "held-back.txt"
    with train.open("wb") as kept, held.open("wb") as apart:
        for pile in piles:
            _sort_out(pile, held_back, counts, kept, apart)
            pile.unlink()
    return Split(train, held, counts)


def _sort_out(pile: Path, held_back: float, counts: dict[str, Counts], kept: BinaryIO, apart: BinaryIO) -> None:
    entries = sorted(pile.read_bytes().splitlines(keepends=True))
    start = 0
    while start < len(entries):
        digest = entries[start][:32]
        stop = start + 1
        while stop < len(entries) and entries[stop][:32] == digest:
            stop += 1
        labels = [entry[33:35].decode() for entry in entries[start:stop]]
        if len(set(labels)) > 1:
            for label in labels:
                counts[label].in_both_classes += 1
        else:
            count = counts[labels[0]]
            count.copies += stop - start - 1
            # the last 8 bytes: the first put it on this pile
            is_held = int(digest[16:], 16) < held_back * 2**64
            count.held_back += is_held
            count.trained += not is_held
            (apart if is_held else kept).write(b"__label__" + entries[start][33:])
        start = stop


def _lines(paths: Sequence[str], text: str, counts: Counts) -> Iterator[bytes]:
    """The words of each document that has any, on one line."""
    for document in read_documents(paths, text, counts):
        line = one_line(document["text"])
        if line:
            yield line
        else:
            counts.without_words += 1


def one_line(text: str) -> bytes:
    """A text as fastText reads it when it scores: words between blanks, up to its own end of line, without labels."""
    words = text.encode().translate(_BLANKS).split(b" ")
    if b"</s>" in words:
        words = words[: words.index(b"</s>")]
    return b" ".join(word for word in words if word and not word.startswith(b"__label__"))


_BLANKS = bytes.maketrans(b"\0\t\n\v\f\r", b"      ")
