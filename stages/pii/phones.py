"""Telephone numbers."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stages.pii.found import Found, Window

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_NANP = re.compile(
    r"(?<![\d./-])(?:(?:\+|00)?1[ .-]{0,2})?(?:\(([2-9]\d\d)\)[ .-]{0,2}|([2-9]\d\d)([ .-]|/ ?|--?))"
    r"([2-9]\d\d)([ .-]?)(\d{4})(?!\d)"
)
_BEGIN = re.compile(r"[+(]{0,2}\Z")
_EXTENSION = re.compile(r" ?(?:x|ext\.?:?|extension) ?\d{1,6}\b", re.IGNORECASE)
_NEAR = re.compile(
    r"\b(?:tel|tele?phone?|t[ée]l[ée]phone|telefon\w*|tel[ée]fono|telefone|puhelin|phone\w*|fax|mobiles?|mobil\w*|cell|cellular|m[óo]vil|handy"
    r"|gsm|sms|whatsapp|call|dial|contact|hotline|helpline|ring|text me)\b"
    r"|\b(?:messages?|answering|reach(?:ed)?) (?:to|at|on|under)\W{0,2}\Z"
    r"|\b(?:desk|office|home|work)\W{0,3}\Z|\A\W{0,3}(?:desk|office|home|work)\b|☎|📞|📱|телефон|тел\.|电话|電話|手机|전화",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"(?:isbn(?:-1[03])?|issn|doi|rfc|pmid|oclc|arxiv|lccn|ean|upc|serial|id|nr|no|version|v|pages?|pp|vol|date|order|bug|issue"
    r"|port|uid|pid|size|bytes|number of|[$€£¥#=_/@&?\\<>*^|%+-]|\d[.,:]) ?[.:#]? ?\Z",
    re.IGNORECASE,
)
_AFTER = re.compile(r"[%_=\\/@*^]|[-.:,]\d| ?(?:[KMG]i?B|bytes|bits|km|kg|mm|cm|Hz|MHz|px)\b")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[. ]\d{3})+")
_LONGEST = 15  # digits, ITU-T E.164


class Phones:
    """Finds what the library phonenumbers (Google's metadata of numbering plans) calls a valid number.

    With + and country code: valid anywhere. Without: valid in one of the regions, and written as a number is there:
    North American ones in groups of three, three and four; others in the groups in which the library writes them, or with a
    word as "phone" or "fax" near. Digits without any gap take such a word everywhere. Extensions belong to the number.
    """

    def __init__(self, regions: Sequence[str]) -> None:
        import phonenumbers

        self._library: Any = phonenumbers
        self._nanp = [region for region in regions if phonenumbers.country_code_for_region(region) == 1]
        self._others = [region for region in regions if region not in self._nanp]

    def find(self, window: Window) -> Iterator[Found]:
        """The numbers in a run of digits and gaps."""
        before = window.data[: window.start].decode("utf-8", "ignore")
        body = window.data[window.start : window.stop].decode("ascii")
        after = window.data[window.stop :].decode("utf-8", "ignore")
        lead = _BEGIN.search(before)
        prefix = lead.group() if lead else ""
        before = before[: len(before) - len(prefix)]
        offset = window.start - len(prefix)
        for start, stop, number in self._numbers(before, prefix + body, after):
            yield Found(offset + start, offset + stop, "phone", self._library.format_number(number, 0))

    def _numbers(self, before: str, text: str, after: str) -> Iterator[tuple[int, int, "PhoneNumber"]]:
        plus = text.find("+")
        if plus >= 0:
            found = None if _is_joined(before) or before[-1:] in ("+", "_", "=", "-") else self._international(text[plus:])
            if found is not None:
                number, size = found
                stop = self._end(text, plus + size, after)
                yield plus, stop, number
                rest = text[stop:].lstrip(" ./)-")
                begin = len(text) - len(rest)
                for start, end, other in self._numbers(text[:begin], rest, after):
                    yield begin + start, begin + end, other
            return
        digits = sum(map(text.count, "0123456789"))
        american = list(_NANP.finditer(text)) if self._nanp else []
        # asked first, as most rows of digits end here
        if not (american or (self._nanp and digits in (10, 11)) or (self._others and 7 <= digits <= _LONGEST)):
            return
        if _is_joined(before) or _AFTER.match(after) or _OTHER.search(before[-16:]):
            return
        near = _NEAR.search(before[-32:]) is not None or _NEAR.search(after[:12]) is not None
        some = False
        for match in american:
            if (near or _plausible(match)) and (one := self._valid(match.group(), self._nanp)):
                some = True
                yield match.start(), self._end(text, match.end(), after), one
        if not some and near and self._nanp and digits in (10, 11) and (one := self._valid(text, self._nanp)):
            some = True
            yield 0, self._end(text, len(text), after), one
        if not some and self._others and 7 <= digits <= _LONGEST:
            for region in self._others:
                national = self._valid(text, (region,))
                if national is not None and (near or self._grouped(text, national)):
                    yield 0, self._end(text, len(text), after), national
                    return

    def _international(self, text: str) -> "tuple[PhoneNumber, int] | None":
        """The longest valid number from the plus sign on, and its length."""
        ends = [match.end() for match in re.finditer(r"\d+", text)]
        if text[1:2] == "(":
            return None
        for end in reversed(ends):
            digits = sum(char.isdigit() for char in text[:end])
            if digits > _LONGEST + 1:
                continue
            if digits < 8:
                return None
            if (number := self._valid(text[:end], (None,))) is not None:
                return number, end
        return None

    def _end(self, text: str, stop: int, after: str) -> int:
        """Where the number ends with its extension."""
        match = _EXTENSION.match(text[stop:] + after)
        return stop + match.end() if match else stop

    def _valid(self, text: str, regions: Sequence[str | None]) -> "PhoneNumber | None":
        library = self._library
        for region in regions:
            try:
                number: PhoneNumber = library.parse(text, region)
            except library.NumberParseException:
                continue
            if region is None and library.is_valid_number(number):
                return number
            if region is not None and (
                library.is_valid_number_for_region(number, region)
                or (region in self._nanp and library.is_valid_number(number) and number.country_code == 1)
            ):
                return number
        return None

    def _grouped(self, text: str, number: "PhoneNumber") -> bool:
        """Whether the digits are grouped as the library writes this number, nationally; not in thousands."""
        written = self._library.format_number(number, 2)
        groups = re.findall(r"\d+", text)
        return len(groups) > 2 and not _THOUSANDS.fullmatch(text) and groups == re.findall(r"\d+", written)


def _plausible(match: re.Match[str]) -> bool:
    """Whether the gaps are those of a telephone number; three numbers with blanks between are a row of a table more often."""
    first, second = match[3], match[5]
    if first is None:
        return second != ""
    return (first, second) in (("-", "-"), (".", "."), (" ", "-"), ("/", "-"), ("/ ", "-"), ("--", "-"))


def _is_joined(before: str) -> bool:
    """Whether a letter or digit stands directly before; scripts without blanks (from U+2E80 on) do not count."""
    return before[-1:].isalnum() and before[-1:] < "\u2e80"
