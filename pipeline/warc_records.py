"""Records of WARC and ARC files with the byte where each begins; what is damaged is told, and the rest read on.

A range of bytes owns the records that begin in it, so that a large file is read by many tasks. Compressed files have one gzip
member or zstd frame for each record: the first of a range is found by its magic number and the record that it holds. A payload
that is itself such a file, stored in it as it is, could be taken for it where a range begins inside it. Plain files have
nothing to be found by, since a page may quote a record: there the headers are followed from the beginning of the file.
"""

import mmap
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import zstandard

PIECE = 1 << 15
LONGEST_LINE, MOST_LINES = 1 << 16, 1000
GZIP, ZSTD, SKIPPABLE = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
DICTIONARY = b"\x5d\x2a\x4d\x18"

_ARC = re.compile(rb"(\S.*) (\S+) (\d{8,14}) (\S+) (\d+)")
"""ARC 1.0: URL, address, date, type, length; of version 2 the first and the last three fields, with others between"""
_PLAIN_START = re.compile(rb"(?:^|\n)(?=WARC/[01]\.|[a-z]+:[^\n]* \d{14} \S+ \d+\r?\n)")


@dataclass(frozen=True)
class Record:
    """One record. `body` has at most so many bytes as were asked for; `length` says how many it is."""

    offset: int
    headers: dict[str, str]
    """names in lower case; of an ARC record `arc-url`, `arc-date` and `arc-type`"""
    body: bytes
    length: int


@dataclass(frozen=True)
class Loss:
    """A place where one or more records cannot be read."""

    offset: int
    message: str


class _Broken(Exception):
    """The content here is no record, or ends inside one."""


def read_records(path: str, start: int, stop: int, longest: int) -> Iterator[Record | Loss]:
    """Records that begin at a byte from `start` to before `stop`; bodies are held up to `longest` bytes and one more."""
    with open(path, "rb") as file:
        if start >= stop or not file.seek(0, 2):
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            kind = _kind_of(content)
            found = _plain(content, start, stop, longest) if kind is None else _members(content, start, stop, longest, kind)
            yield from found


def _kind_of(content: mmap.mmap) -> "_Gzip | _Zstd | None":
    """How the file is compressed. If its beginning is damaged, what comes later tells."""
    if content[:3] == GZIP:
        return _Gzip(content)
    if content[:4] == ZSTD or SKIPPABLE.match(content[:4]):
        return _Zstd(content)
    if not _begins_record(content[:LONGEST_LINE].lstrip(b"\r\n")):
        for kind in (_Gzip(content), _Zstd(content)):
            if _next_member(content, 0, kind) is not None:
                return kind
    return None


def _members(content: mmap.mmap, start: int, stop: int, longest: int, kind: "_Gzip | _Zstd") -> Iterator[Record | Loss]:
    """Records of a file of gzip members or zstd frames, mostly one in each."""
    at = kind.first(0) if start == 0 else _next_member(content, start, kind)
    # What should begin behind the range and does not is lost here: the next range looks for what does.
    while at is not None and (at < stop or not _is_member(content, at, kind)):
        begin, stream = at, _Stream(kind.decoder(), content, at)
        try:
            while stream.more():
                yield _parse(stream, begin, longest)
            at = kind.first(stream.end())
        except (_Broken, zlib.error, zstandard.ZstdError) as error:
            at = _next_member(content, begin + 1, kind)
            yield Loss(begin, _told(error, at, len(content)))


def _told(error: Exception, following: int | None, size: int) -> str:
    until = "nothing after it can be read" if following is None else f"the next record begins at byte {following}"
    return f"{str(error) or type(error).__name__}; {until} (of {size})"


def _next_member(content: mmap.mmap, at: int, kind: "_Gzip | _Zstd") -> int | None:
    """The next member that begins with a record."""
    while (at := content.find(kind.magic, at)) >= 0:
        if _is_member(content, at, kind):
            return at
        at += 1
    return None


def _is_member(content: mmap.mmap, at: int, kind: "_Gzip | _Zstd") -> bool:
    """Whether something begins here that can be decompressed and begins with a record."""
    try:
        begin = kind.decoder().decompress(content[at : at + PIECE])
    except (zlib.error, zstandard.ZstdError):
        return False
    return _begins_record(begin[:LONGEST_LINE].lstrip(b"\r\n"))


def _begins_record(begin: bytes) -> bool:
    return begin.startswith(b"WARC/") or _ARC.fullmatch(begin.split(b"\n", 1)[0].rstrip(b"\r")) is not None


class _Gzip:
    magic = GZIP

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content

    def decoder(self) -> Any:
        return zlib.decompressobj(wbits=31)

    def first(self, at: int) -> int | None:
        """The place from `at` on that is no padding."""
        while at < len(self._content) and self._content[at] == 0:
            at += 1
        return at if at < len(self._content) else None


class _Zstd:
    """Frames; one that can be skipped may hold the dictionary of all others, as in the WARC Zstandard specification 1.0."""

    magic = ZSTD

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._dictionary: Any = None
        if content[:4] == DICTIONARY:
            stored = content[8 : 8 + int.from_bytes(content[4:8], "little")]
            plain = stored if stored[:4] != ZSTD else zstandard.ZstdDecompressor().decompressobj().decompress(stored)
            self._dictionary = zstandard.ZstdCompressionDict(plain)

    def decoder(self) -> Any:
        return zstandard.ZstdDecompressor(dict_data=self._dictionary, max_window_size=2**31).decompressobj()

    def first(self, at: int) -> int | None:
        """The place from `at` on that is no frame to be skipped."""
        while SKIPPABLE.match(self._content[at : at + 4]):
            at += 8 + int.from_bytes(self._content[at + 4 : at + 8], "little")
        return at if at < len(self._content) else None


