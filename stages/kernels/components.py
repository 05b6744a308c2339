"""Duplicates among many documents: those that share a key are joined, and of those joined some are found to be similar.

Connected components are a union-find over dense document numbers, fed with one band of keys at a time.
"""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.text import frozen


def separate(count: int) -> np.ndarray:
    """A forest in which each of `count` documents is alone: int64, 8 bytes each."""
    return np.arange(count, dtype=np.int64)


def link_equal(forest: np.ndarray, keys: np.ndarray, has_key: np.ndarray) -> None:
    """Join documents with equal keys (uint64), each with one other of its group. Documents without key stay as they are.

    Takes 8 bytes per document beside the forest and the keys.
    """
    _link_sorted(forest, np.argsort(keys), frozen(keys), frozen(has_key))


@leaf
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


@leaf
def _root(forest: Any, i: Any) -> Any:
    while forest[i] != i:
        forest[i] = forest[forest[i]]
        i = forest[i]
    return i


@leaf
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


def equal_shares(signatures: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Share of equal values of the signatures at positions `left` and `right` (float64): an estimate of Jaccard similarity."""
    out = np.empty(len(left), np.int64)
    _count_equal(frozen(signatures), frozen(left), frozen(right), out)
    return np.asarray(out / signatures.shape[1])


@leaf
def _count_equal(signatures: Any, left: Any, right: Any, out: Any) -> None:
    for at in range(len(left)):
        out[at] = _equal(signatures, left[at], right[at])


@leaf
def _equal(signatures: Any, i: Any, j: Any) -> Any:
    count = 0
    for p in range(signatures.shape[1]):
        count += signatures[i, p] == signatures[j, p]
    return count


def similar_survivors(signatures: np.ndarray, band_keys: np.ndarray, min_similarity: float) -> np.ndarray:
    """For each document the position of its survivor, or -1 for a document that stays (int64).

    Documents are given in the order in which they may stay. One is dropped if some document that stays before it, and shares
    a band with it, has at least `min_similarity` of its signature's values; its survivor is the most similar of these,
    the earlier of two that are equally similar.

    signatures  (documents, values)
    band_keys   uint64 (bands, documents)
    """
    bands, documents = band_keys.shape
    groups, seen = np.empty((bands, documents), np.int64), 0
    for band in range(bands):
        distinct, group = np.unique(band_keys[band], return_inverse=True)
        groups[band] = group + seen
        seen += len(distinct)
    values = signatures.shape[1]
    enough = next((count for count in range(values + 1) if count / values >= min_similarity), values + 1)
    survivors = np.full(documents, -1, np.int64)
    newest, before = np.full(seen, -1, np.int64), np.empty((bands, documents), np.int64)
    _judge(frozen(signatures), frozen(groups), enough, newest, before, np.full(documents, -1, np.int64), survivors)
    return survivors


@leaf
def _judge(signatures: Any, groups: Any, enough: Any, newest: Any, before: Any, compared: Any, survivors: Any) -> None:
    bands = groups.shape[0]
    for i in range(len(survivors)):
        best, most = np.int64(-1), enough
        for band in range(bands):
            # documents that stay and have this band's key, the newest first
            j = newest[groups[band, i]]
            while j >= 0:
                if compared[j] != i:
                    compared[j] = i
                    count = _equal(signatures, i, j)
                    if count > most or (count == most and (best < 0 or j < best)):
                        best, most = j, count
                j = before[band, j]
        survivors[i] = best
        if best < 0:
            for band in range(bands):
                before[band, i] = newest[groups[band, i]]
                newest[groups[band, i]] = i


def union_roots(signatures: np.ndarray, bands: int) -> np.ndarray:
    """Which documents are the roots of their components in datatrove's union by size (bool).

    Documents are given in the order of the input. Each band joins neighbours of equal values, in the order of the values and
    then of the input; the larger tree takes the smaller one, and of equal ones the first takes the second.
    """
    documents, values = signatures.shape
    forest, sizes = separate(documents), np.ones(documents, np.int64)
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
        a, b = _root(forest, left[at]), _root(forest, right[at])
        if a != b:
            if sizes[a] < sizes[b]:
                a, b = b, a
            forest[b] = a
            sizes[a] += sizes[b]
