"""How numbers and foreign text are shown to people, alike in the terminal and in the report."""

import math
import unicodedata


def number(value: float | int | None) -> str:
    """`1234567` as `1,234,567`; a fraction with four significant digits; `–` for None."""
    if value is None:
        return "–"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def size(value: float | int | None) -> str:
    """Bytes in powers of 1000: `15.4 MB`."""
    return _scaled(value, ("bytes", "kB", "MB", "GB", "TB", "PB"), " ")


def short(value: float | int | None) -> str:
    """A count in three digits: `12.3M`."""
    return _scaled(value, ("", "k", "M", "B", "T", "Q"), "")


def _scaled(value: float | int | None, units: tuple[str, ...], space: str) -> str:
    if value is None:
        return "–"
    unit, amount = 0, float(value)
    # 999.5 and more would be shown as 1000 of the smaller unit
    while abs(amount) >= 999.5 and unit < len(units) - 1:
        amount, unit = amount / 1000, unit + 1
    digits = f"{amount:.0f}" if unit == 0 or amount >= 99.95 else f"{amount:.1f}"
    return f"{digits}{space}{units[unit]}".rstrip()


def share(part: float | int | None, whole: float | int | None = 1) -> str:
    """Per cent with one decimal. Never `0.0 %` of something, never `100.0 %` of less than all."""
    if part is None or not whole:
        return "–"
    fraction = part / whole
    text = f"{100 * fraction:.1f} %"
    if text == "0.0 %" and fraction > 0:
        return "<0.1 %"
    if text == "100.0 %" and fraction < 1:
        return ">99.9 %"
    return text


def duration(seconds: float | None) -> str:
    """`42.5 s`, `3 min 20 s`, `5 h 03 min`."""
    if seconds is None:
        return "–"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def limit_text(limit: object) -> str:
    """A limit as a person reads it: `50`, or for a table by a column `ar 30 · en 50 · others 40`."""
    if isinstance(limit, dict) and "values" in limit:
        default = limit.get("default")
        parts = [f"{key} {'no limit' if value is None else number(value)}" for key, value in sorted(limit["values"].items())]
        parts.append("others " + ("no limit" if default is None else number(default)))
        by = limit.get("by", "language")
        return " · ".join(parts) + ("" if by == "language" else f" (by {by})")
    if isinstance(limit, dict) and "percentile" in limit:
        return f"percentile {number(limit['percentile'])}" + (f" by {limit['by']}" if limit.get("by") else "")
    return number(limit) if isinstance(limit, int | float) else "–"


def limit_brief(limit: object, most: int = 6) -> str:
    """`limit_text`, but of a table with more than `most` entries only their range: `20 to 66 by language`."""
    if not isinstance(limit, dict) or len(limit.get("values") or {}) <= most:
        return limit_text(limit)
    default = limit.get("default")
    numbers = [value for value in (*limit["values"].values(), default) if value is not None]
    if not numbers:
        return "no limit"
    text = f"{number(min(numbers))} to {number(max(numbers))} by {limit.get('by', 'language')}"
    return text if default is not None else f"{text}, others no limit"


_HARMLESS = {"\n", "\t"}


def plain(text: object, limit: int | None = None) -> str:
    """Text from documents made inert: controls, escapes and direction overrides become signs; cut at `limit` with an ellipsis.

    U+001B becomes `␛`, other C0 controls their picture, C1 controls and bidirectional controls `\\u202e`-like.
    """
    string = str(text)
    if limit is not None and len(string) > limit:
        string = string[: max(limit - 1, 0)].rstrip() + "…"
    if string.isprintable():
        return string
    return "".join(char if char.isprintable() or char in _HARMLESS else _sign(char) for char in string)


def _sign(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # joiners shape letters of Indic and Arabic script and emoji; spaces are spaces
    if code in (0x200C, 0x200D) or unicodedata.category(char) == "Zs":
        return char
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: object, limit: int | None = None) -> str:
    """`plain` on one line: line ends become `⏎`, other white space one space."""
    lines = [" ".join(line.split()) for line in str(text)[: 4 * limit if limit else None].splitlines()]
    return plain(" ⏎ ".join(line for line in lines if line), limit)
