"""Every kernel of texts beside its slow definition, both asked through the entry points that stages use."""

import functools
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from definitions import datatrove
from definitions.c4_lines import slow_edit
from definitions.fasttext import SlowModel
from definitions.hashing import plain_text
from definitions.lines import slow_filled_lines, slow_lines, slow_paragraphs
from definitions.minhash import shingles_slowly, slow_minima
from definitions.normalize import slow_clean
from definitions.quality import ratio, slow_fineweb_quality, slow_gopher_quality, slow_gopher_repetition
from definitions.repetition import slow_duplicate, slow_top
from definitions.sentences import slow_sentences
from definitions.words import slow_facts, slow_words
from fasttext_files import write_model

from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from filters.gopher_repetition import GopherRepetition
from filters.line_repetition import LineRepetition
from filters.word_count import WordCount
from stages.core.docs import Docs
from stages.core.stage import Filter
from stages.kernels.c4_lines import NO_LIMIT, LineRules, edit_lines
from stages.kernels.datatrove_minhash import affine_maps, datatrove_shingles, datatrove_signatures, simplify
from stages.kernels.fasttext_model import Model, read_model
from stages.kernels.fasttext_predict import predict
from stages.kernels.grams import repeated_grams
from stages.kernels.hashing import hash_texts, plain_text_ids, text_ids
from stages.kernels.joined_grams import joined_duplicates
from stages.kernels.lines import filled_line_repeats, line_repeats, paragraph_repeats
from stages.kernels.minhash import band_keys, permutations, shingles, signatures
from stages.kernels.normalize import CHANGED, FORM, Form, clean
from stages.kernels.sentences import sentences_of
from stages.kernels.text import Text
from stages.kernels.words import NOT_PUNCT, hash_of, words
from stages.normalize_text import NormalizeText


def equal(found: Any, expected: Any) -> bool:
    return bool(found == expected)


class Comparison(NamedTuple):
    """What kernels answer for each document of a batch, what the definition answers for its text, and when both agree."""

    answers: Callable[[Docs], Sequence[Any]]
    definition: Callable[[str], Any]
    agree: Callable[[Any, Any], bool] = equal


def _cut(docs: Docs, mode: Any) -> list[list[tuple[int, bytes, int, int, int]]]:
    """Place in the document, bytes, code points, hash and flags of each word."""
    text, found = docs.text(), words(docs, mode)
    data = text.data.tobytes()
    spans = [
        (start, data[start : start + size]) for start, size in zip(found.starts.tolist(), found.sizes.tolist(), strict=True)
    ]
    facts = [*zip(found.lengths.tolist(), found.hashes.tolist(), found.flags.tolist(), strict=True)]
    return [
        [(start - begin, word, *fact) for (start, word), fact in zip(spans[low:high], facts[low:high], strict=True)]
        for begin, (low, high) in zip(text.offsets.tolist(), pairwise(found.doc_offsets.tolist()), strict=False)
    ]


def _cut_slowly(text: str, words_: list[str]) -> list[tuple[int, bytes, int, int, int]]:
    cut, at, data = [], 0, text.encode()
    for word in words_:
        encoded = word.encode()
        at = data.index(encoded, at)
        _, length, flags = slow_facts(word)
        cut.append((at, encoded, length, hash_of(encoded), flags))
        at += len(encoded)
    return cut


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
    after: list[str] = stage.apply(docs.table)["text"].to_pylist()
    return after


def _normalized_slowly(text: str, stage: NormalizeText) -> str:
    keys = (stage.collapse_spaces, stage.strip_trailing_spaces, stage.max_blank_lines)
    once = slow_clean(text, *keys)
    if stage.form == "none" or unicodedata.is_normalized(stage.form, once):
        return once
    return slow_clean(unicodedata.normalize(stage.form, once), *keys)


def _by_document(hashes: np.ndarray, offsets: np.ndarray) -> list[list[int]]:
    return [hashes[begin:end].tolist() for begin, end in pairwise(offsets.tolist())]


def _shingles(docs: Docs, size: int, unit: str) -> list[list[int]]:
    return _by_document(*shingles(docs.text(), words(docs), size, unit))


def _signatures(docs: Docs, count: int, bands: int) -> list[tuple[list[int], list[int]]]:
    found = signatures(*shingles(docs.text(), words(docs), 3, "word"), count, 1)
    return [*zip(found.tolist(), band_keys(found, bands).T.tolist(), strict=True)]


def _signature_slowly(text: str, count: int, bands: int) -> tuple[list[int], list[int]]:
    minima = slow_minima(shingles_slowly(text, 3, "word"), *(array.tolist() for array in permutations(count, 1)))
    parts = np.array(minima, "<u4").reshape(bands, -1)
    return minima, [xxhash.xxh64_intdigest(part.tobytes()) for part in parts]


