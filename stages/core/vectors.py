"""Embeddings as vectors of whole numbers, whose products are exact: any order of addition, and any machine, gives the same.

A vector is scaled to length 4,000 and rounded. By Cauchy and Schwarz every partial sum of a product of two of them is below
2**24 (up to 36,000 dimensions), so float32 holds all of them exactly, and a matrix product of any library may add them as it
likes. A component is off by 1/8,000 at most, a cosine by about 1/10,000 where dimensions are some hundred.
"""

import numpy as np
import pyarrow as pa

LENGTH = 4000.0
AT_ONCE = 2**22
"""products that are held at once (16 MB)"""


def whole_vectors(column: pa.ChunkedArray) -> np.ndarray:
    """Vectors (int16, documents x dimensions) of a column of lists of floats, all as long; a null is a vector of zeros.

    Raises `ValueError` where lists differ in length, or hold what is no number.
    """
    return whole(_floats(column))


def whole(floats: np.ndarray) -> np.ndarray:
    """The same of vectors of float64, documents x dimensions."""
    if not np.isfinite(floats).all():
        raise ValueError("an embedding holds infinity or NaN")
    # a sum of squares in float64, row by row in the order of dimensions: it does not depend on the rows beside it
    lengths = np.sqrt(np.add.accumulate(floats * floats, axis=1)[:, -1:]) if floats.shape[1] else np.zeros((len(floats), 1))
    scaled = np.divide(floats * LENGTH, lengths, out=np.zeros_like(floats), where=lengths > 0)
    return np.asarray(np.rint(scaled).astype(np.int16))


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    rows = len(column)
    if pa.types.is_fixed_size_list(column.type):
        dimensions = column.type.list_size
    else:
        lengths = {len(value) for value in column.to_pylist() if value is not None}
        if len(lengths) > 1:
            raise ValueError(f"embeddings have {' and '.join(map(str, sorted(lengths)))} dimensions, expected as many in all")
        dimensions = lengths.pop() if lengths else 0
    found = np.zeros((rows, dimensions))
    valid = column.is_valid().to_numpy()
    present = column.filter(pa.array(valid)) if not valid.all() else column
    flat = [np.asarray(chunk.flatten().to_numpy(zero_copy_only=False), np.float64) for chunk in present.chunks if len(chunk)]
    if flat:
        found[valid] = np.concatenate(flat).reshape(-1, dimensions)
    return found


def packed(vectors: np.ndarray) -> pa.Array:
    """Vectors as fixed-size binary, which Arrow takes rows of quickly."""
    kind = pa.binary(2 * vectors.shape[1])
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(vectors), [None, pa.py_buffer(np.ascontiguousarray(vectors))])


def unpacked(column: pa.ChunkedArray) -> np.ndarray:
    """What `packed` packed (int16, documents x dimensions)."""
    width = column.type.byte_width
    chunks = [
        np.frombuffer(chunk.buffers()[1], np.uint8)[width * chunk.offset : width * (chunk.offset + len(chunk))]
        for chunk in column.chunks
        if len(chunk)
    ]
    joined = chunks[0] if len(chunks) == 1 else np.concatenate([np.zeros(0, np.uint8), *chunks])
    return np.asarray(joined.view(np.int16).reshape(-1, width // 2))


def nearest(vectors: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each vector the centroid with the largest product (the first of equal ones), and that product (exact, float32)."""
    which, product = np.zeros(len(vectors), np.int32), np.zeros(len(vectors), np.float32)
    targets = centroids.astype(np.float32).T
    step = max(1, AT_ONCE // max(1, len(centroids)))
    for start in range(0, len(vectors), step):
        products = vectors[start : start + step].astype(np.float32) @ targets
        best = np.argmax(products, axis=1)
        which[start : start + step] = best
        product[start : start + step] = products[np.arange(len(best)), best]
    return which, product


def k_means(vectors: np.ndarray, clusters: int, rounds: int) -> np.ndarray:
    """Centroids (int16, clusters x dimensions) of spherical k-means (Dhillon and Modha 2001), begun at the first vectors.

    Ends when no vector moves, or after so many rounds. A cluster that loses all its vectors keeps its centroid.
    """
    centroids = vectors[:clusters].copy()
    before = np.full(len(vectors), -1, np.int32)
    for _ in range(rounds):
        which, _ = nearest(vectors, centroids)
        if (which == before).all():
            break
        before = which
        order = np.argsort(which, kind="stable")
        found, starts = np.unique(which[order], return_index=True)
        sums = np.add.reduceat(vectors[order].astype(np.int64), starts, axis=0).astype(np.float64)
        lengths = np.sqrt(np.add.accumulate(sums * sums, axis=1)[:, -1:])
        nonzero = lengths[:, 0] > 0
        centroids[found[nonzero]] = np.rint(sums[nonzero] * LENGTH / lengths[nonzero]).astype(np.int16)
    return centroids


def squared_lengths(vectors: np.ndarray) -> np.ndarray:
    """Product of each vector with itself (int64); about 16 million, and 0 for a vector of zeros."""
    return np.asarray(np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64))
