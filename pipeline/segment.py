"""A segment: the steps that one pass over the documents runs, what it reads, and where it writes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.units import CHUNKS
from schemas.recipe import Failures
from stages.core.stage import Stage


@dataclass(frozen=True)
class Node:
    """One step of a segment. A recipe entry that stands for several nodes gives them one label and different keys."""

    label: str
    stage: Stage
    number: int = 0
    place: str = ""
    """where it stands in the recipe, for messages"""

    @property
    def key(self) -> str:
        """What the step's counts are kept under."""
        return f"{self.label}/{self.number}" if self.number else self.label


@dataclass(frozen=True)
class Segment:
    """Everything a worker needs to do one unit; pickled to workers, so it holds no documents and no open files."""

    index: int
    fingerprint: str
    folder: str
    nodes: tuple[Node, ...]
    globals: tuple[Node, ...]
    solves: tuple[str, ...]
    """folder of what each of these decided: sketches are shared by runs that decide by other parameters"""
    reader: Any
    """a `Reader` for the first segment; None where the segment before is read"""
    parent: "ParentSegment | None"
    schema: pa.Schema
    """columns of the documents this segment writes"""
    failures: Failures
    chunk_bytes: int
    """text after which a unit that is read as a stream closes a part"""
    is_last: bool = False
    order_seed: int | None = None
    """set on the last segment of a run with `order: seeded`: its parts are sorted by the key of the output's order"""
    piece_bytes: int = 4_000_000
    """for the last segment: text of one piece of the output (a row group of a part), where the sources' order is kept"""
    piece_rows: int | None = None
    """the same in documents"""
    user_folder: str | None = None
    """where the user's modules are found in workers"""

    def folder_of_part(self, part: int) -> Path:
        """Where a finished part stands."""
        return Path(self.folder) / "parts" / f"{part:012d}"

    def solve_folder(self, index: int) -> Path:
        """Where the verdicts of the segment's Global number `index` stand."""
        return Path(self.folder) / "solves" / self.solves[index]

    def rounds_folder(self, index: int) -> Path:
        """Where what its solve has found so far stands."""
        return Path(self.folder) / "rounds" / self.solves[index]

    def steps(self) -> list[str]:
        """Labels of all nodes and Globals, each once, in order."""
        return list(dict.fromkeys(node.label for node in (*self.nodes, *self.globals)))


@dataclass(frozen=True)
class SolveFolder:
    """Where the answer of a Global stands: its label, the columns that it adds, and whether it repeats documents."""

    label: str
    folder: Path
    columns: pa.Schema
    repeats: bool


@dataclass(frozen=True)
class ParentSegment:
    """What a later segment reads: the documents of the one before, masked by the verdicts of its Globals."""

    folder: str
    solves: tuple[SolveFolder, ...]
    """in the order in which they were solved"""


def digest(value: Any) -> str:
    """SHA-256 of a JSON-ready value, in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def committed_parts(folder: str | Path) -> list[int]:
    """Numbers of the finished parts of a segment, ascending."""
    parts = Path(folder) / "parts"
    return sorted(int(entry.name) for entry in parts.iterdir() if not entry.name.startswith(".")) if parts.is_dir() else []


def read_counts(folder: str | Path, part: int) -> dict[str, Any]:
    """What a finished part says of itself."""
    content: dict[str, Any] = json.loads((Path(folder) / "parts" / f"{part:012d}" / "counts.json").read_bytes())
    return content


def unfinished(units: Sequence[dict[str, Any]], folder: str | Path) -> list[dict[str, Any]]:
    """The units that still have to be done. A unit of the input that was left half-way carries how many chunks are done."""
    committed = committed_parts(folder)
    done = set(committed)
    last_chunk = {part // CHUNKS: part % CHUNKS for part in committed}
    rest = []
    for unit in units:
        if "part" in unit:
            if unit["part"] not in done:
                rest.append(unit)
        elif (chunk := last_chunk.get(unit["unit"])) is None:
            rest.append(unit)
        elif not read_counts(folder, unit["unit"] * CHUNKS + chunk)["last"]:
            rest.append({**unit, "chunks_done": chunk + 1})
    return rest
