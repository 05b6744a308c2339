"""Numbers and dates of English text in one form each, whether written in digits, with marks between them, or in words."""

import re

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: at for at, word in enumerate([*_UNITS.split(), "eighteen", "nineteen"])}
_WORDS |= {word: 10 * at for at, word in enumerate(_TENS.split(), 2)}
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_PLACES = {word: at for at, word in enumerate(_ORDINALS.split(), 1)}
_ALSO = {"once": 1, "single": 1, "twice": 2, "double": 2, "both": 2, "couple": 2, "pair": 2, "twin": 2}
_ALSO |= {"thrice": 3, "triple": 3, "trio": 3, "quarter": 4, "dozen": 12, "decade": 10, "century": 100, "half": 50}
"""words that stand for a number in a source, but in an answer for something else as well"""
_SUFFIXES = {"k": 3, "m": 6, "mn": 6, "b": 9, "bn": 9}
_ROMAN = {"II": 2, "III": 3, "IV": 4, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "XI": 11, "XII": 12, "XIII": 13, "XIV": 14}
_ROMAN |= {"XV": 15, "XVI": 16, "XVII": 17, "XVIII": 18, "XIX": 19, "XX": 20, "XXI": 21}

_NAMED = "|".join(sorted([*_WORDS, *_SCALES], key=len, reverse=True))
_SPELLED = re.compile(rf"\b(?:{_NAMED})(?:(?:\s+and\s+|\s+|-)(?:{_NAMED})){{0,11}}\b", re.IGNORECASE)
_DIGITS = re.compile(
    r"(?<!\w)\w*\d\w*(?:[.,]\d\w*)*(?:[\s-]+(?P<scale>hundred|thousand|million|billion|trillion)\b)?", re.IGNORECASE
)
_PLAIN = re.compile(r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<rest>\d+))?(?P<tail>[^\W\d_]*)")
_NUMERAL = re.compile(r"\b[IVX]{2,5}\b")
_MARKER = re.compile(r"(?m)^[^\w\n]*(?:(?:Q|A|Question|Answer|Step|Part|Fact|Point)\s*)?\d{1,3}\s*[.):](?=\s)", re.IGNORECASE)
_LETTERS = re.compile(r"\b[a-z]+\b", re.IGNORECASE)

