"""Documents in the wanted languages."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from schemas.languages import find_language, language
from schemas.rule import Limit, Rule, Table, at_least, share
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures

_EXACT = "label:"


class LanguageIs(Filter):
    """Keep documents whose `language` is one of `languages` with a `language_score` of at least `min_score`.

    in_languages    1 if the document is in one of the languages, else 0; so is a document without a language
    language_score  what `detect_language` wrote; 0 where it is missing

    Languages may be written `en`, `eng`, `eng_Latn` or `English`, here and in the column; `label:xyz` stands for the exact
    label of another model. Limit: RefinedWeb (Penedo et al. 2023) and FineWeb, where only more than 0.65 is kept.
    """

    unit = "document"
    example: ClassVar[dict[str, Any]] = {"languages": ["en", "th"]}
    gate: bool = True
    languages: tuple[str, ...] = Field(description="languages to keep: ISO 639 codes or English names", min_length=1)
    min_score: Limit | None = share(0.65, "keep documents with this language_score or more")

    @field_validator("languages", mode="before")
    @classmethod
    def _one_name(cls, value: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, list | tuple) and any(isinstance(name, bool) for name in value)):
            raise ValueError("YAML reads an unquoted `no` as false: write 'no' or nor for Norwegian")
        return (value,) if isinstance(value, str) else value

    @field_validator("languages")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name if name.startswith(_EXACT) else language(name) for name in names))

    def columns_read(self) -> tuple[str, ...]:
        table = (self.min_score.by,) if isinstance(self.min_score, Table) else ()
        return tuple(dict.fromkeys(("language", "language_score", *table)))

    def measures(self) -> dict[str, pa.DataType]:
        return {"in_languages": pa.int8(), "language_score": pa.float64()}

    def measure(self, docs: Docs) -> Measures:
        names = docs.table.column("language").combine_chunks().dictionary_encode()
        # a loop over the languages of the batch, not its documents
        wanted = np.array([self._wants(name) for name in names.dictionary.to_pylist()] + [False], np.int8)
        places = pc.fill_null(names.indices, len(wanted) - 1).to_numpy(zero_copy_only=False)
        scores = pc.fill_null(docs.table.column("language_score").cast(pa.float64()), 0.0).to_numpy()
        return {"in_languages": wanted[places], "language_score": np.nan_to_num(scores, nan=0.0)}

    def rules(self) -> Sequence[Rule]:
        return (
            at_least("in_languages", 1, "languages"),
            at_least("language_score", self.min_score, "min_score"),
        )

    def _wants(self, label: str | None) -> bool:
        return label is not None and (_EXACT + label in self.languages or find_language(label) in self.languages)
