"""Connected components of a graph whose nodes are numbers of documents, and the roots of datatrove's union by size."""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.text import frozen


def forest_of(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every document of the pairs `left`-`right` (int64, ascending), and the smallest document of its component.

    Takes about 40 bytes for each pair, whatever the numbers are.
    """
    documents, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    forest = np.arange(len(documents), dtype=np.int64)
    _link(forest, frozen(places[: len(left)].astype(np.int64)), frozen(places[len(left) :].astype(np.int64)))
    return documents.astype(np.int64), documents[forest].astype(np.int64)


@leaf
def _link(forest: Any, left: Any, right: Any) -> None:
    for at in range(len(left)):
        join(forest, left[at], right[at])
    for i in range(len(forest)):
        forest[i] = root_of(forest, i)


@leaf
def join(forest: Any, i: Any, j: Any) -> None:
    """Put two trees together. The smaller root stays root: roots do not depend on the order of joins."""
    a, b = root_of(forest, i), root_of(forest, j)
    if a < b:
        forest[b] = a
    elif b < a:
        forest[a] = b


@leaf
def root_of(forest: Any, i: Any) -> Any:
    """The root of a document's tree, towards which its path is shortened."""
    while forest[i] != i:
        forest[i] = forest[forest[i]]
        i = forest[i]
    return i


def union_roots(signatures: np.ndarray, bands: int) -> np.ndarray:
    """Which documents are the roots of their components in datatrove's union by size (bool).

    Documents are given in the order of the input. Each band joins neighbours of equal values, in the order of the values and
    then of the input; the larger tree takes the smaller one, and of equal ones the first takes the second.
    """
    documents, values = signatures.shape
    forest, sizes = np.arange(documents, dtype=np.int64), np.ones(documents, np.int64)
    rows = values // bands
    for band in range(bands):
        of_band = signatures[:, band * rows : (band + 1) * rows]
        order = np.lexsort((np.arange(documents), *of_band.T[::-1]))
        same = (of_band[order[1:]] == of_band[order[:-1]]).all(axis=1)
        _union_by_size(forest, sizes, frozen(order[:-1][same]), frozen(order[1:][same]))
    return np.asarray(forest == np.arange(documents))


@leaf
def _union_by_size(forest: Any, sizes: Any, left: Any, right: Any) -> None:
    for at in range(len(left)):
        a, b = root_of(forest, left[at]), root_of(forest, right[at])
        if a != b:
            if sizes[a] < sizes[b]:
                a, b = b, a
            forest[b] = a
            sizes[a] += sizes[b]
