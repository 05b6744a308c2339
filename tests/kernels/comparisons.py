"""Every kernel of texts beside its slow definition, both asked through the entry points that stages use."""

import functools
import unicodedata
from itertools import pairwise
from typing import Any

import numpy as np
import xxhash
from comparison import Comparison, cut_slowly, cut_words
from definitions.c4_lines import slow_edit
from definitions.hashing import plain_text
from definitions.lines import slow_filled_lines, slow_lines, slow_paragraphs
from definitions.normalize import slow_clean
from definitions.pii import slow_places
from definitions.quality import ratio, slow_fineweb_quality, slow_gopher_quality, slow_gopher_repetition
from definitions.repetition import slow_duplicate, slow_top
from definitions.sentences import slow_sentences
from definitions.shingles import hashes_slowly
from definitions.words import slow_facts, slow_words
from slow_comparisons import FASTTEXT_COMPARISONS, by_document

from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from filters.gopher_repetition import GopherRepetition
from filters.line_repetition import LineRepetition
from filters.word_count import WordCount
from stages.core.docs import Docs
from stages.core.stage import Filter
from stages.kernels.c4_lines import NO_LIMIT, LineRules, edit_lines
from stages.kernels.grams import repeated_grams
from stages.kernels.hashing import hash_texts, plain_text_ids, text_ids
from stages.kernels.joined_grams import joined_duplicates
from stages.kernels.lines import filled_line_repeats, line_repeats, paragraph_repeats
from stages.kernels.normalize import CHANGED, FORM, Form, clean
from stages.kernels.pii_places import places_of
from stages.kernels.sentences import sentences_of
from stages.kernels.shingles import WORDS, shingles
from stages.kernels.text import Text
from stages.kernels.words import NOT_PUNCT, words
from stages.normalize_text import NormalizeText


def _columns(arrays: Any) -> list[list[Any]]:
    return np.stack([*arrays]).T.tolist()


def _grams(docs: Docs) -> list[tuple[list[int], list[int]]]:
    found = repeated_grams(words(docs))
    return [*zip(found.top.T.tolist(), found.duplicates.T.tolist(), strict=True)]


def _edited(docs: Docs, rules: LineRules) -> list[tuple[Any, ...]]:
    found = edit_lines(docs.text(), rules)
    numbers = (found.lines, found.lines_removed, found.lorem_ipsum, found.curly_bracket)
    return [*zip(_texts(found.text), *(column.tolist() for column in numbers), strict=True)]


def _texts(text: Text) -> list[bytes]:
    data = text.data.tobytes()
    return [data[begin:end] for begin, end in pairwise(text.offsets.tolist())]


def _edited_slowly(text: str, rules: LineRules) -> tuple[Any, ...]:
    after, *numbers = slow_edit(text, rules)
    return after.encode(), *numbers


def _measures(stage: Filter, docs: Docs) -> list[dict[str, float]]:
    found = stage.measure(docs)
    return [dict(zip(found, row, strict=True)) for row in zip(*(values.tolist() for values in found.values()), strict=True)]


def _word_count(text: str) -> dict[str, float]:
    return {"words": sum(slow_facts(word)[2] & NOT_PUNCT != 0 for word in slow_words(text))}


def _line_repetition(text: str) -> dict[str, float]:
    segments, repeats, repeat_chars, segment_chars, _ = slow_filled_lines(text)
    return {"repeat_fraction": ratio(repeats, segments), "repeat_char_fraction": ratio(repeat_chars, segment_chars)}


def _cleaned(docs: Docs, form: Form, collapse: bool, strip: bool, most: int | None) -> list[tuple[bytes, int]]:
    cleaned, flags = clean(docs.text(), form, collapse, strip, most)
    return [*zip(_texts(cleaned), flags.tolist(), strict=True)]


def _cleaned_slowly(text: str, form: Form, *keys: Any) -> tuple[bytes, int]:
    after = slow_clean(text, *keys)
    in_form = form == "none" or unicodedata.is_normalized(form, after)
    return after.encode(), (CHANGED if after != text else 0) | (0 if in_form else FORM)


def _same_or_doubted(found: tuple[bytes, int], expected: tuple[bytes, int]) -> bool:
    """A text may be flagged as perhaps not in the form where it is; never the other way round."""
    return found == expected or found == (expected[0], expected[1] | FORM)


def _normalized(docs: Docs, stage: NormalizeText) -> list[str]:
    after: list[str] = stage.apply(docs.table).table["text"].to_pylist()
    return after


def _normalized_slowly(text: str, stage: NormalizeText) -> str:
    keys = (stage.collapse_spaces, stage.strip_trailing_spaces, stage.max_blank_lines)
    once = slow_clean(text, *keys)
    if stage.form == "none" or unicodedata.is_normalized(stage.form, once):
        return once
    return slow_clean(unicodedata.normalize(stage.form, once), *keys)


def _shingles(docs: Docs, size: int, unit: str, kind: str) -> list[list[int]]:
    return by_document(*shingles(docs.text(), size, unit, 64, kind))


