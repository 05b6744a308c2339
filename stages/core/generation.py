"""New documents from old ones, made by a chat model: the question, the answer, and the rows that come of it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages.core.answer_rows import ANSWER, ANSWERS, Answers
from stages.core.asking import Asking
from stages.core.chains import Asked
from stages.core.leaks import FAMILIES
from stages.core.prompts import Prompt
from stages.core.requests import Reply, Request
from stages.core.splitting import Count, split_text
from stages.core.stage import Saved, Stage
from stages.core.structured import answer_class, parse, schema_of
from stages.core.tokenizer import token_counter


class Generation(Asking):
    """Base of the stages whose answers become documents. `prompts` are asked of each document, each `samples` times.

    Rows that come out have the columns `kind` (real or synthetic), `parent_id`, `messages` (of a conversation, as chat sets
    have it: JSON of role and content, else null), `prompt`, `prompt_hash`, `model`, `model_revision`, `sampling` (JSON),
    `finish_reason`, `prompt_tokens`, `completion_tokens` and `cost` (null without prices); other columns are the parent's,
    until a stage computes them anew. An id is the parent's with `/<prompt>-<sample>`.

    An answer that cannot be used after all retries is quarantined with the raw text; its document goes on if it is kept or has
    other answers. A document without text, or too long to be asked about, is dropped for that reason unless it is kept.
    `finish_reason` tells of documents that end where max_tokens did: `cut_ending` drops them.
    """

    samples: int = Field(1, description="answers to each prompt", ge=1, le=256)
    keep_source: bool = Field(False, description="whether the document itself stays, beside what is made of it")
    only: Literal["all", "real", "synthetic"] = Field("all", description="documents that are asked about; others pass")
    max_text_tokens: int = Field(2048, description="tokens of a document in one prompt", ge=1)
    long_documents: Literal["split", "skip"] = Field(
        "split", description="a longer one is asked about in pieces and the answers are joined, or is not asked about"
    )
    tokenizer: str | None = Field(
        None, description="path of the model's tokenizer.json, to count max_text_tokens; null: a token is 3 bytes"
    )
    refusals: Literal["retry", "keep"] = Field(
        "retry", description="an answer that refuses is asked for again and then set aside, or is an answer like any other"
    )

    def prompt_names(self) -> Sequence[str]:
        """Prompts, as `Prompt.read` takes them."""
        raise NotImplementedError

    def values(self) -> dict[str, Any]:
        """What prompts are filled with besides columns."""
        return {}

    def filled(self) -> Sequence[str]:
        """Names of what `chosen` gives."""
        return ()

    def more_columns(self) -> Sequence[str]:
        """Columns that are read though no prompt names them."""
        return ()

    def chosen(self, row: dict[str, Any], sample: int) -> dict[str, Any]:
        """What prompts are filled with that differs from answer to answer."""
        return {}

    def answer_model(self) -> str | None:
        """The pydantic model of an answer as `package.module:Class`; None for plain text."""
        return None

    def document_of(self, answer: Any, row: dict[str, Any]) -> str:
        """The document that an object becomes."""
        raise NotImplementedError

    def text_fault(self, text: str, request: Request) -> str | None:
        """What is wrong with a plain answer, in words that the model is told."""
        if not text.strip():
            return "it is empty"
        return "it refuses what was asked" if self.refusals == "retry" and _refuses(text, request) else None

    def object_fault(self, answer: Any, request: Request) -> str | None:
        """What is wrong with an object that keeps its model's schema."""
        return None

    def conversation_of(self, text: str, row: dict[str, Any]) -> list[dict[str, str]] | None:
        """The messages of a document that is a conversation; None for one that is not."""
        return None

    # what follows is the same for all

    def nodes(self) -> Sequence[Stage]:
        rows = Answers(
            prompt_hashes={prompt.name: prompt.hash for prompt in self.prompts()},
            model=self.model_name().name,
            model_revision=self.model_name().revision,
            sampling=json.dumps(self.sampling.model_dump(mode="json"), sort_keys=True),
            keep_source=self.keep_source,
            prices=self.prices(),
        )
        return (self, rows)

    def prompts(self) -> list[Prompt]:
        """The templates, read."""
        return [Prompt.read(name) for name in self.prompt_names()]

    def files(self) -> tuple[str, ...]:
        tokenizer = (self.tokenizer,) if self.tokenizer else ()
        return (*super().files(), *(str(prompt.path) for prompt in self.prompts()), *tokenizer)

    def requirements(self) -> tuple[tuple[str, str], ...]:
        tokenizer = (("tokenizers", "tokenizers"),) if self.tokenizer else ()
        mending = (("json_repair", "llm"),) if self.answer_model() else ()
        return (*super().requirements(), *tokenizer, *mending)

    def columns_read(self) -> tuple[str, ...]:
        named = {name for prompt in self.prompts() for name in prompt.variables()} - set(self.values()) - set(self.filled())
        asked = {"kind"} if self.only != "all" else set()
        return ("text", *sorted((named | asked | set(self.more_columns())) - {"text"}))

    def columns_written(self) -> dict[str, pa.DataType]:
        return {ANSWERS: pa.list_(ANSWER)}

    def questions(self, documents: pa.Table) -> list[list[Request]]:
        return [[request for _, _, requests in self._asked_of(row) for request in requests] for row in self._rows(documents)]

    def fault_of(self, request: Request, reply: Reply) -> str | None:
        kind = self.answer_model()
        if kind is None:
            return self.text_fault(reply.text or "", request)
        answer, why = parse(answer_class(kind), reply)
        return why if answer is None else self.object_fault(answer, request)

    def columns(self, documents: pa.Table, asked: list[list[Asked]]) -> pa.Table:
        found = []
        for row, replies in zip(self._rows(documents), asked, strict=True):
            answers, at = [], 0
            for prompt, sample, requests in self._asked_of(row):
                pieces = replies[at : at + len(requests)]
                at += len(requests)
                answers.append({"prompt": prompt.name, "sample": sample, **self._answer(pieces, row)})
            found.append(answers)
        return pa.table({ANSWERS: pa.array(found, pa.list_(ANSWER))})

    def facts_of(self, answers: Sequence[Saved]) -> dict[str, Any]:
        statuses: dict[str, int] = {}
        lengths: Counter[int] = Counter()
        tokens = [0, 0]
        for saved in answers:
            column = pc.list_flatten(saved.read()[ANSWERS]).combine_chunks()
            for found in column.field("status").value_counts().to_pylist():
                statuses[found["values"]] = statuses.get(found["values"], 0) + found["counts"]
            lengths.update(column.field("completion_tokens").drop_null().to_pylist())
            for at, name in enumerate(("prompt_tokens", "completion_tokens")):
                tokens[at] += pc.sum(column.field(name)).as_py() or 0
        told = [{"name": p.name, "hash": p.hash, "version": p.version, "content": p.content} for p in self.prompts()]
        spent = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "cost": self.cost(*tokens)}
        spent |= {"tokens_p50": _quantile(lengths, 0.5), "tokens_p95": _quantile(lengths, 0.95)}
        return {"statuses": dict(sorted(statuses.items())), **spent, "prompts": told}

    def _rows(self, documents: pa.Table) -> Iterator[dict[str, Any]]:
        # as Python's values: a model is asked about each
        for row in documents.select(list(self.columns_read())).to_pylist():
            yield {**row, **self.values()}

    def _asked_of(self, row: dict[str, Any]) -> Iterator[tuple[Prompt, int, list[Request]]]:
        """For each prompt and sample the requests that it takes: one for each piece of the document, none if it is too long."""
        if self.only != "all" and row["kind"] != self.only:
            return
        for prompt in self.prompts():
            pieces = self._pieces(row["text"] or "") if "text" in prompt.variables() else [""]
            kind = self.answer_model()
            schema = None if kind is None else schema_of(answer_class(kind))
            for sample in range(self.samples):
                values = {**row, **self.chosen(row, sample)}
                asked = [prompt.messages({**values, "text": piece}) for piece in pieces]
                yield prompt, sample, [self.request(messages, sample, schema) for messages in asked]

    def _pieces(self, text: str) -> list[str]:
        pieces = split_text(text, self.max_text_tokens, self._counter())
        if len(pieces) > 1 and self.long_documents == "skip":
            return []
        return [stripped for piece in pieces if (stripped := piece.strip())]

    def _counter(self) -> Count:
        return token_counter(self.tokenizer)

    def _answer(self, pieces: Sequence[Asked], row: dict[str, Any]) -> dict[str, Any]:
        """What came of one prompt: the pieces joined if all can be used, else the first that cannot."""
        if not pieces:
            text = (row["text"] or "").strip()
            return {"status": "too_long" if text else "no_text", "text": "", "why": "not asked", "requests": []}
        tokens = [piece.tokens() for piece in pieces]
        counts: dict[str, Any] = {"requests": [request.key for piece in pieces for request, _ in piece.replies]}
        counts |= {"prompt_tokens": sum(one for one, _ in tokens), "completion_tokens": sum(one for _, one in tokens)}
        faulty = next((piece for piece in pieces if piece.fault is not None), None)
        if faulty is not None:
            return {"status": self._status(faulty), "text": faulty.reply.text or "", "why": faulty.fault, **counts}
        reasons = [piece.reply.finish_reason for piece in pieces]
        reason = next((reason for reason in reasons if reason not in ("stop", "")), reasons[-1])
        text = "\n\n".join(self._text(piece, row) for piece in pieces)
        messages = self.conversation_of(text, row)
        if messages is not None:
            text = "\n\n".join(message["content"] for message in messages)
            counts["messages"] = json.dumps(messages, ensure_ascii=False)
        return {"status": "truncated" if reason == "length" else "ok", "text": text, "finish_reason": reason, **counts}

    def _status(self, faulty: Asked) -> str:
        if faulty.reply.text is None:
            return "engine_error"
        if not faulty.reply.text.strip():
            return "empty"
        return "refused" if _refuses(faulty.reply.text, faulty.request) else "parse_error"

    def _text(self, piece: Asked, row: dict[str, Any]) -> str:
        kind = self.answer_model()
        if kind is None:
            return (piece.reply.text or "").strip()
        return self.document_of(parse(answer_class(kind), piece.reply)[0], row)


def _refuses(text: str, request: Request) -> bool:
    """Whether it has ways of refusing that the document of the prompt does not have."""
    asked = next(content for role, content in request.messages if role == "user")
    return FAMILIES["refusals"].found(text, asked.rpartition("\n\nText:\n")[2]) > 0


def _quantile(counts: Counter[int], share: float) -> int | None:
    """The value up to which a share of what was counted goes."""
    left = share * counts.total()
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return None
