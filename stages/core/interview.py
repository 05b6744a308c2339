"""Questions that are asked batch by batch, where the next go by what came back to the last."""

import itertools
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from schemas.errors import BudgetReached
from stages.core.answers import AnswerStore
from stages.core.asking import Asking
from stages.core.bill import Bill
from stages.core.chains import Asked, by_document, look_up
from stages.core.requests import Request, Responder


class Interview:
    """Asks a stage's engine, which is opened when there is something to ask and closed at the end."""

    def __init__(self, stage: Asking, store: AnswerStore, bill: Bill) -> None:
        self._stage, self._store, self._bill = stage, store, bill
        self._responder: Responder | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._bill.save()
        if self._responder is not None:
            self._responder.close()

    def ask(self, questions: Sequence[Request]) -> list[Asked]:
        """What becomes of each question; those are asked for which no answer stands.

        Raises `BudgetReached`; what came until then is kept.
        """
        stage, store, failed = self._stage, self._store, dict[str, str]()
        alone = [[question] for question in questions]
        for _ in range(stage.retries + 1):
            chains = look_up(alone, store, failed, stage.fault_of, stage.retries)
            todo = list({chain.pending.key: chain.pending for chain in chains if chain.pending is not None}.values())
            allowed = list(itertools.takewhile(self._bill.allows, todo))
            if allowed:
                failed |= self._put(allowed)
            if len(allowed) < len(todo):
                raise BudgetReached(self._bill.told(stage.name()))
            if not todo:
                break
        chains = look_up(alone, store, failed, stage.fault_of, stage.retries)
        return [asked for of_question in by_document(alone, chains) for asked in of_question]

    def _put(self, requests: Sequence[Request]) -> dict[str, str]:
        """Ask, keep what is answered, and say why the others are not, by key."""
        failed = {}
        self._responder = self._responder or self._stage.engine.open()
        with self._store.writer() as writer:
            for request, reply in self._responder.replies(requests):
                self._bill.add(request, reply)
                if reply.text is None:
                    failed[request.key] = reply.why
                else:
                    writer.add(request, reply)
        return failed
