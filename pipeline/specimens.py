"""Documents that stages are tried on: every kind of text that has broken somebody's pipeline, small and always the same."""

from functools import cache
from typing import Any

import pyarrow as pa

from pipeline import registry
from pipeline.function import TYPES
from schemas.columns import DOCUMENT, WEB
from schemas.errors import SluiceError
from stages.core.generated import FINISH_REASON, KIND, PARENT_TEXT, SYNTHETIC
from stages.core.stage import Stage

_PARAGRAPH = (
    "The river rises in the hills to the north of the town and the people who live along it have built mills there for as"
    " long as anyone can remember. Most of them are gone now, but the weirs are still to be seen when the water is low."
)

TEXTS: tuple[str, ...] = (
    _PARAGRAPH,
    "",
    " ",
    "\n\n\n",
    "a",
    "The same line.\nThe same line.\nThe same line.\nAnother line.\n\nThe same line.",
    "First line\r\nsecond line\rthird\x85fourth\u2028fifth\u2029sixth\x0bseventh\x0ceighth",
    "NUL in\x00the middle\x00\x00 and control \x01\x1b\x7f characters",
    "Ünïcödé: naïve café, Straße, ĳ, ŉ, ﬁ, İstanbul, ΣΊΣΥΦΟΣ",
    "e\u0301 a\u030a\u0323 Z\u0351\u036b\u0343\u036a combining, and \u0301 alone at the start of a word",
    "中文没有空格，也可以分成词语。这是第二句。这是第三句！",
    "これは日本語の文章です。カタカナとひらがなが混ざっています。",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ แต่มีช่องว่างระหว่างประโยค",
    "هذه جملة عربية، وهذه جملة أخرى؟ نعم.",
    "यह हिन्दी का एक वाक्य है। यह दूसरा वाक्य है।",
    "\u1100\u1161\u11a8 decomposed 각 composed 한국어 문장입니다.",
    "👩‍👩‍👧‍👦 family, 🇩🇪 flag, 👍🏽 tone, ❤️ variation, 🏴󠁧󠁢󠁥󠁮󠁧󠁿 tags",
    "\ufeffbyte order mark, \u200bzero width\u200d, \u00adsoft hyphen, \ue000private, \U0010ffff last, \ufffd replacement",
    "x" * 5000,
    "!!! ??? ... *** --- ### \u2026\u2026",
    "12 345 6,789.00 1e10 0x1F 2024-01-01 +49 30 123456",
    "- one bullet\n* another bullet\n\u2022 a third\n- a line that goes on ...\nand ends with dots\u2026",
    "function f() { return javascript; } // lorem ipsum dolor sit amet\nThis site uses cookies. Terms of use. Read more...",
    "Visit https://example.org/a?b=c&d=%20e or www.example.com, mail to someone@example.org. [1] [2] [citation needed]",
    "to be or not to be " * 60,
    "\n".join(f"Line number {line} of a list of many lines, with an end." for line in range(60)),
    _PARAGRAPH,
    _PARAGRAPH + " This one ends with another sentence.",
    _PARAGRAPH.replace("north", "south"),
    "   \t leading and trailing blanks \t  \n",
    "\u3000ideographic\u00a0no-break\u2003em\u2009thin spaces\u3000",
    "One. Two! Three? Four: \u201cquoted.\u201d (Five.) \u00abSix\u00bb \u2014 seven; eight",
)

HUGE: tuple[str, ...] = (
    (_PARAGRAPH + " ") * 4600,
    "文字" * 170_000,
    "short lines\n" * 85_000,
    "y" * 1_000_000,
)
"""About 1 MB each: words, a script without spaces, lines, and one word."""


_GENERATED: dict[str, tuple[str | None, ...]] = {
    KIND: (SYNTHETIC, "real", SYNTHETIC),
    FINISH_REASON: ("stop", None, "length", "stop"),
}


def documents(texts: tuple[str | None, ...], columns: tuple[str, ...] = ()) -> pa.Table:
    """The texts as documents of two sources with unique ids, and `columns` filled with values that could be there."""
    rows = range(len(texts))
    core = {
        "id": pa.array([f"doc-{row:03}" for row in rows], pa.string()),
        "source": pa.array([("web", "books")[row % 2] for row in rows], pa.string()),
        "text": pa.array(texts, pa.large_string()),
        "url": pa.array([None if row % 4 == 3 else f"https://www.example{row % 5}.org/{row}" for row in rows], pa.string()),
        "date": pa.array([None if row % 3 == 2 else f"2024-0{row % 9 + 1}-01" for row in rows], pa.string()),
        "extra": pa.array([None if row % 2 else f'{{"n": {row}}}' for row in rows], pa.string()),
    }
    schema = DOCUMENT
    if None in texts:
        schema = schema.set(schema.get_field_index("text"), schema.field("text").with_nullable(True))
    table = pa.table(core, schema)
    for column in columns:
        if column not in core:
            table = table.append_column(column, _values(column, len(texts)))
    return table


def _values(column: str, rows: int) -> pa.Array:
    if column == PARENT_TEXT:
        return pa.array([None if row % 5 == 4 else TEXTS[(row * 3) % len(TEXTS)] for row in range(rows)], pa.large_string())
    if column in _GENERATED:
        values = _GENERATED[column]
        return pa.array([values[row % len(values)] for row in range(rows)], pa.string())
    kind = _written_types().get(column)
    if kind is None:
        kind = pa.string() if "language" in column and "score" not in column else pa.float64()
    made: list[Any]
    if pa.types.is_fixed_size_list(kind):
        made = [[((row * 37 + at * at) % 11) / 10 - 0.5 for at in range(kind.list_size)] for row in range(rows)]
    elif pa.types.is_integer(kind):
        made = [(row * 7) % 100 for row in range(rows)]
    elif pa.types.is_floating(kind):
        made = [((row * 37) % 101) / 100 for row in range(rows)]
    elif pa.types.is_boolean(kind):
        made = [row % 3 == 0 for row in range(rows)]
    elif "language" in column:
        made = [("en", "de", "zh", "und", "th")[row % 5] for row in range(rows)]
    else:
        made = [f"value {row % 7}" for row in range(rows)]
    return pa.array(made, kind)


def example(kind: type[Stage]) -> Stage:
    """The stage with the parameters of its `example` (a ClassVar; needed where a field has no default)."""
    return kind.model_validate(getattr(kind, "example", {}))


@cache
def _written_types() -> dict[str, pa.DataType]:
    """Types of the columns that stages write. A stage that cannot be made here tells of it in its own checks."""
    types = {name: TYPES[kind] for name, kind in WEB.items()}
    for name in registry.names():
        try:
            for node in example(registry.find(name)).nodes():
                types |= node.columns_written()
        except (SluiceError, ValueError, ImportError):
            continue
    return types
