"""Places where personal data may stand, one kind after another, by regular expressions."""

import re

EMAIL, NUMBER, IPV4, IPV6, CODE, PREFIX, PEM, ASSIGNED = 1, 2, 4, 8, 16, 32, 64, 128
Place = tuple[int, int, int]

_V4 = re.compile(rb"(?<!\d\.)(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)")
_TOKEN = rb"[A-Za-z0-9+./_~-]"
_ISSUED = re.compile(
    rb"(?i)(?<![a-z0-9_])(?=akia|asia|aiza|gh._|github_pat|[sr]k_live_|sk-|xox.-|glpat|hf_|npm_|eyj|sg\.)%s{16,2048}" % _TOKEN,
    re.DOTALL,
)
_PEM = re.compile(rb"(?i)-[\r-]{4}begin")
_ASSIGNED = re.compile(rb"[=:](?=[\"']| [\"'])|=(?=[A-Za-z0-9])")
_NAME = re.compile(rb"(?is).(?:e[ytn]|[rw]d|th)[^a-z]{0,4}\Z")


def slow_places(text: str) -> list[Place]:
    data = text.encode()
    return sorted([*_emails(data), *_digits(data), *_keys(data)])


def _emails(data: bytes) -> list[Place]:
    found = []
    for sign in re.finditer(b"@", data):
        local = re.search(rb"[A-Za-z0-9._%+\x80-\xff-]{0,64}\Z", data[: sign.start()])
        domain = re.match(rb"[A-Za-z0-9.\x80-\xff-]{0,253}", data[sign.end() :])
        if local.group() and b"." in domain.group() and not domain.group().startswith(b"."):
            found.append((local.start(), sign.end() + domain.end(), EMAIL))
    return found


def _digits(data: bytes) -> list[Place]:
    found: list[Place] = []
    number_end = colons_end = 0
    for digits in re.finditer(rb"\d+", data):
        at = digits.start()
        if address := _V4.match(data, at):
            found.append((*address.span(), IPV4))
            number_end = max(number_end, address.end())
        elif at >= colons_end and (address := _ipv6(data, at)):
            found.append((*address, IPV6))
            colons_end = address[1]
            number_end = max(number_end, address[1])
        elif code := _code(data, at, digits.end()):
            found.append((*code, CODE))
        elif at >= number_end:
            stop, number_end, good = _number(data, at)
            found += [(at, stop, NUMBER)] if good else []
    return found


def _ipv6(data: bytes, at: int) -> tuple[int, int] | None:
    if not re.match(rb"[0-9A-Fa-f]{1,5}:", data[at:]) and data[at - 1 : at] != b":":
        return None
    start = re.search(rb"[0-9A-Fa-f:]{0,48}\Z", data[:at]).start()
    run = re.match(rb"[0-9A-Fa-f:]{0,96}", data[start:]).group()
    longest = max(map(len, run.split(b":")))
    good = (b"::" in run or run.count(b":") >= 7) and 2 <= run.count(b":") <= 8 and 3 <= longest <= 4
    return (start, start + len(run)) if good else None


def _code(data: bytes, at: int, digits: int) -> tuple[int, int] | None:
    letters = re.search(rb"[A-Za-z0-9]{0,8}\Z", data[:at])
    start = letters.start()
    if not re.fullmatch(rb"[A-Za-z]{0,6}", letters.group()) or re.match(
        rb"[_\x80-\xff]", data[start - 1 : start] if start else b""
    ):
        return None
    token = re.match(rb"[A-Za-z0-9]{0,40}", data[start:]).group()
    for form in (
        rb"[A-Za-z]{6}\d{2}(?!\d).{8}",
        rb"[A-Za-z]{2}\d{6}(?!\d).",
        rb"[A-Za-z]\d{7}[A-Za-z]",
        rb"\d{8}[A-Za-z]",
        rb"\d{17}[A-Za-z]",
    ):
        if re.fullmatch(form, token):
            return start, start + len(token)
    if len(letters.group()) != 2 or (digits - at != 2 and len(token) < 15):
        return None
    more = re.compile(rb"(?: ?[A-Za-z0-9]){0,%d}" % max(0, 34 - (digits - start))).match(data, digits)
    size = digits - start + len(more.group().replace(b" ", b""))
    return (start, more.end()) if size >= 15 else None


def _number(data: bytes, at: int) -> tuple[int, int, bool]:
    groups: list[bytes] = []
    gaps: list[bytes] = []
    stop = at
    while sum(map(len, groups)) <= 60 and len(groups) <= 24:
        group = re.match(rb"\d+", data[stop:]).group()
        groups.append(group)
        stop += len(group)
        if re.search(rb"[A-Za-z_]\Z", data[:at]):
            return stop, stop, False
        gap = re.match(rb"(?!  )[ ()./-]{1,3}(?=\d)", data[stop:])
        if not gap:
            break
        gaps.append(gap.group())
        stop += gap.end()
    following = stop
    if sum(map(len, groups)) > 60 or len(groups) > 24:
        return stop, following, False
    if re.match(rb"[A-WYZa-wyz_]", data[stop : stop + 1]):
        stop -= len(groups.pop())
        if not groups:
            return stop, following, False
        stop -= len(gaps.pop())
    sizes = [len(group) for group in groups]
    digits = sum(sizes)
    if digits < 7:
        return stop, following, sizes == [2, 2, 2] and gaps == [b" ", b" "]
    if len(groups) == 1:
        return stop, following, digits <= 20
    if sizes == [4, 4] and gaps == [b"-"]:
        return stop, following, not all(group.startswith((b"19", b"20")) for group in groups)
    if len(groups) == 2 and gaps == [b"."]:
        return stop, following, False
    date = sizes[:3] == [4, 2, 2] and sum(len(gap) == 1 for gap in gaps) >= 2 and digits <= 14
    return stop, following, not (date and groups[0].startswith((b"1", b"2")))


def _keys(data: bytes) -> list[Place]:
    # not finditer: a token may hold another prefix, behind a mark
    found = [(*match.span(), PREFIX) for at in range(len(data)) if (match := _ISSUED.match(data, at))]
    found += [(match.start(), match.end(), PEM) for match in _PEM.finditer(data)]
    for sign in _ASSIGNED.finditer(data):
        start = sign.end() + re.match(rb"[ \"']{0,2}", data[sign.end() :]).end()
        token = re.match(_TOKEN + rb"{0,512}", data[start:]).group()
        long = len(token) >= 16 and re.search(rb"\d", token) and re.search(rb"[A-Za-z]", token)
        if long and _NAME.search(data[: sign.start()]):
            found.append((start, start + len(token), ASSIGNED))
    return found
