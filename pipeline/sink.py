"""The training set: shards of Parquet in one order, whatever the number of workers.

The last segment left its documents in pieces (row groups of its parts): by range of the order's key, or as in the source. A
piece belongs to one row group of one shard; a shard is made row group by row group, so that memory holds one of them.
"""

import os
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.batches import byte_lengths
from pipeline.memory import release_memory
from pipeline.part_writer import table_keys
from pipeline.planning import output_schema
from pipeline.segment import Segment, committed_parts, file_digest, read_counts
from schemas.recipe import Output

FOOTERS = 4096
"""Footers of parts that are held at most, a few KB each."""
Piece = tuple[int, int]
"""(part, row group)"""


@dataclass(frozen=True)
class Bin:
    """Documents that stand together in the output: the pieces of one range of keys, or one piece where the source decides."""

    pieces: tuple[Piece, ...]
    rows: int
    bytes: int


RowGroup = tuple[Bin, ...]


@dataclass(frozen=True)
class Shard:
    """One file of the training set."""

    name: str
    row_groups: tuple[RowGroup, ...]


def plan_shards(segment: Segment, output: Output) -> list[Shard]:
    """The shards, from the counts of the last segment's parts. No documents still give one empty shard."""
    bins = _bins(segment)
    total_bytes, total_rows = sum(bin_.bytes for bin_ in bins), sum(bin_.rows for bin_ in bins)
    count = max(1, round(total_bytes / output.shard_bytes))
    if output.shard_rows:
        count = max(count, -(-total_rows // output.shard_rows))
    count = min(count, max(1, len(bins)))
    shards: list[list[Bin]] = [[] for _ in range(count)]
    done = 0
    for bin_ in bins:
        # by rows where they are limited, else by bytes; the middle of a bin decides, so that shards come out alike
        size, total = (bin_.rows, total_rows) if output.shard_rows else (bin_.bytes, total_bytes)
        shards[min(count - 1, int((done + size / 2) / max(1, total) * count))].append(bin_)
        done += size
    filled = _without_small_end([shard for shard in shards if shard] or [[]], output)
    return [
        Shard(f"part-{number:05d}-of-{len(filled):05d}.parquet", _row_groups(shard, output.row_group_bytes))
        for number, shard in enumerate(filled)
    ]


def _row_groups(bins: Sequence[Bin], limit: int) -> tuple[RowGroup, ...]:
    """Bins gathered up to `limit` bytes of text."""
    groups: list[list[Bin]] = []
    for bin_ in bins:
        if not groups or sum(held.bytes for held in groups[-1]) + bin_.bytes > limit:
            groups.append([])
        groups[-1].append(bin_)
    return tuple(tuple(group) for group in groups)


def _without_small_end(shards: list[list[Bin]], output: Output) -> list[list[Bin]]:
    """The shards; a last one of less than half the target is joined to the one before."""
    rows, size = sum(bin_.rows for bin_ in shards[-1]), sum(bin_.bytes for bin_ in shards[-1])
    small = 2 * rows < output.shard_rows if output.shard_rows else 2 * size < output.shard_bytes
    return [*shards[:-2], [*shards[-2], *shards[-1]]] if small and len(shards) > 1 else shards


def _bins(segment: Segment) -> list[Bin]:
    """All bins in the order of the output."""
    pieces: dict[tuple[int, int], list[Piece]] = {}
    sizes: dict[tuple[int, int], list[int]] = {}
    for part in committed_parts(segment.folder):
        for group, (bin_, rows, size, _) in enumerate(read_counts(segment.folder, part)["groups"]):
            place = (part, group) if segment.order_seed is None else (0, bin_)
            pieces.setdefault(place, []).append((part, group))
            held = sizes.setdefault(place, [0, 0])
            held[0] += rows
            held[1] += size
    return [Bin(tuple(pieces[place]), *sizes[place]) for place in sorted(pieces)]


def write_shard(segment: Segment, folder: str, output: Output, shard: Shard) -> dict[str, Any]:
    """Write one shard; it appears by rename. Returns its numbers."""
    final = Path(folder) / shard.name
    known = Path(segment.folder) / "shards" / f"{shard.name}.json"
    if final.is_file() and known.is_file():
        facts: dict[str, Any] = orjson.loads(known.read_bytes())
        if facts["bytes"] == final.stat().st_size and facts["sha256"] == file_digest(final):
            return facts
    final.parent.mkdir(parents=True, exist_ok=True)
    staged = final.with_name(f".{shard.name}.{secrets.token_hex(4)}")
    schema = output_schema(segment.schema)
    rows = text_bytes = tokens = 0
    dictionary = [
        field.name for field in schema if pa.types.is_string(field.type) and field.name not in ("id", "url", "extra", "date")
    ]
    try:
        with pq.ParquetWriter(
            staged,
            schema,
            compression="zstd",
            compression_level=output.compression_level,
            use_dictionary=dictionary,
            write_statistics=[field.name for field in schema if field.name not in ("text", "extra")],
            write_page_index=True,
        ) as writer:
            opened = _Opened(segment)
            for bins in shard.row_groups:
                # Bin after bin, so that text is in memory once; where a bin ends depends on the documents alone.
                table = pa.concat_tables([_sorted(opened, bin_, schema) for bin_ in bins])
                writer.write_table(table, row_group_size=table.num_rows)
                rows += table.num_rows
                text_bytes += int(byte_lengths(table.column("text")).sum())
                tokens += int(pc.sum(table.column("token_count")).as_py() or 0)
        with open(staged, "rb") as stream:
            os.fsync(stream.fileno())
        facts = {
            "path": f"data/{shard.name}",
            "rows": rows,
            "bytes": staged.stat().st_size,
            "text_bytes": text_bytes,
            "tokens": tokens,
            "sha256": file_digest(staged),
        }
        staged.rename(final)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    release_memory()
    known.parent.mkdir(exist_ok=True)
    staged_facts = known.with_name(f".{known.name}.{secrets.token_hex(4)}")
    staged_facts.write_bytes(orjson.dumps(facts))
    staged_facts.rename(known)
    return facts


class _Opened:
    """Reads pieces of documents; the footer of a part is read once, though every bin takes a piece of it."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._footers: OrderedDict[int, pq.FileMetaData] = OrderedDict()

    def read(self, piece: Piece) -> pa.Table:
        part, group = piece
        path = self.segment.folder_of_part(part) / "docs.parquet"
        with pq.ParquetFile(path, metadata=self._footers.get(part), pre_buffer=False) as documents:
            self._footers[part] = documents.metadata
            if len(self._footers) > FOOTERS:
                self._footers.popitem(last=False)
            return documents.read_row_group(group, use_threads=False)


def _sorted(opened: _Opened, bin_: Bin, schema: pa.Schema) -> pa.Table:
    """The documents of a bin in the order of the output, each column in one chunk: chunks would show in the file's pages."""
    table = pa.concat_tables([opened.read(piece) for piece in bin_.pieces]).combine_chunks()
    if (seed := opened.segment.order_seed) is not None:
        table = table.take(pa.array(np.argsort(table_keys(table, seed), kind="stable")))
    return table.select(schema.names).cast(schema)
