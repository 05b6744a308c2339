"""What a run folder or any Parquet holds: schema, sizes, nulls, groups and a few rows, from footers and narrow columns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import results_ledger, results_mix, results_quality
from pipeline.results import Run
from pipeline.results_models import asked_of_models
from schemas.errors import InputError

GROUPS = {"language": ("language", "lang"), "source": ("source",)}
TOKENS = ("token_count", "n_tokens", "num_tokens", "tokens")
MOST_GROUPS = 10_000
SAMPLE = 5


def inspect(path: str | Path) -> dict[str, Any]:
    """Facts of a run folder, a Parquet file or a folder of such, ready for JSON.

    Keys: `path`, `run` (its numbers, or None), `rows`, `bytes`, `files`, `row_groups`, `schema` (with null rates and, if files
    differ, in how many a column is), `groups` (rows and tokens by language and source, where there are such columns),
    `mixtures` (shares asked for and taken), `quality` (scores by language or another group, `at_cuts` and in what was `kept`),
    `sample`.
    Raises `InputError` naming what is missing or unreadable.
    """
    root = Path(path)
    run = Run(root) if (root / "manifest.json").is_file() or (root / "progress.json").is_file() else None
    paths = _files(root, run)
    files, columns = _footers(root, paths)
    rows = sum(file["rows"] for file in files)
    return {
        "path": str(root),
        "run": None if run is None else _run(run),
        "rows": rows,
        "bytes": sum(file["bytes"] for file in files),
        "files": files,
        "row_groups": _spread(files),
        "schema": [_column(name, facts, rows, len(files)) for name, facts in columns.items()],
        "groups": _groups(paths, columns),
        "mixtures": [] if run is None else results_mix.mixtures(run.steps, run.manifest.get("sources")),
        "quality": _quality(paths, run),
        "sample": _sample(paths, files, rows),
    }


def _quality(paths: list[Path], run: Run | None) -> dict[str, list[dict[str, Any]]]:
    named = () if run is None else results_quality.named_scores(run.manifest.get("recipe"))
    cuts = [] if run is None else results_quality.at_cuts(run.steps)
    return {"at_cuts": cuts, "kept": results_quality.kept(paths, named)}


def _files(root: Path, run: Run | None) -> list[Path]:
    if run is not None:
        return run.shards
    if root.is_file():
        return [root]
    if not root.exists():
        raise InputError(f"{root} does not exist: expected a run folder, a Parquet file or a folder of Parquet files.")
    paths = results_ledger.files(root)
    if not paths:
        raise InputError(f"{root} holds no Parquet file: expected a run folder, a Parquet file or a folder of Parquet files.")
    return paths


def _run(run: Run) -> dict[str, Any]:
    keys = ("name", "fingerprint", "engine", "started", "seconds", "counts", "token_counter")
    told = {key: run.manifest.get(key) for key in keys}
    told |= {"state": run.state, "note": run.note, "funnel": run.funnel().to_dicts()}
    return {**told, "asked": asked_of_models(run.steps), "warnings": run.warnings}


def _footers(root: Path, paths: list[Path]) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files: list[dict[str, Any]] = []
    columns: dict[str, dict[str, Any]] = {}
    for path in paths:
        try:
            meta = pq.read_metadata(path)
            schema = meta.schema.to_arrow_schema()
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path} cannot be read as Parquet: {error}") from error
        groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
        name = path.relative_to(root).as_posix() if root.is_dir() else path.name
        sizes = [{"rows": group.num_rows, "bytes": group.total_byte_size} for group in groups]
        files.append({"path": name, "rows": meta.num_rows, "bytes": path.stat().st_size, "row_groups": sizes})
        for field in schema:
            facts = columns.setdefault(field.name, {"types": [], "nulls": 0, "files": 0, "doc": None})
            facts["files"] += 1
            if str(field.type) not in facts["types"]:
                facts["types"].append(str(field.type))
            facts["doc"] = facts["doc"] or (field.metadata or {}).get(b"doc", b"").decode("utf-8", "replace") or None
            nulls = _nulls(meta.schema, groups, field.name)
            facts["nulls"] = None if nulls is None or facts["nulls"] is None else facts["nulls"] + nulls
    return files, columns


def _nulls(schema: Any, groups: list[Any], name: str) -> int | None:
    """Nulls of a flat column, from statistics; None without them, and for nested columns, where leaves say too little."""
    at = next((i for i in range(len(schema.names)) if schema.column(i).path == name), None)
    if at is None:
        return None
    statistics = [group.column(at).statistics for group in groups]
    if any(each is None or not each.has_null_count for each in statistics):
        return None
    return int(sum(each.null_count for each in statistics))


def _column(name: str, facts: dict[str, Any], rows: int, files: int) -> dict[str, Any]:
    rate = None if facts["nulls"] is None or not rows else facts["nulls"] / rows
    column = {"name": name, "type": " or ".join(facts["types"]), "null_fraction": rate, "doc": facts["doc"]}
    return column if facts["files"] == files else column | {"in_files": facts["files"]}


def _spread(files: list[dict[str, Any]]) -> dict[str, Any]:
    groups = [group for file in files for group in file["row_groups"]]
    found: dict[str, Any] = {"count": len(groups)}
    for unit in ("rows", "bytes"):
        sizes = sorted(group[unit] for group in groups)
        found[unit] = {"smallest": sizes[0], "median": sizes[len(sizes) // 2], "largest": sizes[-1]} if sizes else None
    return found


def _groups(paths: list[Path], columns: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows and tokens by value. A column of many thousand values is no grouping and is left out."""
    numbers = ("int", "uint")
    tokens = next((name for name in TOKENS if name in columns and columns[name]["types"][0].startswith(numbers)), None)
    found = {}
    for title, names in GROUPS.items():
        column = next((name for name in names if name in columns and "string" in columns[name]["types"][0]), None)
        if column is None:
            continue
        counts: dict[str | None, list[int]] = {}
        for value, rows, some in _counted(paths, column, tokens):
            total = counts.setdefault(value, [0, 0])
            total[0], total[1] = total[0] + rows, total[1] + some
            if len(counts) > MOST_GROUPS:
                break
        else:
            order = sorted(counts.items(), key=lambda item: (-item[1][0], str(item[0])))
            found[title] = [
                {"value": value, "rows": rows} | ({"tokens": some} if tokens else {}) for value, (rows, some) in order
            ]
    return found


