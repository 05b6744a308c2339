"""Scores are those of transformers, of whole models and of a layer on a backbone; what is no trained classifier is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    PreTrainedTokenizerFast,
)

from pipeline.trial import MemorySketches, MemoryVerdicts
from schemas.errors import InputError
from stages.core import model as model_stage
from stages.core.docs import Docs
from stages.core.sequence_classifiers import positions
from stages.score_classifier import EXAMPLE, ScoreClassifier

TEXTS = ["The river rises in the hills", "north", "a b c the of to in and", "zzzz the", "the " * 40, "river and town"]


def texts(*values: str | None) -> pa.Table:
    return pa.table({"text": pa.array(values, pa.large_string())})


def answered(stage: ScoreClassifier, *values: str | None) -> dict[str, list[Any]]:
    found = stage.load()(texts(*values))
    assert found.schema.equals(pa.schema(list(stage.columns_written().items())))
    answer: dict[str, list[Any]] = found.to_pydict()
    return answer


def bert(**keys: Any) -> BertConfig:
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertConfig(vocab_size=192, max_position_embeddings=64, initializer_range=0.5, **small, **keys)


def saved(folder: Path, **keys: Any) -> str:
    torch.manual_seed(3)
    BertForSequenceClassification(bert(**keys)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(EXAMPLE) / name, folder)
    return str(folder)


def directly(folder: str, *values: str, limit: int = 64) -> torch.Tensor:
    """Logits of transformers, one text at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return torch.cat(
            [model(**tokenizer(text, return_tensors="pt", truncation=True, max_length=limit)).logits for text in values]
        )


def test_the_only_output_of_a_regression_is_the_score_as_it_is() -> None:
    found = answered(ScoreClassifier(model=EXAMPLE, batch_size=3), *TEXTS, None)
    expected = directly(EXAMPLE, *TEXTS, "").squeeze(-1).tolist()
    assert found == {"classifier_score": pytest.approx(expected, abs=1.1e-5)}
    assert len(set(found["classifier_score"])) > 5
    assert answered(ScoreClassifier(model=EXAMPLE, outputs=("score",), column="edu"), "north")["edu"] == pytest.approx(
        [expected[1]], abs=1.1e-5
    )


@pytest.mark.parametrize(
    ("problem", "how"), [(None, "softmax"), ("multi_label_classification", "sigmoid"), ("regression", "none")]
)
def test_outputs_become_scores_by_the_problem_type(tmp_path: Path, problem: str | None, how: str) -> None:
    labels = {0: "High", 1: "Medium", 2: "Not so good!"}
    folder = saved(tmp_path / "m", num_labels=3, id2label=labels, label2id={}, problem_type=problem)
    logits = directly(folder, *TEXTS)
    functions = {"softmax": lambda x: torch.softmax(x, -1), "sigmoid": torch.sigmoid, "none": lambda x: x}
    expected = functions[how](logits).double().numpy()
    found = answered(ScoreClassifier(model=folder, outputs=("Not so good!", "High"), column="p"), *TEXTS)
    assert list(found) == ["p_not_so_good", "p_high"]
    assert found["p_not_so_good"] == pytest.approx(expected[:, 2], abs=1.1e-5)
    assert found["p_high"] == pytest.approx(expected[:, 0], abs=1.1e-5)
    best = answered(ScoreClassifier(model=folder), *TEXTS)
    assert list(best) == ["classifier_label", "classifier_score"]
    assert best["classifier_label"] == [labels[at] for at in expected.argmax(axis=1)]
    assert best["classifier_score"] == pytest.approx(expected.max(axis=1), abs=1.1e-5)
    other = answered(ScoreClassifier(model=folder, outputs=("Medium",), activation="sigmoid", label_column="kind"), *TEXTS)
    assert other["classifier_score"] == pytest.approx(torch.sigmoid(logits)[:, 1].numpy(), abs=1.1e-5)
    assert other["kind"] == best["classifier_label"]


