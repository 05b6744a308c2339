"""Models of which only linear outputs are asked: their vectors are replaced by what the output matrix makes of them.

An output is the product of a row of the output matrix with the mean of a text's vectors, which is the mean of the products. A
model of two labels asks one output (the difference of both), so each vector becomes one number: the 800 MB of 2 million
buckets of 100 numbers become 8 MB, which a processor's cache holds.
"""

import dataclasses
from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.fasttext_model import HIERARCHICAL, SOFTMAX, Model, aligned


def project(model: Model) -> Model:
    """A model with the same scores, with as many numbers in a vector as it has outputs if these are fewer."""
    outputs = len(model.output) - (model.loss == HIERARCHICAL)
    if not 0 < outputs < model.dim:
        return model
    identity = np.eye(len(model.output), outputs, dtype=np.float32)
    return _projected(model, model.output[:outputs].astype(np.float64), identity)


def project_on(model: Model, label: int) -> Model | None:
    """A model with one number in a vector, of which the first label has this label's score; None if one is not enough.

    One is enough for two labels, and for any number where each label has a sigmoid of its own. Two labels are two leaves
    of a tree with one inner node, whatever the loss: the library adds 1e-5 to either probability in the same way.
    """
    output = model.output.astype(np.float64)
    if len(model.labels) == 2 and model.loss in (HIERARCHICAL, SOFTMAX):
        if model.loss == SOFTMAX:
            ahead = output[label] - output[1 - label]
        else:
            ahead = output[0] if int(model.right[0]) == label else -output[0]
        left, right = _frozen(np.array([1], np.int32)), _frozen(np.array([0], np.int32))
        projected = _projected(model, ahead[None, :], np.array([[1.0], [0.0]], np.float32))
        labels = model.labels[label], model.labels[1 - label]
        return dataclasses.replace(projected, labels=labels, loss=HIERARCHICAL, left=left, right=right)
    if model.loss in (HIERARCHICAL, SOFTMAX):
        return None
    projected = _projected(model, output[label : label + 1], np.ones((1, 1), np.float32))
    return dataclasses.replace(projected, labels=(model.labels[label],))


def _projected(model: Model, outputs: np.ndarray, new_output: np.ndarray) -> Model:
    vectors = aligned(len(model.vectors), len(outputs))
    multiply(model.vectors, _frozen(outputs), vectors)
    return dataclasses.replace(model, dim=len(outputs), vectors=_frozen(vectors), output=_frozen(new_output))


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


@leaf
def multiply(vectors: Any, outputs: Any, products: Any) -> None:
    """Products of each row with each output, added in order: a library's matrix product has other last bits on each CPU."""
    for row in range(len(vectors)):
        for o in range(len(outputs)):
            value = 0.0
            for d in range(vectors.shape[1]):
                value += vectors[row, d] * outputs[o, d]
            products[row, o] = value
