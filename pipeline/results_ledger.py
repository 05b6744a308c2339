"""Reading a ledger: single documents by id without reading the rest, and examples of what was dropped."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.rule import NEAREST_KEPT

if TYPE_CHECKING:
    import polars as pl
    import pyarrow.parquet as pq


def files(folder: Path) -> list[Path]:
    """Parquet files below `folder`, in order of name; none if the folder does not exist."""
    return sorted(path for path in folder.rglob("*.parquet") if path.is_file() and not path.name.startswith((".", "_")))


def rows_of(paths: list[Path], id: str, source: str | None = None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every row with this id (and source), with its file, and its place in the file as `row_in_file`.

    Row groups whose statistics exclude the id are not read; of the others the ids are read first, and the
    remaining columns only where the id occurs. A ledger is sorted by id inside each file, so this reads one group of each.
    """
    import pyarrow.parquet as pq

    for path in paths:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            names = file.schema_arrow.names
            at = file.metadata.schema.names.index("id") if "id" in file.metadata.schema.names else None
            if at is None:
                continue
            first_row = 0
            for group in range(file.num_row_groups):
                meta = file.metadata.row_group(group)
                if _may_hold(meta.column(at).statistics, id):
                    for row in _matches(file, group, id, source, names):
                        row["row_in_file"] += first_row
                        yield path, row
                first_row += meta.num_rows


def _may_hold(statistics: Any, id: str) -> bool:
    if statistics is None or not statistics.has_min_max:
        return True
    low, high = statistics.min, statistics.max
    if not isinstance(low, str):
        return True
    return bool(low <= id <= high)


def _matches(file: "pq.ParquetFile", group: int, id: str, source: str | None, names: list[str]) -> Iterator[dict[str, Any]]:
    import pyarrow.compute as pc

    ids = file.read_row_group(group, columns=["id"]).column("id")
    hits = pc.indices_nonzero(pc.equal(ids.cast("string"), id)).to_pylist()
    if not hits:
        return
    start = 0
    # A few rows at a time: a row group of text is large, and its last rows are seldom wanted.
    for batch in file.iter_batches(256, row_groups=[group], columns=names, use_threads=False):
        for at in hits:
            if start <= at < start + batch.num_rows:
                row = batch.slice(at - start, 1).to_pylist()[0]
                if source is None or row.get("source") == source:
                    yield row | {"row_in_file": at}
        start += batch.num_rows
        if start > hits[-1]:
            return


def texts_of(shards: list[Path], keys: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Texts of documents by (source, id). The ids of all shards are read, and the text of row groups that hold a wanted one."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found: dict[tuple[str, str], str] = {}
    wanted = pa.array(sorted({id for _, id in keys}), pa.string())
    for path in shards:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["id"]).column("id").cast("string")
                hits = pc.indices_nonzero(pc.is_in(ids, wanted)).to_numpy().astype(np.int64)
                if not len(hits):
                    continue
                start = 0
                # A few rows at a time: a row group of text is large.
                for batch in file.iter_batches(256, row_groups=[group], columns=["id", "source", "text"], use_threads=False):
                    if start > hits[-1]:
                        break
                    mine = hits[(hits >= start) & (hits < start + batch.num_rows)] - start
                    for row in batch.take(pa.array(mine)).to_pylist() if len(mine) else ():
                        if (key := (row.get("source", ""), row["id"])) in keys and "text" in row:
                            found.setdefault(key, row["text"])
                    start += batch.num_rows
    return found


def measured_by_step(folder: Path, steps: list[str]) -> dict[str, int]:
    """Documents that each step measured, from the footers of the measures: rows less nulls of the step's first column."""
    import pyarrow.parquet as pq

    counts: dict[str, int] = {}
    for path in files(folder):
        meta = pq.read_metadata(path)
        seen: set[str] = set()
        for at, name in enumerate(meta.schema.names):
            step = name.rpartition(".")[0]
            if step not in steps or step in seen:
                continue
            seen.add(step)
            for group in range(meta.num_row_groups):
                column = meta.row_group(group).column(at)
                nulls = column.statistics.null_count if column.statistics and column.statistics.has_null_count else 0
                counts[step] = counts.get(step, 0) + column.num_values - nulls
    return counts


