"""Every record of an archive is a page, is counted by its kind, or is told as lost with its place."""

import gzip
import random
import zlib
from itertools import pairwise
from pathlib import Path

import brotli
import polars as pl
import pytest
import zstandard
from archives import PAGE, pack, page, pages, record, response, write
from fuzz_archives import mutate, offsets
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

import pipeline
from pipeline.http_message import BadEncoding, parse_response
from pipeline.read_warc import decode_page
from pipeline.warc_records import Loss, Record, read_records
from schemas.errors import InputError

WEB = Path(__file__).parents[3] / "shared" / "data" / "web"
"""Real archives, damaged ones among them, where they lie beside the project."""

RECIPE = {"name": "web", "stages": [{"text_length": {"min_chars": 1}}], "failures": {"max_fraction": 1}}


def starts(records: list[bytes], how: str) -> list[int]:
    sizes = [len(one) for one in pack(records, how)]
    return [sum(sizes[:at]) for at in range(len(sizes))]


def run(tmp_path: Path, *paths: Path, **keys):
    recipe = RECIPE | {"input": [{"path": [str(path) for path in paths], "source": "web", **keys}]}
    return pipeline.run(recipe, output=tmp_path / "run", engine="local", progress="none")


def kept(done) -> list[dict]:
    return pl.concat([pl.read_parquet(path) for path in done.shards]).sort("id").to_dicts()


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
def test_records_are_found_whole_with_their_places(tmp_path, how):
    records = pages(5)
    path = write(tmp_path, records, how)
    assert offsets(path) == [("record", at) for at in starts(records, how)]
    found = list(read_records(str(path), 0, path.stat().st_size, 10_000_000))
    assert found[3].headers["warc-target-uri"] == "https://example.com/3"
    assert found[3].body == records[3].split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n\r\n")


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd", "one member"])
@pytest.mark.parametrize("damage", [None, "flip", "cut"])
def test_any_cut_into_ranges_gives_every_record_once(tmp_path, how, damage):
    chance = random.Random(f"{how}{damage}")
    # a page that quotes an archive: its lines look like records
    quoting = record(99, response(b"<pre>\r\n" + page(98) + b"</pre>"))
    path = write(tmp_path, [*pages(12), quoting, *pages(3)], how)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(content[: int(len(content) * 0.9)] if damage == "cut" else content)
    whole = offsets(path)
    assert damage is None or ("loss" in dict(whole)) == (damage == "cut" or how != "plain")
    for _ in range(20):
        size = path.stat().st_size
        edges = [0, *sorted(chance.sample(range(1, size), chance.randint(1, 6))), size]
        found = [item for start, stop in pairwise(edges) for item in offsets(path, start, stop)]
        assert found == whole, edges


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_after_a_damaged_record_the_next_is_read(tmp_path, how):
    packed = pack(pages(4), how)
    for at in range(len(packed[1]) // 2, len(packed[1])):
        packed[1] = packed[1][:at] + b"\xff" + packed[1][at + 1 :] if at % 2 else packed[1]
    path = tmp_path / "damaged.warc"
    path.write_bytes(b"".join(packed))
    edges = [0, len(packed[0]), len(packed[0]) + len(packed[1]), sum(map(len, packed[:3]))]
    assert offsets(path) == [("record", 0), ("loss", edges[1]), ("record", edges[2]), ("record", edges[3])]


def test_a_plain_record_with_a_wrong_length_costs_what_stands_up_to_the_next(tmp_path):
    records = pages(4)
    length = records[1].split(b"Content-Length: ")[1].split(b"\r\n")[0]
    records[1] = records[1].replace(b"Content-Length: " + length, b"Content-Length: 10", 1)
    path = write(tmp_path, records, "plain")
    at = [sum(map(len, records[:number])) for number in range(4)]
    found = offsets(path)
    assert [item for item in found if item[0] == "record"] == [("record", place) for place in at]
    assert [kind for kind, _ in found] == ["record", "record", "loss", "record", "record"]


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
def test_a_file_that_was_cut_off_tells_its_last_record(tmp_path, how):
    records = pages(3)
    path = write(tmp_path, records, how)
    path.write_bytes(path.read_bytes()[:-30])
    (*_, last) = read_records(str(path), 0, path.stat().st_size, 10_000_000)
    assert isinstance(last, Loss)
    assert last.offset == starts(records, how)[2]
    assert "nothing after it can be read" in last.message


def test_frames_may_share_a_dictionary_that_stands_first(tmp_path):
    records = pages(8)
    dictionary = zstandard.ZstdCompressionDict(b"".join(records)[:2000])
    compressor = zstandard.ZstdCompressor(dict_data=dictionary)
    stored = zstandard.compress(dictionary.as_bytes())
    frames = [b"\x5d\x2a\x4d\x18" + len(stored).to_bytes(4, "little") + stored, *(compressor.compress(one) for one in records)]
    path = tmp_path / "dictionary.warc.zst"
    path.write_bytes(b"".join(frames))
    assert [kind for kind, _ in offsets(path)] == ["record"] * 8


def test_bodies_are_held_up_to_the_longest_and_the_rest_is_passed(tmp_path):
    bomb = record(0, response(b"<html>" + b"a" * 5_000_000))
    path = write(tmp_path, [bomb, page(1)])
    first, second = read_records(str(path), 0, path.stat().st_size, 1000)
    assert isinstance(first, Record)
    assert (len(first.body), first.length > 5_000_000) == (1001, True)
    assert isinstance(second, Record)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"no archive at all", b"\x1f\x8b\x08", b"WARC/1.0\r\n", b"\x28\xb5\x2f\xfd"])
