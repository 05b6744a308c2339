"""A model of one's own, run by vLLM: beside this process, or as replicas on a Ray cluster (`pipeline/ray_vllm.py`)."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from schemas.errors import RecipeError, StageError
from stages.core.bill import Prices
from stages.core.model_digest import folder_digest
from stages.core.requests import ModelName, Reply, Request

OWN = ("model", "revision", "tensor_parallel_size", "pipeline_parallel_size", "max_model_len", "dtype", "quantization")
"""Arguments of vLLM that are keys of their own here."""
SPEED_ONLY = (
    "async_scheduling",
    "block_size",
    "compilation_config",
    "cpu_offload_gb",
    "disable_log_stats",
    "distributed_executor_backend",
    "download_dir",
    "enable_chunked_prefill",
    "enable_prefix_caching",
    "enforce_eager",
    "gpu_memory_utilization",
    "kv_cache_memory_bytes",
    "load_format",
    "max_num_batched_tokens",
    "max_num_seqs",
    "num_gpu_blocks_override",
    "safetensors_load_strategy",
    "swap_space",
    "trust_remote_code",
)
"""Arguments that change how fast answers come, and nothing else of them but rounding: not part of what they are kept by."""
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM can be set up for."""
AHEAD = 2
"""requests given to the local engine, in times those that it works on at once: some wait, so that no place is empty"""