def broken_by_step(folder: Path) -> dict[str, int]:
    """Documents that break at least one rule of a step, as the step alone would have dropped them; read group by group.

    The rows of a document stand together in a file, in the order of rank, so a document counts where step or address changes.
    """
    import numpy as np
    import pyarrow.parquet as pq

    counts: dict[str, int] = {}
    for path in files(folder):
        last: tuple[Any, ...] | None = None
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["part", "row", "step"])
                if not table.num_rows:
                    continue
                steps = table.column("step").combine_chunks().dictionary_encode()
                codes = steps.indices.to_numpy()
                part, row = (table.column(name).to_numpy() for name in ("part", "row"))
                new = np.ones(len(codes), bool)
                new[1:] = (codes[1:] != codes[:-1]) | (row[1:] != row[:-1]) | (part[1:] != part[:-1])
                names = steps.dictionary.to_pylist()
                if last == (part[0], row[0], names[codes[0]]):
                    new[0] = False
                for code, count in enumerate(np.bincount(codes[new], minlength=len(names)).tolist()):
                    counts[names[code]] = counts.get(names[code], 0) + count
                last = (part[-1], row[-1], names[codes[-1]])
    return counts


def scan(folder: Path) -> "pl.LazyFrame | None":
    """All files of a ledger folder as one lazy table, or None where there is none."""
    import polars as pl

    paths = files(folder)
    return pl.scan_parquet(paths, missing_columns="insert", extra_columns="ignore") if paths else None


def dropped(ledger: Path, rule: str | None, n: int) -> "pl.DataFrame":
    """Up to `n` examples of dropped documents, those with an excerpt first; `rule` is a rule, a step, or `step.rule`."""
    import polars as pl

    columns = ["step", "rule", "value", "limit", "source", "id", "excerpt"]
    wanted = pl.lit(True)
    if rule is not None:
        label = pl.concat_str("step", pl.lit("."), "rule")
        wanted = (pl.col("rule") == rule) | (pl.col("step") == rule) | (label == rule)
    found = []
    if (examples := scan(ledger / "examples")) is not None:
        found.append(examples.filter(pl.col("side") == "dropped").filter(wanted).select(columns).head(n).collect())
    if sum(len(frame) for frame in found) < n and (drops := scan(ledger / "drops")) is not None:
        # a rule may never be the first reason, so without a rule only reasons count, and with one every broken rule
        rows = drops.filter(wanted if rule is not None else pl.col("rank") == 0)
        more = ["survivor_source", "survivor_id", "similarity"]
        found.append(rows.select([*columns[:-1], *more]).head(2 * n).collect())
    if not found:
        return pl.DataFrame(schema={name: pl.Float64 if name in ("value", "limit") else pl.String for name in columns})
    table = pl.concat(found, how="diagonal_relaxed")
    return table.unique(["step", "rule", "source", "id"], keep="first", maintain_order=True).head(n)


def duplicates(ledger: Path, top: int) -> "pl.DataFrame":
    """The survivors with most duplicates: size with the survivor, similarities, and a few of the dropped ids."""
    import polars as pl

    drops = scan(ledger / "drops")
    key = ["step", "survivor_source", "survivor_id"]
    if drops is None:
        schema = {name: pl.String for name in key} | {"size": pl.UInt32, "min_similarity": pl.Float64}
        return pl.DataFrame(schema=schema | {"mean_similarity": pl.Float64, "ids": pl.List(pl.String)})
    copies = pl.col("survivor_id").is_not_null() & (pl.col("rule") != NEAREST_KEPT)
    rows = drops.filter((pl.col("rank") == 0) & copies)
    similarity = pl.col("similarity")
    sums = [(pl.len() + 1).alias("size"), similarity.min().alias("min_similarity"), similarity.mean().alias("mean_similarity")]
    clusters = rows.group_by(key).agg(*sums, pl.col("id").sort().head(5).alias("ids"))
    return clusters.sort(["size", *key], descending=[True, False, False, False]).head(top).collect(engine="streaming")
