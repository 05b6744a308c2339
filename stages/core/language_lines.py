"""Languages of the lines of each document, for pages in more than one."""

import numpy as np
import orjson
import pyarrow.compute as pc

from stages.kernels.fasttext_model import Model
from stages.kernels.fasttext_predict import predict
from stages.kernels.text import Text, column_of

SHOWN = 0.01
"""Languages with a smaller share are left out of a mix."""


class LineVotes:
    """What the lines of each document say. Lines shorter than `min_chars` code points are not looked at.

    labels  int32, index of the label with the most bytes, -1 where no line could be told; the smaller index wins a tie
    scores  float64, the mean score of that label's lines, by bytes; 0 without
    """

    def __init__(self, model: Model, text: Text, min_chars: int) -> None:
        self._documents, self._width = len(text.offsets) - 1, len(model.labels) + 1
        lines, owner = _lines_of(text)
        chars = pc.utf8_length(column_of(lines)).to_numpy()
        found, scores = predict(model, lines)
        looked_at = chars >= max(min_chars, 1)
        owner, found, scores = owner[looked_at], found[looked_at].astype(np.int64), scores[looked_at]
        sizes = np.diff(lines.offsets)[looked_at].astype(np.float64)
        # sums by (document, label); what could not be told has a label of its own, the last
        label = np.where(found < 0, self._width - 1, found)
        self._keys, place = np.unique(owner * self._width + label, return_inverse=True)
        self._document, self._label = self._keys // self._width, self._keys % self._width
        sums = np.bincount(place, sizes, len(self._keys))
        self._shares = sums / np.bincount(self._document, sums, self._documents)[self._document]
        order = np.lexsort((self._label, -sums, self._label == self._width - 1, self._document))
        first = order[np.flatnonzero(np.diff(self._document[order], prepend=-1))]
        first = first[self._label[first] < self._width - 1]
        self.labels, self.scores = np.full(self._documents, -1, np.int32), np.zeros(self._documents)
        self.labels[self._document[first]] = self._label[first]
        self.scores[self._document[first]] = (np.bincount(place, sizes * scores, len(self._keys)) / sums)[first]

    def fractions(self, labels: np.ndarray) -> np.ndarray:
        """For a label of each document the share of its lines, by bytes, in those that were looked at; 0 for -1."""
        wanted = np.arange(self._documents) * self._width + labels
        at = np.minimum(np.searchsorted(self._keys, wanted), max(len(self._keys) - 1, 0))
        if not len(self._keys):
            return np.zeros(self._documents)
        return np.where((labels >= 0) & (self._keys[at] == wanted), self._shares[at], 0.0)

    def mixes(self, names: list[str]) -> list[str]:
        """The shares of the languages of each document as a JSON object, the largest first: {"en": 0.8, "und": 0.2}."""
        # A loop over the languages of documents, of which most have one.
        mixes: list[dict[str, float]] = [{} for _ in range(self._documents)]
        for at in np.lexsort((self._label, -self._shares, self._document)).tolist():
            if self._shares[at] >= SHOWN:
                mix, name = mixes[self._document[at]], names[self._label[at]]
                mix[name] = round(mix.get(name, 0.0) + float(self._shares[at]), 4)
        return [orjson.dumps(mix).decode() for mix in mixes]


def _lines_of(text: Text) -> tuple[Text, np.ndarray]:
    """Every line, as documents of their own, and the document (int64) each is of."""
    breaks = np.flatnonzero(text.data == 0x0A) + 1
    edges = np.union1d(breaks, text.offsets)
    lines = Text(edges, text.data)
    # the last of equal offsets: empty documents have no line
    return lines, np.searchsorted(text.offsets, edges[:-1], side="right") - 1
