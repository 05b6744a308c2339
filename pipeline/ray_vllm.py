"""vLLM on Ray: a `ray.data.llm` processor between the tasks that make requests and the driver, which keeps the answers."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from schemas.errors import SluiceError, StageError
from stages.core.requests import Reply, Request
from stages.core.vllm_engine import Vllm, sampling_parameters


class Room(NamedTuple):
    """What the replicas of an engine take of a cluster. Beside them a CPU stays free, or tasks would wait for ever.

    task_cpus  of a task that makes requests
    """

    replicas: int
    cpus: float
    gpus: bool
    task_cpus: float


def room_for(vllm: Vllm, cpus: float, gpus: float) -> Room:
    """As many replicas as GPUs allow, or, on a cluster without any, as many as are asked for, on shares of its CPUs."""
    fitting = vllm.replicas
    if gpus or vllm.accelerator:
        fitting = min(fitting, int(gpus) // vllm.gpus)
        if not fitting:
            raise StageError(
                f"vllm: a replica of {vllm.model} takes {vllm.gpus} GPUs (tensor_parallel x pipeline_parallel), the cluster has"
                f" {gpus:g}"
            )
    task_cpus = 1.0 if cpus > 1 else 0.5
    share = min(1.0, int((cpus - task_cpus) / (fitting * vllm.gpus) * 100) / 100)
    if share <= 0:
        raise StageError(f"vllm: {fitting} replicas do not fit beside a task on {cpus:g} CPUs")
    return Room(fitting, share, bool(gpus or vllm.accelerator), task_cpus)


def dataset_of_replies(vllm: Vllm, function: Callable[[Any], Iterable[Request]], items: Sequence[Any], workers: int) -> Any:
    """A dataset whose rows have `answer`: (request, reply), or an error, pickled. Nothing runs before it is read."""
    import ray
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    from pipeline.ray_vllm_stage import AnsweringStage

    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    room = room_for(vllm, resources.get("CPU", 0), resources.get("GPU", 0))
    bundle = {"CPU": room.cpus, **({"GPU": 1} if room.gpus else {})}
    config = vLLMEngineProcessorConfig(
        model_source=vllm.source(),
        engine_kwargs=vllm.arguments(),
        batch_size=vllm.batch_size,
        max_concurrent_batches=vllm.concurrent_batches,
        # a number alone is a pool that begins with one replica and grows when it is late to
        concurrency=(room.replicas, room.replicas),
        accelerator_type=vllm.accelerator,
        placement_group_config={"bundles": [bundle] * vllm.gpus},
        runtime_env={"env_vars": vllm.variables()},
        should_continue_on_error=True,
        log_engine_metrics=False,
        # Three pools of actors less. Requests come as tokens, so that no text is begun twice, and the engine makes text of its
        # answers, with stop texts cut off. An error of a template is one request's; in these stages it would end the run.
        chat_template_stage=False,
        tokenize_stage=False,
        detokenize_stage=False,
    )
    processor = build_processor(
        config,
        preprocess=_same,
        postprocess=_answer_of,
        preprocess_map_kwargs={"num_cpus": room.task_cpus},
        postprocess_map_kwargs={"num_cpus": room.task_cpus},
    )
    name = "vLLMEngineStage"
    processor.stages[name] = processor.get_stage_by_name(name).model_copy(update={"fn": AnsweringStage})
    rows = [{"item": pickle.dumps(item)} for item in items]
    units = ray.data.from_items(rows, override_num_blocks=len(rows))
    size = min(workers, len(rows))
    requests = units.flat_map(_Rows(vllm, function), num_cpus=room.task_cpus, compute=ray.data.TaskPoolStrategy(size=size))
    # A task of a replica has one block: with large ones answers would come late, and to one replica all.
    return processor(requests.repartition(target_num_rows_per_block=vllm.batch_size))


class _Rows:
    """The requests of an item as rows for the engine. An error goes home as a row; one of a request's prompt is its reply."""

    def __init__(self, vllm: Vllm, function: Callable[[Any], Iterable[Request]]) -> None:
        self._vllm = vllm
        self._function = function

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            for request in self._function(pickle.loads(row["item"])):
                yield self._row(request)
        except SluiceError as error:
            yield _finished(error)
        except Exception as error:
            told = StageError(f"{type(error).__name__}: {error}")
            told.__cause__ = error
            yield _finished(told)

    def _row(self, request: Request) -> dict[str, Any]:
        try:
            tokens = self._vllm.conversations().tokens(request)
        except Exception as error:  # a template refuses what it does not know, in ways of its own
            return _finished((request, Reply(None, f"{type(error).__name__}: {error}")))
        adapter = {} if self._vllm.lora is None else {"model": self._vllm.lora}
        # As bytes: Arrow would make one type of what the rows of a block have, and a null of what one has not.
        return {
            "request": pickle.dumps(request),
            "tokenized_prompt": tokens,
            "sampling_params": pickle.dumps(sampling_parameters(request)),
            "answer": b"",
            **adapter,
        }


def _finished(answer: Any) -> dict[str, Any]:
    """A row that needs no engine."""
    return {"request": b"", "tokenized_prompt": [], "sampling_params": b"", "answer": pickle.dumps(answer)}


def _same(row: dict[str, Any]) -> dict[str, Any]:
    return row


def _answer_of(row: dict[str, Any]) -> dict[str, Any]:
    return {"answer": row["answer"]}