def test_what_is_no_archive_is_one_loss_or_nothing(tmp_path, content):
    path = tmp_path / "odd.warc"
    path.write_bytes(content)
    assert offsets(path) == ([("loss", 0)] if content.strip() else [])


ARC = (
    b"filedesc://a.arc 127.0.0.1 20140216050221 text/plain 76\n1 0 Crawl\nURL IP-address Archive-date Content-type "
    b"Archive-length\n" + b"\n" * 12 + b"\n"
)


def test_arc_records_are_read_with_blanks_in_their_urls(tmp_path):
    body = b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n<html>old</html>"
    head = f"http://example.com/a?b=c d e 1.2.3.4 20140216050221 text/html {len(body)}\n".encode()
    first = b"filedesc://a.arc 127.0.0.1 20140216050221 text/plain 10\n1 0 Crawl\n\n"
    path = tmp_path / "a.arc"
    path.write_bytes(first + head + body + b"\n")
    (page,) = kept(done := run(tmp_path, path))
    assert (page["url"], page["date"], page["text"]) == (
        "http://example.com/a?b=c d e",
        "2014-02-16T05:02:21Z",
        "<html>old</html>",
    )
    assert done.manifest["skipped_records"] == {"arc file header": 1}


def test_a_record_is_a_page_or_counted_by_its_kind(tmp_path):
    html = b"<html><p>text</p></html>"
    records = [
        record(1, b"software: x", "warcinfo", "application/warc-fields"),
        record(2, b"GET / HTTP/1.1\r\n\r\n", "request"),
        record(
            3, response(html, "Content-Type: text/html\r\nX-Robots-Tag: noai\r\nX-Robots-Tag: noindex\r\nContent-Language: de")
        ),
        record(4, response(html, status="404 Not Found")),
        record(5, response(b"%PDF-1.4 ...")),
        record(6, response(b"\x89PNG\r\n\x1a\n....", "Content-Type: image/png")),
        record(7, response(b"   ")),
        record(8, b"no http here"),
        record(9, html, "resource", "text/html"),
        record(10, b"plain text of a page", "conversion", "text/plain"),
        record(11, b"", "revisit"),
        record(12, response(html, "X-Other: 1")),
        record(13, response(html), extra="WARC-Truncated: length\r\n"),
        record(14, response(html, "Content-Type: text/html\r\nTDM-Reservation: 1")),
    ]
    done = run(tmp_path, write(tmp_path, records))
    pages = {int(row["id"][-12:]): row for row in kept(done)}
    assert sorted(pages) == [3, 9, 10, 12, 13, 14]
    assert {
        name: pages[3][name] for name in ("robots_tag", "content_language", "http_status", "mime", "charset", "url", "date")
    } == {
        "robots_tag": "noai, noindex",
        "content_language": "de",
        "http_status": 200,
        "mime": "text/html",
        "charset": "utf-8",
        "url": "https://example.com/3",
        "date": "2024-05-01T00:00:00Z",
    }
    assert (pages[13]["truncated"], pages[3]["truncated"]) == ("length", None)
    assert pages[14]["tdm_reservation"] == "1"
    assert pages[10]["http_status"] is None
    assert done.manifest["skipped_records"] == {
        "empty page": 1,
        "request record": 1,
        "response without HTTP": 1,
        "revisit record": 1,
        "status 404": 1,
        "type application/pdf": 1,
        "type image/png": 1,
        "warcinfo record": 1,
    }
    assert "status 404" in (done.path / "report.html").read_text()