def _places(docs: Docs) -> list[list[tuple[int, int, int]]]:
    offsets = docs.text().offsets.tolist()
    found: list[list[tuple[int, int, int]]] = [[] for _ in offsets[1:]]
    for document, start, stop, kind in zip(*(column.tolist() for column in places_of(docs.text())), strict=True):
        found[document].append((start - offsets[document], stop - offsets[document], kind))
    return [sorted(places) for places in found]


ALL = LineRules(1000, True, True, 3, True, True, True, True)
_RULES = {
    "all": ALL,
    "any ending": ALL._replace(terminal_punctuation=False, min_words_per_line=1),
    "none": LineRules(NO_LIMIT, False, False, NO_LIMIT, False, False, False, False),
    "short words": ALL._replace(max_word_length=11, citations=False, curly_bracket=False),
}
_CLEANING: dict[str, tuple[Form, bool, bool, int | None]] = {
    "default": ("NFC", False, True, 2),
    "strict": ("NFKC", True, True, 0),
    "loose": ("none", True, False, 1),
    "off": ("none", False, False, None),
}


def _comparisons() -> dict[str, Comparison]:
    quality = GopherQuality()
    repetition, fineweb, narrow = GopherRepetition(), FinewebQuality(), FinewebQuality(short_line_length=2)
    stages = {"NFC": NormalizeText(), "NFKC": NormalizeText(form="NFKC", collapse_spaces=True, max_blank_lines=0)}
    return {
        "words": Comparison(lambda docs: cut_words(docs, "sluice"), lambda text: cut_slowly(text, slow_words(text))),
        "n-grams": Comparison(
            _grams,
            lambda text: (
                [slow_top(slow_words(text), n) for n in (2, 3, 4)],
                [slow_duplicate(slow_words(text), n, " ") for n in range(5, 11)],
            ),
        ),
        "joined n-grams": Comparison(
            lambda docs: joined_duplicates(docs.text(), words(docs)).T.tolist(),
            lambda text: [slow_duplicate(slow_words(text), n, "") for n in range(5, 11)],
        ),
        "paragraphs": Comparison(lambda docs: _columns(paragraph_repeats(docs.text())), slow_paragraphs),
        "lines": Comparison(lambda docs: _columns(line_repeats(docs.text())), slow_lines),
        "filled lines": Comparison(lambda docs: _columns(filled_line_repeats(docs.text())), slow_filled_lines),
        **{
            f"c4 lines, {name}": Comparison(
                functools.partial(_edited, rules=rules), functools.partial(_edited_slowly, rules=rules)
            )
            for name, rules in _RULES.items()
        },
        "sentences": Comparison(lambda docs: sentences_of(docs.text(), "sluice").tolist(), slow_sentences),
        "word_count": Comparison(functools.partial(_measures, WordCount()), _word_count),
        "line_repetition": Comparison(functools.partial(_measures, LineRepetition()), _line_repetition),
        "gopher_quality": Comparison(
            functools.partial(_measures, quality), lambda text: slow_gopher_quality(text, slow_words(text))
        ),
        "gopher_repetition": Comparison(
            lambda docs: [[*row.values()] for row in _measures(repetition, docs)],
            lambda text: slow_gopher_repetition(text, slow_words(text)),
        ),
        "fineweb_quality": Comparison(
            functools.partial(_measures, fineweb), lambda text: slow_fineweb_quality(text, slow_words(text))
        ),
        "fineweb_quality, narrow": Comparison(
            functools.partial(_measures, narrow), lambda text: slow_fineweb_quality(text, slow_words(text), 2)
        ),
        **{
            f"cleaning, {name}": Comparison(
                lambda docs, keys=keys: _cleaned(docs, *keys),
                lambda text, keys=keys: _cleaned_slowly(text, *keys),
                _same_or_doubted,
            )
            for name, keys in _CLEANING.items()
        },
        **{
            f"normalize_text, {name}": Comparison(
                functools.partial(_normalized, stage=stage), functools.partial(_normalized_slowly, stage=stage)
            )
            for name, stage in stages.items()
        },
        **{
            f"{kind} shingles of {size} {unit}s": Comparison(
                functools.partial(_shingles, size=size, unit=unit, kind=kind),
                functools.partial(hashes_slowly, size=size, unit=unit, kind=kind),
            )
            for size, unit in ((1, "word"), (5, "word"), (4, "char"))
            for kind in WORDS
        },
        "places of personal data": Comparison(_places, slow_places),
        "hashes": Comparison(
            lambda docs: hash_texts(docs.text(), 7).tolist(), lambda text: xxhash.xxh64_intdigest(text.encode(), 7)
        ),
        "identities": Comparison(
            lambda docs: [*zip(text_ids(docs.text()).tolist(), plain_text_ids(docs.text()).tolist(), strict=True)],
            lambda text: tuple(
                [xxhash.xxh64_intdigest(data, seed) for seed in (0, 1)] for data in (text.encode(), plain_text(text))
            ),
        ),
    }


COMPARISONS = {**_comparisons(), **FASTTEXT_COMPARISONS}
"""By name. All in the default mode of words."""