@functools.cache
def _model(kind: str) -> tuple[Model, SlowModel]:
    settings: dict[str, Any] = {
        "tree": {"loss": 1, "dim": 16, "labels": 9, "word_ngrams": 2},
        "softmax": {"loss": 3, "dim": 6, "chars": (1, 3), "word_ngrams": 3},
        "words": {"loss": 3, "dim": 5, "chars": (0, 0), "words": ["the", "a", "中"]},
        "pruned": {"loss": 1, "dim": 7, "quantised": True, "kept": 40, "word_ngrams": 2, "norms": True},
        "sigmoid": {"loss": 4, "dim": 4},
    }[kind]
    with tempfile.TemporaryDirectory() as folder:
        path = write_model(Path(folder) / "model.bin", **settings)
        return read_model(path), SlowModel(path)


def _predicted(docs: Docs, kind: str) -> list[tuple[int, float]]:
    labels, scores = predict(_model(kind)[0], docs.text())
    return [*zip(labels.tolist(), scores.tolist(), strict=True)]


def _likely(found: tuple[int, float], scores: list[float], close: float = 1e-4) -> bool:
    """Rounding may choose another of the best; the library's 1e-5 for each probability is in the score."""
    label, score = found
    if not scores or label < 0:
        return found == (-1, 0.0) and not scores
    return abs(scores[label] - max(scores)) < close and abs(score - max(scores)) < 2 * close


def _capped(text: str, size: int) -> bytes:
    return text.encode()[:size].decode(errors="ignore").encode()


def _datatrove_shingles(docs: Docs, hash_: str, bits: int) -> list[tuple[list[int], list[int]]]:
    hashes, offsets = datatrove_shingles(docs.text(), 2, hash_, bits)
    return [*zip(_by_document(hashes, offsets), datatrove_signatures(hashes, offsets, 6, 1, bits).tolist(), strict=True)]


def _datatrove_shingles_slowly(text: str, hash_: str, bits: int) -> tuple[list[int], list[int]]:
    hashes = datatrove.slow_shingles(datatrove.spacy_words(simplify(text)), 2, hash_, bits)
    return hashes, datatrove.slow_minima(hashes, *(array.tolist() for array in affine_maps(6, 1)), bits)


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
        "words": Comparison(lambda docs: _cut(docs, "sluice"), lambda text: _cut_slowly(text, slow_words(text))),
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
            f"shingles of {size} {unit}s": Comparison(
                functools.partial(_shingles, size=size, unit=unit), functools.partial(shingles_slowly, size=size, unit=unit)
            )
            for size, unit in ((1, "word"), (5, "word"), (4, "char"))
        },
        "signatures": Comparison(
            functools.partial(_signatures, count=18, bands=3), functools.partial(_signature_slowly, count=18, bands=3)
        ),
        "hashes": Comparison(
            lambda docs: hash_texts(docs.text(), 7).tolist(), lambda text: xxhash.xxh64_intdigest(text.encode(), 7)
        ),
        "identities": Comparison(
            lambda docs: [*zip(text_ids(docs.text()).tolist(), plain_text_ids(docs.text()).tolist(), strict=True)],
            lambda text: tuple(
                [xxhash.xxh64_intdigest(data, seed) for seed in (0, 1)] for data in (text.encode(), plain_text(text))
            ),
        ),
        "fasttext": Comparison(
            lambda docs: _predicted(docs, "tree"), lambda text: _model("tree")[1].scores(text.encode()), _likely
        ),
        "fasttext, first bytes": Comparison(
            lambda docs: [*zip(*(array.tolist() for array in predict(_model("tree")[0], docs.text(), 13)), strict=True)],
            lambda text: _model("tree")[1].scores(_capped(text, 13)),
            _likely,
        ),
    }


COMPARISONS = _comparisons()
"""By name. All in the default mode of words."""

SLOW_COMPARISONS = {
    **{
        f"fasttext, {kind}": Comparison(
            functools.partial(_predicted, kind=kind),
            lambda text, kind=kind: _model(kind)[1].scores(text.encode()),
            _likely,
        )
        for kind in ("softmax", "words", "pruned")
    },
    "fasttext, sigmoid": Comparison(
        lambda docs: _predicted(docs, "sigmoid"),
        lambda text: _model("sigmoid")[1].scores(text.encode()),
        functools.partial(_likely, close=0.01),  # beside a step of the table, rounding chooses the next
    ),
    "datatrove words": Comparison(
        lambda docs: _cut(docs, "datatrove"), lambda text: _cut_slowly(text, datatrove.spacy_words(text))
    ),
    "datatrove sentences": Comparison(lambda docs: sentences_of(docs.text(), "datatrove").tolist(), datatrove.spacy_sentences),
    **{
        f"datatrove shingles, {hash_} {bits}": Comparison(
            functools.partial(_datatrove_shingles, hash_=hash_, bits=bits),
            functools.partial(_datatrove_shingles_slowly, hash_=hash_, bits=bits),
        )
        for hash_, bits in (("xxhash", 64), ("xxhash", 32))
    },
}
"""Other models, and those that ask spaCy: their definitions take most of the time."""


def differences(comparison: Comparison, batches: Sequence[Docs], expected: Sequence[Any]) -> list[int]:
    """Rows of the texts on which the kernels' answers in these batches are not those of the definition."""
    found = [answer for docs in batches for answer in comparison.answers(docs)]
    if len(found) != len(expected):
        raise ValueError(f"{len(found)} answers for {len(expected)} texts")
    return [row for row, pair in enumerate(zip(found, expected, strict=True)) if not comparison.agree(*pair)]
