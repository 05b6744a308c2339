"""Input cut into units of work, from the input alone and never from the number of workers.

A unit is read by one task and gives one or more parts, numbered `unit * CHUNKS + chunk`. A part number and a row make an
address: `part * ROWS + row`.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from pipeline.sources import InputFile

CHUNKS = 4096
ROWS = 1 << 24

SMALLEST_PART = 1_000_000
USUAL_PART = 16_000_000
LARGEST_PART = 128_000_000
FILES_IN_A_UNIT = 2000
"""So that 100,000 tiny files make 50 units: opening a file costs more than reading it."""
SLICES_OF_A_GROUP = 4
"""A row range inside a row group is reached by decoding what stands before it, so a large row group is cut at most so often."""

Unit = dict[str, Any]
"""`{"unit": number, "slices": [{"file": index, "start": s, "stop": e}, ...], "bytes": about}`; rows of Parquet, else bytes."""


def part_bytes(files: Sequence[InputFile]) -> int:
    """16 MB of text, 128 MB from about 130 GB on; of less than 256 MB a sixteenth, so that 16 CPUs have work; at least 1 MB."""
    total = sum(_text_bytes(file) for file in files)
    return min(LARGEST_PART, max(SMALLEST_PART, min(USUAL_PART, total // 16), total // 1024))


def _text_bytes(file: InputFile) -> int:
    if file.format == "parquet":
        return sum(size for _, size in file.groups)
    return file.size * (4 if file.compression else 1)


def rows_about(files: Sequence[InputFile]) -> int:
    """Documents, rather too many than too few where only bytes are known."""
    return sum(file.rows if file.rows is not None else 1 + _text_bytes(file) // 100 for file in files)


def cut(files: Sequence[InputFile], size: int) -> list[Unit]:
    """Units of about `size` bytes of text, in the order of the files. Small files share a unit, large ones are split."""
    units: list[Unit] = []
    slices: list[dict[str, int]] = []
    filled = 0

    def close() -> None:
        nonlocal filled
        if slices:
            units.append({"unit": len(units), "slices": list(slices), "bytes": filled})
        slices.clear()
        filled = 0

    for index, file in enumerate(files):
        for start, stop, about in _slices(file, size):
            alone = about >= size
            if slices and (
                alone or filled + about > size or len(slices) >= FILES_IN_A_UNIT or file.input != files[index - 1].input
            ):
                close()
            slices.append({"file": index, "start": start, "stop": stop})
            filled += about
            if alone:
                close()
    close()
    return units


def _slices(file: InputFile, size: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, bytes of text about) of the pieces of one file."""
    if file.format == "parquet":
        yield from _row_ranges(file, size)
    elif _is_ranged(file) and (about := _text_bytes(file)) > size:
        count = -(-about // size)
        edges = [file.size * k // count for k in range(count + 1)]
        for start, stop in pairwise(edges):
            yield start, stop, about // count
    else:
        yield 0, file.size, _text_bytes(file)


def _is_ranged(file: InputFile) -> bool:
    """Whether records can be found from any byte on."""
    return file.format == "warc" or (file.format == "jsonl" and file.compression is None)


def _row_ranges(file: InputFile, size: int) -> Iterator[tuple[int, int, int]]:
    start = first = filled = 0
    for rows, group_bytes in file.groups:
        if group_bytes > size:
            if first > start:
                yield start, first, filled
            pieces = max(1, min(SLICES_OF_A_GROUP, -(-group_bytes // size), rows))
            edges = [first + rows * k // pieces for k in range(pieces + 1)]
            for low, high in pairwise(edges):
                yield low, high, group_bytes // pieces
            start, filled = first + rows, 0
        else:
            if filled + group_bytes > size and first > start:
                yield start, first, filled
                start, filled = first, 0
            filled += group_bytes
        first += rows
    if first > start or not file.groups:
        yield start, first, filled
