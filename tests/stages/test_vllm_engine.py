"""Who a model of one's own is, what of its settings answers are kept by, and how its replicas fit on a cluster."""

import shutil
import struct
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from pipeline.ray_vllm import Room, room_for
from schemas.errors import RecipeError, StageError
from stages.core import model_digest
from stages.core.chat import Endpoint
from stages.core.model_digest import folder_digest
from stages.core.requests import ModelName, Request, Sampling
from stages.core.vllm_engine import Conversations, Vllm
from stages.rephrase import Rephrase


def weights(path: Path, tensors: dict[str, bytes]) -> None:
    """A safetensors file."""
    header, at = {}, 0
    for name, data in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [at, at + len(data)]}
        at += len(data)
    head = orjson.dumps({"__metadata__": {"format": "pt"}, **header})
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(tensors.values()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "llama"
    made.mkdir()
    (made / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (made / "README.md").write_text("about it")
    weights(made / "model.safetensors", {"a": b"\1" * 50_000, "b": b"\2" * 50_000})
    return made


@pytest.mark.parametrize("whole", [16_000_000, 10])
def test_a_folder_is_told_by_what_a_model_is_loaded_from(folder: Path, whole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_digest, "WHOLE_BYTES", whole)
    first = folder_digest(folder)
    assert len(first) == 12
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    (copy / "README.md").write_text("about something else")
    assert folder_digest(copy) == first
    # trained further: same names, shapes and sizes
    weights(copy / "model.safetensors", {"a": b"\1" * 50_000, "b": b"\3" * 50_000})
    assert folder_digest(copy) != first
    shutil.copy(folder / "model.safetensors", copy)
    assert folder_digest(copy) == first
    (copy / "config.json").write_text('{"architectures": ["OtherForCausalLM"]}')
    assert folder_digest(copy) != first


def test_a_large_file_of_another_kind_is_read_in_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_digest, "WHOLE_BYTES", 10)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\1" * 9_000_000)
    first = folder_digest(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\1" * 8_999_999 + b"\2")
    assert folder_digest(tmp_path) != first


def test_answers_are_kept_by_what_they_depend_on_and_not_by_how_fast_they_come(folder: Path, tmp_path: Path) -> None:
    plain = Vllm(model=str(folder)).model_name()
    assert plain == ("llama", folder_digest(folder))
    fast: dict[str, Any] = {"replicas": 8, "tensor_parallel": 2, "batch_size": 256, "accelerator": "H100", "prompt_price": 1.0}
    fast |= {"engine": {"gpu_memory_utilization": 0.8, "enforce_eager": True}, "environment": {"A": "1"}}
    assert Vllm(model=str(folder), **fast).model_name() == plain
    (tmp_path / "chat.jinja").write_text("{{ messages }}")
    others: list[dict[str, Any]] = [
        {"dtype": "float32"},
        {"quantization": "fp8"},
        {"max_model_len": 4096},
        {"lora": str(folder)},
        {"chat_template": str(tmp_path / "chat.jinja")},
        {"engine": {"kv_cache_dtype": "fp8"}},
    ]
    names = [Vllm(model=str(folder), **keys).model_name() for keys in others]
    assert len({plain, *names}) == 7
    assert names[0].revision == f"{folder_digest(folder)},dtype=float32"
    assert names[5].revision == f'{folder_digest(folder)},kv_cache_dtype="fp8"'
    assert Vllm(model="org/name", revision="1234abcd").model_name() == ("org/name", "1234abcd")
    assert Vllm(model=str(folder), **others[4]).files() == (str(tmp_path / "chat.jinja"),)


def test_a_folder_that_is_not_there_is_told_before_a_run() -> None:
    with pytest.raises(RecipeError, match="vllm: there is no folder /no/such"):
        Vllm(model="/no/such").deciding()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"engine": {"dtype": "float32"}}, "dtype: set with the key of its own"),
        ({"engine": {"a": {1, 2}}}, "values that JSON has"),
        ({"engine": {"a": float("nan")}}, "values that JSON has"),
        ({"revision": "main"}, "a folder is told by its content"),
        ({"replicas": 0}, "greater than or equal to 1"),
        ({"tensor_paralel": 2}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be_are_refused(folder: Path, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Vllm(model=str(folder), **keys)


def test_settings_reach_the_engine_under_its_names(folder: Path) -> None:
    keys: dict[str, Any] = {"tensor_parallel": 2, "pipeline_parallel": 3, "quantization": "awq", "dtype": "float16"}
    (folder / "adapter_config.json").write_text('{"r": 20}')
    found = Vllm(model=str(folder), max_model_len=99, lora=str(folder), engine={"max_num_seqs": 7}, **keys).arguments()
    assert found == {
        "tensor_parallel_size": 2,
        "pipeline_parallel_size": 3,
        "max_model_len": 99,
        "dtype": "float16",
        "quantization": "awq",
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "enable_lora": True,
        "max_lora_rank": 32,
        "max_num_seqs": 7,
    }
    assert Vllm(model="m", engine={"structured_outputs_config": {}}).arguments()["structured_outputs_config"] == {}
    assert Vllm(model="m", environment={"VLLM_LOGGING_LEVEL": "INFO"}).variables()["VLLM_LOGGING_LEVEL"] == "INFO"


def test_a_stage_that_vllm_answers_needs_it_and_has_its_prices(folder: Path) -> None:
    stage = Rephrase(vllm={"model": str(folder), "prompt_price": 2.0, "completion_price": 10.0})
    assert stage.requirements() == (("vllm", "vllm"),)
    assert stage.cost(1_000_000, 100_000) == 3.0
    assert Rephrase(vllm={"model": str(folder)}).cost(1, 1) is None
    with pytest.raises(ValidationError, match="expected one of endpoint, vllm, script"):
        Rephrase(vllm={"model": str(folder)}, script={})


@pytest.mark.parametrize(
    ("replicas", "cpus", "gpus", "expected"),
    [
        (1, 1, 0, Room(1, 0.5, False, 0.5)),
        (1, 2, 0, Room(1, 1.0, False, 1.0)),
        (2, 2, 0, Room(2, 0.5, False, 1.0)),
        (2, 3, 0, Room(2, 1.0, False, 1.0)),
        (8, 64, 4, Room(4, 1.0, True, 1.0)),
        (2, 64, 4, Room(2, 1.0, True, 1.0)),
    ],
)
def test_replicas_leave_a_cpu_for_tasks(replicas: int, cpus: float, gpus: float, expected: Room) -> None:
    room = room_for(Vllm(model="m", replicas=replicas), cpus, gpus)
    assert room == expected
    assert room.replicas * room.cpus + room.task_cpus <= cpus


def test_a_replica_that_does_not_fit_is_told() -> None:
    with pytest.raises(StageError, match=r"a replica of m takes 4 GPUs .*, the cluster has 2"):
        room_for(Vllm(model="m", tensor_parallel=4), 8, 2)
    with pytest.raises(StageError, match="the cluster has 0"):
        room_for(Vllm(model="m", accelerator="H100"), 8, 0)
    with pytest.raises(StageError, match="200 replicas do not fit beside a task on 2 CPUs"):
        room_for(Vllm(model="m", replicas=200), 2, 0)
    assert room_for(Vllm(model="m", replicas=9, tensor_parallel=2), 64, 8).replicas == 4


def test_an_empty_turn_of_the_user_is_left_open(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<s>", "<user>", "<system>", "<assistant>", "</s>", "You", "know", "rivers", "here", "<", "!", "-", ">", "[UNK]"]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = (
        "<s> {% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} </s> {% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    fast.save_pretrained(tmp_path)
    made = Conversations(str(tmp_path), None, None, False)

    def told(*messages: tuple[str, str]) -> list[str]:
        return [words[at] for at in made.tokens(Request(ModelName("m", ""), messages, Sampling()))]

    system = ("system", "You know")
    assert told(system, ("user", "")) == ["<s>", "<system>", "You", "know", "</s>", "<user>"]
    assert told(system, ("user", "rivers"))[-3:] == ["rivers", "</s>", "<assistant>"]
    with pytest.raises(StageError, match="a server closes such a turn"):
        Endpoint(base_url="http://127.0.0.1:9/v1", model="m").open().reply(
            Request(ModelName("m", ""), (("user", ""),), Sampling())
        )
