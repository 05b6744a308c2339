"""The engine's stage of a `ray.data.llm` processor, with what it leaves out: why an answer ended.

Ray's own gives text and counts, and no finish reason, without which an answer that max_tokens cut looks like a whole one. The
module imports torch and is imported where vLLM is.
"""

import pickle
from collections.abc import AsyncIterator
from typing import Any

from ray.llm._internal.batch.stages.vllm_engine_stage import vLLMEngineStageUDF

from stages.core.requests import Reply
from stages.core.vllm_engine import reply_of


class AnsweringStage(vLLMEngineStageUDF):
    """Sets `answer` of each row: (request, reply), pickled. A request that the engine refuses has a reply without text."""

    def __init__(self, *args: Any, **keys: Any) -> None:
        super().__init__(*args, **keys)
        self._replies: dict[int, Reply] = {}
        llm: Any = self.llm
        generate = llm._generate_async

        async def noted(request: Any) -> Any:
            output = await generate(request)
            self._replies[request.request_id] = reply_of(output)
            return output

        llm._generate_async = noted

    # Ray declares a coroutine and means a generator
    async def udf(self, batch: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:  # type: ignore[override, misc]
        """The rows as they are answered; those that have an answer go through."""
        index = self.IDX_IN_BATCH_COLUMN
        todo = {row[index]: row for row in batch if not row["answer"]}
        for row in batch:
            if row[index] not in todo:
                yield {index: row[index], "answer": row["answer"]}
        for row in todo.values():
            row["sampling_params"] = pickle.loads(row["sampling_params"])
        async for found in super().udf(list(todo.values())):
            refused = found["__inference_error__"]
            reply = Reply(None, refused) if refused else self._replies.pop(found["request_id"])
            request = pickle.loads(todo[found[index]]["request"])
            yield {index: found[index], "answer": pickle.dumps((request, reply))}
