"""Web archives made for tests."""

import gzip
from pathlib import Path

import zstandard

PAGE = "<html><head><title>{0}</title></head><body><p>{0}</p></body></html>"


def response(body: bytes, headers: str = "Content-Type: text/html; charset=utf-8", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode() + body


def record(number: int, content: bytes, kind: str = "response", mime: str = "application/http", extra: str = "") -> bytes:
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{number:012d}>\r\n"
        f"WARC-Target-URI: https://example.com/{number}\r\nWARC-Date: 2024-05-01T00:00:00Z\r\n"
        f"Content-Type: {mime}\r\n{extra}Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n\r\n"


def page(number: int, words: int = 20) -> bytes:
    return record(number, response(PAGE.format(f"page {number} " + "word " * words).encode()))


def pages(count: int, words: int = 20) -> list[bytes]:
    return [page(number, words) for number in range(count)]


def pack(records: list[bytes], how: str) -> list[bytes]:
    """The records as they stand in a file: plain, each a gzip member, each a zstd frame, or all in one member."""
    if how == "plain":
        return records
    if how == "gzip":
        return [gzip.compress(one, 6, mtime=0) for one in records]
    if how == "zstd":
        return [zstandard.compress(one) for one in records]
    return [gzip.compress(b"".join(records), mtime=0)]


ENDINGS = {"plain": ".warc", "gzip": ".warc.gz", "zstd": ".warc.zst", "one member": ".warc.gz"}


def write(folder: Path, records: list[bytes], how: str = "gzip") -> Path:
    path = folder / f"crawl{ENDINGS[how]}"
    path.write_bytes(b"".join(pack(records, how)))
    return path
