"""Layers fitted to labelled vectors, with the same result each time: one thread, float64, and chance by a seed."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stages.core.heads import Kind, Target

Layers = tuple[tuple[np.ndarray, np.ndarray], ...]


@dataclass(frozen=True)
class Fitting:
    """How layers are fitted.

    l2      weight of half the squared length of all weights (not biases), of inputs with variance 1, beside the mean loss
    hidden  of an mlp, how many numbers there are between its two layers
    epochs  of an mlp, how often each document is seen; the epoch with the least loss on the documents for calibration stays
    lr      of an mlp, Adam's learning rate
    """

    l2: float = 1e-3
    hidden: int = 64
    epochs: int = 30
    lr: float = 1e-3
    batch_size: int = 64


def fit(
    vectors: np.ndarray,
    wanted: np.ndarray,
    apart: tuple[np.ndarray, np.ndarray],
    kind: Kind,
    target: Target,
    outputs: int,
    how: Fitting,
    seed: int,
) -> tuple[Layers, dict[str, Any]]:
    """Layers that give the wanted: numbers of labels by cross-entropy, or scores by squared error; and facts of the fitting.

    apart  vectors and what is wanted of them, by which an epoch is chosen
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more add up in another order
    try:
        mean, scale = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
        scale = np.where(scale > 0, scale, 1.0)
        inputs, others = (torch.from_numpy((part - mean) / scale) for part in (vectors, apart[0]))
        wants, other_wants = (torch.from_numpy(_wanted(part, target)) for part in (wanted, apart[1]))
        # a first score that is right on the average spares the layers learning it
        start = float(wanted.mean()) if target == "regression" else 0.0
        random = torch.Generator().manual_seed(seed)
        sizes = [vectors.shape[1], *([how.hidden] if kind == "mlp" else []), outputs]
        layers = [_layer(torch, a, b, random, kind == "linear") for a, b in pairwise(sizes)]
        with torch.no_grad():
            layers[-1][1].fill_(start)
        loss = torch.nn.functional.cross_entropy if target == "classes" else _squared
        if kind == "linear":
            facts = _newton_like(torch, layers, inputs, wants, loss, how.l2)
        else:
            facts = _by_batches(torch, layers, (inputs, wants), (others, other_wants), loss, how, random)
        found = [(weights.detach().numpy().copy(), biases.detach().numpy().copy()) for weights, biases in layers]
    finally:
        torch.set_num_threads(threads)
    weights, biases = found[0]
    found[0] = (weights / scale, biases - (weights / scale) @ mean)
    return tuple(found), facts


def _wanted(values: np.ndarray, target: Target) -> np.ndarray:
    return values.astype(np.int64) if target == "classes" else values.astype(np.float64)


def _squared(outputs: Any, wanted: Any) -> Any:
    return ((outputs[:, 0] - wanted) ** 2).mean()


def _layer(torch: Any, inputs: int, outputs: int, random: Any, zeros: bool) -> tuple[Any, Any]:
    weights = torch.zeros(outputs, inputs, dtype=torch.float64)
    if not zeros:
        weights.normal_(0, (2 / inputs) ** 0.5, generator=random)  # He et al. 2015, for ReLU
    return weights.requires_grad_(), torch.zeros(outputs, dtype=torch.float64, requires_grad=True)


def _forward(torch: Any, layers: list[tuple[Any, Any]], inputs: Any) -> Any:
    for weights, biases in layers[:-1]:
        inputs = torch.relu(inputs @ weights.T + biases)
    return inputs @ layers[-1][0].T + layers[-1][1]


def _penalty(layers: list[tuple[Any, Any]], l2: float) -> Any:
    return l2 / 2 * sum((weights**2).sum() for weights, _ in layers)


def _newton_like(torch: Any, layers: list[tuple[Any, Any]], inputs: Any, wanted: Any, loss: Any, l2: float) -> dict[str, Any]:
    """L-BFGS on all documents: the loss of one layer has one minimum."""
    free = [tensor for layer in layers for tensor in layer]
    search = torch.optim.LBFGS(
        free, max_iter=500, history_size=20, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def step() -> Any:
        search.zero_grad()
        value = loss(_forward(torch, layers, inputs), wanted) + _penalty(layers, l2)
        value.backward()
        return value

    search.step(step)
    with torch.no_grad():
        return {"loss": round(float(loss(_forward(torch, layers, inputs), wanted)), 6)}


def _by_batches(
    torch: Any,
    layers: list[tuple[Any, Any]],
    trained: tuple[Any, Any],
    apart: tuple[Any, Any],
    loss: Any,
    how: Fitting,
    random: Any,
) -> dict[str, Any]:
    """Adam, and the weights of the epoch that did best on the documents apart."""
    free = [tensor for layer in layers for tensor in layer]
    search = torch.optim.Adam(free, lr=how.lr)
    inputs, wanted = trained
    best, kept, epoch_of = float("inf"), [tensor.detach().clone() for tensor in free], 0
    for epoch in range(1, how.epochs + 1):
        for places in torch.randperm(len(inputs), generator=random).split(how.batch_size):
            search.zero_grad()
            value = loss(_forward(torch, layers, inputs[places]), wanted[places]) + _penalty(layers, how.l2)
            value.backward()
            search.step()
        with torch.no_grad():
            now = float(loss(_forward(torch, layers, apart[0]), apart[1]))
        if now < best:
            best, kept, epoch_of = now, [tensor.detach().clone() for tensor in free], epoch
    with torch.no_grad():
        for tensor, value in zip(free, kept, strict=True):
            tensor.copy_(value)
        return {
            "loss": round(float(loss(_forward(torch, layers, inputs), wanted)), 6),
            "epoch": epoch_of,
            "loss_apart": round(best, 6),
        }
