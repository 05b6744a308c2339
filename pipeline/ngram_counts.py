"""N-grams of a text counted: how often each longest one occurs, with memory for different n-grams, not for the text."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

NOTHING, BEGIN, END, UNKNOWN = 0, 1, 2, 3
"""Numbers before the first word's: what stands before a sentence's begin, `<s>`, `</s>`, `<unk>`."""
MARKS = ("", "<s>", "</s>", "<unk>")
WINDOWS = 2**22
"""Places whose n-grams are counted at once: some 300 MB while they are sorted out."""
PILES = 16
"""N-grams of the whole text are added up in so many turns."""


@dataclass(frozen=True)
class Counts:
    """N-grams of the longest order, each once, sorted: `w1` to `wN` (uint32, numbers of words) and `count` (int64).

    The last of them are a word, `<unk>` or `</s>`. Sentences begin with `<s>`, and before it with as many numbers 0 as an
    n-gram at the first word needs, so that one that begins with 0 is a shorter n-gram at the beginning of a sentence.
    """

    table: pl.DataFrame
    words: list[str]
    """The word of each number; the first four are marks."""
    tokens: int
    sentences: int
    unknown: int
    """tokens that are `<unk>`"""

    @property
    def order(self) -> int:
        """Words of an n-gram."""
        return self.table.width - 1


def count(sentences: Iterable[Sequence[str]], order: int, min_count: int, folder: Path) -> Counts:
    """Count the n-grams of sentences of tokens. A token that occurs less than `min_count` times is `<unk>`.

    Meanwhile the tokens' numbers, 4 bytes each, and the n-grams of each chunk lie in files of `folder`. In memory are the
    different tokens, and the different n-grams: 4 bytes for each of their words and 8 for the count, twice while sorted.
    """
    stream = folder / "tokens.u32"
    numbers, sizes = _write(sentences, stream)
    names = list(numbers)
    tokens = np.fromfile(stream, np.uint32) if not stream.stat().st_size else np.memmap(stream, np.uint32, mode="r")
    frequency = np.bincount(tokens, minlength=len(names) + 1)[1:] if len(tokens) else np.zeros(len(names), np.int64)
    # in an order of their own, so that the same sentences in any order give the same numbers
    known = sorted(at for at, name in enumerate(names) if frequency[at] >= min_count and name not in MARKS)
    known.sort(key=lambda at: names[at].encode())
    place = np.full(len(names) + 1, UNKNOWN, np.uint32)
    place[0] = END
    place[np.array(known, np.int64) + 1] = np.arange(len(MARKS), len(MARKS) + len(known), dtype=np.uint32)
    table = _merged(_chunks(tokens, place, order), order, folder)
    unknown = int(frequency.sum() - sum(int(frequency[at]) for at in known))
    del tokens
    stream.unlink()
    return Counts(table, [*MARKS, *(names[at] for at in known)], int(frequency.sum()), sizes, unknown)


def _write(sentences: Iterable[Sequence[str]], stream: Path) -> tuple[dict[str, int], int]:
    """Numbers of tokens from 1, in the order of their first place, and the sentences; in the file each ends with 0."""
    numbers: dict[str, int] = {}
    written, held = 0, array("I")
    with stream.open("wb") as out:
        for sentence in sentences:
            if not sentence:
                continue
            held.extend(numbers.setdefault(token, len(numbers) + 1) for token in sentence)
            held.append(0)
            written += 1
            if len(held) > 2**20:
                held.tofile(out)
                held = array("I")
        held.tofile(out)
    return numbers, written


def _chunks(tokens: np.ndarray, place: np.ndarray, order: int) -> Iterator[pl.DataFrame]:
    """N-grams of about `WINDOWS` places at a time, of whole sentences, each once with its count."""
    start = 0
    while start < len(tokens):
        stop = min(start + WINDOWS, len(tokens))
        chunk = np.asarray(tokens[start:stop])
        ends = np.flatnonzero(chunk == 0)
        while not len(ends):
            stop = min(stop + WINDOWS, len(tokens))
            chunk = np.asarray(tokens[start:stop])
            ends = np.flatnonzero(chunk == 0)
        chunk = chunk[: ends[-1] + 1]
        start += len(chunk)
        yield _counted(_windows(place[chunk], chunk == 0, order))


def _windows(numbers: np.ndarray, is_end: np.ndarray, order: int) -> list[np.ndarray]:
    """For each place, the numbers of the n-gram that ends there, by column."""
    place = np.arange(len(numbers))
    begins = np.concatenate([[0], np.flatnonzero(is_end)[:-1] + 1])
    sentence = np.cumsum(is_end) - is_end
    inside = place - begins[sentence]
    columns = []
    for back in range(order - 1, -1, -1):
        column = np.full(len(numbers), NOTHING, np.uint32)
        column[back:] = numbers[: len(numbers) - back]
        column[inside < back] = NOTHING
        column[inside == back - 1] = BEGIN
        columns.append(column)
    return columns


def _counted(columns: list[np.ndarray]) -> pl.DataFrame:
    names = [f"w{at}" for at in range(1, len(columns) + 1)]
    return pl.DataFrame(dict(zip(names, columns, strict=True))).group_by(names).agg(count=pl.len().cast(pl.Int64))


def _merged(chunks: Iterator[pl.DataFrame], order: int, folder: Path) -> pl.DataFrame:
    """One table of all, each n-gram once: by the last word laid on piles, each of which is added up alone."""
    names = [f"w{at}" for at in range(1, order + 1)]
    piles: list[list[Path]] = [[] for _ in range(PILES)]
    for number, chunk in enumerate(chunks):
        pile_of = chunk[names[-1]].to_numpy() % PILES
        for pile, files in enumerate(piles):
            files.append(folder / f"chunk-{number}-{pile}")
            chunk.filter(pl.Series(pile_of == pile)).write_ipc(files[-1], compression="uncompressed")
    found = [pl.DataFrame(schema={**dict.fromkeys(names, pl.UInt32), "count": pl.Int64})]
    for files in piles:
        if files:
            together = pl.concat([pl.read_ipc(file) for file in files])
            found.append(together.group_by(names).agg(pl.col("count").sum()))
            del together
        for file in files:
            file.unlink()
    return pl.concat(found).sort(names)
