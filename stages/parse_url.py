"""Host, registered domain and canonical form of a document's URL."""

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

import pyarrow as pa
from pydantic import Field

from stages.core.stage import Map

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

TRACKING = (
    "utm_*", "mtm_*", "pk_*", "hsa_*", "_hsenc", "_hsmi", "_ga", "_gl", "dclid", "fbclid", "gbraid", "gclid", "gclsrc",
    "igshid", "mc_cid", "mc_eid", "mkt_tok", "msclkid", "oly_anon_id", "oly_enc_id", "srsltid", "ttclid", "twclid", "vero_id",
    "wbraid", "yclid", "ysclid", "jsessionid", "phpsessid", "aspsessionid*",
)  # fmt: skip
"""Query parameters that name a campaign, a click or a session and never a page; `*` stands for any ending."""

_PORTS = {"http": 80, "https": 443}
_HEX = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;?]*", re.IGNORECASE)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|.*:.*")
_SAFE_PATH = "/:@!$&'()*+,;=~-._%"
_SAFE_QUERY = _SAFE_PATH + "?"


class ParseUrl(Map):
    """Write the host, the registered domain and the canonical form of each document's URL.

    url_host    lower case, Unicode names in ASCII (`xn--...`), without user, port and final dot
    url_domain  the host's part that was registered: one label below the longest public suffix (`bbc.co.uk`, `alice.github.io`);
                for an IP address or a name without known suffix the host itself
    url_key     equal for URLs that name the same page: RFC 3986, 6.2.2 and 6.2.3 (case of scheme, host and percent escapes,
                needless escapes, dot segments, default port, empty path), and besides without user, fragment, tracking
                and session parameters, parameters in order of name, and, as crawls write them both ways, with `https` for
                `http`, without `www.`, and without a slash at the end of the path

    All three are null where there is no URL, or none with a host; `url` itself stays. Suffixes: the Public Suffix List as the
    package publicsuffixlist has it (MPL 2.0), private suffixes included; nothing is downloaded.
    """

    extra = "web"

    column: str = Field("url", description="column with the URL")
    drop_parameters: tuple[str, ...] = Field(
        TRACKING, description="query parameters that are not part of url_key, in any case; `*` stands for any ending"
    )
    same_scheme: bool = Field(True, description="http and https give one url_key")
    strip_www: bool = Field(True, description="with and without www. give one url_key")
    strip_final_slash: bool = Field(True, description="with and without a slash at the end of the path give one url_key")

    def columns_read(self) -> tuple[str, ...]:
        return (self.column,)

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"url_host": pa.string(), "url_domain": pa.string(), "url_key": pa.string()}

    def apply(self, table: pa.Table) -> pa.Table:
        # A loop over documents: some 20 microseconds each, beside milliseconds for the page that the URL is of.
        found = [self.parse(url) for url in table.column(self.column).to_pylist()]
        for at, (name, kind) in enumerate(self.columns_written().items()):
            values = pa.array([row[at] for row in found], kind)
            index = table.schema.get_field_index(name)
            field = pa.field(name, kind)
            table = table.append_column(field, values) if index < 0 else table.set_column(index, field, values)
        return table

    def parse(self, url: str | None) -> tuple[str | None, str | None, str | None]:
        """Host, domain and key of one URL; nulls for what has no host."""
        parts = _split(url)
        if parts is None:
            return None, None, None
        host, port, scheme = _host_of(parts), parts.port, parts.scheme.lower()
        port = None if port == _PORTS.get(scheme) else port
        key_host = host[4:] if self.strip_www and host.startswith("www.") and host.count(".") > 1 else host
        path = _without_dots(_escaped(_SESSION.sub("", parts.path), _SAFE_PATH)) or "/"
        if self.strip_final_slash and len(path) > 1:
            path = path.rstrip("/") or "/"
        query = "&".join(sorted(part for part in parts.query.split("&") if part and not self._dropped(part)))
        scheme = "https" if self.same_scheme and scheme in (*_PORTS, "") else scheme
        key_host = f"[{key_host}]" if ":" in key_host else key_host
        where = f"{key_host}:{port}" if port is not None else key_host
        key = f"{scheme}://{where}{path}" + (f"?{_escaped(query, _SAFE_QUERY)}" if query else "")
        return host, domain_of(host), key

    def _dropped(self, parameter: str) -> bool:
        return bool(self._parameters.fullmatch(parameter.partition("=")[0]))

    @functools.cached_property
    def _parameters(self) -> re.Pattern[str]:
        names = (re.escape(name).replace(r"\*", ".*") for name in self.drop_parameters)
        return re.compile("|".join(names) or "(?!)", re.IGNORECASE)


def parse_host(url: str | None) -> str | None:
    """The host of a URL as `url_host` has it, or None."""
    parts = _split(url)
    return None if parts is None else _host_of(parts)


def _split(url: str | None) -> SplitResult | None:
    """The parts of a URL that has a host and a port that can be."""
    try:
        parts = urlsplit((url or "").strip())
        return parts if (parts.hostname or "").rstrip(".") and parts.port != -1 else None
    except ValueError:
        return None


def _host_of(parts: SplitResult) -> str:
    return _ascii((parts.hostname or "").rstrip("."))


def domain_of(host: str) -> str:
    """The registered domain of a host in lower case ASCII, or the host itself where there is none."""
    if _ADDRESS.fullmatch(host):
        return host
    return _suffixes().privatesuffix(host) or host


def parent_domains(host: str) -> Iterator[str]:
    """The host and every domain above it, longest first: a.b.example.com, b.example.com, example.com, com."""
    while host:
        yield host
        host = host.partition(".")[2]


@functools.cache
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False)


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host  # no name that IDNA knows (an emoji, an underscore): it stands for itself


def _escaped(part: str, safe: str) -> str:
    """Percent escapes in one form: none for unreserved characters, upper case for others; what must be escaped is."""
    part = _HEX.sub(_same, part)
    return part if part.isascii() and " " not in part else quote(part, safe=safe)


def _same(match: re.Match[str]) -> str:
    char = unquote_to_bytes(match.group())
    letter = char.decode("latin-1")
    return letter if letter in _UNRESERVED else match.group().upper()


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4, for an absolute path."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
