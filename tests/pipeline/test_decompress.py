"""JSONL in every wrapping: what can be read is read, and damage is told."""

import gzip
import random
import struct
from pathlib import Path

import pytest
import zstandard
from small_runs import read_all

from schemas.recipe import Input

rng = random.Random(1)
NOISE = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=900)) for _ in range(400)]
LINES = [f'{{"id": "{number}", "text": "{noise}"}}\n'.encode() for number, noise in enumerate(NOISE)]
PLAIN = b"".join(LINES)


def read(path: Path, content: bytes) -> tuple[list[str], list[str]]:
    """Ids of the documents, and messages of the faults."""
    path.write_bytes(content)
    table, faults, _ = read_all(Input(path=str(path)))
    assert all(fault.place.startswith(str(path)) for fault in faults)
    return table.column("id").to_pylist(), [fault.message for fault in faults]


ALL = [str(number) for number in range(400)]
HALF = len(PLAIN) // 2
SKIPPABLE = struct.pack("<II", 0x184D2A50, 4) + b"skip"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.jsonl", PLAIN),
        ("crlf.jsonl", PLAIN.replace(b"\n", b"\r\n")),
        ("bom.jsonl", b"\xef\xbb\xbf" + PLAIN),
        ("open.jsonl", PLAIN.removesuffix(b"\n")),
        ("blank.jsonl", b"\n \n\r\n" + PLAIN.replace(b"\n", b"\n\n") + b"\n"),
        ("a.jsonl.gz", gzip.compress(PLAIN)),
        ("members.jsonl.gz", gzip.compress(PLAIN[:HALF]) + gzip.compress(b"") + gzip.compress(PLAIN[HALF:])),
        ("padded.jsonl.gz", gzip.compress(PLAIN) + b"\0" * 9000),
        ("lines.jsonl.gz", b"".join(gzip.compress(line) for line in LINES)),
        ("a.jsonl.zst", zstandard.compress(PLAIN)),
        ("frames.jsonl.zst", zstandard.compress(PLAIN[:HALF]) + SKIPPABLE + zstandard.compress(PLAIN[HALF:])),
        ("bom.jsonl.zst", zstandard.compress(b"\xef\xbb\xbf" + PLAIN)),
    ],
)
def test_a_whole_file_gives_every_document(tmp_path: Path, name: str, content: bytes) -> None:
    assert read(tmp_path / name, content) == (ALL, [])


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_file_that_was_cut_off_gives_what_stands_before_and_a_fault(tmp_path: Path, ending: str) -> None:
    whole = gzip.compress(PLAIN) if ending == ".gz" else zstandard.compress(PLAIN)
    ids, messages = read(tmp_path / f"a.jsonl{ending}", whole[: len(whole) * 3 // 4])
    assert 100 < len(ids) < 400
    assert ids == ALL[: len(ids)]
    (message,) = messages
    assert f"the file was cut off: it ends at byte {len(whole) * 3 // 4}, inside a compressed frame" in message
    assert "what came before is kept" in message
    ids, messages = read(tmp_path / f"b.jsonl{ending}", whole[:-1])
    assert ids == ALL[: len(ids)]
    assert len(ids) >= 200
    assert len(messages) == 1


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_damage_in_the_middle_gives_what_stands_before_and_a_fault(tmp_path: Path, ending: str) -> None:
    """Both formats tell wrong bytes that still decode by a checksum, at the end of the frame."""
    pack = gzip.compress if ending == ".gz" else zstandard.ZstdCompressor(write_checksum=True).compress
    second = pack(PLAIN[HALF:])
    damaged = pack(PLAIN[:HALF]) + second[: len(second) // 2] + b"\xff" * 64 + second[len(second) // 2 + 64 :]
    ids, messages = read(tmp_path / f"a.jsonl{ending}", damaged)
    assert ids[:199] == ALL[:199]
    assert len(messages) >= 1
    assert "is damaged after byte" in messages[-1]


def test_a_small_file_gives_all_frames_before_a_damaged_one(tmp_path: Path) -> None:
    """All of it is decoded in one step, the one that fails."""
    frames = [zstandard.compress(line) for line in LINES[:5]]
    frames[3] = frames[3][:20] + b"\0" * 9 + frames[3][29:-40] + b"\xff" * 40
    ids, messages = read(tmp_path / "a.jsonl.zst", b"".join(frames))
    assert ids[:3] == ALL[:3]
    assert messages
    bad = gzip.compress(PLAIN)
    middle = len(bad) // 2
    ids, messages = read(tmp_path / "a.jsonl.gz", bad[:middle] + b"\xff" * 5000 + bad[middle + 5000 :])
    assert ids[:150] == ALL[:150]
    assert "is damaged after byte" in messages[-1]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.txt.gz"])
def test_a_file_that_is_not_compressed_at_all_is_a_fault(tmp_path: Path, name: str) -> None:
    ids, messages = read(tmp_path / name, PLAIN)
    assert (ids, len(messages)) == ([], 1)


def test_a_damaged_text_file_is_no_document(tmp_path: Path) -> None:
    ids, messages = read(tmp_path / "a.txt.zst", zstandard.compress(PLAIN)[:-5])
    assert (ids, len(messages)) == ([], 1)
