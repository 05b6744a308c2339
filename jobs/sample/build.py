"""Select the sample that ships with Sluice from a folder of raw corpus files; prints what it made.

    python jobs/sample/build.py CORPUS_FOLDER

Reads raw-*.parquet and raw-*.jsonl.gz with columns id, text, source, url, lang, kind, license and takes only texts of
Debian 12 packages whose licence allows redistribution with changes (SOURCES, checked against each package's copyright
file; see NOTICE). Which rows: from each source those with the smallest SHA-256 of their id, until its share of bytes is
full. No random state, so the same corpus gives the same rows.

Writes beside this file manuals-00.parquet and snippets-00.jsonl.gz. The second names two columns differently (doc_id,
content), as corpora do.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
Row = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """What may be taken of one package."""

    license: str  # SPDX expression from the package's copyright file
    bytes: int  # of text, at most
    paths: str = ".*"  # pattern of the path below the package
    web: tuple[str, str] | None = None  # pattern and replacement which turn that path into an address
    max_bytes: int = 48_000  # of one text


WEB = r"https://www.debian.org/doc/manuals"
REFERENCE = Source("GPL-2.0-or-later", 130_000, web=(r"debian-reference/(.*)", WEB + r"/debian-reference/\1"))
MANUALS = {
    # the same pages in every language: where a translation is missing the English text stands there, word for word
    "debian-handbook": Source(
        "GPL-2.0-or-later OR CC-BY-SA-3.0",
        2_200_000,
        r"[^/]+/(conclusion|foreword|preface|short-remedial-course|the-debian-project|sect\.(automatic-upgrades|becoming-package-maintainer"
        r"|book-structure|computer-layers|firewall-packet-filtering|follow-debian-news|foundation-documents|future-of-debian"
        r"|future-of-this-book|how-to-migrate|quotas|regular-upgrades|role-of-distributions|selected-approach|why-debian))\.html",
        (r"(.*)", r"https://debian-handbook.info/browse/\1"),
    ),
    "debian-policy": Source(
        "GPL-2.0-or-later", 350_000, r"policy\.html/.*", (r"policy\.html/(.*)", r"https://www.debian.org/doc/debian-policy/\1")
    ),
    "debmake-doc": Source("MIT", 350_000, r"debmake-doc/html/.*", (r"debmake-doc/html/(.*)", WEB + r"/debmake-doc/\1")),
    **{
        f"debian-reference-{lang}": REFERENCE
        for lang in ["de", "en", "es", "fr", "id", "it", "ja", "pt", "pt-br", "zh-cn", "zh-tw"]
    },
    "git-doc": Source("GPL-2.0-only", 350_000),
    "python3.11-doc": Source("PSF-2.0", 1_500_000, web=(r"(.*)", r"https://docs.python.org/3.11/\1")),
    "libpython3.11-stdlib": Source("PSF-2.0", 200_000, max_bytes=24_000),
    # only whole texts without an e-mail address (there it was replaced): these may be passed on only as they are
    "copyright-files": Source("LicenseRef-verbatim", 350_000, r"(common-licenses/|lib|debian-|llvm-).*"),
}
SNIPPETS = {
    "dict-devil": Source("LicenseRef-public-domain", 200_000),
    "dict-jargon": Source("LicenseRef-public-domain", 650_000),
    # collections of quotations: proverbs and computing, no songs, no literature under copyright, no jokes about people
    "fortunes": Source(
        "BSD-3-Clause", 90_000, r"(computers|debian|definitions|education|goedel|law|linux|perl|pets|science|wisdom|work)#.*"
    ),
    "fortunes-bg": Source("GPL-1.0-or-later", 40_000, r"(bgproverb|intproverb)#.*"),
    "fortunes-bofh-excuses": Source("LicenseRef-public-domain", 6_000),
    "fortunes-cs": Source("GPL-3.0-or-later", 50_000, r"(klasik-cz|klasik-sk|prislovi|murphy|citat)#.*"),
    "fortunes-de": Source("GPL-2.0-or-later", 50_000, r"(zitate|sprichworte|sprueche|computer|debian|woerterbuch)#.*"),
    "fortunes-debian-hints": Source("BSD-3-Clause", 3_000),
    "fortunes-eo": Source("LicenseRef-public-domain", 20_000),
    "fortunes-es": Source("LicenseRef-public-domain", 20_000, r"(refranes|proverbios)\.fortunes#.*"),
    "fortunes-ga": Source("BSD-3-Clause", 6_000),
    "fortunes-min": Source("BSD-3-Clause", 10_000, r"(fortunes|riddles)#.*"),
    "fortunes-pl": Source("GPL-2.0-or-later", 20_000, r"(bajki|haiku|komputery|nauka|slogany|slownik|zen)#.*"),
    "fortunes-ru": Source(
        "GPL-2.0-only",
        40_000,
        r"(book|computer|education|friendship|future|knowledge|life|programming|time|truth|wealth|work)#.*",
    ),
}
CUT = 25_000  # characters the corpus keeps of a copyright file
SYNTHETIC_ADDRESS = re.compile(r"@mail\d+\.example")


def main(folder: Path) -> None:
    corpus = list(read(folder))
    manuals, snippets = select(corpus, MANUALS), select(corpus, SNIPPETS)
    schema = pa.schema([(name, pa.string()) for name in ["id", "text", "origin", "url", "lang", "kind", "license"]])
    table = pa.Table.from_pylist(manuals, schema)
    # pages of 8 MB: texts that repeat each other share a compression window
    options: dict[str, Any] = {"compression": "zstd", "compression_level": 19, "data_page_size": 8 << 20}
    pq.write_table(table, HERE / "manuals-00.parquet", use_dictionary=["origin", "lang", "kind", "license"], **options)
    lines = [
        json.dumps({"doc_id": row.pop("id"), "content": row.pop("text"), **row}, ensure_ascii=False)
        for row in [dict(r) for r in snippets]
    ]
    packed = gzip.compress("".join(line + "\n" for line in lines).encode(), compresslevel=9, mtime=0)
    (HERE / "snippets-00.jsonl.gz").write_bytes(packed)
    describe(manuals + snippets)


def read(folder: Path) -> Iterable[Row]:
    """Every row of the corpus, from both of its formats."""
    files = sorted(folder.glob("raw-*"))
    if not files:
        raise SystemExit(f"{folder}: no raw-*.parquet or raw-*.jsonl.gz")
    for file in files:
        if file.suffix == ".parquet":
            yield from pq.read_table(file).to_pylist()
        elif file.name.endswith(".jsonl.gz"):
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                yield from map(json.loads, lines)


def select(corpus: list[Row], sources: dict[str, Source]) -> list[Row]:
    """The rows of these packages, up to each one's bytes, sorted by origin and place."""
    rank = {row["id"]: hashlib.sha256(row["id"].encode()).digest() for row in corpus}
    taken: list[tuple[str, str, Row]] = []
    for name, source in sources.items():
        left = source.bytes
        rows = [row for row in corpus if row["source"] == f"debian:{name}"]
        for row in sorted(rows, key=lambda row: rank[row["id"]]):
            path = row["url"].removeprefix(f"debian:{name}/")
            size = len(row["text"].encode())
            if not re.fullmatch(source.paths, path) or size > min(left, source.max_bytes):
                continue
            if name == "copyright-files" and (SYNTHETIC_ADDRESS.search(row["text"]) or len(row["text"]) >= CUT):
                continue
            left -= size
            # the corpus calls every page of this manual English; its translations are partial
            lang = "mixed" if name == "debmake-doc" and not path.endswith(".en.html") else row["lang"]
            url = re.sub(*source.web, path, count=1) if source.web else None
            kept = {key: row[key] for key in ["id", "text"]}
            kept |= {"origin": f"debian:{name}", "url": url, "lang": lang, "kind": row["kind"], "license": source.license}
            # by the page's own name before its language: copies lie together and compress
            taken.append((f"{name.partition('-reference')[0]}", f"{path.rpartition('/')[2]} {path}", kept))
    return [row for _, _, row in sorted(taken, key=lambda entry: (entry[0], entry[1], entry[2]["id"]))]


def describe(rows: list[Row]) -> None:
    """Print counts, so that a rebuild can be compared with the README."""
    for key in ["origin", "lang", "kind", "license"]:
        print(f"{key}: " + ", ".join(f"{name} {count}" for name, count in sorted(Counter(row[key] for row in rows).items())))
    size = sum(len(row["text"].encode()) for row in rows)
    print(f"{len(rows)} documents, {size:,} bytes of text, {len(rows) - len({row['text'] for row in rows})} exact copies")
    for name in ["manuals-00.parquet", "snippets-00.jsonl.gz"]:
        data = (HERE / name).read_bytes()
        print(f"{name}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
