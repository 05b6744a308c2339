"""Repeated paragraphs and lines: segments, repeats, code points in repeats, in segments and in the text."""

import re


def count_repeats(segments: list[str], text: str) -> list[int]:
    seen: set[str] = set()
    repeats = chars = 0
    for segment in segments:
        if segment in seen:
            repeats += 1
            chars += len(segment)
        seen.add(segment)
    return [len(segments), repeats, chars, sum(map(len, segments)), len(text)]


def slow_paragraphs(text: str) -> list[int]:
    return count_repeats(re.split(r"\n{2,}", text.strip()), text)


def slow_lines(text: str) -> list[int]:
    return count_repeats(re.split(r"\n+", text), text)


def slow_filled_lines(text: str) -> list[int]:
    return count_repeats([line for line in re.split(r"\r?\n", text) if line], text)
