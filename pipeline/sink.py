"""The training set: shards of Parquet in one order, whatever the number of workers.

The last segment left its documents in pieces (row groups of its parts): by range of the order's key, or as in the source. A
piece belongs to one row group of one shard; a shard is made row group by row group, so that memory holds one of them.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
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

Piece = tuple[int, int]
"""(part, row group)"""


@dataclass(frozen=True)
class Shard:
    """One file of the training set: its row groups, each a list of pieces."""

    name: str
    row_groups: tuple[tuple[Piece, ...], ...]


def plan_shards(segment: Segment, output: Output) -> list[Shard]:
    """The shards, from the counts of the last segment's parts. No documents still give one empty shard."""
    bins = list(_bins(segment))
    total_bytes, total_rows = sum(size for _, _, size in bins), sum(rows for _, rows, _ in bins)
    count = max(1, round(total_bytes / output.shard_bytes))
    if output.shard_rows:
        count = max(count, -(-total_rows // output.shard_rows))
    count = min(count, max(1, len(bins)))
    shards: list[list[list[Piece]]] = [[[]] for _ in range(count)]
    done = held = 0
    for pieces, rows, size in bins:
        # by rows where they are limited, else by bytes; the middle of a bin decides, so that shards come out alike
        share = (done + rows / 2) / total_rows if output.shard_rows else (done + size / 2) / max(1, total_bytes)
        groups = shards[min(count - 1, int(share * count))]
        if groups == [[]]:
            held = 0
        if groups[-1] and held + size > output.row_group_bytes:
            groups.append([])
            held = 0
        groups[-1] += pieces
        held += size
        done += rows if output.shard_rows else size
    filled = _without_small_end([groups for groups in shards if groups != [[]]] or [[[]]], bins, output)
    return [
        Shard(f"part-{number:05d}-of-{len(filled):05d}.parquet", tuple(tuple(group) for group in groups))
        for number, groups in enumerate(filled)
    ]


def _without_small_end(
    shards: list[list[list[Piece]]], bins: Sequence[tuple[list[Piece], int, int]], output: Output
) -> list[list[list[Piece]]]:
    """The shards; a last one of less than half the target is joined to the one before."""
    sizes = {piece: (rows, size) for pieces, rows, size in bins for piece in pieces[:1]}
    held = [sizes[piece] for group in shards[-1] for piece in group if piece in sizes]
    small = 2 * sum(size for _, size in held) < output.shard_bytes
    if output.shard_rows:
        small = 2 * sum(rows for rows, _ in held) < output.shard_rows
    return [*shards[:-2], [*shards[-2], *shards[-1]]] if small and len(shards) > 1 else shards


def _bins(segment: Segment) -> Iterator[tuple[list[Piece], int, int]]:
    """(pieces, rows, bytes) in the order of the output: pieces of one range of keys, or one piece after the other."""
    by_bin: dict[int, tuple[list[Piece], int, int]] = {}
    for part in committed_parts(segment.folder):
        for group, (bin_, rows, size, _) in enumerate(read_counts(segment.folder, part)["groups"]):
            if segment.order_seed is None:
                yield [(part, group)], rows, size
            else:
                pieces, before, held = by_bin.get(bin_, ([], 0, 0))
                by_bin[bin_] = ([*pieces, (part, group)], before + rows, held + size)
    for bin_ in sorted(by_bin):
        yield by_bin[bin_]


def write_shard(segment: Segment, shard: Shard, folder: str, output: Output) -> dict[str, Any]:
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
            for pieces in shard.row_groups:
                table = _row_group(segment, pieces, schema)
                if table.num_rows:
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


def _row_group(segment: Segment, pieces: Sequence[Piece], schema: pa.Schema) -> pa.Table:
    """The documents of some pieces in the order of the output, each column in one chunk: chunks would show in the file's pages."""
    tables = []
    for part, group in pieces:
        with pq.ParquetFile(segment.folder_of_part(part) / "docs.parquet", pre_buffer=False) as documents:
            tables.append(documents.read_row_group(group, use_threads=False))
    table = pa.concat_tables(tables) if tables else segment.schema.empty_table()
    tables.clear()
    order = np.arange(table.num_rows)
    if segment.order_seed is not None:
        order = np.argsort(table_keys(table, segment.order_seed), kind="stable")
    table = table.select(schema.names)
    columns = []
    for index, field in enumerate(schema):
        # One column after the other, each let go once it is in order: text is in memory twice and no more.
        column = table.column(0).take(pa.array(order)).cast(field.type)
        columns.append(column.chunk(0) if column.num_chunks == 1 else column.combine_chunks())
        table = table.remove_column(0) if index + 1 < len(schema) else table
    return pa.Table.from_arrays(columns, schema=schema)
