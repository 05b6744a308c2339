"""Two extractors on the same pages, side by side."""

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import orjson
import pyarrow as pa

from pipeline.decompress import blocks
from pipeline.planning import plan
from pipeline.results_format import plain
from schemas.errors import InputError
from stages.core.token_f1 import token_f1
from stages.extract_html import ExtractHtml

_TABLE_ROW = re.compile(r"^\|?[^\n]*(?:\t| \| )[^\n]*$", re.M)
_CODE = re.compile(r"^```", re.M)
_FORMULA = re.compile(r"\$\$?(?=\S)[^$\n]*[\\^_=][^$\n]*(?<=\S)\$")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Kept:
    """What one extractor kept of a page."""

    text: str
    words: int
    table_rows: int
    code_blocks: int
    formulas: int
    seconds: float
    """CPU time"""
    f1: float | None
    """token F1 against the gold text, if there is one"""
    error: str = ""


@dataclass
class Comparison:
    """Pages with what each extractor kept of them."""

    extractors: tuple[str, ...]
    pages: list[tuple[str, dict[str, Kept]]] = field(default_factory=list)
    """(id or URL, what each kept)"""

    def summary(self) -> dict[str, dict[str, Any]]:
        """For each extractor sums over the pages; seconds are CPU time, f1 the mean over pages with gold text."""
        found = {}
        for name in self.extractors:
            kept = [by_name[name] for _, by_name in self.pages]
            scores = [one.f1 for one in kept if one.f1 is not None]
            found[name] = {
                "pages": len(kept),
                "failed": sum(bool(one.error) for one in kept),
                "empty": sum(not one.text.strip() for one in kept),
                **{key: sum(getattr(one, key) for one in kept) for key in ("words", "table_rows", "code_blocks", "formulas")},
                "seconds": round(sum(one.seconds for one in kept), 3),
                "f1": round(sum(scores) / len(scores), 4) if scores else None,
                "pages_with_gold": len(scores),
            }
        return found

    def most_different(self) -> "list[tuple[str, dict[str, Kept]]]":
        """The pages on which the extractors agree least first; with gold text, by the difference of their scores."""

        def distance(page: tuple[str, dict[str, Kept]]) -> tuple[float, str]:
            kept = [page[1][name] for name in self.extractors]
            if kept[0].f1 is not None and kept[-1].f1 is not None:
                return -abs(kept[0].f1 - kept[-1].f1), page[0]
            return token_f1(kept[0].text, kept[-1].text), page[0]

        return sorted(self.pages, key=distance)


def compare(
    inputs: Sequence[str], extractors: Sequence[str], *, limit: int, gold: Path | None = None, **parameters: Any
) -> Comparison:
    """Run extractors on up to `limit` pages of the inputs, chosen by hash of their ids.

    gold        JSON lines (.gz, .zst or plain) with `gold_text` or `text`, found by `url` or `id`
    parameters  of `extract_html`, the same for all extractors

    Raises `SluiceError`s for inputs that cannot be read. A page on which an extractor fails is told, not raised.
    """
    truth = _gold(gold) if gold else {}
    opened = {name: ExtractHtml(**{**parameters, "extractor": name}).open() for name in extractors}
    found = Comparison(tuple(extractors))
    for row in _pages(inputs, limit):
        names = [name for name in (row.get("url"), row["id"]) if name]
        wanted = next((truth[name] for name in names if name in truth), None)
        found.pages.append((names[0], {name: _kept(extract, row["text"], wanted) for name, extract in opened.items()}))
    return found


def _pages(inputs: Sequence[str], limit: int) -> Iterator[dict[str, Any]]:
    planned = plan({"name": "extractors", "stages": [], "input": [{"path": list(inputs)}]}, limit=limit)
    reader = planned.segments[0].reader
    assert reader is not None
    count = 0
    for unit in planned.units:
        for batch in reader.read(unit):
            for row in batch.table.to_pylist():
                if count == limit:
                    return
                count += 1
                yield row


def _kept(extract: Any, html: str, gold: str | None) -> Kept:
    started = time.thread_time()
    text, error = "", ""
    try:
        text = extract(pa.table({"text": pa.array([html], pa.large_string())}))["text"][0].as_py()
    except Exception as problem:  # the page is shown with it
        error = f"{type(problem).__name__}: {problem}"
    return Kept(
        text,
        len(_WORD.findall(text)),
        len(_TABLE_ROW.findall(text)),
        len(_CODE.findall(text)) // 2,
        len(_FORMULA.findall(text)),
        time.thread_time() - started,
        None if gold is None else token_f1(text, gold),
        error,
    )


def _gold(path: Path) -> dict[str, str]:
    from pipeline.sources import list_files
    from schemas.recipe import Input

    files, _ = list_files([Input(path=str(path), format="jsonl")])
    truth: dict[str, str] = {}
    lines = b"".join(block for file in files for block in blocks(file, 0, 1 << 22)).split(b"\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = orjson.loads(line)
                text = row.get("gold_text", row.get("text"))
                truth.update({row[key]: text for key in ("url", "id") if row.get(key)})
            except (orjson.JSONDecodeError, AttributeError) as error:
                raise InputError(f"{path}:{number}: expected a JSON object with gold_text and url or id: {error}") from error
    return truth


def write_page(found: Comparison, path: Path) -> None:
    """A self-contained HTML page with the texts side by side; it appears complete or not at all."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("compare_extractors.html.jinja").render(
        extractors=found.extractors, summary=found.summary(), pages=found.most_different(), plain=plain
    )
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
