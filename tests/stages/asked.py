"""A stage that asks a model, asked in memory: a function of the request answers."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from stages.core.asking import Asking
from stages.core.chains import by_document, follow
from stages.core.requests import Reply, Request


def asked(
    stage: Asking, documents: pa.Table, answer: Callable[[Request], str | Reply | None]
) -> tuple[list[dict[str, Any]], list[Request]]:
    """Rows of the columns that it writes, and the requests in the order in which they were answered."""
    replies: dict[str, Reply] = {}
    requests: list[Request] = []
    questions = stage.questions(documents)
    for _ in range(stage.retries + 1):
        for chain in follow(questions, replies.get, stage.fault_of, stage.retries):
            if chain.pending is not None and chain.pending.key not in replies:
                found = answer(chain.pending)
                reply = found if isinstance(found, Reply) else Reply(found, "" if found else "busy", "stop", 1, 1)
                replies[chain.pending.key] = reply
                requests.append(chain.pending)
    table = stage.columns(documents, by_document(questions, follow(questions, replies.get, stage.fault_of, stage.retries)))
    assert table.schema.equals(pa.schema(list(stage.columns_written().items())))
    return table.to_pylist(), requests


def texts(*texts: str, **columns: list[Any]) -> pa.Table:
    """Documents of one source with these texts."""
    table = {"source": ["s"] * len(texts), "id": [str(number) for number in range(len(texts))]}
    return pa.table({**table, "text": pa.array(texts, pa.large_string()), **columns})