class Vllm(Prices):
    """A model that vLLM runs. What its answers depend on is part of what they are kept by; how fast they come is not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="folder of the model, or its name on a hub", min_length=1)
    revision: str | None = Field(None, description="of a model on a hub: name a commit, for a branch may move")
    replicas: int = Field(1, description="engines on a Ray cluster, each with the model; as many as fit are made", ge=1)
    tensor_parallel: int = Field(1, description="GPUs that share each layer of one replica", ge=1)
    pipeline_parallel: int = Field(1, description="groups of GPUs that share the layers of one replica", ge=1)
    max_model_len: int | None = Field(None, description="tokens of a prompt and its answer; null: as the model says", ge=1)
    dtype: str = Field("auto", description="of the weights in memory: auto, bfloat16, float16 or float32")
    quantization: str | None = Field(None, description="as vLLM names it, such as fp8 or awq; null: as the model says")
    lora: str | None = Field(None, description="folder of a LoRA adapter that answers")
    chat_template: str | None = Field(None, description="file of a chat template; null: the one of the model's tokenizer")
    batch_size: int = Field(
        32, description="requests in one task of a replica on Ray: what a kill may cost, times the next", ge=1
    )
    concurrent_batches: int = Field(8, description="tasks of a replica at a time", ge=1, le=256)
    accelerator: str | None = Field(None, description="Ray's name of the GPUs to use, such as H100; null: any, or CPUs")
    engine: dict[str, Any] = Field({}, description="further engine arguments of vLLM, such as gpu_memory_utilization")
    environment: dict[str, str] = Field({}, description="environment variables of the engine's process")

    @field_validator("engine")
    @classmethod
    def _plain(cls, engine: dict[str, Any]) -> dict[str, Any]:
        if known := sorted(set(engine) & set(OWN)):
            raise ValueError(f"{', '.join(known)}: set with the key of its own, not in engine")
        try:
            json.dumps(engine, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"expected values that JSON has: {error}") from error
        return engine

    @model_validator(mode="after")
    def _hub(self) -> Self:
        if self.revision is not None and Path(self.model).expanduser().is_dir():
            raise ValueError("revision is for a model on a hub; a folder is told by its content")
        return self

    def deciding(self) -> dict[str, Any]:
        """What of this an answer depends on."""
        return self.model_name()._asdict()

    def model_name(self) -> ModelName:
        """Who answers: a folder by the digest of its content, then the settings that an answer depends on."""
        return self._named

    def files(self) -> tuple[str, ...]:
        """Files that have to be there."""
        return () if self.chat_template is None else (self.chat_template,)

    def open(self) -> "Local":
        """The engine, on this machine."""
        return Local(self)

    @property
    def gpus(self) -> int:
        """Of one replica."""
        return self.tensor_parallel * self.pipeline_parallel

    def source(self) -> str:
        """What vLLM loads."""
        path = Path(self.model).expanduser()
        return str(path.absolute()) if path.is_dir() else self.model

    def arguments(self) -> dict[str, Any]:
        """Arguments of vLLM's engine besides `model`."""
        found: dict[str, Any] = {
            "revision": self.revision,
            "tensor_parallel_size": self.tensor_parallel,
            "pipeline_parallel_size": self.pipeline_parallel,
            "max_model_len": self.max_model_len,
            "dtype": self.dtype,
            "quantization": self.quantization,
            # else a model may fill an answer with blanks that the schema allows
            "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        }
        if self.lora is not None:
            rank = json.loads((Path(self.lora) / "adapter_config.json").read_text()).get("r", 16)
            found |= {"enable_lora": True, "max_lora_rank": min((one for one in LORA_RANKS if one >= rank), default=rank)}
        return {name: value for name, value in (found | self.engine).items() if value is not None}

    def variables(self) -> dict[str, str]:
        """Environment of the engine: quiet, telling nobody of its use, and in a process of its own that is not forked from
        ours. A fork would have locks of our threads, and vLLM for CPUs does not start where numba is loaded.
        """
        quiet = {"VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1"}
        return {**quiet, "VLLM_WORKER_MULTIPROC_METHOD": "spawn", **self.environment}

    def conversations(self) -> "Conversations":
        """The model's tokenizer, loaded once in a process."""
        source, revision = (
            str(self.engine.get("tokenizer", self.source())),
            self.engine.get("tokenizer_revision", self.revision),
        )
        return _conversations(source, revision, self.chat_template, bool(self.engine.get("trust_remote_code")))

    @cached_property
    def _named(self) -> ModelName:
        folder = _folder(self.model)
        told = [folder_digest(folder) if folder is not None else self.revision or ""]
        told += [f"{name}={value}" for name in ("dtype", "quantization", "max_model_len") if (value := self._set(name))]
        if self.lora is not None:
            adapter = _folder(self.lora)
            told.append(f"lora={self.lora if adapter is None else folder_digest(adapter)}")
        if self.chat_template is not None:
            told.append(f"chat_template={hashlib.sha256(Path(self.chat_template).read_bytes()).hexdigest()[:12]}")
        rest = {name: value for name, value in self.engine.items() if name not in SPEED_ONLY}
        told += [f"{name}={json.dumps(value, sort_keys=True)}" for name, value in sorted(rest.items())]
        return ModelName(self.model if folder is None else folder.name, ",".join(part for part in told if part))

    def _set(self, name: str) -> Any:
        value = getattr(self, name)
        return None if value == type(self).model_fields[name].default else value


def _folder(model: str) -> Path | None:
    """The folder of a model, None if it is a name on a hub. Raises `RecipeError` if it looks like a folder and is none."""
    path = Path(model).expanduser()
    if path.is_dir():
        return path.absolute()
    if model.startswith(("/", "./", "../", "~")):
        raise RecipeError(f"vllm: there is no folder {model}")
    return None


def sampling_parameters(request: Request) -> dict[str, Any]:
    """How vLLM draws the answer to a request; the schema it is held to is `structured_outputs`, as JSON."""
    sampling = request.sampling
    found: dict[str, Any] = {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stop": list(sampling.stop),
        "seed": request.seed,
    }
    if request.schema is not None:
        found["structured_outputs"] = {"json": json.dumps(request.schema)}
    return found


def reply_of(output: Any) -> Reply:
    """What vLLM's `RequestOutput` says. Tokens are counted by the engine."""
    (answer,) = output.outputs
    return Reply(str(answer.text), "", str(answer.finish_reason or ""), len(output.prompt_token_ids), len(answer.token_ids))


_PLACE = "<!-- here -->"
"""stands for words that are not there yet, while a template is filled in"""


class Conversations:
    """Conversations as tokens, by a chat template: the same on every engine, and with one token for the begin of a text.

    The text of a template begins with that token; whoever tokenizes it as any text puts a second before it.
    """

    def __init__(self, source: str, revision: str | None, template: str | None, trust: bool) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=trust)
        self._template = None if template is None else Path(template).read_text()

    def tokens(self, request: Request) -> list[int]:
        """The prompt. A last message of the assistant is how the answer begins; an empty one of the user is to be written."""
        if request.continues and request.messages[-1][0] == "user":
            return self._to_the_turn(request)
        begun = request.messages[-1][0] == "assistant"
        found: Sequence[int] = self._tokenizer.apply_chat_template(
            request.chat(),
            chat_template=self._template,
            tokenize=True,
            return_dict=False,
            add_generation_prompt=not begun,
            continue_final_message=begun,
        )
        return list(found)

    def _to_the_turn(self, request: Request) -> list[int]:
        """Up to where the last turn's words would stand: a template closes a turn that has none."""
        chat = [*request.chat()[:-1], {"role": "user", "content": _PLACE}]
        text = str(self._tokenizer.apply_chat_template(chat, chat_template=self._template, tokenize=False))
        return list(self._tokenizer(text[: text.rindex(_PLACE)], add_special_tokens=False)["input_ids"])