@pytest.mark.parametrize("backbone", ["deberta", "bert"])
def test_a_layer_on_a_backbone_is_that_of_nemo_curator(tmp_path: Path, backbone: str) -> None:
    base, folder = tmp_path / "base", tmp_path / "quality"
    torch.manual_seed(5)
    if backbone == "deberta":
        small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
        relative = {
            "relative_attention": True,
            "position_buckets": 8,
            "position_biased_input": False,
            "pos_att_type": "p2c|c2p",
        }
        config = DebertaV2Config(
            vocab_size=192, initializer_range=0.5, type_vocab_size=0, norm_rel_ebd="layer_norm", **small, **relative
        )
        model: Any = DebertaV2Model(config)
    else:
        config = bert()
        model = BertModel(config)
    config.save_pretrained(base)
    head = torch.nn.Linear(16, 3)
    weights = {f"model.{name}": value for name, value in model.state_dict().items()}
    # releases of transformers before 4.31 stored these numbers, too
    weights["model.embeddings.position_ids"] = torch.arange(64)[None]
    folder.mkdir()
    save_file(weights | {"fc.weight": head.weight.detach(), "fc.bias": head.bias.detach()}, folder / "model.safetensors")
    told = {"base_model": "microsoft/deberta-v3-base", "fc_dropout": 0.2, "id2label": {"0": "High", "1": "Medium", "2": "Low"}}
    (folder / "config.json").write_text(json.dumps(told))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(EXAMPLE) / name, folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    expected = []
    for text in TEXTS:
        encoded = tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            hidden = model.eval()(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]).last_hidden_state
            expected.append(torch.softmax(head(hidden)[:, 0, :], dim=1)[0].tolist())
    stage = ScoreClassifier(model=str(folder), base_model=str(base), outputs=("High", "Low"), max_tokens=1024, batch_size=2)
    found = answered(stage, *TEXTS)
    assert found["classifier_score_high"] == pytest.approx([row[0] for row in expected], abs=1.1e-5)
    assert found["classifier_score_low"] == pytest.approx([row[2] for row in expected], abs=1.1e-5)
    assert stage.files()[-1] == str(base / "config.json")
    with pytest.raises(ValidationError, match=r"stands on microsoft/deberta-v3-base, whose config\.json .* in `base_model`"):
        ScoreClassifier(model=str(folder))
    with pytest.raises(ValidationError, match=r"base_model: there is no config\.json in"):
        ScoreClassifier(model=str(folder), base_model=str(tmp_path))
    save_file(
        {name: value for name, value in load_file(folder / "model.safetensors").items() if name != "fc.bias"},
        folder / "model.safetensors",
    )
    with pytest.raises(InputError, match=r"are not those of its backbone and one layer on it: fc\.bias"):
        stage.load()


def test_texts_are_cut_after_the_tokens_that_the_model_has_places_for() -> None:
    long = "the river " * 300
    (found,) = answered(ScoreClassifier(model=EXAMPLE), long)["classifier_score"]
    assert found == pytest.approx(directly(EXAMPLE, long).item(), abs=1.1e-5)
    (short,) = answered(ScoreClassifier(model=EXAMPLE, max_tokens=5), long)["classifier_score"]
    assert short == pytest.approx(directly(EXAMPLE, long, limit=5).item(), abs=1.1e-5)
    assert short == answered(ScoreClassifier(model=EXAMPLE), "the river the")["classifier_score"][0] != found


def test_places_are_those_behind_the_padding_or_without_end() -> None:
    assert positions({"model_type": "bert", "max_position_embeddings": 512}) == 512
    assert positions({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}) == 512
    deberta = {"model_type": "deberta-v2", "max_position_embeddings": 512, "relative_attention": True}
    assert positions({**deberta, "position_biased_input": False}) is None
    assert positions(deberta) == 512


def test_what_stands_beside_a_text_does_not_change_its_score() -> None:
    whole = answered(ScoreClassifier(model=EXAMPLE), *TEXTS)["classifier_score"]
    for size in (1, 2, 4):
        assert answered(ScoreClassifier(model=EXAMPLE, batch_size=size), *TEXTS)["classifier_score"] == whole
    assert [answered(ScoreClassifier(model=EXAMPLE), text)["classifier_score"][0] for text in TEXTS] == whole


