"""How texts end: like a sentence, with everything closed that was opened, or in the middle, or in a loop."""

import re

_TERMINAL = frozenset(".!?…。．！？؟۔।॥։።")
_CLOSING = "\"'”’»›)]}）」』】*_`~"
_ITEM = re.compile(r"\s*(?:[-*•+–]|\(?\d{1,3}[.)]|\(?[a-z][.)]|\|)\s*\S")
_FENCE = re.compile(r"(?m)^[ \t]*(`{3,}|~{3,})")
_BRACKETS = {")": "(", "]": "[", "}": "{", "”": "“", "»": "«", "）": "（", "」": "「", "』": "『"}
_OPENING = frozenset(_BRACKETS.values())
_NUMBERED = re.compile(r"(?m)(?:^|(?<=\s))\(?(?:\d{1,3}|[a-zA-Z])\)")
_SMILEYS = re.compile(r"(?:(?<=\s)|^)[:;=8][-^o]?[()\[\]{}](?=\s|$)")


def ends_well(text: str) -> bool:
    """Whether a text ends as a whole one may: with a mark that ends a sentence (and marks that close), a closed block of code,
    or an item of a list or table of which an earlier one ends without a mark, too.
    """
    text = text.rstrip()
    if not text:
        return False
    core = text.rstrip(_CLOSING)
    if core[-1:] in _TERMINAL or (text.endswith(("```", "~~~")) and len(_FENCE.findall(text)) % 2 == 0):
        return True
    *before, last = text.rsplit("\n", 50)
    if not _ITEM.match(last):
        return False
    items = [line.rstrip() for line in before if _ITEM.match(line)]
    unmarked = [line for line in items if line.rstrip(_CLOSING)[-1:] not in _TERMINAL]
    return len(unmarked) * 2 > len(items) and last.rstrip()[-1] not in ",;:-–—("


def open_marks(text: str) -> int:
    """Brackets and curved quotes that are opened and never closed, a block of code without end, and an odd straight quote."""
    text = _SMILEYS.sub(" ", _NUMBERED.sub(" ", text))
    stack: list[str] = []
    for char in text:
        if char in _OPENING:
            stack.append(char)
        elif char in _BRACKETS and stack and stack[-1] == _BRACKETS[char]:
            stack.pop()
    return len(stack) + len(_FENCE.findall(text)) % 2 + text.count('"') % 2


def repeated_tail(words: list[str], longest: int = 60, least: int = 3) -> tuple[int, int]:
    """Words at the end that are in a loop, and how often it goes round.

    A loop is the same words, `longest` at most, `least` times or more; the last round may be broken off. Of
    several loops the one with most words counts.
    """
    best = (0, 0)
    size = len(words)
    for period in range(1, min(longest, size // 2) + 1):
        run = 0
        while run < size - period and words[size - 1 - run] == words[size - 1 - run - period]:
            run += 1
        rounds = (run + period) // period
        if rounds >= least and run + period > best[0]:
            best = (run + period, rounds)
    return best
