"""Licence names in their usual spellings as SPDX identifiers, and whether an expression of them is allowed."""

import re
from collections.abc import Callable
from functools import lru_cache

UNSTATED = frozenset(("", "unknown", "noassertion", "none", "n/a", "na", "null", "not specified", "unspecified", "see license"))
"""what stands for no statement at all, in lower case"""

FAMILIES = {
    "mit": "MIT",
    "expat": "MIT",
    "mit expat": "MIT",
    "x11": "X11",
    "apache": "Apache",
    "apache software": "Apache",
    "asl": "Apache",
    "isc": "ISC",
    "zlib": "Zlib",
    "unlicense": "Unlicense",
    "wtfpl": "WTFPL",
    "0bsd": "0BSD",
    "bsd": "BSD",
    "new bsd": "BSD-3",
    "modified bsd": "BSD-3",
    "revised bsd": "BSD-3",
    "simplified bsd": "BSD-2",
    "freebsd": "BSD-2",
    "mpl": "MPL",
    "mozilla public": "MPL",
    "epl": "EPL",
    "eclipse public": "EPL",
    "artistic": "Artistic",
    "boost software": "BSL",
    "bsl": "BSL",
    "psf": "PSF",
    "python software foundation": "PSF",
    "gpl": "GPL",
    "gnu gpl": "GPL",
    "gnu general public": "GPL",
    "general public": "GPL",
    "lgpl": "LGPL",
    "gnu lgpl": "LGPL",
    "gnu lesser general public": "LGPL",
    "lesser general public": "LGPL",
    "agpl": "AGPL",
    "gnu agpl": "AGPL",
    "gnu affero general public": "AGPL",
    "affero general public": "AGPL",
    "gfdl": "GFDL",
    "fdl": "GFDL",
    "gnu fdl": "GFDL",
    "gnu free documentation": "GFDL",
    "free documentation": "GFDL",
    "odc by": "ODC-By",
    "open data commons attribution": "ODC-By",
    "odbl": "ODbL",
    "open database": "ODbL",
    "odc odbl": "ODbL",
    "pddl": "PDDL",
    "odc pddl": "PDDL",
    "cc zero": "CC0",
    "cc0": "CC0",
    "creative commons zero": "CC0",
    "cc0 universal": "CC0",
    "creative commons zero universal": "CC0",
    "public domain": "public-domain",
    "public domain mark": "public-domain",
    "pdm": "public-domain",
    "pd": "public-domain",
}
"""names without version, small words and punctuation: the family"""

_VERSIONS = {"CC0": "1.0", "PDDL": "1.0", "ODC-By": "1.0", "BSL": "1.0", "ODbL": "1.0"}
"""of families of which there is one version, whether it is named or not"""
_BARE = frozenset(("MIT", "X11", "ISC", "Zlib", "Unlicense", "WTFPL", "0BSD", "public-domain"))
_GNU = frozenset(("GPL", "LGPL", "AGPL", "GFDL"))
_NOISE = frozenset(
    (
        "the",
        "license",
        "licence",
        "licensed",
        "under",
        "terms",
        "of",
        "version",
        "v",
        "ver",
        "international",
        "unported",
        "generic",
    )
)
_CREATIVE = {
    "attribution": "by",
    "by": "by",
    "sharealike": "sa",
    "sa": "sa",
    "noncommercial": "nc",
    "nc": "nc",
    "noderivatives": "nd",
    "noderivs": "nd",
    "nd": "nd",
}
_URL = re.compile(r"^(?:https?:)?//(?:www\.)?|^(?=creativecommons\.org/|opensource\.org/|spdx\.org/|apache\.org/|gnu\.org/)")
_TOKEN = re.compile(r"\d+(?:\.\d+)*(?=[^a-z]|$)|0bsd|cc0|x11|[a-z]+|\d+(?:\.\d+)*|\+")
_LATER = re.compile(
    r"[\s,(-]*\bor(?:\s+\(?at your option\)?)?[\s-]+(?:any[\s-]+)?(?:later|newer|higher)(?:[\s-]+versions?)?\)?"
)


@lru_cache(maxsize=65_536)
def spdx(name: str) -> str:
    """The SPDX identifier of one licence, such as Apache-2.0 of `Apache License, Version 2.0`.

    A family without a version (`CC BY`, `GPL`) stays without: it is no particular licence. GPL-3.0 is GPL-3.0-only, as SPDX
    has it. `public domain` is public-domain. What is not known is returned in lower case, blanks as one.
    """
    plain = " ".join(name.split()).strip(" .;,").lower()
    return _known(plain) or _known(re.sub(r"\s*\([^()]*\)$", "", plain)) or plain


def is_stated(name: str | None) -> bool:
    """Whether a value says anything of a licence."""
    return name is not None and " ".join(name.split()).lower() not in UNSTATED


