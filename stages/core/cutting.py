"""What Globals that cut spans out of texts have in common."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.columns import CUT, VERDICT
from stages.core.exchange import Block, numpy_of
from stages.core.stage import Verdicts
from stages.core.survivors import LiveRows

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


def write_spans(rows: LiveRows, block: Block, spans: pa.Table, verdicts: Verdicts, kind: str) -> None:
    """Write the cuts and drops of the parts of a block. `spans` are those of its documents, sorted by document and start."""
    document, start, stop = (numpy_of(spans[name]) for name in ("document", "start", "stop"))
    bounds = np.searchsorted(document, rows.starts)
    for at in range(*block):
        mine = slice(bounds[at], bounds[at + 1])
        if mine.start == mine.stop:
            continue
        row = rows.read(at, ["row"])["row"].to_numpy()[document[mine] - rows.starts[at]].astype(np.int32)
        whole = start[mine] == WHOLE
        if whole.any():
            known = {"row": row[whole], "rule": [NOTHING_LEFT] * int(whole.sum())}
            columns = [pa.array(known[f.name]) if f.name in known else pa.nulls(int(whole.sum()), f.type) for f in VERDICT]
            verdicts.write(rows.parts[at], pa.table(columns, schema=VERDICT))
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
