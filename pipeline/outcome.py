"""What becomes of a batch in a segment's steps."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.judge import Broken
from pipeline.origins import origins_of
from pipeline.segment import Node
from stages.core.stage import Edited, Measures


@dataclass
class Dropped:
    """Documents one step or group dropped, with the rules they broke."""

    table: pa.Table
    """who they are: source and id"""
    sizes: np.ndarray
    """bytes of text"""
    rows: np.ndarray
    """row of each in the part's input"""
    broken: list[Broken]
    """rows of these are positions in `table`"""


@dataclass
class Edits:
    """What a Map told of its edits."""

    label: str
    table: pa.Table
    """source and id of the document of each edit"""
    rows: np.ndarray
    """row of each in the part's input"""
    edited: Edited


@dataclass
class Lineage:
    """Documents that a step made of others and gave ids of their own."""

    label: str
    table: pa.Table
    """source, id, and parent: the id of the document that each was made of"""
    rows: np.ndarray
    """row of each parent in the part's input"""
    how: list[str | None]


@dataclass
class Failed:
    """Documents on which a step raised."""

    label: str
    table: pa.Table
    rows: np.ndarray
    errors: list[tuple[str, str, str]]
    """class, message, trace"""


@dataclass
class Measured:
    """What a group of filters measured on the documents that entered it."""

    table: pa.Table
    rows: np.ndarray
    values: dict[str, np.ndarray]
    """`step.measure` -> numbers"""
    judged: list[tuple[Node, Measures]]
    broken: list[Broken]


@dataclass
class Outcome:
    """What became of a batch."""

    table: pa.Table
    rows: np.ndarray
    """of each document in the part's input; children have their parent's"""
    dropped: list[Dropped]
    failed: list[Failed]
    measured: list[Measured]
    sketches: list[pa.Table]
    edits: list[Edits]
    lineage: list[Lineage]

    def origins(self) -> np.ndarray:
        """Which document of the run's input each row comes from; rows of one origin are counted as one document."""
        return origins_of(self.table, self.rows)
