"""Pages of web archives and HTML files as documents: `text` is the page, decoded to Unicode."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.batches import EXCERPT, Batch, Fault, id_prefix, make_ids
from pipeline.decompress import Damaged
from pipeline.http_message import BadEncoding, parse_response
from pipeline.read_lines import content_of, file_id
from pipeline.sources import InputFile
from pipeline.warc_records import Loss, Record, read_records
from schemas.columns import WEB
from schemas.errors import MissingExtra
from schemas.recipe import Input

_UUID = re.compile(r"<(?:urn:uuid:)?([^>]*)>")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_META_BYTES = 4096
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_HTML = re.compile(
    rb"\s*(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|script|style|div|table|p|h1|a)\b", re.I | re.S
)
_VAGUE = frozenset({"", "application/octet-stream", "unknown", "no-type", "application/x-unknown-content-type"})
_ROOM = 1 << 20
"""bytes that headers may take beside a body"""


@dataclass
class _Page:
    position: int
    values: dict[str, Any]


class _Skipped(Exception):
    """A record that is no page; the message is the reason, of which there are few."""


def read_warc(
    file: InputFile, entry: Input, start: int, stop: int, schema: pa.Schema, batch_bytes: int, longest: int
) -> Iterator[Batch]:
    """Pages of the records that begin at bytes from `start` to before `stop`.

    A page is a response with a wanted status and type, a resource of a wanted type, or a conversion (WET). A response with an
    encoding that cannot be undone, and every place where records are lost, is a fault; records of other kinds are counted.
    """
    number = 0
    pages: list[_Page] = []
    rows: list[int] = []
    faults: list[Fault] = []
    skipped: Counter[str] = Counter()
    held = 0
    for item in read_records(file.path, start, stop, longest + _ROOM):
        problem: tuple[str, str] | None = None
        if isinstance(item, Loss):
            problem = ("Damaged", f"at byte {item.offset}: {item.message}")
        else:
            try:
                page = _page_of(item, entry, longest)
            except _Skipped as reason:
                skipped[str(reason)] += 1
                continue
            except BadEncoding as error:
                problem = ("BadEncoding", str(error))
            else:
                pages.append(page)
                rows.append(number)
                held += len(page.values["text"])
        if problem:
            identity = f"{id_prefix(file)}{item.offset}"
            excerpt = "" if isinstance(item, Loss) else item.headers.get("warc-target-uri", item.headers.get("arc-url", ""))
            size = 0 if isinstance(item, Loss) else item.length
            place = f"{file.path}: byte {item.offset}"
            faults.append(Fault(number, identity, file.source, place, *problem, excerpt[:EXCERPT], size))
        number += 1
        if held >= batch_bytes:
            yield _batch(pages, rows, faults, skipped, file, schema)
            pages, rows, faults, skipped, held = [], [], [], Counter(), 0
    yield _batch(pages, rows, faults, skipped, file, schema)


def _batch(
    pages: Sequence[_Page], rows: Sequence[int], faults: list[Fault], skipped: Counter[str], file: InputFile, schema: pa.Schema
) -> Batch:
    ids = make_ids(file, np.array([page.position for page in pages], np.int64)).to_pylist()
    columns = []
    for field in schema:
        if field.name == "id":
            values = [page.values.get("id") or made for page, made in zip(pages, ids, strict=True)]
        elif field.name == "source":
            values = [file.source] * len(pages)
        elif field.name == "text":
            columns.append(_texts([page.values["text"] for page in pages]).cast(field.type))
            continue
        else:
            values = [page.values.get(field.name) for page in pages]
        columns.append(pa.array(values, field.type))
    positions = [page.position for page in pages]
    table = pa.Table.from_arrays(columns, schema=schema)
    return Batch(
        table,
        np.array(rows, np.int64),
        faults,
        place=lambda at: f"{file.path}: byte {positions[at]}",
        skipped=dict(skipped),
    )


def _texts(pages: Sequence[str | bytes]) -> pa.Array:
    """Pages, some of them bytes of UTF-8 already, joined at once: an array that grows page by page is copied as it grows."""
    texts = [page.encode("utf-8") if isinstance(page, str) else page for page in pages]
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(texts)))


def _page_of(record: Record, entry: Input, longest: int) -> _Page:
    """The page of a record. Raises `_Skipped` for one that is none, and `BadEncoding`."""
    headers = record.headers
    kind = headers.get("warc-type", "response" if "arc-url" in headers else "")
    if kind == "response" and headers.get("arc-url", "").startswith("filedesc:"):
        raise _Skipped("arc file header")
    if kind not in ("response", "resource", "conversion"):
        raise _Skipped(f"{kind or 'untyped'} record")
    declared = headers.get("content-type", headers.get("arc-type", ""))
    body, fields, charset = record.body, {}, _CHARSET.search(declared)
    if kind == "response":
        response = parse_response(record.body, longest)
        if response is None:
            raise _Skipped("response without HTTP")
        if response.status not in entry.statuses:
            raise _Skipped(f"status {response.status}")
        body, http = response.body, response.headers
        declared = http.get("content-type", "")
        charset = _CHARSET.search(declared)
        fields = {
            "http_status": response.status,
            "robots_tag": http.get("x-robots-tag"),
            "tdm_reservation": http.get("tdm-reservation"),
            "content_language": http.get("content-language"),
        }
    mime = _mime_of(declared.partition(";")[0].strip().lower(), body)
    if mime not in entry.mimes:
        raise _Skipped(f"type {mime}" if len(mime) < 80 else "type of more than 80 letters")
    if not body.strip():
        raise _Skipped("empty page")
    text, used = _decoded(body, charset.group(1) if charset else None)
    values = {
        "id": _identity(headers.get("warc-record-id", "")),
        "text": text,
        "url": _plain(headers.get("warc-target-uri") or headers.get("arc-url")),
        "date": headers.get("warc-date") or _arc_date(headers.get("arc-date")),
        "mime": mime,
        "charset": used,
        "truncated": headers.get("warc-truncated"),
        **fields,
    }
    return _Page(record.offset, values)


def _identity(header: str) -> str | None:
    found = _UUID.fullmatch(header)
    return (found.group(1) if found else header) or None


def _plain(url: str | None) -> str | None:
    """Wget wrote URLs in angle brackets."""
    return url[1:-1] if url and url.startswith("<") and url.endswith(">") else url


def _arc_date(digits: str | None) -> str | None:
    """`20140216050221` as `2014-02-16T05:02:21Z`; other forms as they are."""
    if digits is None or len(digits) != 14 or not digits.isdigit():
        return digits
    day, time = digits[:8], digits[8:]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z"


def _mime_of(declared: str, body: bytes) -> str:
    """The declared type, unless the body begins like something else or nothing useful is declared."""
    found = _encodings().detect_mime(body[:4096])
    if found not in ("text/plain", "text/html", "application/xml", "application/octet-stream") and not found.startswith(
        "text/"
    ):
        return str(found)
    if declared in _VAGUE:
        return "text/html" if _HTML.match(body[:_META_BYTES]) else str(found)
    return declared


def decode_page(body: bytes, declared: str | None) -> tuple[str, str]:
    """A page in Unicode and the charset that was used: of the byte order mark, the header, the meta element, or detected.

    A page that is not in the charset it declares is read as UTF-8 or Windows-1252, as browsers would guess.
    """
    page, charset = _decoded(body, declared)
    return page if isinstance(page, str) else page.decode("utf-8"), charset


def _decoded(body: bytes, declared: str | None) -> tuple[str | bytes, str]:
    """The same, but a page that is UTF-8 as it is: most are, and Arrow takes these bytes for a string."""
    encodings = _encodings()
    mark = next((name for begin, name in _MARKS if body.startswith(begin)), None)
    meta = None if mark or declared else _META.search(body[:_META_BYTES])
    named = mark or declared or (meta.group(1).decode("ascii") if meta else None)
    charset = encodings.map_encoding_to_html5(named, fallback_utf8=False) if named else None
    if charset is None:
        if _is_utf8(body):
            return body, "utf-8"
        charset = encodings.detect_encoding(body, max_len=131_072)
    if charset == "utf-8" and _is_utf8(body):
        return body.removeprefix(b"\xef\xbb\xbf"), "utf-8"
    return encodings.bytes_to_str(body, charset), charset


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_html(files: Sequence[InputFile], schema: pa.Schema, longest: int) -> Batch:
    """Each of the files, all of one source, as a page."""
    pages: list[dict[str, Any]] = []
    rows: list[int] = []
    faults: list[Fault] = []
    for row, file in enumerate(files):
        try:
            text, charset = decode_page(content_of(file, longest), None)
        except Damaged as error:
            message = f"the file is damaged: {error}"
            faults.append(Fault(row, file_id(file), file.source, file.path, "Damaged", message, "", 0))
            continue
        known = {"id": file_id(file), "source": file.source, "text": text, "mime": "text/html", "charset": charset}
        pages.append(known)
        rows.append(row)
    columns = [pa.array([page.get(field.name) for page in pages], field.type) for field in schema]
    return Batch(
        pa.Table.from_arrays(columns, schema=schema), np.array(rows, np.int64), faults, place=lambda at: files[rows[at]].path
    )


def web_columns(files: Sequence[InputFile]) -> dict[str, str]:
    """Columns that the readers of pages write beside the core, with their types; none without such a file."""
    return dict(WEB) if any(file.format in ("warc", "html") for file in files) else {}


def _encodings() -> Any:
    try:
        from resiliparse.parse import encoding
    except ImportError as error:
        raise MissingExtra("web archives and HTML need resiliparse: run `pip install 'sluice[web]'`") from error
    return encoding
