"""Extraction of pages: the stage beside its library, pages per second and token F1 against gold text.

    python benchmarks/extract.py --pages articles.warc.gz --gold articles_gold.jsonl.gz --runs 3

`fast` is beside resiliparse's extract_plain_text(page, main_content=True), `precise` beside trafilatura.extract(page). A stage
gets the column of pages that a reader has made. So does the library: its caller takes each page out of the column, which
decodes it. Beside that stands the library on strings that are there already ("ours / library on strings"). CPU seconds of one
thread, in alternating runs; a ratio is the median of those of each round. The gold file has `url` and `gold_text` for each
page; F1 is `stages.core.token_f1`. Writes benchmarks/results/extract.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from harness import RESULTS, Result, alternate, facts, median, print_table, save

from pipeline.http_message import parse_response
from pipeline.read_warc import decode_page
from pipeline.warc_records import Record, read_records
from stages.core.token_f1 import token_f1
from stages.extract_html import ExtractHtml


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=Path, required=True, help="a WARC file")
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    pages = read_pages(args.pages)
    with gzip.open(args.gold, "rt", encoding="utf-8") as lines:
        gold = {row["url"]: row["gold_text"] for row in map(json.loads, lines)}
    urls = [url for url in pages if url in gold]
    html = [pages[url] for url in urls]
    texts: dict[str, list[str]] = {}
    sides = {name: timed(name, call, texts) for name, call in calls(html).items()}
    runs: dict[str, list[Result]] = alternate(sides, args.runs)
    rows: Result = {}
    for name, of in runs.items():
        seconds = median(run["cpu_seconds"] for run in of)
        f1 = sum(token_f1(text, gold[url]) for text, url in zip(texts[name], urls, strict=True)) / len(urls)
        rows[name] = {"pages_per_cpu_second": round(len(html) / seconds, 2), "f1": round(f1, 4)}
    for ours, library in (("fast", "resiliparse"), ("precise", "trafilatura")):
        for key, other in (("speed_ratio", library), ("speed_ratio_on_strings", f"{library}, strings")):
            pairs = zip(runs[ours], runs[other], strict=True)
            rows[ours][key] = round(median(theirs["cpu_seconds"] / mine["cpu_seconds"] for mine, theirs in pairs), 3)
    head = ["", "pages / CPU s", "token F1", "ours / library", "ours / library on strings"]
    ratios = ("speed_ratio", "speed_ratio_on_strings")
    print_table(
        f"{len(html)} pages",
        head,
        [
            [name, row["pages_per_cpu_second"], f"{row['f1']:.4f}", *(row.get(ratio, "") for ratio in ratios)]
            for name, row in rows.items()
        ],
    )
    save(RESULTS / "extract.json", "extractors", {**facts(), "pages": len(html), "runs": args.runs, "sides": rows})
    return 0


def read_pages(path: Path) -> dict[str, str]:
    """The HTML of each response by its URL."""
    pages = {}
    for item in read_records(str(path), 0, path.stat().st_size, 100_000_000):
        if isinstance(item, Record) and item.headers.get("warc-type") == "response":
            response = parse_response(item.body, 100_000_000)
            if response is not None:
                pages[item.headers["warc-target-uri"]] = decode_page(response.body, None)[0]
    return pages


def calls(html: list[str]) -> dict[str, Callable[[], list[str]]]:
    """What is compared; each gives the texts of the pages."""
    import trafilatura
    from resiliparse.extract.html2text import extract_plain_text

    column = pa.chunked_array([pa.array(html, pa.large_string())])

    def stage(extractor: str) -> Callable[[], list[str]]:
        opened = ExtractHtml(extractor=extractor).open()  # type: ignore[arg-type]
        return lambda: opened(pa.table({"text": column}))["text"].to_pylist()

    return {
        "resiliparse, strings": lambda: [extract_plain_text(page, main_content=True) for page in html],
        "resiliparse": lambda: [extract_plain_text(page.as_py(), main_content=True) for page in column],
        "fast": stage("fast"),
        "trafilatura, strings": lambda: [trafilatura.extract(page) or "" for page in html],
        "trafilatura": lambda: [trafilatura.extract(page.as_py()) or "" for page in column],
        "precise": stage("precise"),
    }


def timed(name: str, call: Callable[[], list[str]], texts: dict[str, list[str]]) -> Callable[[], Result]:
    def run() -> Result:
        started = time.process_time()
        texts[name] = call()
        return {"cpu_seconds": time.process_time() - started}

    return run


if __name__ == "__main__":
    raise SystemExit(main())
