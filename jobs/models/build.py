"""Make the text that `quality-en` is trained on from a folder of raw corpus files, and train it with `sluice train quality`.

    python jobs/models/build.py CORPUS_FOLDER WORK_FOLDER

Reads raw-*.parquet and raw-*.jsonl.gz as jobs/sample/build.py does, and takes only English texts of Debian 12 packages with
clear licences (PROSE, CODE, NOTICES; see stages/models/NOTICE). Nothing is drawn at random: choices are hashes, so the same
corpus gives the same model. Writes WORK_FOLDER/good.jsonl and other.jsonl, and the model with its card to stages/models.

good    passages of running prose: paragraphs next to each other, of whole sentences, together 300 to 2500 characters
other   what stands between them (headings, lists, options, tables), program code, licence notices, and made page furniture:
        menus, calls to buy and lists of key words, put together from the phrases below and from the manuals' own headings,
        since none of the packages has web pages
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

MODELS = Path(__file__).resolve().parents[2] / "stages" / "models"
OPTIONS = {"dim": 32, "epochs": 10, "lr": 0.5, "buckets": 200_000, "min-count": 3, "cutoff": 60_000, "seed": 1}
Row = dict[str, Any]

PROSE = (
    "debian-handbook", "debian-policy", "debian-reference-en", "debmake-doc", "git-doc", "python3.11-doc", "dict-devil",
    "dict-jargon", "fortunes", "fortunes-min",
)  # fmt: skip
CODE = ("libpython3.11-stdlib",)
NOTICES = ("copyright-files",)
PATHS = {
    # as in the sample: no songs, no literature under copyright; notices that their authors let everybody copy
    "fortunes": r"(computers|debian|definitions|education|goedel|law|linux|perl|pets|science|wisdom|work)#.*",
    "fortunes-min": r"(fortunes|riddles)#.*",
    "copyright-files": r"(common-licenses/|lib|debian-|llvm-).*",
}
LEAST, MOST = 300, 2500
MADE = 3000
"""pieces of furniture, about as many as there are of other text of each kind"""
CODE_PIECES = 2000

FURNITURE = """
Home; About; About us; Contact; Contact us; Log in; Login; Sign in; Sign up; Register; Subscribe; Share; Share on Facebook;
Tweet; Pin it; Email; Print; Print this page; Read more; Learn more; See all; View all; Show more; Load more; Next; Previous;
Back to top; Skip to content; Menu; Search; Search this site; Site map; Privacy policy; Terms of use; Terms and conditions;
Cookie policy; Accept cookies; All rights reserved; Copyright; Powered by; Follow us; Like us; Related posts; Related articles;
Recent posts; Recent comments; Popular posts; Archives; Categories; Tags; Leave a comment; Leave a reply; Post a comment;
No comments; Reply; Add to cart; Add to basket; Checkout; My account; Wish list; Shipping; Returns; Free shipping; In stock;
Out of stock; Sale; Save; Price; Quantity; Reviews; Write a review; Rating; Compare; Gallery; Photos; Videos; News; Events;
Calendar; Careers; Jobs; Help; FAQ; Support; Download; Download now; Advertise; Advertisement; Sponsored; Newsletter; RSS;
Facebook; Twitter; Instagram; YouTube; Pinterest; LinkedIn; Views; Likes; Posted by; Posted in; Posted on; Filed under;
Permalink; Trackback; Edit; Report; Reply to this; Quote; Join date; Posts; Location; Username; Password; Remember me;
Forgot your password; Click here; Enter your email; Submit; Cancel; Close; Loading; Error; Page not found; Trending;
Top stories;
Latest news; Most read; Most popular; You may also like; More from; Continue reading; Watch now; Listen; Play; Sort by; Filter;
Results; Page; Items; Showing; Language; English; United States; Select; Choose; Details; Description; Features; Specifications
"""
PITCHES = """
buy now and save; best price guaranteed; order today; limited time offer; click here for more; free trial; cheap deals online;
call now; act now; win a prize; you have been selected; claim your bonus; no credit card needed; 100 % satisfaction; discount
code; lowest prices; free quote; earn money from home; lose weight fast; visit our website; special promotion; unlimited access;
satisfaction guaranteed; as seen on TV; order online; fast delivery; exclusive offer; download for free; best reviews; top rated
"""


def main(corpus: Path, work: Path) -> None:
    rows = [row for row in read(corpus) if row["lang"] == "en"]
    good: list[str] = []
    between: list[str] = []
    for row in of(rows, PROSE):
        for is_prose, text in passages(row["text"]):
            (good if is_prose else between).append(text)
    headings = sorted({text.strip() for text in between if len(text) < 60}, key=rank)
    other = [text for text in between if len(text) >= 80]
    other += sorted((text for row in of(rows, CODE) for text in pieces(row["text"])), key=rank)[:CODE_PIECES]
    other += [text for row in of(rows, NOTICES) for text in list(pieces(row["text"]))[:2]]
    other += [furniture(number, headings) for number in range(MADE)]
    work.mkdir(parents=True, exist_ok=True)
    for name, texts in (("good", good), ("other", other)):
        lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in sorted(set(texts), key=rank))
        (work / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    MODELS.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "jobs.cli", "train", "quality", "--positive", "good.jsonl", "--negative", "other.jsonl"]
    command += ["--output", str(MODELS / "quality-en.ftz"), "--force"]
    command += [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    subprocess.run(command, check=True, cwd=work)


def read(folder: Path) -> Iterable[Row]:
    """Every row of the corpus, from both of its formats."""
    files = sorted(folder.glob("raw-*"))
    if not files:
        raise SystemExit(f"{folder}: no raw-*.parquet or raw-*.jsonl.gz")
    for file in files:
        if file.suffix == ".parquet":
            yield from pq.read_table(file).to_pylist()
        elif file.name.endswith(".jsonl.gz"):
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                yield from map(json.loads, lines)


def of(rows: Sequence[Row], packages: Sequence[str]) -> list[Row]:
    found = []
    for row in rows:
        source, _, name = row["source"].partition(":")
        path = row["url"].removeprefix(f"{row['source']}/")
        if source == "debian" and name in packages and re.fullmatch(PATHS.get(name, ".*"), path):
            found.append(row)
    return found


def rank(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def passages(text: str) -> Iterator[tuple[bool, str]]:
    """Runs of paragraphs that are prose, cut where they are long enough, and the runs between them."""
    held: list[str] = []
    kind = False
    for paragraph in re.split(r"\n\s*\n", text):
        prose = is_prose(paragraph)
        if held and (prose != kind or sum(map(len, held)) + len(paragraph) > MOST):
            yield from _passage(kind, held)
            held = []
        held.append(paragraph)
        kind = prose
    yield from _passage(kind, held)


def _passage(prose: bool, held: Sequence[str]) -> Iterator[tuple[bool, str]]:
    text = "\n\n".join(held)
    if text.strip() and (not prose or LEAST <= len(text) <= MOST):
        yield prose, text


def is_prose(paragraph: str) -> bool:
    """At least 20 words in whole sentences, most of them plain words, few of them marks."""
    words = paragraph.split()
    plain = sum(bool(re.fullmatch(r"[\"'(‘“]?[A-Za-z][A-Za-z’'-]*[\"')’”]?[,.;:!?]*", word)) for word in words)
    return len(words) >= 20 and plain >= 0.85 * len(words) and bool(re.search(r"[.!?:][\"')’”]*$", paragraph.rstrip()))


def pieces(text: str) -> Iterator[str]:
    """Whole lines, together 300 to 2500 characters."""
    held = ""
    for line in text.splitlines(keepends=True):
        if len(held) + len(line) > MOST // 2 and len(held) >= LEAST:
            yield held
            held = ""
        held += line
    if LEAST <= len(held) <= MOST:
        yield held


def furniture(number: int, headings: Sequence[str]) -> str:
    """A menu, a shop's calls or a list of key words; each choice is a hash of its number."""
    phrases, pitches = ([part.strip() for part in block.split(";")] for block in (FURNITURE, PITCHES))
    kind, count = chosen(number, "kind", 4), 5 + chosen(number, "count", 60)
    between = ("\n", " | ", "\n- ", " ", ", ")[chosen(number, "between", 5)]
    parts = []
    for place in range(count):
        where = chosen(number, f"where {place}", 10)
        if kind == 0 or where < (5 if kind == 1 else 2):
            parts.append(pick(phrases, number, place))
        elif kind == 1 or where < 4:
            parts.append(pick(headings, number, place))
        elif kind == 2:
            parts.append(pick(pitches, number, place))
        else:
            parts.append(" ".join(pick(headings, number, place).split()[:2]).lower())
        if where == 9:
            parts.append(
                f"${chosen(number, f'price {place}', 300)}.99" if kind == 2 else str(chosen(number, f"n {place}", 2025))
            )
    return between.join(parts)


def chosen(number: int, what: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{number} {what}".encode()).digest()[:8], "little") % count


def pick(items: Sequence[str], number: int, place: int) -> str:
    return items[chosen(number, f"item {place}", len(items))]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
