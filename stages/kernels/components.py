"""Connected components of documents that share a key: union-find over dense document numbers, one band of keys at a time."""

from typing import Any

import numpy as np

from stages.kernels.compile import kernel
from stages.kernels.hashing import frozen


def separate(count: int) -> np.ndarray:
    """A forest in which each of `count` documents is alone: int64, 8 bytes each."""
    return np.arange(count, dtype=np.int64)


def link_equal(forest: np.ndarray, keys: np.ndarray, has_key: np.ndarray) -> None:
    """Join documents with equal keys (uint64), each with one other of its group. Documents without key stay as they are.

    Takes 8 bytes per document beside the forest and the keys.
    """
    _link_sorted(forest, np.argsort(keys), frozen(keys), frozen(has_key))


@kernel
def _link_sorted(forest: Any, order: Any, keys: Any, has_key: Any) -> None:
    last = np.int64(-1)
    for at in range(len(order)):
        i = order[at]
        if not has_key[i]:
            continue
        if last >= 0 and keys[i] == keys[last]:
            # the smaller root stays root: the forest's roots do not depend on the order of joins
            a, b = _root(forest, i), _root(forest, last)
            if a < b:
                forest[b] = a
            elif b < a:
                forest[a] = b
        last = i


@kernel
def _root(forest: Any, i: Any) -> Any:
    while forest[i] != i:
        forest[i] = forest[forest[i]]
        i = forest[i]
    return i


@kernel
def _flatten(forest: Any) -> None:
    for i in range(len(forest)):
        forest[i] = _root(forest, i)


def members_by_component(forest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Documents in components of two or more (int64), by component and number, and the bounds of each component among them.

    Component c is `members[bounds[c]:bounds[c + 1]]`. Components are ordered by their smallest member. Changes `forest`:
    each document then points to the smallest of its component.
    """
    _flatten(forest)
    sizes = np.bincount(forest, minlength=len(forest)) if len(forest) else np.zeros(0, np.int64)
    members = np.flatnonzero(sizes[forest] > 1)
    members = members[np.argsort(forest[members], kind="stable")]
    starts = np.flatnonzero(np.diff(forest[members], prepend=-1))
    return members, np.append(starts, len(members)).astype(np.int64)