def _counted(paths: list[Path], column: str, tokens: str | None) -> Iterator[tuple[str | None, int, int]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in paths:
        with pq.ParquetFile(path) as file:
            names = [name for name in (column, tokens) if name in file.schema_arrow.names]
            if column not in names:
                continue
            for batch in file.iter_batches(65_536, columns=names):
                table = pa.Table.from_batches([batch])
                table = table.set_column(
                    table.schema.get_field_index(column), column, table.column(column).cast(pa.large_string())
                )
                sums = [(tokens, "sum")] if tokens in names else []
                counted = table.group_by(column).aggregate([([], "count_all"), *sums])
                for row in counted.to_pylist():
                    yield row[column], row["count_all"], (row.get(f"{tokens}_sum") or 0) if sums else 0


def _sample(paths: list[Path], files: list[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    """The same rows at each call, spread over all files by chance."""
    import numpy as np
    import pyarrow.parquet as pq

    wanted = np.sort(np.random.default_rng(0).choice(rows, min(SAMPLE, rows), replace=False)).tolist() if rows else []
    found = []
    for number in wanted:
        at, file = 0, 0
        while number >= at + files[file]["rows"]:
            at, file = at + files[file]["rows"], file + 1
        group, rest = 0, number - at
        while rest >= files[file]["row_groups"][group]["rows"]:
            rest, group = rest - files[file]["row_groups"][group]["rows"], group + 1
        with pq.ParquetFile(paths[file]) as parquet:
            # in batches, as a group may hold gigabytes of which one row is shown
            for batch in parquet.iter_batches(512, row_groups=[group]):
                if rest < batch.num_rows:
                    row = batch.slice(rest, 1).to_pylist()[0]
                    found.append(
                        {"file": files[file]["path"], "row": number - at, "values": {k: _shown(v) for k, v in row.items()}}
                    )
                    break
                rest -= batch.num_rows
    return found


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= 1000 else value[:999] + "…"
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= 200 else text[:199] + "…"
