"""Runs texts through all comparisons, and makes what fails small."""

import random
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from comparison import Comparison, differences
from comparisons import COMPARISONS
from placements import placed
from slow_comparisons import SLOW_COMPARISONS

from stages.core.docs import Docs

ALL = {**COMPARISONS, **SLOW_COMPARISONS}
_PLACEMENTS = 4
_SECONDS = 15


def kind_of(error: Exception) -> str:
    """The error and the kernel's line that raised it, without what depends on the text."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if Path(frame.filename).name not in ("plain_kernels.py", "checked_arrays.py")]
    return f"{type(error).__name__} at {'/'.join(Path(outside[-1].filename).parts[-3:])}:{outside[-1].lineno}"


def failures(comparison: Comparison, texts: list[str], places: dict[str, list[Docs]]) -> Iterator[tuple[str, str, int | None]]:
    """(kind, place, row) of every failure; an exception has no row."""
    expected = [comparison.definition(text) for text in texts]
    for place, batches in places.items():
        try:
            for row in differences(comparison, batches, expected):
                yield "disagreement", place, row
        except Exception as error:  # whatever a kernel raises is a finding
            yield kind_of(error), place, None


def _fails(name: str, kind: str) -> Callable[[list[str]], tuple[str, int] | None]:
    """A test of whether texts still fail this way: at which place, placed with which seed."""

    def test(texts: list[str]) -> tuple[str, int] | None:
        for seed in range(_PLACEMENTS):
            for found, place, _ in failures(ALL[name], texts, placed(texts, random.Random(seed))):
                if found == kind:
                    return place, seed
        return None

    return test


def minimised(name: str, kind: str, texts: list[str], row: int | None) -> dict[str, Any]:
    """The failure with as few and as short texts as were found in a few seconds; as it came if it does not come again."""
    fails, deadline = _fails(name, kind), time.monotonic() + _SECONDS
    candidates = [row] if row is not None else range(len(texts))
    texts = next(([texts[only]] for only in candidates if fails([texts[only]])), texts)
    place = fails(texts)
    if place:
        texts = _shorter(texts, lambda part: fails(part) is not None, deadline)
        if len(texts) == 1:
            texts = ["".join(_shorter([*texts[0]], lambda part: fails(["".join(part)]) is not None, deadline))]
        place = fails(texts)
    found = {"comparison": name, "kind": kind, "texts": texts, "place": place and place[0], "seed": place and place[1]}
    return found | _answers(name, texts, place)


def _answers(name: str, texts: list[str], place: tuple[str, int] | None) -> dict[str, str]:
    comparison = ALL[name]
    answers = {"expected": repr([comparison.definition(text) for text in texts])[:2000]}
    if place:
        try:
            batches = placed(texts, random.Random(place[1]))[place[0]]
            answers["found"] = repr([answer for docs in batches for answer in comparison.answers(docs)])[:2000]
        except Exception:  # as above
            answers["found"] = traceback.format_exc()[-2000:]
    return answers


def _shorter(parts: list[str], fails: Callable[[list[str]], bool], deadline: float) -> list[str]:
    size = len(parts) // 2
    while size:
        at = 0
        while at < len(parts) and time.monotonic() < deadline:
            rest = parts[:at] + parts[at + size :]
            if rest and fails(rest):
                parts = rest
            else:
                at += size
        size //= 2
    return parts
