"""Sentences of the default mode."""

import functools
import re
import unicodedata

import numpy as np

from stages.kernels.unicode import TERMINAL, classes


@functools.cache
def _patterns() -> tuple[str, str, str]:
    table = classes()
    wide = "。｡！？．﹒﹖﹗"
    ends = "".join({chr(code) for code in np.flatnonzero(table & TERMINAL)} - set(wide)) + "…"
    closers = "\"'" + "".join(c for c in map(chr, range(0x20000)) if unicodedata.category(c) in ("Pe", "Pf"))
    return f"[{re.escape(ends)}]", f"[{wide}]", f"[{re.escape(ends + wide + closers)}]"


def slow_sentences(text: str) -> int:
    """Cut after ends and what closes with them; a sentence has something besides."""
    some, full, both = _patterns()
    total = 0
    for line in text.split("\n"):
        # A full-width mark closes what came before; others only before white space.
        cut = re.sub(f"({both}*{full}{both}*)", "\\1\n", line)
        cut = re.sub(f"({some}{both}*)(?=\\s|$)", "\\1\n", cut)
        total += sum(re.sub(f"{both}|\\s", "", part) != "" for part in cut.split("\n"))
    return total