def test_a_text_without_tokens_has_nulls(tmp_path: Path) -> None:
    folder = Path(saved(tmp_path / "m", num_labels=2))
    tokens = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**tokens, "post_processor": None}))
    found = answered(ScoreClassifier(model=str(folder)), "", "the river")
    assert found["classifier_label"][0] is found["classifier_score"][0] is None
    assert found["classifier_label"][1] in ("LABEL_0", "LABEL_1")
    assert 0.5 <= found["classifier_score"][1] <= 1


def test_answers_of_units_are_columns_of_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_stage, "UNIT_DOCUMENTS", 2)
    documents = texts(*TEXTS)
    stage = ScoreClassifier(model=EXAMPLE)
    sketch = stage.sketch(Docs(documents)).append_column("row", pa.array(range(6), pa.int32()))
    verdicts = MemoryVerdicts([6], stage.columns_written())
    facts = stage.solve(MemorySketches([sketch], [documents]), verdicts)
    assert facts["labels"] == ["score"]
    assert (facts["activation"], facts["max_tokens"]) == ("none", 512)
    assert verdicts.values[0]["classifier_score"].to_pylist() == answered(stage, *TEXTS)["classifier_score"]


def test_a_model_in_the_cache_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        ValidationError, match=r"lab/edu is no folder, and not in Hugging Face's cache at .* `hf download lab/edu`"
    ):
        ScoreClassifier(model="lab/edu")
    snapshot = tmp_path / "models--lab--edu" / "snapshots" / ("a" * 40)
    shutil.copytree(EXAMPLE, snapshot)
    (tmp_path / "models--lab--edu" / "refs").mkdir()
    (tmp_path / "models--lab--edu" / "refs" / "main").write_text("a" * 40)
    by_name = ScoreClassifier(model="lab/edu")
    assert answered(by_name, *TEXTS) == answered(ScoreClassifier(model=EXAMPLE), *TEXTS)
    assert {Path(path).parent for path in by_name.files()} == {snapshot}
    with pytest.raises(ValidationError, match="not in Hugging Face's cache"):
        ScoreClassifier(model="lab/edu", revision="v2")


def test_weights_that_would_be_chance_are_refused(tmp_path: Path) -> None:
    folder = Path(saved(tmp_path / "m", num_labels=2))
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: value for name, value in weights.items() if not name.startswith("classifier")},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(InputError, match=r"has no weights classifier\.bias, classifier\.weight: it is no trained classifier"):
        ScoreClassifier(model=str(folder)).load()
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"score_classifier: .* cannot be loaded"):
        ScoreClassifier(model=str(folder)).load()
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"score_classifier: .* cannot be loaded"):
        ScoreClassifier(model=str(folder)).load()


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"model": str(Path(__file__).parent)}, "model: there is no config.json in"),
        ({"model": "/nowhere/model"}, "model: /nowhere/model is no folder"),
        ({"outputs": ["edu"]}, "outputs: the model has no 'edu'; it has 'score'"),
        ({"base_model": "x"}, "the model is a whole one"),
        ({"label_column": "kind"}, "the model has one output, no labels"),
        ({"column": "text"}, "there is a column 'text' already"),
    ],
)
def test_what_cannot_be_a_classifier_is_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ScoreClassifier(**{"model": EXAMPLE, **keys})


def test_labels_whose_columns_would_be_one_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", num_labels=2, id2label={0: "Good!", 1: "good"}, label2id={})
    with pytest.raises(ValidationError, match="columns would have the same name"):
        ScoreClassifier(model=folder, outputs=("Good!", "good"))
    with pytest.raises(ValidationError, match="columns would have the same name"):
        ScoreClassifier(model=folder, label_column="classifier_score")


def test_a_model_for_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertForMaskedLM"]}))
    with pytest.raises(ValidationError, match="is no classifier of sequences: its architectures are BertForMaskedLM"):
        ScoreClassifier(model=str(tmp_path))
    assert np.isfinite(answered(ScoreClassifier(model=EXAMPLE), "")["classifier_score"]).all()