_YEAR = "january february march april may june july august september october november december"
_MONTHS = _YEAR.split()
_MONTH = {**{name: at for at, name in enumerate(_MONTHS, 1)}, **{name[:3]: at for at, name in enumerate(_MONTHS, 1)}, "sept": 9}
_NAMES = "|".join(sorted(_MONTH, key=len, reverse=True))
_DAY = r"(?P<{}>\d{{1,2}})(?:st|nd|rd|th)?"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{_DAY.format('day')}(?:\s+of)?\s+(?P<month>{_NAMES})\b\.?(?:,?\s+(?P<year>\d{{4}})\b)?",
        rf"\b(?P<month>{_NAMES})\b\.?\s+{_DAY.format('day')}\b(?!:)(?:\s*,?\s+(?P<year>\d{{4}})\b)?",
        rf"\b(?P<month>{_NAMES})\b\.?,?\s+(?P<year>\d{{4}})\b",
        r"\b(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})\b",
        r"\b(?P<day>\d{1,2})[/.](?P<month>\d{1,2})[/.](?P<year>\d{4})\b",
    )
)
_LONE_MONTH = re.compile(rf"\b(?:{'|'.join(name.title() for name in _MONTHS if name not in ('march', 'may'))})\b")
_WEEKDAY = re.compile(r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b")


Number = frozenset[str]
"""the forms of a number, of which a source must have one: `5k` is 5 or 5000, `2nd` is 2 or place 2 (second)"""

Date = tuple[str, ...]
"""parts of a date, as many as are there: `month 5`, `day 12`, `year 2020`, `weekday mon`"""


_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NO_NAMES = frozenset((*_WORDS, *_SCALES, *_PLACES, *_MONTHS, *_DAYS, *(f"{day}s" for day in _DAYS)))
"""words, in small letters, that are numbers or parts of dates even where they have a capital"""


def canonical(whole: str, rest: str = "", shift: int = 0) -> str:
    """Digits in front of the point and behind it, times ten to the power of `shift`, without needless zeros."""
    rest = rest.ljust(shift, "0")
    whole, rest = whole.replace(",", "") + rest[:shift], rest[shift:].rstrip("0")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{rest}" if rest else whole


def dates(text: str) -> tuple[list[Date], str]:
    """All dates, and the text with blanks in their places."""
    found: list[Date] = []

    def take(match: re.Match[str]) -> str:
        fields = match.groupdict()
        month = _MONTH.get(fields["month"].lower()) or int(fields["month"])
        parts = [f"{name} {canonical(fields[name])}" for name in ("day", "year") if fields.get(name)]
        found.append((f"month {month}", *parts))
        return " " * len(match[0])

    for pattern in _DATES:
        text = pattern.sub(take, text)
    found += [(f"month {_MONTH[month.lower()]}",) for month in _LONE_MONTH.findall(text)]
    found += [(f"weekday {day[:3].lower()}",) for day in _WEEKDAY.findall(text)]
    return found, text


def numbers(text: str) -> list[Number]:
    """All numbers that a text states: digits, numbers in words but for a lone `one`, Roman numerals of two letters or more.

    Numbers of list items and questions are none. A mixed word (`x86`, `3.11.2`) is compared as it stands.
    """
    text = _MARKER.sub(lambda match: " " * len(match[0]), text)
    found = [number for match in _DIGITS.finditer(text) for number in _of_digits(match)]
    found += [
        frozenset({_spelled(words)})
        for words in _SPELLED.findall(_DIGITS.sub(" ", text))
        if words.lower() not in ("one", *_SCALES)
    ]
    return found + [frozenset({str(_ROMAN[word])}) for word in _NUMERAL.findall(text) if word in _ROMAN]


def known_numbers(text: str) -> frozenset[str]:
    """Every number that a source can be said to have, read generously: also ordinals, `twice`, `half`, parts of `1,5`."""
    found: set[str] = set()
    for match in _DIGITS.finditer(text):
        found.update(*_of_digits(match), map(canonical, re.findall(r"\d+", match[0])))
        whole = _PLAIN.match(match[0])
        if whole:
            found.add(canonical(whole["whole"], whole["rest"] or ""))
    for match in _SPELLED.finditer(text):
        found.add(_spelled(match[0]))
        found |= {_spelled(word) for word in re.findall(r"[a-z]+", match[0].lower()) if word in _WORDS or word in _SCALES}
    for word in _LETTERS.findall(text):
        if (value := _ALSO.get(word.lower())) is not None:
            found.add(str(value))
        if (place := _PLACES.get(word.lower())) is not None:
            found.add(f"place {place}")
    found |= {str(_ROMAN[match]) for match in _NUMERAL.findall(text) if match in _ROMAN}
    return frozenset(found)


def known_dates(text: str, known: frozenset[str]) -> frozenset[str]:
    """Every part of a date that a source has; numbers may be days and years anywhere, months in dates of digits both ways."""
    found = {part for date in dates(text)[0] for part in date}
    found |= {f"{name} {number}" for name in ("day", "year") for number in known}
    found |= {f"month {_MONTH[word]}" for word in map(str.lower, _LETTERS.findall(text)) if word in _MONTH}
    for match in re.findall(r"\b(\d{1,2})[/.-](\d{1,2})[/.-]\d{2,4}\b", text):
        found |= {f"month {canonical(part)}" for part in match}
    return frozenset(found)


def _of_digits(match: re.Match[str]) -> list[Number]:
    """The number of a piece with digits; several where commas stand between what is no group of thousands."""
    chunk, scale = match[0], match["scale"]
    if scale:
        chunk = chunk[: match.start("scale") - match.start()].rstrip(" -\t\n")
    if not _PLAIN.fullmatch(chunk) and "," in chunk:
        return [_forms(part, None) for part in chunk.split(",")]
    return [_forms(chunk, scale)]


def _forms(chunk: str, scale: str | None) -> Number:
    plain = _PLAIN.fullmatch(chunk)
    if plain is None:
        return frozenset({chunk.casefold()})
    whole, rest, tail = plain["whole"], plain["rest"] or "", plain["tail"].lower()
    if scale:
        return frozenset({canonical(whole, rest, _SCALES[scale.lower()])})
    forms = {canonical(whole, rest)}
    if tail in ("st", "nd", "rd", "th"):
        forms.add(f"place {canonical(whole)}")
    if tail in _SUFFIXES:
        forms.add(canonical(whole, rest, _SUFFIXES[tail]))
    return frozenset(forms)


def _spelled(text: str) -> str:
    """The value of a number in words."""
    total = current = 0
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _WORDS:
            current += _WORDS[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _SCALES:
            total += max(current, 1) * 10 ** _SCALES[word]
            current = 0
    return str(total + current)
