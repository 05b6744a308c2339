"""Input cut into units: from the input alone, and every document exactly once."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from small_runs import jsonl, parquet, read_all

from pipeline.sources import InputFile
from pipeline.units import FILES_IN_A_UNIT, SLICES_OF_A_GROUP, Unit, cut, part_bytes
from schemas.recipe import Input


def file(format_: str, size: int, groups: tuple[tuple[int, int], ...] = (), compression: str | None = None) -> InputFile:
    rows = sum(count for count, _ in groups) if format_ == "parquet" else None
    return InputFile("p", "p", "s", format_, compression, size, 0, 0, rows, groups)


def ranges(units: list[Unit], index: int) -> list[tuple[int, int]]:
    return [(piece["start"], piece["stop"]) for unit in units for piece in unit["slices"] if piece["file"] == index]


def test_twenty_small_files_give_a_unit_each(tmp_path: Path) -> None:
    """RAY-3, with 20 files of 2 MB."""
    files = [file("jsonl", 2_000_000)] * 20
    assert len(cut(files, part_bytes(files))) >= 8
    files = [file("parquet", 700_000, ((1000, 2_000_000),))] * 20
    assert len(cut(files, part_bytes(files))) >= 8


def test_one_big_file_is_split() -> None:
    """RAY-3, with one file of 2 GB."""
    for big in (file("jsonl", 2_000_000_000), file("parquet", 700_000_000, ((10_000, 32_000_000),) * 62)):
        assert len(cut([big], part_bytes([big]))) >= 60


def test_part_bytes_grow_with_the_input() -> None:
    def of(total: int) -> int:
        return part_bytes([file("jsonl", total)])

    assert [of(0), of(40_000_000), of(1_000_000_000), of(65_536_000_000), of(10**13)] == [
        1_000_000, 2_500_000, 16_000_000, 64_000_000, 128_000_000,
    ]  # fmt: skip


def test_a_compressed_file_is_one_slice() -> None:
    assert ranges(cut([file("jsonl", 1000, compression="gzip")], 10), 0) == [(0, 1000)]


def test_small_files_share_a_unit_up_to_its_size_and_a_number() -> None:
    assert [len(unit["slices"]) for unit in cut([file("text", 10)] * 10, 30)] == [3, 3, 3, 1]
    assert [len(unit["slices"]) for unit in cut([file("text", 1)] * (FILES_IN_A_UNIT + 1), 10**9)] == [FILES_IN_A_UNIT, 1]


def test_a_row_group_is_cut_at_most_so_often() -> None:
    assert len(cut([file("parquet", 10, ((1000, 10**9),))], 1000)) == SLICES_OF_A_GROUP
    assert ranges(cut([file("parquet", 10, ((2, 10**9),))], 1000), 0) == [(0, 1), (1, 2)]


@pytest.mark.parametrize("seed", range(30))
def test_ranges_cover_every_byte_and_row_once(seed: int) -> None:
    rng = random.Random(seed)
    files = []
    for _ in range(rng.randint(1, 12)):
        if rng.random() < 0.5:
            files.append(file("jsonl", rng.choice([0, 1, rng.randint(0, 5000)])))
        else:
            groups = tuple((rows := rng.randint(0, 50), rows * rng.randint(0, 90)) for _ in range(rng.randint(0, 5)))
            files.append(file("parquet", 1, groups))
    size = rng.choice([1, 7, 100, 1000, 10**6])
    units = cut(files, size)
    assert [unit["unit"] for unit in units] == list(range(len(units)))
    assert units == cut(files, size)
    for index, item in enumerate(files):
        found = ranges(units, index)
        total = item.size if item.format == "jsonl" else sum(rows for rows, _ in item.groups)
        assert found[0][0] == 0
        assert found[-1][1] == total
        assert all(left[1] == right[0] for left, right in pairwise(found))


@pytest.mark.parametrize("seed", range(6))
def test_every_document_is_read_once_for_any_part_bytes(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    expected = []
    for number in range(5):
        texts = ["é漢🙂"[: rng.randint(0, 3)] * rng.randint(0, 30) for _ in range(rng.randint(0, 40))]
        expected += texts
        if number % 2:
            parquet(tmp_path / f"{number}.parquet", {"text": texts or [""]}, row_group_size=rng.randint(1, 15))
            expected += [] if texts else [""]
        else:
            path = jsonl(tmp_path / f"{number}.jsonl", ({"text": text} for text in texts))
            end = rng.choice(["\n", "\r\n"])
            lines = end.join(path.read_text().split("\n"))
            path.write_text(lines.removesuffix(end) if rng.random() < 0.5 else lines, newline="")
    entry = Input(path=str(tmp_path), source="s")
    whole, _, _ = read_all(entry)
    assert sorted(whole.column("text").to_pylist()) == sorted(expected)
    assert len(set(whole.column("id").to_pylist())) == len(expected)
    for size in (1, 2, 17, 100, 1000):
        table, faults, _ = read_all(entry, size, rng.choice([1, 100, 10**6]))
        assert not faults
        assert table.equals(whole)  # the same ids, texts and order
