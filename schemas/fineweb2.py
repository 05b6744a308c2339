"""The limits and stop words that FineWeb-2 uses for each language.

Numbers and words are those of huggingface/fineweb-2, configs/*.yml, as written down in `fineweb2.tsv` beside this file
(which tells where they come from and under which licence). They were chosen on the words of one tokenizer for each
language. Where our words are the letters of a script without spaces, a shortest mean length of words has no meaning and is
left out; and where such a letter is less than a syllable, so are the limits on n-grams, which common words would break.
A language in several scripts has the limits of the first, and the stop words of all.
"""

import functools
from collections.abc import Mapping
from pathlib import Path

from schemas.languages import LETTERS_AS_WORDS

_FILE = Path(__file__).with_name("fineweb2.tsv")

_SMALL_LETTERS = frozenset({"km", "lo", "my", "th"})

_COLUMNS = {
    ("gopher_repetition", "max_duplicate_line_fraction"): "dup_line_frac",
    **{("gopher_repetition", f"max_top_{n}_gram_fraction"): f"top_{n}" for n in (2, 3, 4)},
    **{("gopher_repetition", f"max_duplicate_{n}_gram_fraction"): f"dup_{n}" for n in (5, 6, 7, 8, 9, 10)},
    ("fineweb_quality", "min_terminal_punctuation_fraction"): "line_punct_thr",
    ("fineweb_quality", "max_newline_fraction"): "new_line_ratio",
    ("gopher_quality", "min_mean_word_length"): "min_avg_word_length",
    ("gopher_quality", "max_mean_word_length"): "max_avg_word_length",
    ("gopher_quality", "min_alpha_word_fraction"): "max_non_alpha_words_ratio",
}
"""The set's name of each limit of ours. What it calls the largest share of words without letters is the smallest with."""


def known(stage: str, key: str) -> bool:
    """Whether the set has this limit."""
    return (stage, key) in _COLUMNS


@functools.cache
def limits(stage: str, key: str) -> Mapping[str, float | None]:
    """The limit by language; None where the set has the rule switched off."""
    column = _COLUMNS[stage, key]
    found: dict[str, float | None] = {}
    for label, rows in _rows().items():
        number = float(rows[0][column])
        found[label] = None if _is_off(column, label, number) else number
    return found


def _is_off(column: str, label: str, number: float) -> bool:
    if column == "min_avg_word_length":
        return number == 0 or label in LETTERS_AS_WORDS
    return number < 0 or (label in _SMALL_LETTERS and column.startswith(("top_", "dup_")) and column != "dup_line_frac")


@functools.cache
def stop_words() -> Mapping[str, tuple[str, ...]]:
    """Stop words by language."""
    return {
        label: tuple(dict.fromkeys(word for row in rows for word in row["stopwords"].split("|")))
        for label, rows in _rows().items()
    }


@functools.cache
def _rows() -> dict[str, list[dict[str, str]]]:
    """The file's rows by label, those of a language in its order."""
    lines = [line for line in _FILE.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")]
    names = lines[0].split("\t")
    found: dict[str, list[dict[str, str]]] = {}
    for line in lines[1:]:
        row = dict(zip(names, line.split("\t"), strict=True))
        found.setdefault(row["label"], []).append(row)
    return found
