"""Heads: small models on embeddings, as a folder of two files that run no code when they are read."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from schemas.errors import InputError

WEIGHTS, FACTS = "head.npz", "head.json"
Kind = Literal["linear", "mlp"]
Target = Literal["classes", "regression"]
Calibration = Literal["platt", "isotonic", "none"]


@dataclass(frozen=True)
class Head:
    """Layers on a vector of length 1, with ReLU between them, and what makes probabilities of what comes out.

    target       classes: one output for each label; regression: one output, the score
    layers       weights (outputs x inputs) and biases (outputs), float64
    calibration  of classes: of each label (of two, of the second alone) the map of its log-odds to a probability, as `Curve`
    embedding    what the head was trained on: kind, dimensions, prefix, max_tokens and a hash of the model's files
    """

    kind: Kind
    target: Target
    labels: tuple[str, ...]
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    calibration: "tuple[Curve, ...]"
    embedding: dict[str, Any]

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        return int(self.layers[0][0].shape[1])

    def outputs(self, vectors: np.ndarray) -> np.ndarray:
        """What comes out of the layers (float64, vectors x outputs)."""
        found = vectors.astype(np.float64)
        for at, (weights, biases) in enumerate(self.layers):
            # not by a matrix library, whose last bits depend on how many vectors there are and on the CPU's threads
            found = np.einsum("nd,hd->nh", found, weights, optimize=False) + biases
            if at + 1 < len(self.layers):
                found = np.maximum(found, 0)
        return found

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Of regression the score of each vector, of classes the probability of each label (vectors x labels)."""
        outputs = self.outputs(vectors)
        return outputs[:, 0] if self.target == "regression" else probabilities(outputs, self.calibration)


@dataclass(frozen=True)
class Curve:
    """A rising map of log-odds to probabilities: a sigmoid of `slope * x + offset`, or straight lines between points."""

    slope: float = 1.0
    offset: float = 0.0
    points: np.ndarray | None = None
    """2 x points: log-odds, ascending, and probabilities"""

    def __call__(self, odds: np.ndarray) -> np.ndarray:
        if self.points is not None:
            return np.asarray(np.interp(odds, self.points[0], self.points[1]))
        return sigmoid(self.slope * odds + self.offset)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values >= 0, 1, small) / (1 + small))


def log_odds(outputs: np.ndarray) -> np.ndarray:
    """Of each label the logarithm of its odds against all others, under a softmax of the outputs."""
    found = np.empty_like(outputs)
    for label in range(outputs.shape[1]):
        others = np.delete(outputs, label, axis=1)
        most = others.max(axis=1)
        found[:, label] = outputs[:, label] - most - np.log(np.exp(others - most[:, None]).sum(axis=1))
    return found


def probabilities(outputs: np.ndarray, calibration: tuple[Curve, ...]) -> np.ndarray:
    """Of each label; where each of more than two is calibrated alone, divided by their sum (Zadrozny and Elkan 2002)."""
    odds = log_odds(outputs)
    if outputs.shape[1] == 2:
        second = calibration[0](odds[:, 1])
        return np.stack([1 - second, second], axis=1)
    found = np.stack([curve(odds[:, label]) for label, curve in enumerate(calibration)], axis=1)
    total = found.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(found, total, out=np.full_like(found, 1 / found.shape[1]), where=total > 0))


def write_head(head: Head, folder: Path) -> None:
    """Write the two files; the same head gives the same bytes."""
    arrays: dict[str, np.ndarray] = {}
    for at, (weights, biases) in enumerate(head.layers):
        arrays |= {f"weights_{at}": weights, f"biases_{at}": biases}
    curves: list[dict[str, float]] = []
    for at, curve in enumerate(head.calibration):
        if curve.points is not None:
            arrays[f"points_{at}"] = curve.points
        curves.append({"slope": curve.slope, "offset": curve.offset})
    np.savez(folder / WEIGHTS, **arrays)  # type: ignore[arg-type]
    facts = {
        "kind": head.kind,
        "target": head.target,
        "labels": list(head.labels),
        "layers": len(head.layers),
        "calibration": curves,
        "embedding": head.embedding,
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def read_head(folder: Path) -> Head:
    """The head in a folder. Raises `InputError` if there is none."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
            layers = tuple((arrays[f"weights_{at}"], arrays[f"biases_{at}"]) for at in range(facts["layers"]))
            curves = tuple(
                Curve(curve["slope"], curve["offset"], arrays.get(f"points_{at}"))
                for at, curve in enumerate(facts["calibration"])
            )
        return Head(facts["kind"], facts["target"], tuple(facts["labels"]), layers, curves, facts["embedding"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{folder} holds no head as `sluice train head` writes it ({FACTS}, {WEIGHTS}): {error}") from error
