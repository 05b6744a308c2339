"""What a page says of itself."""

import re
from typing import Any

from stages.kernels.page_marks import COMMONS, DATED, TIME

_DATES = (
    ("property", "article:published_time"),
    ("itemprop", "datepublished"),
    ("property", "og:published_time"),
    ("name", "dc.date.issued"),
    ("name", "dc.date"),
    ("name", "date"),
    ("name", "pubdate"),
    ("name", "parsely-pub-date"),
)
"""meta elements with the date of publication, the most certain first"""
_METAS = (("name", "robots"), ("property", "og:title"), ("http-equiv", "content-language"), *_DATES)
_ANY_META = ", ".join(f'[{attribute}="{name}" i]' for attribute, name in _METAS)
# names in front: most elements are told by theirs, and are not asked for eleven attributes
_SELECTOR = f"title, meta:is({_ANY_META}), [rel]:is([rel~=license], [rel~=canonical])"
_JSON_DATE = re.compile(r'"datePublished"\s*:\s*"([^"]{4,40})"', re.IGNORECASE)
_LICENSE = re.compile(r"https?://creativecommons\.org/(?:licenses|publicdomain)/[\w./-]{2,60}", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")
_KEYS = ("name", "property", "itemprop", "http-equiv")


def facts_of(page: str, document: Any, marks: int) -> dict[str, str | None]:
    """The columns of a page beside its text, null for what it does not say.

    document  of resiliparse's tree; a few elements are asked for by name, since each one that it gives costs as much as a
              kilobyte of parsing
    marks     of `page_marks`: what need not be looked for in the source
    """
    title = canonical = license_ = None
    meta: dict[str, str] = {}
    # a slice: to go from one element to the next, the collection is made again each time
    for element in document.query_selector_all(_SELECTOR)[:]:
        name = element.tag
        if name == "title":
            title = title or _BLANKS.sub(" ", element.text).strip() or None
        elif name == "meta":
            key = next(value for each in _KEYS if (value := element.getattr(each))).strip().lower()
            if content := (element.getattr("content") or "").strip():
                meta[key] = f"{meta[key]}, {content}" if key == "robots" and key in meta else meta.get(key, content)
        else:
            relations, address = element.getattr("rel").lower().split(), (element.getattr("href") or "").strip() or None
            if name == "link" and "canonical" in relations:
                canonical = canonical or address
            if "license" in relations:
                license_ = license_ or address
    if license_ is None and marks & COMMONS and (found := _LICENSE.search(page)):
        license_ = found.group()
    root = document.query_selector("html")
    language = (root.getattr("lang") if root is not None else None) or meta.get("content-language") or ""
    return {
        "title": title or meta.get("og:title"),
        "html_language": language.strip() or None,
        "page_date": next((meta[name] for _, name in _DATES if name in meta), None) or _date_of(page, document, marks),
        "canonical_url": canonical,
        "license_url": license_,
        "robots_meta": meta.get("robots"),
    }


def _date_of(page: str, document: Any, marks: int) -> str | None:
    """The date of JSON-LD or of the first time element."""
    if marks & DATED and (found := _JSON_DATE.search(page)):
        return found.group(1)
    if marks & TIME and (element := document.query_selector("time[datetime]")) is not None:
        return element.getattr("datetime").strip() or None
    return None
