"""Why the default mode decides otherwise than datatrove: which kinds of text are cut into other words.

A piece is what stands between white space; its kind is the first of KINDS that it matches. For each kind, the documents that
are judged otherwise are measured again with our words but for the pieces of that kind, which get datatrove's: how many of
them are then judged like datatrove does is what the kind is to blame for.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.docs import Docs
from stages.kernels.unicode import UNSPACED, classes
from stages.kernels.words import Words, words

KINDS: list[tuple[str, str]] = [
    ("Han, kana, Thai and their like", ""),
    ("addresses with ://", r"://"),
    ("@", r"@"),
    ("don't, Ann's, 'quoted'", r"['’‘]"),
    ("brackets inside or beside: write(2)", r"[()\[\]{}<>]"),
    (":: or : inside", r":."),
    ("slashes", r"/"),
    ("hyphens and dashes", r"[-–—]"),
    ("letters and digits together: 2pm, x86", r"(?=.*\d)(?=.*[^\W\d_])"),
    ("full stops at the end: Mr.", r"\w\W*\.$"),
    ("full stops inside", r"\.."),
    ("letters only: cannot", r"^[^\W\d_]+$"),
    ("other marks", r""),
]
SHAPES = 40
Result = dict[str, Any]
Judge = Callable[[Docs], list[str | None]]


def causes(table: pa.Table, expected: list[str | None], ours_before: list[str | None], judge: Judge) -> Result:
    """What each kind is to blame for, and the most frequent shapes of pieces with the words of both.

    table        documents that `judge` judges otherwise than datatrove
    expected     datatrove's first reasons for them
    ours_before  ours

    Kinds come in the order in which they are best mended: next is the one that sets most reasons right beside those before it.
    """
    docs = Docs(table)
    ours, theirs = words(docs, "sluice"), words(docs, "datatrove")
    pieces = different_pieces(docs, ours, theirs)

    def set_right(kinds: set[int]) -> Result:
        mixed = Docs(table)
        mixed.view(("words", "sluice"), lambda: replaced(ours, theirs, [piece for piece in pieces if piece["kind"] in kinds]))
        found = list(zip(judge(mixed), expected, ours_before, strict=True))
        return {
            "reasons": sum(mixed == other for mixed, other, _ in found),
            "decisions": sum((mixed is None) == (other is None) != (before is None) for mixed, other, before in found),
        }

    blame: list[Result] = []
    done: set[int] = set()
    left = {piece["kind"] for piece in pieces}
    while left:
        together = {kind: set_right(done | {kind}) for kind in left}
        best = max(sorted(left), key=lambda kind: (together[kind]["reasons"], together[kind]["decisions"]))
        of = [piece for piece in pieces if piece["kind"] == best]
        examples = Counter(f"{' '.join(piece['ours'])}  |  {' '.join(piece['theirs'])}"[:100] for piece in of)
        blame.append(
            {
                "kind": KINDS[best][0],
                "pieces": len(of),
                "our_words_more": sum(len(piece["ours"]) - len(piece["theirs"]) for piece in of),
                "in_documents": len({piece["document"] for piece in of}),
                "set_right_alone": set_right({best}),
                "set_right_with_those_before": together[best],
                "ours_and_datatroves": [example for example, _ in examples.most_common(6)],
            }
        )
        done.add(best)
        left.remove(best)
    return {"kinds": blame, "shapes": shapes(pieces)}


def different_pieces(docs: Docs, ours: Words, theirs: Words) -> list[Result]:
    """Pieces between white space in which the words are not the same, with the indices of their words."""
    text = docs.text()
    data = text.data.tobytes()
    found = []
    # a loop over documents: there are only those few that are judged differently
    for document in range(len(docs)):
        start, stop = (int(offset) for offset in text.offsets[document : document + 2])
        for match in re.finditer(rb"[^\x00-\x20]+", data[start:stop]):
            span = start + match.start(), start + match.end()
            mine, other = (within(cut, document, span) for cut in (ours, theirs))
            cut = [[data[cut.starts[word] : cut.starts[word] + cut.sizes[word]] for word in range(*place)]
                   for cut, place in ((ours, mine), (theirs, other))]  # fmt: skip
            if cut[0] != cut[1]:
                piece = match[0].decode()
                one, two = ([word.decode() for word in of] for of in cut)
                found.append(
                    {
                        **{"document": document, "piece": piece, "kind": kind_of(piece)},
                        **{"ours": one, "theirs": two, "our_words": mine, "their_words": other},
                    }
                )
    return found


def within(cut: Words, document: int, span: tuple[int, int]) -> tuple[int, int]:
    """First and last index of the words that begin in a stretch of bytes."""
    low, high = cut.doc_offsets[document : document + 2]
    first, last = np.searchsorted(cut.starts[low:high], span)
    return int(low + first), int(low + last)


def kind_of(piece: str) -> int:
    if any(classes()[ord(character)] & UNSPACED for character in piece):
        return 0
    return next(index for index, (_, pattern) in enumerate(KINDS) if index and re.search(pattern, piece))


def replaced(ours: Words, theirs: Words, pieces: list[Result]) -> Words:
    """Our words with datatrove's in the given pieces."""
    documents = len(ours.doc_offsets) - 1
    by_document: dict[int, list[Result]] = defaultdict(list)
    for piece in pieces:
        by_document[piece["document"]].append(piece)
    parts: list[list[np.ndarray]] = [[] for _ in ours._fields[1:]]
    doc_offsets = np.zeros(documents + 1, np.int64)
    for document in range(documents):
        at, total = int(ours.doc_offsets[document]), 0
        stretches: list[tuple[Words, int, int]] = []
        for piece in by_document[document]:
            first, last = piece["our_words"]
            stretches += [(ours, at, first), (theirs, *piece["their_words"])]
            at = last
        stretches.append((ours, at, int(ours.doc_offsets[document + 1])))
        for source, first, last in stretches:
            total += last - first
            for field, part in zip(source[1:], parts, strict=True):
                part.append(field[first:last])
        doc_offsets[document + 1] = doc_offsets[document] + total
    fields = [np.concatenate([*part, field[:0]]) for part, field in zip(parts, ours[1:], strict=True)]
    return Words(doc_offsets, *fields)


def shapes(pieces: list[Result]) -> list[Result]:
    """The most frequent shapes: letters as a or A, digits as 9, runs of the same once."""
    by_shape: dict[str, list[Result]] = defaultdict(list)
    for piece in pieces:
        by_shape[shape_of(piece["piece"])].append(piece)
    ordered = sorted(by_shape.items(), key=lambda item: (-len({piece["document"] for piece in item[1]}), item[0]))
    return [
        {
            "shape": shape,
            "pieces": len(of),
            "documents": len({piece["document"] for piece in of}),
            "our_words_more": sum(len(piece["ours"]) - len(piece["theirs"]) for piece in of),
            "example": f"{' '.join(of[0]['ours'])}  |  {' '.join(of[0]['theirs'])}"[:100],
        }
        for shape, of in ordered[:SHAPES]
    ]


def shape_of(piece: str) -> str:
    kinds = "".join("A" if c.isupper() else "a" if c.isalpha() else "9" if c.isdigit() else c for c in piece)
    shape = re.sub(r"(.)\1+", r"\1", kinds).replace("Aa", "a")
    return shape if len(shape) <= 12 else shape[:12] + "~"
