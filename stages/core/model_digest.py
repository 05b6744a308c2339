"""Which model lies in a folder: a short digest of its settings and weights."""

import hashlib
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import orjson

KINDS = (".json", ".jinja", ".model", ".txt", ".py", ".safetensors", ".bin", ".pt", ".pth", ".gguf")
WHOLE_BYTES = 16_000_000
"""size up to which a file is read as a whole"""
BLOCK_BYTES, BLOCKS = 4096, 512
"""of a larger file: bytes that are read at a place, and places in a file that does not tell where its tensors begin"""


def folder_digest(folder: Path) -> str:
    """12 hexadecimal digits, of names, sizes and content of the files that a model is loaded from.

    Large files of weights are read in places: the header, and the begin, middle and end of every tensor of a safetensors file.
    Training changes nearly every number of a tensor, so that two trained models differ there, though names and sizes are equal.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in KINDS and path.is_file())
    states = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return _digest(states)


@lru_cache(maxsize=16)
def _digest(states: tuple[tuple[str, int, int], ...]) -> str:
    content = hashlib.sha256()
    for name, size, _ in states:
        path = Path(name)
        content.update(f"{path.name}\0{size}\0".encode())
        for block in _blocks(path, size):
            content.update(block)
    return content.hexdigest()[:12]


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        if size <= WHOLE_BYTES:
            yield file.read()
            return
        if path.suffix == ".safetensors":
            (length,) = struct.unpack("<Q", file.read(8))
            header = file.read(length)
            yield header
            tensors = [value["data_offsets"] for name, value in orjson.loads(header).items() if name != "__metadata__"]
            spans = [(8 + length + start, 8 + length + stop) for start, stop in sorted(tensors)]
            places = [place for start, stop in spans for place in (start, (start + stop) // 2, max(start, stop - BLOCK_BYTES))]
        else:
            places = [size * number // BLOCKS for number in range(BLOCKS)] + [max(0, size - BLOCK_BYTES)]
        for place in places:
            file.seek(place)
            yield file.read(BLOCK_BYTES)
