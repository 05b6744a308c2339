"""Perplexity of each document by n-gram language models of KenLM."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa
from pydantic import Field, model_validator

from schemas.columns import DOCUMENT
from schemas.languages import by_label, find_language
from stages.core import kenlm_models
from stages.core.kenlm_models import LanguageModel
from stages.core.lm_text import token_lines
from stages.core.stage import Map

EXAMPLE = str(Path(__file__).parent / "core" / "example.arpa")
"""a model of a few dozen words, for trials of stages"""


class ScorePerplexity(Map):
    """Write the perplexity of each document by a KenLM model, one for all or one for each language.

    perplexity   10 ** (-s / n); s is the sum of log10 of the probabilities of all lines, each with its end, n the tokens and
                 ends of lines. Null where a text has no tokens, or its language no model.

    The measure is CCNet's (Wenzek et al. 2020, section 3.4; `DocLM` in cc_net), and so is the normalisation of each line: lower
    case, no accents, 0 for digits, ASCII for other quotes, dashes and full-width marks, no controls. Tokens are pieces of
    a model of sentencepiece, as CCNet's, or words and single marks, which are no tokens of scripts without spaces.
    Here lines stay lines, and blank ones do not count; cc_net's own pipeline deletes line feeds before it cuts pieces, so that
    words on both sides of them are one. It rounds to 0.1, which this does not.

    A model is an ARPA file or a binary of KenLM, or a folder made by `sluice train perplexity`. Low is like what the model
    has seen, not good: menus and lists have the highest values, prayers and licences the lowest. KenLM is LGPL 2.1 or later.
    """

    example: ClassVar[dict[str, Any]] = {"model": EXAMPLE}

    model: str | None = Field(None, description="model for all documents: ARPA, binary, or folder of `sluice train perplexity`")
    models: dict[str, str] | None = Field(None, description="instead, models by the column `language`: {en: PATH, de: PATH}")
    sentencepiece: str | None = Field(None, description="model of sentencepiece that cuts texts for `model`; null: words")
    sentencepieces: dict[str, str] | None = Field(None, description="the same by language, for `models`")
    normalize: bool = Field(True, description="normalise lines as CCNet does; false for models of text as it is")
    column: str = Field("perplexity", description="name of the column that is written", min_length=1)

    @model_validator(mode="after")
    def _models_make_sense(self) -> Self:
        if (self.model is None) == (self.models is None):
            raise ValueError("expected either `model`, for all documents, or `models`, by language")
        if self.models is not None and not self.models:
            raise ValueError("models names no language")
        if self.sentencepiece is not None and self.model is None:
            raise ValueError("sentencepiece goes with `model`; with `models` write `sentencepieces`, by language")
        if unknown := set(self.sentencepieces or {}) - set(self.models or {}):
            raise ValueError(f"sentencepieces has {min(unknown)!r}, for which `models` has no model")
        if self.column in DOCUMENT.names:
            raise ValueError(f"column is {self.column!r}, expected a name that is no column of every document")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return ("text",) if self.models is None else ("text", "language")

    def columns_written(self) -> dict[str, pa.DataType]:
        return {self.column: pa.float64()}

    def files(self) -> tuple[str, ...]:
        found = (file for pair in self._files().values() for file in pair if file is not None)
        return tuple(dict.fromkeys(map(str, found)))

    def requirements(self) -> tuple[tuple[str, str], ...]:
        pieces = any(pieces is not None for _, pieces in self._files().values())
        return (("kenlm", "perplexity"), *((("sentencepiece", "sentencepiece"),) if pieces else ()))

    def apply(self, table: pa.Table) -> pa.Table:
        return self.open()(table)

    def open(self) -> Callable[[pa.Table], pa.Table]:
        models = {name: kenlm_models.load(*files, self.name()) for name, files in self._files().items()}
        return lambda table: self._scored(table, models)

    def _files(self) -> dict[str, tuple[Path, Path | None]]:
        """Files of each language's model; those of the only one under the empty name."""
        paths, pieces = (
            ({"": self.model}, {"": self.sentencepiece}) if self.model is not None else (self.models, self.sentencepieces)
        )
        return {
            name: (kenlm_models.model_file(path), kenlm_models.pieces_file(path, (pieces or {}).get(name)))
            for name, path in (paths or {}).items()
            if path is not None
        }

    def _scored(self, table: pa.Table, models: Mapping[str, LanguageModel]) -> pa.Table:
        texts = table.column("text").to_pylist()  # the library takes Python's strings, line by line
        if self.models is None:
            chosen: list[LanguageModel | None] = [models[""]] * len(texts)
        else:
            labelled = by_label(models)
            languages = table.column("language").cast(pa.string()).to_pylist()
            chosen = [_of_language(models, labelled, language) for language in languages]
        values = pa.array([self._perplexity(text, model) for text, model in zip(texts, chosen, strict=True)], pa.float64())
        at = table.schema.get_field_index(self.column)
        return table.append_column(self.column, values) if at < 0 else table.set_column(at, self.column, values)

    def _perplexity(self, text: str | None, model: LanguageModel | None) -> float | None:
        lines = token_lines(text, model.split, self.normalize) if text and model is not None else []
        return perplexity(*model.log10(lines)) if lines and model is not None else None


def perplexity(log10: float, tokens: int) -> float:
    """What a sum of logarithms to the base 10 comes to for each of so many tokens."""
    return float(10.0 ** (-log10 / tokens))


def _of_language(
    models: Mapping[str, LanguageModel], labelled: Mapping[str, LanguageModel], language: str | None
) -> LanguageModel | None:
    if language is None or language in models:
        return models.get(language or "")
    label = find_language(language)
    return labelled.get(label) if label is not None else None