def test_statuses_and_types_can_be_chosen(tmp_path):
    records = [
        record(1, response(b"<html>a</html>", status="404 Not Found")),
        record(2, response(b'{"a": 1}', "Content-Type: application/json")),
        page(3),
    ]
    done = run(tmp_path, write(tmp_path, records), statuses=[404, 200], mimes=["application/json", "text/html"])
    assert [row["id"][-1] for row in kept(done)] == ["1", "2", "3"]


def test_losses_are_quarantined_with_their_place_and_the_run_goes_on(tmp_path):
    packed = pack(pages(4), "gzip")
    broken = packed[1][:60] + bytes(len(packed[1]) - 60)
    path = tmp_path / "crawl.warc.gz"
    path.write_bytes(packed[0] + broken + packed[2] + packed[3])
    done = run(tmp_path, path)
    assert [row["id"][-1] for row in kept(done)] == ["0", "2", "3"]
    (lost,) = pl.read_parquet(done.ledger / "quarantined" / "*.parquet").to_dicts()
    assert (lost["error"], lost["place"]) == ("Damaged", f"{path}: byte {len(packed[0])}")
    assert f"the next record begins at byte {len(packed[0]) + len(broken)}" in lost["message"]


def test_a_page_that_is_too_long_is_quarantined_and_not_held(tmp_path):
    path = write(tmp_path, [record(0, response(b"<html>" + b"a" * 4_000_000)), page(1)])
    recipe = RECIPE | {"input": str(path), "resources": {"max_document_bytes": 1000}}
    done = pipeline.run(recipe, output=tmp_path / "run", engine="local", progress="none")
    (lost,) = pl.read_parquet(done.ledger / "quarantined" / "*.parquet").to_dicts()
    assert lost["error"] == "TooLong"
    assert len(kept(done)) == 1


def test_one_file_is_read_by_many_units(tmp_path):
    path = write(tmp_path, [page(number, 2000) for number in range(40)])
    recipe = RECIPE | {"input": str(path), "resources": {"part_bytes": 1000}}
    plan = pipeline.plan(recipe, output=tmp_path / "run")
    assert len(plan.units) > 4
    done = pipeline.run(recipe, output=tmp_path / "run", engine="local", progress="none", workers=2)
    assert [int(row["id"][-12:]) for row in kept(done)] == list(range(40))


def test_wat_files_are_left_out_with_the_reason(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.warc.wat.gz").write_bytes(gzip.compress(record(1, b"{}", "metadata", "application/json")))
    with pytest.raises(InputError, match="read the WARC or WET file it was made of"):
        run(tmp_path, tmp_path / "in")


def test_html_files_are_pages_with_their_charset(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.html").write_bytes('<meta charset="iso-8859-1"><p>für</p>'.encode("latin-1"))
    (folder / "b.htm").write_text("<p>für</p>", encoding="utf-8")
    (folder / "c.html.gz").write_bytes(gzip.compress("<p>für</p>".encode("utf-16")))
    rows = kept(run(tmp_path, folder))
    assert sorted((row["charset"], row["mime"], row["text"][-10:]) for row in rows) == [
        ("cp1252", "text/html", "<p>für</p>"),
        ("utf-16-le", "text/html", "<p>für</p>"),
        ("utf-8", "text/html", "<p>für</p>"),
    ]


def test_html_may_stand_in_jsonl(tmp_path):
    path = tmp_path / "pages.jsonl"
    path.write_text('{"id": "1", "html": "<p>a</p>", "url": "https://example.com"}\n')
    (row,) = kept(run(tmp_path, path, columns={"text": "html"}))
    assert (row["text"], row["url"]) == ("<p>a</p>", "https://example.com")
    assert "mime" not in row


@pytest.mark.parametrize(
    ("body", "declared", "text", "charset"),
    [
        ("für".encode(), None, "für", "utf-8"),
        ("für".encode("latin-1"), "ISO-8859-1", "für", "cp1252"),
        (b"\xef\xbb\xbff\xc3\xbcr", "iso-8859-1", "für", "utf-8"),
        ("für".encode("utf-16"), None, "für", "utf-16-le"),
        ("<meta charset='windows-1251'>мир".encode("cp1251"), None, "<meta charset='windows-1251'>мир", "cp1251"),
        ("für".encode(), "no-such-charset", "für", "utf-8"),
        # said to be UTF-8 and is not: as browsers guess
        ("für".encode("latin-1"), "utf-8", "für", "utf-8"),
        (
            "日本語のページです。これは長い文章です。".encode("shift_jis") * 5,
            None,
            "日本語のページです。これは長い文章です。" * 5,
            "cp932",
        ),
        (b"", None, "", "utf-8"),
    ],
)
def test_the_charset_is_that_of_mark_header_or_meta_or_is_detected(body, declared, text, charset):
    found, used = decode_page(body, declared)
    assert (found, used.lower().replace("shift_jis", "cp932")) == (text, charset)


BODY = PAGE.format("encoded").encode() * 3


def chunked(body: bytes, size: int = 50) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Transfer-Encoding: chunked", chunked(BODY)),
        ("Content-Encoding: gzip", gzip.compress(BODY)),
        ("Content-Encoding: GZIP\r\nTransfer-Encoding: Chunked", chunked(gzip.compress(BODY))),
        ("Content-Encoding: deflate", zlib.compress(BODY)),
        ("Content-Encoding: deflate", raw_deflate(BODY)),
        ("Content-Encoding: br", brotli.compress(BODY)),
        ("Content-Encoding: zstd", zstandard.compress(BODY)),
        ("Content-Encoding: gzip, br", brotli.compress(gzip.compress(BODY))),
        ("Content-Encoding: identity", BODY),
        # what the archiver had decoded already
        ("Content-Encoding: gzip", BODY),
        ("Content-Encoding: br", BODY),
        ("Transfer-Encoding: chunked", BODY),
    ],
)
def test_encodings_are_undone_where_they_are_there(headers, body):
    found = parse_response(response(body, headers), 10_000)
    assert found is not None
    assert found.body == BODY


