"""Files as blocks of bytes, decompressed. Damage is an error at its place, after all that can be read before it.

The libraries' own streams lose what they had decoded in the call that fails, and zstandard's takes a file that was cut off for
a whole one; so the frames are followed here.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import zstandard

from pipeline.sources import InputFile

PIECE = 1 << 15
"""Compressed bytes decoded at a time: what is all one byte gives 1 GB then, no more than one document may have"""
SMALL_PIECE = 1 << 8
"""The same where there is damage, to come close to it"""


class Damaged(Exception):
    """The content ends here, though the file should go on; the message is the reason."""


def blocks(file: InputFile, start: int, size: int) -> Iterator[bytes]:
    """The content from byte `start` on (0 for compressed files) in blocks of about `size`. Raises `Damaged`."""
    try:
        with open(file.path, "rb") as raw:
            if file.compression is None:
                raw.seek(start)
                while block := raw.read(size):
                    yield block
            else:
                yield from _gathered(_decoded(raw, _DECODERS[file.compression]), size)
    except OSError as error:
        raise Damaged(f"{error.strerror or error}") from error


def _gathered(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    held: list[bytes] = []
    filled = 0
    try:
        for piece in pieces:
            held.append(piece)
            filled += len(piece)
            if filled >= size:
                yield b"".join(held)
                held, filled = [], 0
    except Damaged:
        if filled:
            yield b"".join(held)
        raise
    if filled:
        yield b"".join(held)


def _decoded(raw: BinaryIO, decoder: Callable[[], Any]) -> Iterator[bytes]:
    """The content of all members of a file, one after the other."""
    member: Any = None
    between = False
    begun = given = 0
    """where the member begins, and how much of it was given"""
    while piece := raw.read(PIECE):
        while piece:
            if member is None:
                piece = piece.lstrip(b"\0") if between else piece  # gzip files may be padded with zeros after a member
                if not piece:
                    break
                member, begun, given = decoder(), raw.tell() - len(piece), 0
            try:
                content = member.decompress(piece)
            except (zlib.error, zstandard.ZstdError) as error:
                raw.seek(begun)
                yield from _up_to_damage(raw, decoder(), given)
                raise Damaged(str(error)) from error
            yield content
            given += len(content)
            piece = member.unused_data if member.eof else b""
            if member.eof:
                member, between = None, True
    if member is not None:
        raise Damaged(f"the file was cut off: it ends at byte {os.fstat(raw.fileno()).st_size}, inside a compressed frame")


def _up_to_damage(raw: BinaryIO, member: Any, given: int) -> Iterator[bytes]:
    """What a damaged member holds beyond the bytes `given` already: it is decoded once more, in small steps."""
    try:
        while piece := raw.read(SMALL_PIECE):
            content = member.decompress(piece)
            yield content[max(0, given) :]
            given -= len(content)
    except (zlib.error, zstandard.ZstdError):
        return


def _gzip() -> Any:
    return zlib.decompressobj(wbits=31)


def _zstd() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj()


_DECODERS: dict[str, Callable[[], Any]] = {"gzip": _gzip, "zstd": _zstd}
