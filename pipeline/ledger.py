"""The ledger of a run: the files that its segments' parts wrote, gathered by kind. Nothing is copied where a link will do."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.examples import SCHEMA as EXAMPLES
from pipeline.segment import Segment, committed_parts
from schemas.columns import DROPS, EDITS, LINEAGE, QUARANTINED

EMPTY = {"drops": DROPS, "quarantined": QUARANTINED, "examples": EXAMPLES, "edits": EDITS, "lineage": LINEAGE}
KINDS = (*EMPTY, "measures")


def gather(segments: Sequence[Segment], folder: Path) -> None:
    """Make `folder` the ledger of these segments. It appears by rename; one of an earlier start is replaced."""
    staged = folder.with_name(f".{folder.name}.staged")
    shutil.rmtree(staged, ignore_errors=True)
    for kind in KINDS:
        (staged / kind).mkdir(parents=True)
    for segment in segments:
        for part in committed_parts(segment.folder):
            for path in sorted(segment.folder_of_part(part).glob("*.parquet")):
                kind = path.stem.split("-")[0]
                if kind in KINDS:
                    suffix = path.stem.removeprefix(kind)
                    _link(path, staged / kind / f"segment-{segment.index}{suffix}-part-{part:012d}.parquet")
    for kind, schema in EMPTY.items():
        if not any((staged / kind).iterdir()):
            _write_empty(staged / kind / "none.parquet", schema)
    if folder.exists():
        shutil.rmtree(folder)
    os.rename(staged, folder)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without hard links
        shutil.copyfile(source, target)


def _write_empty(path: Path, schema: pa.Schema) -> None:
    pq.write_table(schema.empty_table(), path)
