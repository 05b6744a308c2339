"""HTTP responses as archives keep them: status, headers, and the body without its transfer and content encodings."""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zstandard

try:
    from brotli import error as _BrotliError  # noqa: N812
except ImportError:  # of the extra `web`

    class _BrotliError(Exception):  # type: ignore[no-redef]
        pass


_STATUS = re.compile(rb"(?:HTTP/\d(?:\.\d)?|ICY) +(\d{3})\b")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


class BadEncoding(Exception):
    """The body cannot be decoded as its headers say."""


@dataclass(frozen=True)
class Response:
    """A response. Header names are in lower case; several of one name are joined by commas, as RFC 9110, 5.3 reads them."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse_response(content: bytes, most: int) -> Response | None:
    """The response that begins with a status line, its body at most `most` bytes and one more; None if none begins here.

    Raises `BadEncoding`. What is not encoded as the headers say, because the archiver had decoded it, is taken as it is.
    """
    if (found := _STATUS.match(content)) is None:
        return None
    head, body = _split(content)
    headers: dict[str, str] = {}
    for line in head.split("\n")[1:]:
        name, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _without_chunks(body)
    for name in reversed([part.strip().lower() for part in headers.get("content-encoding", "").split(",")]):
        if name and name != "identity":
            body = _decoded(body, name, most)
    return Response(int(found.group(1)), headers, body)


def _split(content: bytes) -> tuple[str, bytes]:
    """Head and body; some servers end lines with a line feed alone."""
    ends = [(at, mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := content.find(mark)) >= 0]
    at, mark = min(ends, default=(len(content), b""))
    return content[:at].decode("utf-8", "replace").replace("\r\n", "\n"), content[at + len(mark) :]


def _without_chunks(body: bytes) -> bytes:
    """The chunks put together, up to the last whole one; a body that does not begin with a chunk is not chunked any more."""
    chunks: list[bytes] = []
    at = 0
    while found := _CHUNK.match(body, at):
        size = int(found.group(1), 16)
        if not size:
            return b"".join(chunks)
        chunks.append(body[found.end() : found.end() + size])
        at = found.end() + size
        at += 2 if body[at : at + 2] == b"\r\n" else int(body[at : at + 1] == b"\n")
    return b"".join(chunks) if chunks else body


def _decoded(body: bytes, name: str, most: int) -> bytes:
    if name not in _DECODERS:
        raise BadEncoding(f"the content encoding is {name!r}, expected one of {', '.join(sorted(_DECODERS))}")
    magic, makers = _DECODERS[name]
    if not body.startswith(magic):
        return body  # decoded already
    error: Exception | None = None
    for make in makers:
        try:
            return _read(make(), body, most)
        except ImportError as missing:
            raise BadEncoding("the content encoding br needs the package brotli: `pip install 'sluice[web]'`") from missing
        except (zlib.error, zstandard.ZstdError, _BrotliError) as problem:
            error = problem
    if not magic and body.lstrip()[:1] in b"<{[":
        return body  # decoded already: no magic number tells
    raise BadEncoding(f"the body is not {name}: {error}") from error


def _read(decoder: Any, body: bytes, most: int) -> bytes:
    """Decoded in pieces, so that a small body that grows without end stops at `most` bytes and one more."""
    pieces, size = [], 0
    for at in range(0, len(body), _PIECE):
        piece = decoder(body[at : at + _PIECE])
        pieces.append(piece)
        size += len(piece)
        if size > most:
            break
    return b"".join(pieces)[: most + 1]


_PIECE = 1 << 14


def _gzip() -> Callable[[bytes], bytes]:
    return zlib.decompressobj(wbits=31).decompress


def _zlib() -> Callable[[bytes], bytes]:
    return zlib.decompressobj().decompress


def _raw_deflate() -> Callable[[bytes], bytes]:
    return zlib.decompressobj(wbits=-15).decompress


def _zstd() -> Callable[[bytes], bytes]:
    decode: Callable[[bytes], bytes] = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj().decompress
    return decode


def _brotli() -> Callable[[bytes], bytes]:
    import brotli

    decode: Callable[[bytes], bytes] = brotli.Decompressor().process
    return decode


_DECODERS: dict[str, tuple[bytes, tuple[Callable[[], Callable[[bytes], bytes]], ...]]] = {
    "gzip": (b"\x1f\x8b", (_gzip,)),
    "x-gzip": (b"\x1f\x8b", (_gzip,)),
    "deflate": (b"", (_zlib, _raw_deflate)),
    "zstd": (b"\x28\xb5\x2f\xfd", (_zstd,)),
    "br": (b"", (_brotli,)),
}
"""for each content encoding how its bodies begin, and what may decode them"""
