"""A stage that puts questions to a chat model: each is asked once, whoever asked it before, within a budget."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, Self

import orjson
import pyarrow as pa
from pydantic import Field, model_validator

from schemas.errors import BudgetReached
from stages.core.answers import FILE_ANSWERS, AnswerStore, AnswerWriter, store_at
from stages.core.bill import Bill, Budget, Prices
from stages.core.chains import Asked, by_document, look_up
from stages.core.chat import Endpoint
from stages.core.cluster_asking import chains_of, replies_on
from stages.core.model import ByUnits, Unit, units_of
from stages.core.requests import ModelName, Reply, Request, Responder, Sampling
from stages.core.scripted import Script
from stages.core.stage import Saved, Sketches, Verdicts
from stages.core.vllm_engine import Vllm


class Asking(ByUnits):
    """Asks a chat model about documents: `questions` and `columns` are what a stage of this kind has of its own.

    Answers are kept in `cache` by the keys of their requests as soon as they come, so that none is paid for twice: not in this
    run, after a kill, or in another. What cannot be used is asked for again, with what is wrong with it.
    """

    endpoint: Endpoint | None = Field(None, description="an OpenAI-compatible endpoint: base_url, model, and how it is asked")
    vllm: Vllm | None = Field(None, description="a model that vLLM runs: on Ray in replicas, else one beside this process")
    script: Script | None = Field(None, description="a function in the place of a model, for trials: `script: {}`")
    sampling: Sampling = Field(Sampling(), description="max_tokens, temperature, top_p, stop, seed")
    retries: int = Field(2, description="times that an answer which cannot be used is asked for again", ge=0, le=10)
    budget: Budget = Field(Budget(), description="max_requests, max_tokens, max_cost of a run; where it ends, the run stops")
    cache: str | None = Field(
        None, description="folder where answers are kept and looked for; default: one beside the runs' segments"
    )

    engines: ClassVar[tuple[str, ...]] = ("endpoint", "vllm", "script")

    @model_validator(mode="after")
    def _one_engine(self) -> Self:
        given = [name for name in self.engines if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none"
            raise ValueError(f"expected one of {', '.join(self.engines)} to say who answers, found {found}")
        return self

    @property
    def engine(self) -> Endpoint | Vllm | Script:
        """Who answers."""
        found = self.endpoint or self.vllm or self.script
        assert found is not None
        return found

    def questions(self, documents: pa.Table) -> list[list[Request]]:
        """For each document what is asked about it, of the columns of `columns_read`."""
        raise NotImplementedError

    def fault_of(self, request: Request, reply: Reply) -> str | None:
        """What is wrong with an answer, in words that the model is told; None if it can be used."""
        return None

    def columns(self, documents: pa.Table, asked: list[list[Asked]]) -> pa.Table:
        """The columns of `columns_written`, of what became of each question of each document."""
        raise NotImplementedError

    def facts_of(self, answers: Sequence[Saved]) -> dict[str, Any]:
        """JSON-ready facts for the manifest, from the tables of answers: `row` and `columns_written`."""
        return {}

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What so many tokens cost; None without prices."""
        return self.prices().cost(prompt_tokens, completion_tokens)

    def prices(self) -> Prices:
        """What the engine's tokens cost."""
        priced = self.endpoint or self.vllm
        return Prices() if priced is None else Prices(**priced.model_dump(include=set(Prices.model_fields)))

    def request(self, messages: Sequence[tuple[str, str]], sample: int = 0, schema: dict[str, Any] | None = None) -> Request:
        """A question to this stage's model."""
        return Request(self.model_name(), tuple(messages), self.sampling, sample, schema)

    def model_name(self) -> ModelName:
        """Who answers."""
        return self.engine.model_name()

    def deciding_parameters(self) -> dict[str, Any]:
        spec = {key: value for key, value in super().deciding_parameters().items() if key not in ("cache", "budget")}
        return {**spec, **{name: value.deciding() for name in self.engines if (value := getattr(self, name)) is not None}}

    def requirements(self) -> tuple[tuple[str, str], ...]:
        if self.vllm is not None:
            return (("vllm", "vllm"),)
        return (("httpx", "llm"),) if self.endpoint is not None else ()

    def files(self) -> tuple[str, ...]:
        return () if self.vllm is None else self.vllm.files()

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        store = store_at(self.cache or str(sketches.folder() / "answers"))
        store.recover()
        units = [unit for part in sketches.parts() for unit in units_of(sketches, part)]
        bill = Bill(self.budget, self.cost, sketches.folder() / "spent.json")
        unanswered = sketches.folder() / "unanswered.jsonl"
        unanswered.write_bytes(b"")  # what an earlier start got no answer to is asked again
        before = bill.facts()["requests"]
        self._ask(sketches, units, store, bill, unanswered)
        if bill.facts()["requests"] > before:
            # tables that a killed start made may miss what was not answered then
            for table in sketches.folder().glob("answers-*.arrow"):
                table.unlink()
        answers = sketches.round("answers", _Answered(self, sketches, store.folder, unanswered), units)
        self.add(units, answers, verdicts)
        facts = {"model": self.model_name()._asdict(), "sampling": self.sampling.model_dump(mode="json")}
        documents = sum(len(unit.rows) for unit in units)
        return {"documents": documents, **facts, "asked": bill.facts(), **self.facts_of(answers)}

    def _ask(self, sketches: Sketches, units: Sequence[Unit], store: AnswerStore, bill: Bill, unanswered: Path) -> None:
        """Ask what no answer stands for, and again what came back at fault, until there is no more to ask."""
        failed: dict[str, str] = {}
        responder: Responder | None = None
        cluster = sketches.cluster() if self.vllm is not None else None
        try:
            for _ in range(self.retries + 1):
                if cluster is not None:
                    replies = replies_on(cluster, self, sketches, units, store, unanswered, bill)
                else:
                    requests = self._requests(sketches, units, store, failed, bill, sketches.progress("ask", len(units)))
                    # no client or model is opened where there is nothing to ask
                    if (first := next(requests, None)) is None:
                        break
                    responder = responder or self.engine.open()
                    replies = responder.replies(itertools.chain([first], requests))
                faults = 0
                with store.writer() as writer, open(unanswered, "ab") as log:
                    for request, reply in replies:
                        bill.add(request, reply)
                        _keep(request, reply, writer, failed, log)
                        faults += reply.text is not None and self.fault_of(request, reply) is not None
                if not faults:
                    break
            if bill.reached:
                raise BudgetReached(bill.told(self.name()))
        finally:
            bill.save()
            if responder is not None:
                responder.close()

    def _requests(
        self,
        sketches: Sketches,
        units: Sequence[Unit],
        store: AnswerStore,
        failed: dict[str, str],
        bill: Bill,
        show: Callable[[int], None],
    ) -> Iterator[Request]:
        """What has no answer yet, unit by unit as it is taken, as far as the budget goes."""
        asked: dict[str, None] = {}
        for unit in units:
            questions = self.questions(sketches.documents(unit.part, unit.rows, self.columns_read()))
            for chain in look_up(questions, store, failed, self.fault_of, self.retries):
                request = chain.pending
                if request is None or request.key in asked:
                    continue
                if not bill.allows(request):
                    return
                asked[request.key] = None
                if len(asked) > 2 * FILE_ANSWERS:  # those before are in the store by now
                    del asked[next(iter(asked))]
                yield request
            show(1)


def _keep(request: Request, reply: Reply, writer: AnswerWriter, failed: dict[str, str], log: IO[bytes]) -> None:
    if reply.text is not None:
        writer.add(request, reply)
        return
    failed[request.key] = reply.why
    log.write(orjson.dumps({"key": request.key, "why": reply.why}, option=orjson.OPT_APPEND_NEWLINE))


class _Answered:
    """The columns of a unit from the answers that stand, in a worker."""

    def __init__(self, stage: Asking, sketches: Sketches, folder: Path, unanswered: Path) -> None:
        self.stage, self.sketches, self.folder, self.unanswered = stage, sketches, folder, unanswered

    def __call__(self, unit: Unit) -> pa.Table:
        documents, questions, chains = chains_of(self.stage, self.sketches, unit, self.folder, self.unanswered)
        return self.stage.of_unit(unit, self.stage.columns(documents, by_document(questions, chains)))