def test_chunks_that_end_early_give_what_is_there():
    found = parse_response(response(chunked(BODY)[:120], "Transfer-Encoding: chunked"), 10_000)
    assert found is not None
    assert BODY.startswith(found.body)
    assert len(found.body) > 50


def test_a_small_body_that_grows_without_end_is_cut():
    found = parse_response(response(gzip.compress(bytes(50_000_000)), "Content-Encoding: gzip"), 1000)
    assert found is not None
    assert len(found.body) == 1001


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ("Content-Encoding: exotic", b"x", "content encoding is 'exotic', expected one of"),
        ("Content-Encoding: gzip", gzip.compress(BODY)[:10] + b"\x07" * 40, "the body is not gzip"),
        ("Content-Encoding: br", b"\x05\x06\x07nonsense", "the body is not br"),
    ],
)
def test_an_encoding_that_cannot_be_undone_is_an_error(headers, body, message):
    with pytest.raises(BadEncoding, match=message):
        parse_response(response(body, headers), 10_000)


def test_heads_may_end_in_line_feeds_and_what_has_no_status_is_no_response():
    found = parse_response(b"HTTP/1.0 200\nContent-Type: text/html\n\nbody", 100)
    assert found is not None
    assert (found.status, found.headers, found.body) == (200, {"content-type": "text/html"}, b"body")
    assert parse_response(b"<html>", 100) is None


def test_mutated_archives_never_crash_and_lose_only_what_they_tell(tmp_path):
    mutate(tmp_path, random.Random(7), 300)


@pytest.mark.skipif(not WEB.is_dir(), reason="the real archives of ../shared/data/web are not here")
@pytest.mark.parametrize("path", [path for path in sorted(WEB.glob("**/*arc*")) if path.is_file()], ids=lambda path: path.name)
def test_real_archives_give_the_records_that_warcio_lists(path):
    found = offsets(path)
    records, losses = (sum(kind == wanted for kind, _ in found) for wanted in ("record", "loss"))
    try:
        with path.open("rb") as stream:
            listed = sum(1 for _ in ArchiveIterator(stream))
    except ArchiveLoadFailed:
        listed = None
    # name: records and losses where warcio gives up, or lists a record that is cut off or has no length
    odd = {
        "bad.arc": (1, 2),
        "example-bad-non-chunked.warc.gz": (6, 0),
        "example-bad.warc.gz.bad": (6, 0),
        "example-wrong-chunks.warc.gz": (1, 1),
        "example-space-in-url.arc": (1, 1),
        "example-trunc.warc": (4, 1),
    }
    assert (records, losses) == odd.get(path.name, (listed, 0))
