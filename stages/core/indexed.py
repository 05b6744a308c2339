"""A Global that drops duplicates of documents of earlier crawls, too, which an index of their sketches knows."""

from typing import Any

import numpy as np
from pydantic import Field

from stages.core.sketch_index import JoinedSketches, RunVerdicts, SketchIndex
from stages.core.stage import Drops, Global, Sketches, Verdicts
from stages.core.survivors import LiveRows


class Indexed(Global):
    """Parameters and solve of a Global that decides by sketches alone, whosever they are."""

    index: str | None = Field(
        None, description="folder of an index of earlier crawls (`sluice index`), whose documents these are compared with, too"
    )
    supersede: bool = Field(
        False, description="let `keep` decide between these documents and those of the index; else those of the index stay"
    )

    def compared(self) -> str:
        """What documents are compared by; an index keeps it, and refuses to compare by what it has not kept."""
        raise NotImplementedError

    def decide(self, sketches: Sketches, drops: Drops) -> dict[str, Any]:
        """Write who of all documents of `sketches` is dropped; facts as those of `solve`."""
        raise NotImplementedError

    def decided_by(self) -> Any:
        if self.index is None:
            return None
        index = SketchIndex(self.index)
        index.check(self.name(), self.sketch_parameters(), self.compared())
        return [str(index.folder.resolve()), index.state]

    def by_crawl(self, sketches: Sketches) -> bool:
        """Whether documents of earlier crawls stay before others."""
        return isinstance(sketches, JoinedSketches) and not self.supersede

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        if self.index is None:
            return self.decide(sketches, verdicts)
        joined = JoinedSketches(SketchIndex(self.index), sketches)
        mine = RunVerdicts(joined, verdicts)
        facts = self.decide(joined, mine)
        return {**facts, "superseded": sum(table.num_rows for _, table in mine.superseded), "crawls": len(joined.index.crawls)}


def crawls_of(rows: LiveRows, at: int, count: int) -> np.ndarray:
    """The crawl (int32) of so many documents of the part that is number `at`; 0 where there is no index."""
    crawl = rows.sketches.crawl(rows.parts[at]) if isinstance(rows.sketches, JoinedSketches) else 0
    return np.full(count, crawl, np.int32)
