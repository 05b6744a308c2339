"""What Globals that cut spans out of texts have in common."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from schemas.columns import CUT
from stages.core.exchange import Block, numpy_of
from stages.core.stage import Verdicts
from stages.core.survivors import LiveRows, verdict_table
from stages.kernels.pieces import Pieces
from stages.kernels.text import Text

WHOLE = -1
"""start of a document of which nothing would be left: it is dropped"""
NOTHING_LEFT = "nothing_left"
"""the rule by which it is"""


def spans_table(document: np.ndarray, start: np.ndarray, stop: np.ndarray) -> dict[str, Any]:
    """Columns of a round's answer: spans of documents by number, in bytes of the text; `start` may be `WHOLE`."""
    return {
        "document": np.asarray(document, np.int64),
        "start": np.asarray(start, np.int64),
        "stop": np.asarray(stop, np.int64),
    }


def piece_spans(text: Text, pieces: Pieces, gone: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Document, start and stop (int64) of pieces that go; `WHOLE` where nothing of a document with pieces would be left.

    With a piece goes what is between it and the one before it that stays, or, in front of all that stay, the next one.
    """
    owner = np.repeat(np.arange(len(text.offsets) - 1), np.diff(pieces.offsets))
    stayed = np.concatenate([[0], np.cumsum(~gone)])
    leads = stayed[:-1] == stayed[pieces.offsets[owner]]  # no piece of the document before it stays
    whole = stayed[pieces.offsets[1:]] == stayed[pieces.offsets[:-1]]
    at = np.flatnonzero(gone & ~whole[owner])
    start = np.where(leads[at], pieces.start[at], pieces.stop[at - 1])
    stop = np.where(leads[at], pieces.start[np.minimum(at + 1, len(gone) - 1)], pieces.stop[at])
    first = text.offsets[owner[at]]
    emptied = np.flatnonzero(whole & (np.diff(pieces.offsets) > 0))
    which = np.concatenate([owner[at], emptied])
    starts = np.concatenate([start - first, np.full(len(emptied), WHOLE)])
    stops = np.concatenate([stop - first, np.full(len(emptied), WHOLE)])
    order = np.lexsort((starts, which))
    return which[order], starts[order], stops[order]


class Above(NamedTuple):
    """Documents of a block (by number, ascending) whose share of repeats is above `most`, for which they are dropped."""

    numbers: np.ndarray
    share: np.ndarray
    most: float


NO_SPANS = pa.table(spans_table(*np.zeros((3, 0), np.int64)))


def write_spans(
    rows: LiveRows, block: Block, spans: pa.Table, verdicts: Verdicts, kind: str, above: Above | None = None
) -> None:
    """Write the cuts and drops of the parts of a block. `spans` are those of its documents, sorted by document and start."""
    document, start, stop = (numpy_of(spans[name]) for name in ("document", "start", "stop"))
    numbers, share, most = above or Above(np.zeros(0, np.int64), np.zeros(0), 0.0)
    bounds, edges = np.searchsorted(document, rows.starts), np.searchsorted(numbers, rows.starts)
    for at in range(*block):
        mine, over = slice(bounds[at], bounds[at + 1]), slice(edges[at], edges[at + 1])
        if mine.start == mine.stop and over.start == over.stop:
            continue
        row_of = rows.read(at, ["row"])["row"].to_numpy().astype(np.int32)
        row, whole = row_of[document[mine] - rows.starts[at]], start[mine] == WHOLE
        lost = row_of[numbers[over] - rows.starts[at]]
        told = {"rule": "max_share", "measure": "repeated_share", "op": "at_most"}
        drops = pa.concat_tables(
            [
                verdict_table({"row": row[whole], "rule": [NOTHING_LEFT] * int(whole.sum())}),
                verdict_table(
                    {"row": lost, "value": share[over], "limit": np.full(len(lost), most)}
                    | {name: [value] * len(lost) for name, value in told.items()}
                ),
            ]
        )
        if drops.num_rows:
            verdicts.write(rows.parts[at], drops.sort_by("row"))
        if not whole.all():
            cuts = [row[~whole], start[mine][~whole], stop[mine][~whole], [kind] * int((~whole).sum())]
            verdicts.cut(rows.parts[at], pa.table(cuts, schema=CUT))


def excerpts(rows: LiveRows, places: Iterable[tuple[int, int, int]], most: int = 100) -> list[dict[str, str]]:
    """Source, id and the beginning of spans: number of the document, start and stop in bytes of its text."""
    found = []
    for number, start, stop in places:
        at = int(np.searchsorted(rows.starts, number, side="right")) - 1
        one = rows.read(at, ["row", "source", "id"]).slice(number - int(rows.starts[at]), 1)
        (text,) = rows.sketches.documents(rows.parts[at], one["row"].to_numpy(), ["text"])["text"].to_pylist()
        shown = text.encode()[start:stop].decode()[:most]
        found.append({"source": one["source"][0].as_py(), "id": one["id"][0].as_py(), "text": shown})
    return found
