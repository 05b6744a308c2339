"""The rows that the answers of a generation become."""

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from pydantic import Field

from schemas.columns import Drop
from schemas.errors import AnswerFault
from stages.core.bill import Prices
from stages.core.generated import FINISH_REASON, KIND, PARENT_TEXT, SYNTHETIC
from stages.core.stage import Expand, Processed

ANSWER = pa.struct(
    [
        ("prompt", pa.string()),
        ("sample", pa.int32()),
        ("status", pa.string()),
        ("text", pa.large_string()),
        ("messages", pa.string()),
        ("why", pa.string()),
        ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("requests", pa.list_(pa.string())),
    ]
)
"""What came of one prompt and one sample of it: `text` is the document, or the raw answer where it is no good.

status  ok, truncated (the document ends where max_tokens did), parse_error, refused, empty or engine_error; of what is not
        asked about too_long or no_text
"""
ANSWERS = "_answers"
GOOD, NOT_ASKED = ("ok", "truncated"), ("too_long", "no_text")

WRITTEN: dict[str, pa.DataType] = {
    KIND: pa.string(),
    "parent_id": pa.string(),
    "messages": pa.string(),
    "prompt": pa.string(),
    "prompt_hash": pa.string(),
    "model": pa.string(),
    "model_revision": pa.string(),
    "sampling": pa.string(),
    FINISH_REASON: pa.string(),
    "prompt_tokens": pa.int64(),
    "completion_tokens": pa.int64(),
    "cost": pa.float64(),
    PARENT_TEXT: pa.large_string(),
}
"""Columns of every row behind a generation; all but `kind` are null in documents that no model wrote."""


class Answers(Expand):
    """The documents of a generation: one for each answer, and the document itself where it is kept."""

    prompt_hashes: dict[str, str] = Field(description="by the name of the prompt")
    model: str = Field(description="who answered")
    model_revision: str = Field(description="of the model")
    sampling: str = Field(description="how answers were drawn, JSON")
    keep_source: bool = Field(description="whether the document itself stays")
    prices: Prices = Field(description="what tokens cost")

    def columns_read(self) -> tuple[str, ...]:
        return ("id", "text", ANSWERS)

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"text": pa.large_string(), **WRITTEN}

    def open(self) -> Callable[[pa.Table], Processed]:
        return self.apply

    def apply(self, table: pa.Table) -> Processed:
        made = Processed(table, [], [], [], [])
        lineage: list[str | None] = []
        rows: list[dict[str, Any]] = []
        known = [column for column in WRITTEN if column in table.column_names]
        # as Python's values, a few for each answer of a model
        for at, row in enumerate(table.select(["id", "text", ANSWERS, *known]).to_pylist()):
            answers = row[ANSWERS] or ()
            good = [answer for answer in answers if answer["status"] in GOOD]
            faulty = [answer for answer in answers if answer["status"] not in (*GOOD, *NOT_ASKED)]
            if self.keep_source or not answers:
                before = {column: row.get(column) for column in WRITTEN}
                rows.append({**before, KIND: before[KIND] or "real", "id": row["id"], "text": row["text"]})
                lineage.append(None)
            for answer in good:
                made_row, how = self._row(row, answer)
                rows.append(made_row)
                lineage.append(json.dumps(how))
            made.parents += [at] * (len(rows) - len(made.parents))
            for answer in faulty:
                fault = AnswerFault(f"{answer['prompt']}-{answer['sample']}: {answer['status']}: {answer['why']}")
                made.failed.append((at, fault, answer["text"]))
            if answers and not (good or faulty or self.keep_source):
                made.dropped.append((at, Drop(answers[0]["status"])))
        made.table, made.lineage = _with_rows(table, rows, made.parents), lineage
        return made

    def _row(self, parent: dict[str, Any], answer: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The document of an answer, and what the ledger tells of how it was made."""
        prompt, tokens = answer["prompt"], (answer["prompt_tokens"] or 0, answer["completion_tokens"] or 0)
        how = {"prompt": prompt, "prompt_hash": self.prompt_hashes[prompt]}
        how |= {"model": self.model, "model_revision": self.model_revision}
        row = {
            "id": f"{parent['id']}/{prompt}-{answer['sample']}",
            "text": answer["text"],
            KIND: SYNTHETIC,
            "parent_id": parent["id"],
            "messages": answer["messages"],
            **how,
            "sampling": self.sampling,
            FINISH_REASON: answer[FINISH_REASON],
            "prompt_tokens": tokens[0],
            "completion_tokens": tokens[1],
            "cost": self.prices.cost(*tokens),
            PARENT_TEXT: parent["text"],
        }
        told = {"sample": answer["sample"], FINISH_REASON: answer[FINISH_REASON], "requests": answer["requests"]}
        return row, {**how, **told}


def _with_rows(table: pa.Table, rows: list[dict[str, Any]], parents: list[int]) -> pa.Table:
    """The rows as a table: columns that they have, the others their parent's."""
    result = table.take(pa.array(parents, pa.int64()))
    types = {"id": table.schema.field("id").type, "text": table.schema.field("text").type, **WRITTEN}
    for name, kind in types.items():
        column = pa.array([row[name] for row in rows], kind)
        at = result.schema.get_field_index(name)
        field = table.schema.field(name) if at >= 0 else pa.field(name, kind)
        result = result.append_column(field, column) if at < 0 else result.set_column(at, field, column)
    return result
