"""Translate what was translated back, and compare it with its source."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from stages.core.asking import Asking
from stages.core.chains import Asked
from stages.core.generated import PARENT_TEXT
from stages.core.prompts import Prompt
from stages.core.requests import Reply, Request, Sampling
from stages.core.splitting import split_text
from stages.core.tokenizer import token_counter

ORDERS, BETA = 6, 2.0
"""character n-grams up to this length, and how much more recall weighs than precision: chrF (Popović 2015)"""


class CheckTranslation(Asking):
    """Write how alike a document's source and its translation back are, for documents that were made of others.

        check_translation: {language: English, endpoint: {base_url: ..., model: ...}}

    back_translation_similarity  chrF of the translation back against the source, from 0 to 1 (Popović 2015: character n-grams
                                 of 1 to 6, spaces left out, recall twice the weight); null in documents that no model made, and
                                 where no answer came, so `threshold` needs `missing: keep`
    """

    example: ClassVar[dict[str, Any]] = {"language": "English", "script": {}}

    language: str = Field(description="name of the language of the sources, as the model knows it", min_length=1)
    max_text_tokens: int = Field(2048, description="tokens of a document in one prompt; a longer one goes in pieces", ge=1)
    tokenizer: str | None = Field(None, description="path of the model's tokenizer.json; null: a token is 3 bytes")
    sampling: Sampling = Field(Sampling(max_tokens=2048), description="max_tokens, temperature, top_p, stop, seed")

    def files(self) -> tuple[str, ...]:
        return (*super().files(), str(Prompt.read("translate").path), *((self.tokenizer,) if self.tokenizer else ()))

    def columns_read(self) -> tuple[str, ...]:
        return ("text", PARENT_TEXT)

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"back_translation_similarity": pa.float64()}

    def questions(self, documents: pa.Table) -> list[list[Request]]:
        prompt, found = Prompt.read("translate"), []
        # as Python's values: a model is asked about each
        for row in documents.select(["text", PARENT_TEXT]).to_pylist():
            pieces = [] if row[PARENT_TEXT] is None else self._pieces(row["text"] or "")
            filled = ({"text": piece, "language_name": self.language} for piece in pieces)
            found.append([self.request(prompt.messages(values)) for values in filled])
        return found

    def fault_of(self, request: Request, reply: Reply) -> str | None:
        return None if (reply.text or "").strip() else "it is empty"

    def columns(self, documents: pa.Table, asked: list[list[Asked]]) -> pa.Table:
        found: list[float | None] = []
        for source, pieces in zip(documents[PARENT_TEXT].to_pylist(), asked, strict=True):
            if source is None or not pieces or any(piece.fault for piece in pieces):
                found.append(None)
                continue
            found.append(chrf(" ".join(piece.reply.text or "" for piece in pieces), source))
        return pa.table({"back_translation_similarity": pa.array(found, pa.float64())})

    def _pieces(self, text: str) -> Sequence[str]:
        pieces = split_text(text, self.max_text_tokens, token_counter(self.tokenizer))
        return [stripped for piece in pieces if (stripped := piece.strip())]


def chrf(candidate: str, reference: str) -> float:
    """chrF of a text against another, 0 to 1 (Popović 2015): the mean of F2 over the orders of which both have n-grams."""
    texts = ["".join(text.split()) for text in (candidate, reference)]
    scores = []
    for order in range(1, ORDERS + 1):
        ours, theirs = (Counter(text[at : at + order] for at in range(len(text) - order + 1)) for text in texts)
        if not ours or not theirs:
            continue
        shared = (ours & theirs).total()
        precision, recall = shared / ours.total(), shared / theirs.total()
        weighed = BETA**2 * precision + recall
        scores.append((1 + BETA**2) * precision * recall / weighed if weighed else 0.0)
    return sum(scores) / len(scores) if scores else 0.0
