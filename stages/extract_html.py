"""The text of a page without what stands around it."""

import functools
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Literal

import pyarrow as pa
from pydantic import Field

from schemas.columns import TEXT
from schemas.errors import MissingExtra
from stages.core.formulas import with_formulas
from stages.core.markdown import markdown_of
from stages.core.page import facts_of
from stages.core.stage import Map
from stages.core.time_limit import time_limit
from stages.kernels.page_marks import FORMULA, page_marks
from stages.kernels.text import text_of

Extractor = Literal["fast", "precise"]
Page = tuple[str, dict[str, str | None]]
FACTS = ("title", "html_language", "page_date", "canonical_url", "license_url", "robots_meta")
_TAG = re.compile(
    r"<(?:!doctype\s|html|head|body|title|meta|p|div|span|a|br|h[1-6]|ul|ol|li|table|article|section)\b", re.IGNORECASE
)
_NESTED = re.compile(
    r"<(/?)(?:a|article|aside|b|blockquote|center|div|em|font|form|i|main|ol|section|span|strong|table|ul)\b", re.IGNORECASE
)
_REMEMBERED = 1000
_AT_ONCE = 8
"""pages that are looked through and decoded together"""


class PageTooLarge(Exception):
    """A page with more bytes or tags than may be parsed."""


class ExtractHtml(Map):
    """Replace a page's HTML by its text: headings, paragraphs, lists, tables, code and formulas, without menus and footers.

    fast     resiliparse (Bevendorff et al. 2018): its rules for main content
    precise  trafilatura (Barbaresi 2021): slower by ten times, and the better text

    Both get the parsed page, and their own text is given, but for formulas (see below) and the Markdown of `fast`.

    title          of the title element, else og:title
    html_language  the lang attribute of the page, else its content-language
    page_date      when the page says it was published: a meta element, JSON-LD (datePublished), or the first time element
    canonical_url  of link rel=canonical
    license_url    of the first element with rel=license, else the first address of a Creative Commons licence
    robots_meta    what meta elements say to robots; `opt_out` judges it

    These are null where the page does not say. A text without an HTML tag stays as it is. A page without main content has an
    empty text and stays a document: `text_length` drops it.

    Formulas in MathML, MathJax and KaTeX become their TeX where the page has it, between dollar signs.

    A page with more bytes, tags or nesting than allowed, and one that takes more CPU time, fails alone; a tree takes about 30
    bytes for each byte of the page, so `max_page_bytes` bounds the memory, too. The time of a single call into a library's
    compiled code cannot be cut short, which is why nesting is looked at first.
    """

    extra = "web"

    extractor: Extractor = Field("precise", description="resiliparse or trafilatura")
    format: Literal["text", "markdown"] = Field("text", description="plain text, or Markdown with headings, code and tables")
    favor: Literal["balanced", "precision", "recall"] = Field(
        "balanced", description="precise: rather less or rather more text"
    )
    tables: bool = Field(True, description="keep tables")
    links: bool = Field(False, description="keep addresses of links (Markdown)")
    comments: bool = Field(False, description="keep readers' comments")
    formulas: bool = Field(True, description="write formulas as TeX")
    max_page_bytes: int = Field(20_000_000, ge=1, description="longer pages fail", json_schema_extra={"unit": "bytes of UTF-8"})
    max_tags: int = Field(500_000, ge=1, description="pages with more fail", json_schema_extra={"unit": "tags"})
    max_depth: int = Field(
        3000, ge=1, description="pages with more elements in one another fail", json_schema_extra={"unit": "elements"}
    )
    max_seconds: float = Field(20, gt=0, description="pages that take more CPU time fail", json_schema_extra={"unit": "s"})

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"text": TEXT, **dict.fromkeys(FACTS, pa.string())}

    def apply(self, table: pa.Table) -> pa.Table:
        return self.open()(table)

    def open(self) -> Callable[[pa.Table], pa.Table]:
        extract = _opened(self.extractor, self)
        failed: OrderedDict[bytes, Exception] = OrderedDict()

        def limited(html: str, marks: int, tags: int, closing: int) -> Page:
            """A page that failed once fails at once when the batch is searched for it."""
            key = blake2b(html.encode("utf-8", "surrogatepass"), digest_size=16).digest() if failed else b""
            if key in failed:
                raise failed[key]
            try:
                self._check_size(html, tags, closing)
                with time_limit(self.max_seconds, f"a page of {len(html)} characters"):
                    return extract(html, marks)
            except Exception as error:
                failed[key or blake2b(html.encode("utf-8", "surrogatepass"), digest_size=16).digest()] = error
                if len(failed) > _REMEMBERED:
                    failed.popitem(last=False)
                raise

        def apply(table: pa.Table) -> pa.Table:
            pages = [
                limited(html, *numbers) if html and _TAG.search(html) else (html or "", dict.fromkeys(FACTS))
                for html, numbers in _with_marks(table.column("text").cast(TEXT))
            ]
            table = _set(table, "text", pa.array([text for text, _ in pages], TEXT))
            for name in FACTS:
                table = _set(table, name, pa.array([facts[name] for _, facts in pages], pa.string()))
            return table

        return apply

    def _check_size(self, html: str, tags: int, closing: int) -> None:
        if len(html) > self.max_page_bytes:
            raise PageTooLarge(f"a page of {len(html)} characters, more than max_page_bytes {self.max_page_bytes}")
        if tags > self.max_tags:
            raise PageTooLarge(f"a page with {tags} tags, more than max_tags {self.max_tags}")
        if tags - closing > self.max_depth and (depth := _depth(html)) > self.max_depth:
            raise PageTooLarge(f"a page with {depth} elements in one another, more than max_depth {self.max_depth}")


