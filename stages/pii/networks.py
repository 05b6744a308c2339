"""Public IP addresses."""

import ipaddress
import re
from collections.abc import Iterator

from stages.pii.found import Found, Window

_VERSION_BEFORE = re.compile(
    rb"(?:\b(?:v|ver|vers|version|versions|release|rel|rev|revision|firmware|build|kernel|driver|section|sections|sec|chapter"
    rb"|figure|table|appendix|clause|article|oid|since|until|before|upgrade|update|mib)[.:]?\s*[(\"'=]?\s*|\xc2\xa7\s*|[<>]=?\s*|[~^]"
    rb"|version\W{1,4}(?:\w+\W{1,3}){0,2})\Z",
    re.IGNORECASE,
)
_HOST_BEFORE = re.compile(rb"\b(?:ip|ipv4|addr|address|addresses|host|hosts|server|servers|dns|nameserver|ping|from|gateway)\b", re.IGNORECASE)
_V6_FULL_GROUPS = 8


def find_ipv4(window: Window) -> Iterator[Found]:
    """An IPv4 address that can be somebody's: global unicast (IANA's special-purpose registry, RFC 6890), and no version.

    A version is told by what stands beside it: letters, an underscore, a hyphen (`-1.2.3.4`, `1.2.3.4-1`), a plus sign or a
    tilde; a word as "version" or "release" before it. Four numbers below 20 are one, too, unless a word as "address" or
    "server" is near. Networks (x.y.0.0) are nobody's.
    """
    data, start, stop = window.data, window.start, window.stop
    before, after = data[:start], data[stop : stop + 2]
    if re.search(rb"(?:[A-Za-z0-9_+~%.]|[A-Za-z_~+.]-|\d-)\Z", before) and not re.search(rb"(?:\d+\.){3}\d+-\Z", before):
        return
    if re.match(rb"[A-Za-z_+~%]|\.[A-Za-z]|-[A-Za-z]|-\d(?!\d*\.\d)", after + data[stop + 2 : stop + 6]):
        return
    numbers = [int(number) for number in data[start:stop].split(b".")]
    if any(number > 255 for number in numbers) or any(part[:1] == b"0" and len(part) > 1 for part in data[start:stop].split(b".")):
        return
    if numbers[2:] == [0, 0] or _VERSION_BEFORE.search(before[-40:]):
        return
    if max(numbers) < 20 and not _HOST_BEFORE.search(before[-32:]):
        return
    address = ipaddress.IPv4Address(data[start:stop].decode())
    if address.is_global and not address.is_multicast and not address.is_reserved:
        yield Found(start, stop, "ip", str(address))


def find_ipv6(window: Window) -> Iterator[Found]:
    """An IPv6 address that can be somebody's: of 2000::/3 and global; written with all its groups also what no registry gave out.

    Groups of two digits throughout, as in hardware addresses and fingerprints, are none.
    """
    data, start, stop = window.data, window.start, window.stop
    if data[stop - 1 : stop] == b":" and data[stop - 2 : stop] != b"::":
        stop -= 1
    around = data[start - 1 : start] + data[stop : stop + 1] if start else data[stop : stop + 1]
    if re.search(rb"[A-Za-z0-9_:]", around):
        return
    try:
        address = ipaddress.IPv6Address(data[start:stop].decode())
    except ValueError:
        return
    full = b"::" not in data[start:stop]
    if address.is_private or address.is_multicast or address.is_link_local or address.is_loopback or address.is_unspecified:
        return
    if (address.is_global and address in _GLOBAL) or full:
        yield Found(start, stop, "ip", str(address))


_GLOBAL = ipaddress.IPv6Network("2000::/3")
