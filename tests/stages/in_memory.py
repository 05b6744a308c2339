"""Sketches and verdicts of a Global in memory, cut into parts as a test says."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.trial import MemorySketches, MemoryTable
from pipeline.verdicts import fault_of_copies, fault_of_cuts
from schemas.columns import COPIES, CUT, VERDICT
from stages.core.docs import Docs
from stages.core.stage import Global


class InMemory:
    """The seam between a Global and a run: `Sketches` to read from and `Verdicts` to write to."""

    def __init__(self, stage: Global, parts: Sequence[pa.Table]) -> None:
        self.memory = MemorySketches([], parts)
        self.sketched = {}
        for part, table in enumerate(parts):
            sketch = stage.open()(Docs(table))
            assert sketch.schema.equals(stage.sketch_schema())
            assert sketch.num_rows == table.num_rows
            # rows need not be dense: documents that are no longer live leave gaps
            sketch = sketch.append_column("row", pa.array([3 * row + 1 for row in range(table.num_rows)], pa.int32()))
            self.sketched[part] = sketch.append_column("source", table["source"]).append_column("id", table["id"])
        self.written: dict[int, pa.Table] = {}
        self.cuts: dict[int, pa.Table] = {}
        self.values: dict[int, pa.Table] = {}
        self.copies: dict[int, pa.Table] = {}
        self.tables = list(parts)

    def parts(self) -> list[int]:
        return sorted(self.sketched)

    def read(self, part: int, columns: Sequence[str]) -> pa.Table:
        table = self.sketched[part].select(list(columns))
        # in two chunks, the second of which does not begin where its buffers do
        return pa.concat_tables([table.slice(0, table.num_rows // 2), table.slice(table.num_rows // 2)])

    def rows(self) -> int:
        return sum(table.num_rows for table in self.sketched.values())

    def round(
        self, name: str, function: Callable[[Any], pa.Table], items: Sequence[Any], model_bytes: int = 0
    ) -> list[MemoryTable]:
        return self.memory.round(name, function, items, model_bytes)

    def folder(self) -> Path:
        return self.memory.folder()

    def progress(self, what: str, units: int) -> Callable[[int], None]:
        return self.memory.progress(what, units)

    def cluster(self) -> None:
        return None

    def documents(self, part: int, rows: np.ndarray, columns: Sequence[str]) -> pa.Table:
        return self.memory.documents(part, (rows - 1) // 3, columns)

    def write(self, part: int, verdicts: pa.Table) -> None:
        assert part not in self.written
        assert verdicts.schema.equals(VERDICT)
        rows = verdicts["row"].to_pylist()
        assert rows == sorted(set(rows))
        assert set(rows) <= set(self.sketched[part]["row"].to_pylist())
        self.written[part] = verdicts

    def cut(self, part: int, cuts: pa.Table) -> None:
        assert part not in self.cuts
        assert cuts.schema.equals(CUT)
        assert fault_of_cuts(cuts) is None
        assert set(cuts["row"].to_pylist()) <= set(self.sketched[part]["row"].to_pylist())
        self.cuts[part] = cuts

    def add(self, part: int, values: Iterable[pa.Table]) -> None:
        assert part not in self.values
        self.values[part] = pa.concat_tables(values)

    def repeat(self, part: int, copies: pa.Table) -> None:
        assert part not in self.copies
        assert copies.schema.equals(COPIES)
        assert fault_of_copies(copies) is None
        self.copies[part] = copies

    def cut_texts(self) -> list[str | None]:
        """Each text without what is cut out of it; None for one that is dropped."""
        left: list[str | None] = []
        for part, table in enumerate(self.tables):
            gone = set(self.written[part]["row"].to_pylist()) if part in self.written else set()
            cuts = self.cuts[part].to_pylist() if part in self.cuts else []
            for row, text in zip(self.sketched[part]["row"].to_pylist(), table["text"].to_pylist(), strict=True):
                data = text.encode()
                for cut in reversed([cut for cut in cuts if cut["row"] == row]):
                    assert row not in gone
                    data = data[: cut["start"]] + data[cut["stop"] :]
                left.append(None if row in gone else data.decode())
        return left

    def dropped(self) -> dict[tuple[str, str], tuple[str, str, float]]:
        """(source, id) of each dropped document: (source, id, similarity) of its survivor."""
        found = {}
        for part, table in self.written.items():
            names = {row["row"]: (row["source"], row["id"]) for row in self.read(part, ["row", "source", "id"]).to_pylist()}
            for verdict in table.to_pylist():
                assert verdict["rule"] == "duplicate"
                assert verdict["cluster"]
                survivor = (verdict["survivor_source"], verdict["survivor_id"], verdict["similarity"])
                found[names[verdict["row"]]] = survivor
        return found


def documents(*rows: tuple[str, str, str], **columns: list[Any]) -> pa.Table:
    """Documents from (source, id, text)."""
    names = ("source", "id", "text")
    table = pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)})
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    return table


def solve(stage: Global, *parts: pa.Table) -> tuple[dict[tuple[str, str], tuple[str, str, float]], dict[str, Any]]:
    """What was dropped for whom, and the facts."""
    memory = InMemory(stage, parts)
    facts = stage.solve(memory, memory)
    return memory.dropped(), facts
