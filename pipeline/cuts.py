"""Spans that a Global of the segment before cuts out of texts, as they are applied and told."""

import numpy as np
import pyarrow as pa

from pipeline.batches import byte_lengths
from pipeline.outcome import Edits
from pipeline.part_writer import PartWriter
from pipeline.tally import add
from schemas.errors import StageError
from stages.core.stage import Edited
from stages.kernels.pieces import without
from stages.kernels.pii_places import code_points
from stages.kernels.text import column_of, text_of


def cut_texts(label: str, cuts: pa.Table, table: pa.Table, rows: np.ndarray) -> Edited | None:
    """The table with its texts cut, and the edits; None if there is nothing to cut. `rows` of it are numbered as in `cuts`."""
    mine = cuts.filter(pa.array(np.isin(cuts["row"].to_numpy(), rows)))
    if not mine.num_rows:
        return None
    document = np.searchsorted(rows, mine["row"].to_numpy())
    text, field = text_of(table.column("text")), table.schema.field("text")
    start, stop = (text.offsets[document] + mine[name].to_numpy() for name in ("start", "stop"))
    if (stop > text.offsets[document + 1]).any() or _inside_code_points(text.data, start, stop):
        raise StageError(f"{label}: cuts end behind the text, or inside a code point")
    at = np.stack([start, stop], axis=1).ravel()
    offset, end = code_points(text, np.repeat(document, 2), at).reshape(-1, 2).T
    after = column_of(without(text, document, start, stop)).cast(field.type)
    cut = table.set_column(table.schema.get_field_index("text"), field, after)
    return Edited(cut, document, mine["type"].to_pylist(), offset, end - offset)


def cut_out(label: str, cuts: pa.Table, table: pa.Table, rows: np.ndarray, writer: PartWriter) -> pa.Table:
    """The table with its texts cut. Counts and ledger are told."""
    edited = cut_texts(label, cuts, table, rows)
    if edited is None:
        return table
    writer.add_edits(Edits(label, table.select(["source", "id"]).take(pa.array(edited.row)), rows[edited.row], edited))
    counts = writer.tally.step(label)
    add(counts["out"], 0, int(byte_lengths(edited.table["text"]).sum() - byte_lengths(table["text"]).sum()))
    counts["edited"] += len(np.unique(edited.row))
    for name, spans in zip(*np.unique(edited.type, return_counts=True), strict=True):
        counts["edits"][str(name)] = counts["edits"].get(str(name), 0) + int(spans)
    return edited.table


def _inside_code_points(data: np.ndarray, start: np.ndarray, stop: np.ndarray) -> bool:
    at = np.concatenate([start, stop])
    at = at[at < len(data)]
    return bool((data[at] & 0xC0 == 0x80).any())
