"""From the sum of a document's vectors to its best label: the losses of fastText's models."""

import math
from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.fasttext_model import HIERARCHICAL, SOFTMAX

_SIGMOID_STEPS, _SIGMOID_END = 512, 8
_TAYLOR = tuple(1.0 / math.factorial(n) for n in range(13, -1, -1))


@leaf
def exp(x: Any) -> Any:
    """e to the x within 2 units in the last place. Not the C library's, whose last bit depends on its version and the CPU."""
    x = min(max(x, -700.0), 700.0)
    k = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * 0.693145751953125) - k * 1.4286068203094173e-06
    value = 0.0
    for factor in _TAYLOR:
        value = value * r + factor
    exponent = np.int64(k)
    scale = 2.0 if exponent >= 0 else 0.5
    for _ in range(abs(exponent)):
        value *= scale
    return value


@leaf
def _dot(matrix: Any, row: Any, hidden: Any) -> Any:
    value = 0.0
    for d in range(len(hidden)):
        value += matrix[row, d] * hidden[d]
    return value


@leaf
def _all_scores(hidden: Any, loss: Any, output: Any, left: Any, right: Any, scores: Any, nodes: Any, values: Any) -> None:
    """The score of every label."""
    count = len(output)
    if loss == HIERARCHICAL:
        depth = 1
        nodes[0], values[0] = 2 * count - 2, 1.0
        while depth:
            depth -= 1
            node, product = nodes[depth], values[depth]
            if node < count:
                scores[node] = product
                continue
            p = 1.0 / (1.0 + exp(-_dot(output, node - count, hidden)))
            nodes[depth], values[depth] = right[node - count], product * (p + 1e-5)
            nodes[depth + 1], values[depth + 1] = left[node - count], product * (1.0 - p + 1e-5)
            depth += 2
        return
    highest = -np.inf
    for label in range(count):
        values[label] = _dot(output, label, hidden)
        highest = max(highest, values[label])
    if loss == SOFTMAX:
        total = 0.0
        for label in range(count):
            values[label] = exp(values[label] - highest)
            total += values[label]
        for label in range(count):
            scores[label] = values[label] / total + 1e-5
    else:
        for label in range(count):
            scores[label] = sigmoid(values[label]) + 1e-5


@leaf
def top_labels(
    sums: Any, rows: Any, loss: Any, output: Any, left: Any, right: Any, labels: Any, scores: Any, hidden: Any, all_: Any,
    nodes: Any, values: Any,
) -> None:  # fmt: skip
    """The labels with the highest scores of each document that has rows, best first: as many as `labels` has columns."""
    for document in range(len(sums)):
        if rows[document] == 0:
            continue
        for d in range(len(hidden)):
            hidden[d] = sums[document, d] / rows[document]
        _all_scores(hidden, loss, output, left, right, all_, nodes, values)
        for place in range(labels.shape[1]):
            best = np.int64(0)
            for label in range(1, len(output)):
                if all_[label] >= all_[best]:
                    best = np.int64(label)
            labels[document, place], scores[document, place] = best, all_[best]
            all_[best] = -1.0


@leaf
def label_scores(
    sums: Any, rows: Any, loss: Any, output: Any, left: Any, right: Any, label: Any, scores: Any, hidden: Any, all_: Any,
    nodes: Any, values: Any,
) -> None:  # fmt: skip
    """The score of one label for each document that has rows."""
    for document in range(len(sums)):
        if rows[document] == 0:
            continue
        for d in range(len(hidden)):
            hidden[d] = sums[document, d] / rows[document]
        _all_scores(hidden, loss, output, left, right, all_, nodes, values)
        scores[document] = all_[label]


@leaf
def sigmoid(x: Any) -> Any:
    """As the library reads it off its table."""
    if x < -_SIGMOID_END:
        return 0.0
    if x > _SIGMOID_END:
        return 1.0
    step = np.int64((x + _SIGMOID_END) * _SIGMOID_STEPS / _SIGMOID_END / 2)
    return 1.0 / (1.0 + exp(-(step * 2.0 * _SIGMOID_END / _SIGMOID_STEPS - _SIGMOID_END)))


@leaf
def best_labels(
    sums: Any,
    rows: Any,
    loss: Any,
    output: Any,
    left: Any,
    right: Any,
    labels: Any,
    scores: Any,
    hidden: Any,
    nodes: Any,
    values: Any,
) -> None:
    """Label with the highest score for each document that has rows; the last of equals as the library finds it."""
    count = len(output)
    for document in range(len(sums)):
        if rows[document] == 0:
            continue
        for d in range(len(hidden)):
            hidden[d] = sums[document, d] / rows[document]
        best, best_score = np.int64(-1), -1.0
        if loss == HIERARCHICAL:
            depth = 1
            nodes[0], values[0] = 2 * count - 2, 1.0
            while depth:
                depth -= 1
                node, product = nodes[depth], values[depth]
                # a child may score above its parent by the 1e-5 that is added to each probability
                if product < best_score * 0.99:
                    continue
                if node < count:
                    if product >= best_score:
                        best, best_score = node, product
                    continue
                p = 1.0 / (1.0 + exp(-_dot(output, node - count, hidden)))
                # the likelier child is looked at first: its labels often leave nothing to look for in the other; if both are
                # alike, the left one, so that the last of equals is the library's
                first = depth + 1 if p > 0.5 else depth
                nodes[first], values[first] = right[node - count], product * (p + 1e-5)
                first = 2 * depth + 1 - first
                nodes[first], values[first] = left[node - count], product * (1.0 - p + 1e-5)
                depth += 2
        elif loss == SOFTMAX:
            highest = -np.inf
            for label in range(count):
                values[label] = _dot(output, label, hidden)
                highest = max(highest, values[label])
            total = 0.0
            for label in range(count):
                values[label] = exp(values[label] - highest)
                total += values[label]
            for label in range(count):
                score = values[label] / total + 1e-5
                if score >= best_score:
                    best, best_score = np.int64(label), score
        else:  # a sigmoid for each label, read off the library's table
            for label in range(count):
                score = sigmoid(_dot(output, label, hidden)) + 1e-5
                if score >= best_score:
                    best, best_score = np.int64(label), score
        labels[document] = best
        scores[document] = best_score
