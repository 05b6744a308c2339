"""Which of many documents are similar, by their signatures or by the sets of their shingles.

Documents are compared only where they share the key of a band. They are given in the order in which they may stay.
"""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.components import join, root_of
from stages.kernels.lines import table_size
from stages.kernels.text import frozen


class Sets(NamedTuple):
    """Sets of hashes: document i has `hashes[bounds[i]:bounds[i + 1]]` (uint64, each once, in any order)."""

    bounds: np.ndarray
    hashes: np.ndarray


NO_SETS = Sets(np.zeros(1, np.int64), np.zeros(0, np.uint64))


def distinct(hashes: np.ndarray, bounds: np.ndarray) -> Sets:
    """Each document's hashes once, in the order of their first occurrence. Changes `hashes`."""
    kept = np.zeros(len(bounds), np.int64)
    slots, stamps = _room(bounds)
    _distinct(hashes, frozen(bounds), slots, stamps, kept)
    return Sets(kept, hashes[: kept[-1]])


def _room(bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A hash table for the largest set: hashes, and the stamp of the set that a slot belongs to."""
    size = table_size(int(np.diff(bounds).max(initial=0)))
    return np.zeros(size, np.uint64), np.zeros(size, np.int64)


@leaf
def _distinct(hashes: Any, bounds: Any, slots: Any, stamps: Any, kept: Any) -> None:
    filled = 0
    for document in range(len(bounds) - 1):
        mask = table_size(bounds[document + 1] - bounds[document]) - 1
        for at in range(bounds[document], bounds[document + 1]):
            if _put(hashes[at], document + 1, mask, slots, stamps):
                hashes[filled] = hashes[at]
                filled += 1
        kept[document + 1] = filled


@leaf
def _put(hash_: Any, stamp: Any, mask: Any, slots: Any, stamps: Any) -> Any:
    """Put a hash into the set; whether it was not there."""
    slot = np.int64(hash_ & np.uint64(mask))
    while stamps[slot] == stamp:
        if slots[slot] == hash_:
            return False
        slot = (slot + 1) & mask
    slots[slot], stamps[slot] = hash_, stamp
    return True


@leaf
def _is_in(hash_: Any, stamp: Any, mask: Any, slots: Any, stamps: Any) -> Any:
    slot = np.int64(hash_ & np.uint64(mask))
    while stamps[slot] == stamp:
        if slots[slot] == hash_:
            return True
        slot = (slot + 1) & mask
    return False


def shares(signatures: np.ndarray, sets: Sets, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Jaccard similarities (float64) of the documents at `left` and `right`: of their sets, or where there are none, the share
    of equal values of their signatures, which estimates it."""
    out = np.empty(len(left), np.float64)
    slots, stamps = _room(sets.bounds)
    _shares(frozen(signatures), *map(frozen, sets), slots, stamps, frozen(left), frozen(right), out)
    return out


@leaf
def _shares(signatures: Any, bounds: Any, hashes: Any, slots: Any, stamps: Any, left: Any, right: Any, out: Any) -> None:
    for at in range(len(left)):
        if len(bounds) > 1:
            _fill(left[at], at + 1, bounds, hashes, slots, stamps)
            out[at] = _jaccard(left[at], right[at], at + 1, 0.0, bounds, hashes, slots, stamps)
        else:
            out[at] = _equal(signatures, left[at], right[at]) / signatures.shape[1]


@leaf
def _equal(signatures: Any, i: Any, j: Any) -> Any:
    count = 0
    for p in range(signatures.shape[1]):
        count += signatures[i, p] == signatures[j, p]
    return count


@leaf
def _fill(i: Any, stamp: Any, bounds: Any, hashes: Any, slots: Any, stamps: Any) -> None:
    mask = table_size(bounds[i + 1] - bounds[i]) - 1
    for at in range(bounds[i], bounds[i + 1]):
        _put(hashes[at], stamp, mask, slots, stamps)


@leaf
def _jaccard(i: Any, j: Any, stamp: Any, least: Any, bounds: Any, hashes: Any, slots: Any, stamps: Any) -> Any:
    """Of i, which is in the table, and j; -1 where their sizes alone, or what is left of j, say that it is below `least`."""
    size, other = bounds[i + 1] - bounds[i], bounds[j + 1] - bounds[j]
    if min(size, other) / max(size, other) < least:
        return -1.0
    mask = table_size(size) - 1
    # a pair has the similarity `least` only if it has so many elements in common, so j may miss only so many
    may_miss = other - np.int64(np.floor(least * (size + other) / (1 + least)))
    common, missed = 0, 0
    for at in range(bounds[j], bounds[j + 1]):
        if _is_in(hashes[at], stamp, mask, slots, stamps):
            common += 1
        else:
            missed += 1
            if missed > may_miss:
                return -1.0
    return common / (size + other - common)


def similar_survivors(
    signatures: np.ndarray, band_keys: np.ndarray, threshold: float, doubtful: float, sets: Sets = NO_SETS
) -> tuple[np.ndarray, np.ndarray]:
    """For each document the position of its survivor, or -1 for a document that stays (int64); and their similarity.

    A document is dropped if some document that stays before it, and shares a band with it, is similar to it by at least
    `threshold`; its survivor is the most similar of these, the earlier of two that are equally similar.

    signatures  (documents, values)
    band_keys   uint64 (bands, documents)
    doubtful    share of equal values below which sets are not compared
    sets        of shingles; without them the share of equal values is the similarity
    """
    groups, seen = _bands(band_keys)
    bands, documents = groups.shape
    survivors, similarities = np.full(documents, -1, np.int64), np.zeros(documents)
    newest, before = np.full(seen, -1, np.int64), np.empty((bands, documents), np.int64)
    _judge(
        frozen(signatures),
        frozen(groups),
        threshold,
        doubtful,
        *map(frozen, sets),
        *_room(sets.bounds),
        newest,
        before,
        np.full(documents, -1, np.int64),
        survivors,
        similarities,
    )
    return survivors, similarities


def _bands(band_keys: np.ndarray) -> tuple[np.ndarray, int]:
    """Dense numbers of the keys, those of no band twice, (bands, documents); and how many there are."""
    groups, seen = np.empty(band_keys.shape, np.int64), 0
    for band in range(len(band_keys)):
        found, group = np.unique(band_keys[band], return_inverse=True)
        groups[band] = group + seen
        seen += len(found)
    return groups, seen


@leaf
def _similarity(
    i: Any,
    j: Any,
    stamp: Any,
    threshold: Any,
    doubtful: Any,
    signatures: Any,
    bounds: Any,
    hashes: Any,
    slots: Any,
    stamps: Any,
) -> Any:
    """Of i and j, where i has `stamp` in the table if it is there already; below the threshold it may be less than it is."""
    share = _equal(signatures, i, j) / signatures.shape[1]
    if len(bounds) == 1 or share < doubtful:
        return share if len(bounds) == 1 else -1.0
    first = bounds[i]
    mask = table_size(bounds[i + 1] - first) - 1
    if not _is_in(hashes[first], stamp, mask, slots, stamps):
        _fill(i, stamp, bounds, hashes, slots, stamps)
    return _jaccard(i, j, stamp, threshold, bounds, hashes, slots, stamps)


@leaf
def _judge(
    signatures: Any,
    groups: Any,
    threshold: Any,
    doubtful: Any,
    bounds: Any,
    hashes: Any,
    slots: Any,
    stamps: Any,
    newest: Any,
    before: Any,
    compared: Any,
    survivors: Any,
    similarities: Any,
) -> None:
    bands = groups.shape[0]
    for i in range(len(survivors)):
        best, most = np.int64(-1), threshold
        for band in range(bands):
            # documents that stay and have this band's key, the newest first
            j = newest[groups[band, i]]
            while j >= 0:
                if compared[j] != i:
                    compared[j] = i
                    found = _similarity(i, j, i + 1, threshold, doubtful, signatures, bounds, hashes, slots, stamps)
                    if found > most or (found == most and (best < 0 or j < best)):
                        best, most = j, found
                j = before[band, j]
        survivors[i] = best
        if best >= 0:
            similarities[i] = most
        else:
            for band in range(bands):
                before[band, i] = newest[groups[band, i]]
                newest[groups[band, i]] = i


def similar_clusters(
    signatures: np.ndarray, band_keys: np.ndarray, threshold: float, doubtful: float, sets: Sets = NO_SETS
) -> np.ndarray:
    """For each document the first one of its cluster (int64): clusters are connected components of the pairs that share a band
    and are similar by at least `threshold`. Parameters as those of `similar_survivors`."""
    groups, seen = _bands(band_keys)
    bands, documents = groups.shape
    forest = np.arange(documents, dtype=np.int64)
    newest, before = np.full(seen, -1, np.int64), np.empty((bands, documents), np.int64)
    _cluster(
        frozen(signatures),
        frozen(groups),
        threshold,
        doubtful,
        *map(frozen, sets),
        *_room(sets.bounds),
        newest,
        before,
        np.empty_like(before),
        np.full(documents, -1, np.int64),
        forest,
    )
    return forest


@leaf
def _behind(forest: Any, beyond: Any, band: Any, j: Any) -> Any:
    """The next document of a band's key that is of another cluster than j.

    A run of documents of one cluster stays one, so what is passed over is passed over at once the next time: a key that a
    million copies have is not walked through a million times.
    """
    following = beyond[band, j]
    while following >= 0 and root_of(forest, following) == root_of(forest, j):
        following = beyond[band, following]
    while j != following:
        passed, j = j, beyond[band, j]
        beyond[band, passed] = following
    return following


@leaf
def _cluster(
    signatures: Any,
    groups: Any,
    threshold: Any,
    doubtful: Any,
    bounds: Any,
    hashes: Any,
    slots: Any,
    stamps: Any,
    newest: Any,
    before: Any,
    beyond: Any,
    compared: Any,
    forest: Any,
) -> None:
    bands = groups.shape[0]
    for i in range(len(forest)):
        for band in range(bands):
            group = groups[band, i]
            j = newest[group]
            while j >= 0:
                if root_of(forest, j) == root_of(forest, i):
                    j = _behind(forest, beyond, band, j)
                    continue
                if compared[j] != i:
                    compared[j] = i
                    found = _similarity(i, j, i + 1, threshold, doubtful, signatures, bounds, hashes, slots, stamps)
                    if found >= threshold:
                        join(forest, i, j)
                        continue
                j = before[band, j]
            before[band, i] = beyond[band, i] = newest[group]
            newest[group] = i
    for i in range(len(forest)):
        forest[i] = root_of(forest, i)
