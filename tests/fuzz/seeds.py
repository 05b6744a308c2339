"""Texts to begin with: naughty ones, and pieces of real documents."""

import gzip
import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from random_texts import BREAKS, CONSTRUCTS, SPACES, random_texts

ROOT = Path(__file__).parents[2]
SAMPLE = (ROOT / "jobs" / "sample" / "manuals-00.parquet", ROOT / "jobs" / "sample" / "snippets-00.jsonl.gz")
_LONGEST, _OF_A_FILE = 700, 60

NAUGHTY = [
    "",
    " ",
    *BREAKS,
    *SPACES,
    *CONSTRUCTS,
    "\0before\0after\0",
    "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "\u202eabc \u2067عربي עברית\u2069 \u200f\u200e",
    "Z\u0351\u036b\u0343" + "a\u0300\u0301\u0302\u0303\u0304" * 20,
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏿 🇺🇳 1️⃣",
    "\ufeff\ufeffa\ufeff\ufffe",
    "\u0301\u20dd\u0e33\u0e48",
    "İstanbul ıssız ẞß ﬁ ŉ ǰ ΣΑΣ",
    "'; DROP TABLE documents; -- {{7*7}} ${x} <script>alert(1)</script> %s %n {0}",
    "x" * 600,
    "x" * 1001 + " a b.",
    "é" * 300,
    "漢" * 300,
    "a " * 200,
    "a b c d e f g h i j " * 12,
    "can not cannot " * 15,
    "-" * 100,
    "." * 100,
    "://" * 30,
    "\n" * 100,
    "\r\n" * 50,
    "a\n\na\n\n" * 20,
    "[1]" * 40,
    "one two three.[1]\nlorem ipsum\n{\njavascript one two.\nuse cookies here now.\n" * 3,
    "- a…\n• b...\n# c" * 10,
]


def _texts(path: Path) -> list[str]:
    """All texts of a file of short ones, some of a file of documents: Parquet or JSON lines, columns `text` or `content`."""
    if path.suffix == ".parquet":
        column = pq.read_table(path, columns=["text"]).column("text")
        texts = [column[row].as_py() or "" for row in range(0, len(column), max(len(column) // _OF_A_FILE, 1))]
    else:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in itertools.islice(lines, 2000)]
        texts = [row.get("text") or row.get("content") or "" for row in rows]
    short = sum(map(len, texts)) < 100 * len(texts)
    return texts if short else texts[:: max(len(texts) // _OF_A_FILE, 1)]


def seeds(seed: int, paths: Sequence[Path] = ()) -> list[str]:
    """Naughty strings, random texts, and pieces, of at most some hundred code points, of texts in the files and the sample."""
    pick, texts = random.Random(seed), [*NAUGHTY, *random_texts(seed, 100)]
    for text in (text for path in (*SAMPLE, *paths) for text in _texts(path)):
        begin = pick.randrange(max(len(text) - _LONGEST, 0) + 1)
        texts.append(text[begin : begin + pick.choice((60, 200, _LONGEST))])
    return [text for text in dict.fromkeys(texts) if _is_text(text)]


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: no Arrow column holds it
        return False
    return True
