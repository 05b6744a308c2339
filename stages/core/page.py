"""What a page says of itself, by the elements of its tree, whichever library has parsed it."""

import html
import re
from collections.abc import Callable, Iterable
from functools import partial

Element = tuple[str, Callable[[str], str | None], Callable[[], str | None]]
"""name, what gives an attribute, and what gives the text"""

XPATH = "//title|//meta|//link[@rel]|//a[@rel]|//time[@datetime]"
_KEYS = ("name", "property", "itemprop", "http-equiv")
_DATES = (
    "article:published_time",
    "datepublished",
    "og:published_time",
    "dc.date.issued",
    "dcterms.created",
    "dc.date",
    "date",
    "pubdate",
    "publish_date",
    "publishdate",
    "parsely-pub-date",
    "sailthru.date",
)
"""names, properties and item properties of meta elements with the date of publication, the most certain first"""
_JSON_DATE = re.compile(r'"datePublished"\s*:\s*"([^"]{4,40})"')
_LICENSE = re.compile(r"https?://creativecommons\.org/(?:licenses|publicdomain)/[\w./-]{2,60}", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")


_WANTED = re.compile(
    r"<(html)\b[^>]*>|<(title)\b[^>]*>([^<]*)|<(meta)\b[^>]{0,200}?=\s*[\"']?(?:"
    + "|".join(map(re.escape, (*_DATES, "robots", "content-language", "og:title")))
    + r")\b[^>]*>|<(link)\b[^>]{0,300}?(?:canonical|license)[^>]*>",
    re.IGNORECASE,
)
_LICENSED = re.compile(r"<(a|link)\b[^>]{0,300}?\blicense\b[^>]*>", re.IGNORECASE)
_TIME = re.compile(r"<(time)\b[^>]{0,200}datetime[^>]*>", re.IGNORECASE)
_HEAD = 200_000
"""Characters in which a head is looked for."""
_ATTRIBUTE = re.compile(r"""([a-z:_-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)


def scanned(page: str) -> tuple[str | None, list[Element]]:
    """The page's language and the elements that `facts_of` wants, by its source: for a parser whose tree is slow to ask."""
    end = page.find("</head", 0, _HEAD)
    language: str | None = None
    elements: list[Element] = []
    found = list(_WANTED.finditer(page, 0, end if end >= 0 else min(_HEAD, len(page))))
    if "license" in page:
        found += _LICENSED.finditer(page)
    if "<time" in page and (time := _TIME.search(page)):
        found.append(time)
    for each in found:
        name = next(group for group in each.groups() if group).lower()
        attributes = {key.lower(): html.unescape(a or b or c) for key, a, b, c in _ATTRIBUTE.findall(each[0])}
        if name == "html":
            language = language or attributes.get("lang")
        else:
            elements.append((name, attributes.get, partial(html.unescape, each[3] or "" if name == "title" else "")))
    return language, elements


def facts_of(page: str, language: str | None, elements: Iterable[Element]) -> dict[str, str | None]:
    """The columns of a page beside its text; null for what it does not say."""
    title, canonical, license_, time = None, None, None, None
    meta: dict[str, str] = {}
    for name, attribute, text in elements:
        if name == "meta":
            key = next((value for each in _KEYS if (value := attribute(each))), None)
            if key and (content := (attribute("content") or "").strip()):
                key = key.strip().lower()
                meta[key] = f"{meta[key]}, {content}" if key == "robots" and key in meta else meta.get(key, content)
        elif name == "title":
            title = title or _BLANKS.sub(" ", text() or "").strip() or None
        elif name == "time":
            time = time or (attribute("datetime") or "").strip() or None
        else:
            relations = (attribute("rel") or "").lower()
            if name == "link" and "canonical" in relations:
                canonical = canonical or (attribute("href") or "").strip() or None
            if "license" in relations.split():
                license_ = license_ or (attribute("href") or "").strip() or None
    if license_ is None and "creativecommons.org/" in page and (found := _LICENSE.search(page)):
        license_ = found.group()
    date = next((meta[name] for name in _DATES if name in meta), None)
    if date is None and (found := _JSON_DATE.search(page) if '"datePublished"' in page else None):
        date = found.group(1)
    return {
        "title": title or meta.get("og:title"),
        "html_language": (language or meta.get("content-language") or "").strip() or None,
        "page_date": date or time,
        "canonical_url": canonical,
        "license_url": license_,
        "robots_meta": meta.get("robots"),
    }
