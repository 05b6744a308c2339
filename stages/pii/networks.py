"""Public IP addresses."""

import ipaddress
import re
from collections.abc import Iterator

from stages.pii.found import Found, Window

_SPECIAL = [
    (int(network.network_address), int(network.netmask))
    for network in map(ipaddress.IPv4Network, (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    ))
]  # fmt: skip
"""Private, shared, loopback, link-local, protocols, documentation, relays, benchmarks, multicast, reserved: IANA's registry of
special-purpose addresses. Python's `is_global` answers differently from version to version."""

_GLOBAL = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = [ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
_NOT_UNALLOCATED = [ipaddress.IPv6Network(network) for network in ("::/8", "0100::/8", "5f00::/16", "fc00::/7", "fe00::/7")]

_VERSION_BEFORE = re.compile(
    rb"(?:\b(?:v|ver|vers|version|versions|release|rel|rev|revision|firmware|build|kernel|driver|section|sections|sec|chapter"
    rb"|figure|table|appendix|clause|article|oid|since|until|upgrade|update|mib|subnet|net)[.:]?\s*[(\"'=]?\s*|\xc2\xa7\s*"
    rb"|[<>]=?\s*|[~^]|version\W{1,4}(?:\w+\W{1,3}){0,2})\Z",
    re.IGNORECASE,
)
_HOST_BEFORE = re.compile(
    rb"(?<![\w/])(?<!\w-)(?:ip|ipv4|addr|address|addresses|hosts?|servers?|dns|nameservers?|ping|from|gateway|resolvers?)(?!\w)"
    rb"[^\n]{0,16}\Z",
    re.IGNORECASE,
)
_PART_BEFORE = re.compile(rb"(?:[A-Za-z0-9_+~%.]|[A-Za-z_~+.]-|\d-)\Z")
_RANGE_BEFORE = re.compile(rb"(?:\d+\.){3}\d+-\Z")
_PART_AFTER = re.compile(rb"[A-Za-z_+~%]|\.[A-Za-z]|-[A-Za-z]|-\d(?!\d*\.\d)| netmask")
_PREFIX_AFTER = re.compile(rb"/(\d{1,2})(?!\d)")
_RESOLVERS = frozenset(((8, 8, 8, 8), (8, 8, 4, 4), (9, 9, 9, 9)))
"""small numbers that are addresses wherever they stand"""


def find_ipv4(window: Window) -> Iterator[Found]:
    """An IPv4 address that can be somebody's: in no range that IANA keeps for a special purpose, and no version.

    A version is told by what stands beside it: letters, an underscore, a hyphen (`-1.2.3.4`, `1.2.3.4-1`), a plus sign or a
    tilde; a word as "version" or "release" before it. Four numbers below 64 are a version or a heading, and so are three
    below 10 behind one below 20, unless a word as "address" or "server" stands close before. A number with a full stop that
    begins a line is a heading. What ends with 0, or is followed by a shorter prefix or a mask, is a network, and nobody's.
    """
    data, start, stop = window.data, window.start, window.stop
    before, after = data[:start], data[stop:]
    parts = data[start:stop].split(b".")
    numbers = [int(part) for part in parts]
    if max(numbers) > 255 or numbers[3] == 0 or any(part[:1] == b"0" and len(part) > 1 for part in parts):
        return
    if _PART_AFTER.match(after) or (_PART_BEFORE.search(before[-2:]) and not _RANGE_BEFORE.search(before)):
        return
    address = int.from_bytes(bytes(numbers), "big")
    prefix = _PREFIX_AFTER.match(after)
    if prefix and int(prefix[1]) < 32 and address << int(prefix[1]) & (1 << 32) - 1 == 0:
        return
    if any(address & mask == network for network, mask in _SPECIAL) or _VERSION_BEFORE.search(before[-40:]):
        return
    line = before[before.rfind(b"\n") + 1 :]
    if after[:1] == b"." and not line.strip(b" \t*#>-"):
        return
    small = max(numbers) < 64 or (numbers[0] < 20 and sorted(numbers)[2] < 10)
    if not small or tuple(numbers) in _RESOLVERS or _HOST_BEFORE.search(line[-32:]):
        yield Found(start, stop, "ip", data[start:stop].decode())


def find_ipv6(window: Window) -> Iterator[Found]:
    """An IPv6 address that can be somebody's: of 2000::/3 and of no range for a special purpose.

    Of space that was never given out, only what is written with all its groups, six of them with three digits or more: such a
    number is nothing else. Groups of two digits throughout, as in hardware addresses and fingerprints, are none, and
    an address that ends with 64 zero bits is a network's.
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
    if int(address) & (1 << 64) - 1 == 0:
        return
    if address in _GLOBAL:
        good = not any(address in network for network in _SPECIAL_V6)
    else:
        long = sum(len(group) >= 3 for group in data[start:stop].split(b":"))
        good = long >= 6 and b"::" not in data[start:stop] and not any(address in network for network in _NOT_UNALLOCATED)
    if good:
        yield Found(start, stop, "ip", str(address))