def _with_marks(column: pa.ChunkedArray) -> Iterator[tuple[str | None, tuple[int, int, int]]]:
    """Each page and its `page_marks`, a few at a time: what fits into the cache, in memory that is used again and again."""
    for at in range(0, len(column), _AT_ONCE):
        some = column.slice(at, _AT_ONCE)
        marks = zip(*(each.tolist() for each in page_marks(text_of(some))), strict=True)
        # A loop over documents: a page takes milliseconds in the libraries.
        yield from zip((page.as_py() for page in some), marks, strict=True)


def _depth(html: str) -> int:
    """The most elements that are open at one place, of those that must be closed. resiliparse's time grows with its square."""
    deepest = depth = 0
    for tag in _NESTED.finditer(html):
        depth = max(depth - 1, 0) if tag[1] else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _set(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    at = table.schema.get_field_index(name)
    field = table.schema.field(at).with_type(values.type) if at >= 0 else pa.field(name, values.type)
    return table.append_column(field, values) if at < 0 else table.set_column(at, field, values)


def _opened(extractor: Extractor, stage: ExtractHtml) -> Callable[[str, int], Page]:
    try:
        return _precise(stage) if extractor == "precise" else _fast(stage)
    except ImportError as error:
        raise MissingExtra(f"extract_html: {error.name or error} is not installed: run `pip install 'sluice[web]'`") from error


def _precise(stage: ExtractHtml) -> Callable[[str, int], Page]:
    import trafilatura
    from resiliparse.parse.html import HTMLTree
    from trafilatura.settings import Extractor as Options

    options = functools.partial(
        Options,
        output_format="markdown" if stage.format == "markdown" else "txt",
        precision=stage.favor == "precision",
        recall=stage.favor == "recall",
        comments=stage.comments,
        tables=stage.tables,
        links=stage.links,
        formatting=stage.format == "markdown",
    )

    def extract(html: str, marks: int) -> Page:
        if stage.formulas and marks & FORMULA:
            html = with_formulas(html)
        # parsed twice: trafilatura takes longer from a tree than from the source
        facts = facts_of(html, HTMLTree.parse(html).document, marks)
        return trafilatura.extract(html, options=options()) or "", facts

    return extract


def _fast(stage: ExtractHtml) -> Callable[[str, int], Page]:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    def extract(html: str, marks: int) -> Page:
        if stage.formulas and marks & FORMULA:
            html = with_formulas(html)
        tree = HTMLTree.parse(html)
        text = extract_plain_text(
            tree,
            preserve_formatting="minimal_html" if stage.format == "markdown" else True,
            main_content=True,
            links=stage.links and stage.format == "markdown",
            comments=stage.comments,
            alt_texts=False,
            post_meta=False,
            skip_elements=None if stage.tables else ["table"],
        )
        return markdown_of(text) if stage.format == "markdown" else text, facts_of(html, tree.document, marks)

    return extract
