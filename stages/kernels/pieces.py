"""Lines and paragraphs of texts as spans of bytes; and texts made of spans, or left without them."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.lines import skip_spaces, trim_spaces
from stages.kernels.planes import count_set, next_set
from stages.kernels.text import Text, frozen


class Pieces(NamedTuple):
    """Document i has the pieces `offsets[i]` to before `offsets[i + 1]`. All int64.

    start, stop  bytes of the batch
    chars        code points
    """

    offsets: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    chars: np.ndarray


def pieces_of(text: Text, paragraphs: bool) -> Pieces:
    r"""Stripped lines (between "\n") that are not empty, or paragraphs: runs of such lines without an empty one between."""
    most = int(np.unpackbits(text.planes.newline.view(np.uint8)).sum()) + len(text.offsets)
    offsets, start, stop = np.zeros(len(text.offsets), np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    _pieces(text.offsets, text.data, text.planes.newline, paragraphs, offsets, start, stop)
    start, stop = start[: offsets[-1]], stop[: offsets[-1]]
    chars = np.empty(len(start), np.int64)
    _count_chars(text.planes.head, frozen(start), frozen(stop), chars)
    return Pieces(offsets, start, stop, chars)


@leaf
def _count_chars(head: Any, start: Any, stop: Any, chars: Any) -> None:
    for piece in range(len(start)):
        chars[piece] = count_set(head, start[piece], stop[piece])


@leaf
def _pieces(offsets: Any, data: Any, newline: Any, paragraphs: Any, found: Any, start: Any, stop: Any) -> None:
    count = 0
    for document in range(len(offsets) - 1):
        begin, end, goes_on = offsets[document], offsets[document + 1], False
        while begin < end:
            close = next_set(newline, begin, end)
            first = skip_spaces(data, begin, close)
            last = trim_spaces(data, first, close)
            if first == last:
                goes_on = False
            elif goes_on:
                stop[count - 1] = last
            else:
                start[count], stop[count] = first, last
                count += 1
                goes_on = paragraphs
            begin = close + 1
        found[document + 1] = count


def gathered(text: Text, start: np.ndarray, stop: np.ndarray) -> Text:
    """Spans of the batch as texts by themselves."""
    bounds = np.zeros(len(start) + 1, np.int64)
    np.cumsum(stop - start, out=bounds[1:])
    out = np.empty(bounds[-1], np.uint8)
    _gather(text.data, frozen(start), frozen(stop), out)
    return Text(bounds, out)


@leaf
def _gather(data: Any, start: Any, stop: Any, out: Any) -> None:
    at = 0
    for span in range(len(start)):
        for place in range(start[span], stop[span]):
            out[at] = data[place]
            at += 1


def without(text: Text, document: np.ndarray, start: np.ndarray, stop: np.ndarray) -> Text:
    """The texts without the spans, which ascend and do not overlap; `document` is that of each."""
    left = np.concatenate([[0], stop]).astype(np.int64), np.concatenate([start, [len(text.data)]]).astype(np.int64)
    gone = np.zeros(len(text.offsets), np.int64)
    np.add.at(gone, document + 1, stop - start)
    return Text(text.offsets - np.cumsum(gone), gathered(text, *left).data)
