"""Classifiers of Hugging Face by folder or cached name, and those that are a backbone with one layer on its first token."""

import json
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from schemas.errors import InputError

Activation = Literal["softmax", "sigmoid", "none"]
Logits = Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]
"""Of texts what comes out of the last layer (float64, texts x outputs), and which of them have tokens at all (bool)."""

SCORE = "score"
"""What the only output of a regression is called."""


@dataclass(frozen=True)
class Classifier:
    """What the files of a model say of it.

    backbone    name of the backbone of a model that is no whole model of transformers, else None
    activation  what makes scores of its outputs, by its problem type
    positions   tokens that it can tell the places of; None where it is not bound to a number
    """

    folder: Path
    labels: tuple[str, ...]
    backbone: str | None
    activation: Activation
    positions: int | None

    def files(self) -> tuple[str, ...]:
        """Everything that decides its answer."""
        endings = (".json", ".safetensors", ".bin", ".txt", ".model")
        return tuple(str(path) for path in sorted(self.folder.iterdir()) if path.suffix in endings)


def find_folder(model: str, revision: str | None = None) -> Path:
    """The folder of a model: itself, or in the cache of Hugging Face. Nothing is downloaded. Raises `ValueError`."""
    if os.path.isdir(model):
        return Path(model)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.constants import HF_HUB_CACHE
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise ValueError(
            f"{model} is no folder; to look for it in Hugging Face's cache: pip install 'sluice[embed]'"
        ) from error
    try:
        return Path(snapshot_download(model, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise ValueError(
            f"{model} is no folder, and not in Hugging Face's cache at {HF_HUB_CACHE}. Nothing is downloaded here: fetch it"
            f" before with `hf download {model}`, and name the folder or the model"
        ) from error


def examine(folder: Path) -> Classifier:
    """What `config.json` says. Raises `ValueError` if it is no classifier of a text."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"there is no config.json in {folder}")
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    named = {int(number): str(label) for number, label in (config.get("id2label") or {}).items()}
    if "base_model" in config and named:
        return Classifier(folder, tuple(named[at] for at in sorted(named)), str(config["base_model"]), "softmax", None)
    kinds = config.get("architectures") or []
    if not any(str(kind).endswith("ForSequenceClassification") for kind in kinds):
        raise ValueError(
            f"{folder} is no classifier of sequences: its architectures are {', '.join(map(str, kinds)) or 'not named'}, and it"
            " has no base_model with id2label"
        )
    # transformers leaves out what is its default, two labels
    count = len(named) or int(config.get("num_labels") or 2)
    labels = tuple(named.get(at, f"LABEL_{at}") for at in range(count))
    problem = config.get("problem_type") or ("regression" if count == 1 else "single_label_classification")
    activation: Activation = {"regression": "none", "multi_label_classification": "sigmoid"}.get(problem, "softmax")  # type: ignore[assignment]
    if activation == "none" and count == 1:
        labels = (SCORE,)
    return Classifier(folder, labels, None, activation, positions(config))


def backbone_folder(classifier: Classifier, base_model: str | None) -> Path:
    """The folder with the config.json of a model's backbone. Raises `ValueError` if there is none."""
    try:
        folder = find_folder(base_model or str(classifier.backbone))
    except ValueError as error:
        raise ValueError(
            f"{classifier.folder} stands on {classifier.backbone}, whose config.json is not in its folder: name a folder that"
            f" holds it in `base_model` (its weights are not needed); {error}"
        ) from error
    if not (folder / "config.json").is_file():
        raise ValueError(f"base_model: there is no config.json in {folder}")
    return folder


def positions(config: dict[str, Any]) -> int | None:
    """Tokens that a model has places for; None where places are relative or not said."""
    if config.get("relative_attention") and not config.get("position_biased_input", True):
        return None
    found = config.get("max_position_embeddings")
    # in models of this family places begin after the padding's number
    shifted = config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "mpnet", "longformer")
    return None if not found else int(found) - (int(config.get("pad_token_id") or 1) + 1 if shifted else 0)


def activated(outputs: np.ndarray, how: Activation) -> np.ndarray:
    """Scores of outputs (float64)."""
    if how == "none":
        return outputs
    if how == "sigmoid":
        small = np.exp(-np.abs(outputs))
        return np.asarray(np.where(outputs >= 0, 1, small) / (1 + small))
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def load_classifier(classifier: Classifier, base_model: str | None, max_tokens: int, batch_size: int, step: str) -> Logits:
    """The model on a GPU if there is one, else with one thread of this process. Threads may share it.

    Texts are cut after `max_tokens` tokens and go through it in batches by length, the shortest first, padded to the longest.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        # more threads add up in another order, and there is a process for each CPU already
        torch.set_num_threads(1)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(classifier.folder), local_files_only=True)
        forward, places = (_whole if classifier.backbone is None else _on_backbone)(classifier, base_model, step)
    except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
        raise InputError(f"{step}: {classifier.folder} cannot be loaded: {error}") from error
    forward.eval().to("cuda" if on_gpu else "cpu")
    limit = min(max_tokens, places) if places is not None else max_tokens
    tokenizing = threading.Lock()  # a call sets the tokenizer's length, which two threads must not do at once

    def logits(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        with tokenizing:
            encoded = tokenizer(list(texts), truncation=True, max_length=limit)
        lengths = np.array([len(ids) for ids in encoded["input_ids"]])
        order = np.argsort(lengths, kind="stable")
        found = np.zeros((len(texts), len(classifier.labels)))
        order = order[lengths[order] > 0]
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = {key: [values[row] for row in rows] for key, values in encoded.items()}
            with tokenizing:
                padded = tokenizer.pad(batch, padding="longest", return_tensors="pt")
            with torch.inference_mode():
                answer = forward(**{key: tensor.to("cuda") if on_gpu else tensor for key, tensor in padded.items()})
            found[rows] = getattr(answer, "logits", answer).double().cpu().numpy()
        return found, lengths > 0

    return logits


def _whole(classifier: Classifier, _base_model: str | None, step: str) -> tuple[Any, int | None]:
    import torch
    from transformers import AutoModelForSequenceClassification

    model, loaded = AutoModelForSequenceClassification.from_pretrained(
        str(classifier.folder), local_files_only=True, dtype=torch.float32, output_loading_info=True
    )
    if missing := sorted(loaded["missing_keys"]):
        # transformers would fill them with chance
        raise InputError(f"{step}: {classifier.folder} has no weights {', '.join(missing[:5])}: it is no trained classifier")
    return model, classifier.positions


def _on_backbone(classifier: Classifier, base_model: str | None, step: str) -> tuple[Any, int | None]:
    """Backbone, dropout and one layer on the first token, as NeMo Curator's classifiers are; dropout does nothing here."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(str(backbone_folder(classifier, base_model)), local_files_only=True)

    class OnBackbone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model: Any = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
            self.fc = torch.nn.Linear(config.hidden_size, len(classifier.labels))

        def forward(self, **inputs: Any) -> Any:
            return self.fc(self.model(**inputs).last_hidden_state[:, 0, :])

    made = OnBackbone().to(torch.float32)
    weights = load_file(str(classifier.folder / "model.safetensors"))
    wrong = made.load_state_dict(weights, strict=False)
    # older releases of transformers stored the numbers of places, which are no weights
    unknown = [key for key in wrong.unexpected_keys if not key.endswith("position_ids")]
    if wrong.missing_keys or unknown:
        named = ", ".join([*wrong.missing_keys, *unknown][:5])
        raise InputError(
            f"{step}: the weights in {classifier.folder} are not those of its backbone and one layer on it: {named}"
        )
    return made, positions(config.to_dict())