@lru_cache(maxsize=2)
def _conversations(source: str, revision: str | None, template: str | None, trust: bool) -> Conversations:
    return Conversations(source, revision, template, trust)


class Local:
    """vLLM on this machine, driven by this process. Requests join its batch one by one: one that it refuses costs no other."""

    def __init__(self, vllm: Vllm) -> None:
        os.environ.update({name: value for name, value in vllm.variables().items() if name not in os.environ})
        os.environ.update(vllm.environment)
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        self._conversations = vllm.conversations()
        try:
            self.llm: Any = LLM(model=vllm.source(), **vllm.arguments())
        except Exception as error:
            raise StageError(f"vLLM does not start with {vllm.model}: {type(error).__name__}: {error}") from error
        self._engine: Any = self.llm.llm_engine
        self._lora = None if vllm.lora is None else LoRARequest("adapter", 1, vllm.lora)
        self._most: int = AHEAD * self._engine.vllm_config.scheduler_config.max_num_seqs

    def replies(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Reply]]:
        """The reply to each request as soon as it is there. Raises `StageError` if the engine breaks."""
        from vllm.v1.engine.exceptions import EngineDeadError

        source, flying = iter(requests), dict[str, Request]()
        try:
            while True:
                while len(flying) < self._most and (request := next(source, None)) is not None:
                    try:
                        self._add(request)
                    except EngineDeadError:
                        raise
                    except Exception as error:  # of this request: too long, or of a form that template or engine refuse
                        yield request, Reply(None, f"{type(error).__name__}: {error}")
                    else:
                        flying[request.key] = request
                if not flying:
                    return
                for output in self._engine.step():
                    if output.finished:
                        yield flying.pop(output.request_id), reply_of(output)
        except EngineDeadError as error:
            flying.clear()
            raise StageError(f"vLLM broke: {error}") from error
        finally:
            if flying:
                self._engine.abort_request(list(flying))

    def close(self) -> None:
        """Let go of the engine and its memory."""
        self._engine.engine_core.shutdown()

    def _add(self, request: Request) -> None:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        keys = sampling_parameters(request)
        if (schema := keys.pop("structured_outputs", None)) is not None:
            keys["structured_outputs"] = StructuredOutputsParams(**schema)
        prompt = {"prompt_token_ids": self._conversations.tokens(request)}
        self._engine.add_request(request.key, prompt, SamplingParams(**keys), lora_request=self._lora)
