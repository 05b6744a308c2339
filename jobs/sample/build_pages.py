"""Make the sample's web archive from the HTML of the Debian package debian-policy; prints what it made.

    apt-get download debian-policy && dpkg-deb -x debian-policy_*.deb unpacked
    python jobs/sample/build_pages.py unpacked/usr/share/doc/debian-policy/policy.html

Writes pages.warc.gz beside this file: each page as the response of the server that has it, one gzip member for each record, and
what crawls have besides: requests, a redirect, a page that is gone, an image, the same page twice (an older copy), and one
page whose server asks not to train on it (made up here, to be seen in the demo). No clock and no random state.
"""

import gzip
import sys
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
SITE = "https://www.debian.org/doc/debian-policy"
DATE, OLDER = "2024-05-01T00:00:00Z", "2023-01-01T00:00:00Z"


def main() -> int:
    folder = Path(sys.argv[1])
    pages = sorted(path for path in folder.glob("*.html") if path.name not in ("search.html", "genindex.html"))
    records = [record("warcinfo", "", b"software: jobs/sample/build_pages.py\r\n", "application/warc-fields")]
    for path in pages:
        url = f"{SITE}/{path.name}"
        extra = "X-Robots-Tag: noai\r\n" if path.name == "ap-flowcharts.html" else ""
        records.append(
            record("request", url, b"GET / HTTP/1.1\r\nHost: www.debian.org\r\n\r\n", "application/http; msgtype=request")
        )
        records.append(response(url, path.read_bytes(), extra=extra))
    first = pages[0]
    records.append(
        response(f"http://debian.org/doc/debian-policy/{first.name}?utm_source=feed", first.read_bytes(), date=OLDER)
    )
    records.append(response(f"{SITE}/", b"", "301 Moved Permanently", "Location: index.html\r\n"))
    records.append(response(f"{SITE}/gone.html", b"<html><title>404 Not Found</title></html>", "404 Not Found"))
    records.append(response(f"{SITE}/openlogo.png", b"\x89PNG\r\n\x1a\n" + bytes(64), mime="image/png"))
    target = HERE / "pages.warc.gz"
    target.write_bytes(b"".join(gzip.compress(one, 9, mtime=0) for one in records))
    print(f"{target}: {len(pages)} pages, {len(records)} records, {target.stat().st_size} bytes")
    return 0


def response(
    url: str, body: bytes, status: str = "200 OK", extra: str = "", mime: str = "text/html", date: str = DATE
) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {mime}\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    return record("response", url, head.encode() + body, "application/http; msgtype=response", date)


def record(kind: str, url: str, content: bytes, mime: str, date: str = DATE) -> bytes:
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {url} {date}")
    lines = [f"WARC-Type: {kind}", f"WARC-Record-ID: <urn:uuid:{identity}>", f"WARC-Date: {date}"]
    lines += [f"WARC-Target-URI: {url}"] if url else []
    lines += [f"Content-Type: {mime}", f"Content-Length: {len(content)}"]
    return ("WARC/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + content + b"\r\n\r\n"


if __name__ == "__main__":
    raise SystemExit(main())