def is_allowed(expression: str, allowed: Callable[[str], bool]) -> bool:
    """Whether an expression of licences is allowed: of `or` (or a slash) one side is enough, of `and` none may lack.

    An exception behind `with` only permits more, so the licence before it decides. A comma is `and`, since it may be either.
    """
    plain = _LATER.sub("+", " ".join(expression.split()))
    if allowed(spdx(plain)) or _known(plain.strip(" .;,").lower()):
        return allowed(spdx(plain))
    for pattern, one_is_enough in ((r"\s+or\s+|\s*\|+\s*", True), (r"\s+and\s+|\s*[,;&]\s*", False)):
        sides = _split(pattern, plain)
        if len(sides) > 1:
            decided = [is_allowed(side, allowed) for side in sides]
            return any(decided) if one_is_enough else all(decided)
    if plain.startswith("(") and plain.endswith(")"):
        return is_allowed(plain[1:-1], allowed)
    base = re.split(r"\s+with\s+", plain, maxsplit=1, flags=re.IGNORECASE)[0]
    if base != plain:
        return is_allowed(base, allowed)
    sides = [] if _URL.match(plain.lower()) else plain.split("/")
    return len(sides) > 1 and any(is_allowed(side, allowed) for side in sides)


def _split(pattern: str, text: str) -> list[str]:
    """Sides of an operator outside of parentheses."""
    found, depth, start = [], 0, 0
    for match in re.finditer(rf"(?P<sign>[()])|{pattern}", text, re.IGNORECASE):
        if match["sign"]:
            depth += 1 if match["sign"] == "(" else -1
        elif depth == 0:
            found.append(text[start : match.start()])
            start = match.end()
    return [*found, text[start:]]


def _known(plain: str) -> str | None:
    """The identifier of a name in lower case, None if it is not known."""
    if url := _URL.match(plain):
        plain = _of_url(plain[url.end() :])
    plain, later = _LATER.subn("", plain)
    tokens = _TOKEN.findall(plain.replace("share alike", "sharealike").replace("non commercial", "noncommercial"))
    tokens = [part for token in tokens for part in _parted(token)]
    words = [token for token in tokens if token[0].isalpha() or token in ("0bsd",)]
    numbers = [token for token in tokens if token[0].isdigit() and token != "0bsd"]
    only = "only" in words
    sure_later = bool(later) or "+" in tokens
    names = [word for word in words if word not in _NOISE and word not in ("only", "clause", "clauses")]
    if not names or len(numbers) > 1:
        return None
    version = numbers[0] if numbers else ""
    if names[0] in ("cc", "creative") and (found := _creative(names)) is not None:
        return f"{found}-{_dotted(version)}" if version else found
    family = FAMILIES.get(" ".join(names))
    if family is None or (family in _BARE and version and family != "public-domain"):
        return None
    return _identifier(family, version, sure_later and not only)


def _identifier(family: str, version: str, later: bool) -> str | None:
    if family in _BARE:
        return family
    if family.startswith("BSD"):
        clauses = version or family[4:]
        return f"BSD-{clauses}-Clause" if clauses in ("2", "3", "4") else "BSD"
    version = version or _VERSIONS.get(family, "")
    if family in _GNU:
        return f"{family}-{_dotted(version)}-{'or-later' if later else 'only'}" if version else family
    return f"{family}-{_dotted(version)}" if version else family


def _parted(token: str) -> list[str]:
    """`gplv3` and `mplv2` end with a v that belongs to the version."""
    return [token[:-1]] if len(token) > 2 and token.endswith("v") and token[:-1] in FAMILIES else [token]


def _dotted(version: str) -> str:
    return version if "." in version else f"{version}.0"


def _creative(names: list[str]) -> str | None:
    rest = names[1:] if names[0] == "cc" else names[2:] if names[1:2] == ["commons"] else []
    parts = [_CREATIVE.get(name) for name in rest]
    if not parts or None in parts or "by" not in parts:
        return None
    return "CC-" + "-".join(part.upper() for part in ("by", "nc", "nd", "sa") if part in parts)


def _of_url(address: str) -> str:
    """What a licence's address says of it: the path behind `licenses`."""
    host, _, path = address.partition("/")
    path = path.removesuffix("/").removesuffix(".html").removesuffix(".txt").removesuffix(".php").removesuffix("/legalcode")
    if host.endswith("creativecommons.org"):
        kind, _, rest = path.partition("/")
        name, _, version = rest.partition("/")
        version = version.partition("/")[0]  # ports to jurisdictions are named behind it
        if kind == "publicdomain":
            return "cc0 1.0" if name == "zero" else "public domain"
        return f"cc {name} {version}"
    last = path.rpartition("/")[2]
    return f"apache {last.rpartition('-')[2]}" if host.endswith("apache.org") else last
