"""Words of a batch, as flat arrays that every word-based filter and sketch reads."""

from typing import NamedTuple

import numpy as np

HAS_ALPHA = 1
"""flag: at least one code point is a letter (Unicode category L*)"""
NOT_PUNCT = 2
"""flag: at least one code point is not punctuation; what Gopher counts as a word"""


class Words(NamedTuple):
    """Words of document i are the entries `doc_offsets[i]` to `doc_offsets[i + 1]` of the other arrays.

    doc_offsets  int64, documents + 1
    starts       int64, byte position of the word in `Text.data`
    sizes        int32, bytes
    lengths      int32, code points
    hashes       uint64, of the word's bytes; equal words have equal hashes in every batch and process
    flags        uint8, HAS_ALPHA | NOT_PUNCT
    """

    doc_offsets: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    lengths: np.ndarray
    hashes: np.ndarray
    flags: np.ndarray