class _Stream:
    """What a member holds, decompressed piece by piece."""

    def __init__(self, decoder: Any, content: mmap.mmap, at: int) -> None:
        self._decoder, self._content, self._at = decoder, content, at
        self._held = b""

    def _fill(self) -> bool:
        """Add to what is held; false at the end of the member. Raises the decoder's error, or `_Broken` if the file ends."""
        while not self._decoder.eof:
            piece = self._content[self._at : self._at + PIECE]
            if not piece:
                raise _Broken("the file ends inside a compressed record")
            self._at += len(piece)
            if decoded := self._decoder.decompress(piece):
                self._held += decoded
                return True
        return False

    def end(self) -> int:
        """The byte after the member, which is read to its end."""
        while not self._decoder.eof:
            self._held = b""
            self._fill()
        return self._at - len(self._decoder.unused_data)

    def more(self) -> bool:
        """Whether there is anything but line ends left."""
        while True:
            self._held = self._held.lstrip(b"\r\n")
            if self._held:
                return True
            if not self._fill():
                return False

    def line(self) -> bytes:
        """A line without its end."""
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > LONGEST_LINE:
                raise _Broken(f"a header line of more than {LONGEST_LINE} bytes")
            if not self._fill():
                raise _Broken("the record ends in its headers")
        line, self._held = self._held[:end], self._held[end + 1 :]
        return line.removesuffix(b"\r")

    def body(self, length: int, longest: int) -> bytes:
        """`length` bytes are passed, of which at most `longest` and one more are given."""
        kept: list[bytes] = []
        given, left = 0, length
        while left:
            if not self._held and not self._fill():
                raise _Broken(f"the record should have {length} bytes and has {length - left}")
            piece, self._held = self._held[:left], self._held[left:]
            left -= len(piece)
            if given <= longest:
                piece = piece[: longest + 1 - given]
                kept.append(piece)
                given += len(piece)
        return b"".join(kept)


class _PlainStream:
    """What `_Stream` is for a file that is not compressed."""

    def __init__(self, content: mmap.mmap, at: int) -> None:
        self._content, self.at = content, at

    def more(self) -> bool:
        while self.at < len(self._content) and self._content[self.at] in b"\r\n":
            self.at += 1
        return self.at < len(self._content)

    def line(self) -> bytes:
        end = self._content.find(b"\n", self.at, self.at + LONGEST_LINE)
        if end < 0:
            over = self.at + LONGEST_LINE < len(self._content)
            raise _Broken(
                f"a header line of more than {LONGEST_LINE} bytes" if over else "the file ends in the headers of a record"
            )
        line = self._content[self.at : end]
        self.at = end + 1
        return line.removesuffix(b"\r")

    def body(self, length: int, longest: int) -> bytes:
        left = len(self._content) - self.at
        if length > left:
            raise _Broken(f"the record should have {length} bytes and the file has {left} more")
        body = self._content[self.at : self.at + min(length, longest + 1)]
        self.at += length
        return body


def _plain(content: mmap.mmap, start: int, stop: int, longest: int) -> Iterator[Record | Loss]:
    stream = _PlainStream(content, 0)
    while stream.more() and stream.at < stop:
        at = stream.at
        mine = at >= start
        try:
            record = _parse(stream, at, longest if mine else 0)
            if mine:
                yield record
        except _Broken as error:
            found = _PLAIN_START.search(content, at + 1)
            following = None if found is None else found.end()
            if mine:
                yield Loss(at, _told(error, following, len(content)))
            if following is None:
                return
            stream.at = following


def _parse(stream: _Stream | _PlainStream, offset: int, longest: int) -> Record:
    first = stream.line()
    if first.startswith(b"WARC/"):
        headers = _headers(stream)
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            raise _Broken(f"a record with the Content-Length {length!r}" if length else "a record without Content-Length")
    elif found := _ARC.fullmatch(first):
        url, _, date, mime, size = (field.decode("utf-8", "replace") for field in found.groups())
        headers, length = {"arc-url": url, "arc-date": date, "arc-type": mime}, size
    else:
        raise _Broken(f"no record begins here, but {first[:40].decode('utf-8', 'replace')!r}")
    return Record(offset, headers, stream.body(int(length), longest), int(length))


def _headers(stream: _Stream | _PlainStream) -> dict[str, str]:
    """Names in lower case; a line that begins with a blank goes on with the one before; of equal names the first counts."""
    headers: dict[str, str] = {}
    name = ""
    for _ in range(MOST_LINES):
        line = stream.line()
        if not line:
            return headers
        text = line.decode("utf-8", "replace")
        if text[0] in " \t" and name:
            headers[name] += " " + text.strip()
            continue
        name, colon, value = text.partition(":")
        name = name.strip().lower() if colon else ""
        if name:
            headers.setdefault(name, value.strip())
    raise _Broken(f"a record with more than {MOST_LINES} header lines")
