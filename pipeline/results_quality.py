"""Scores by language or another group: as they were at a cut, and in what was kept."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

PERCENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
LANGUAGE = ("language", "lang")
MOST_SCORES, MOST_LANGUAGES = 12, 60
NO_SCORES = ("language_score", "copy", "token_count")
NAMED_BY = ("column", "rank", "keep", "score", "criteria")
"""parameters of steps that name a column of scores, which may be one of whole numbers"""


def at_cuts(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each cut by percentile or share in groups: quantiles of the measure by group, and the limit that each had.

    Groups are the largest first; `heads` name what stands in `values` and `limits`.
    """
    tables = []
    for step in steps:
        facts = step.get("facts") or {}
        for told in facts.get("quantiles") or []:
            limits = {rule: facts["limits"][rule]["values"] for rule in told["rules"]}
            rows = [
                {"name": name, **group, "limits": [numbers[name] for numbers in limits.values()]}
                for name, group in told["groups"].items()
            ]
            rows.sort(key=lambda row: (-row["documents"], row["name"]))
            heads = [f"{at:g} %" for at in told["percentiles"]] + list(limits)
            tables.append({"step": step["step"], **told, "heads": heads, "rows": rows[:MOST_LANGUAGES]})
    return tables


def kept(paths: Sequence[Path], named: Iterable[str] = (), most_rows: int = 20_000_000) -> list[dict[str, Any]]:
    """For each column of scores in the data: its quantiles by language, the largest first. None without a column of languages.

    named  columns of whole numbers that are scores, too
    rows   that are read: files are taken in their order until there are so many, which `sampled` tells; shards of a seeded
           order are samples

    A quantile is the smallest value that at least such a share of the language's values does not exceed, nulls and NaN aside.
    """
    import polars as pl
    import pyarrow.parquet as pq

    chosen, rows = [], 0
    for path in paths:
        if rows >= most_rows:
            break
        chosen.append(path)
        rows += pq.read_metadata(path).num_rows
    if not chosen:
        return []
    schema = pq.read_schema(chosen[0])
    language = next((name for name in LANGUAGE if name in schema.names), None)
    scores = _scores(schema, set(named))
    if language is None or not scores:
        return []
    data = pl.scan_parquet(chosen, missing_columns="insert", extra_columns="ignore").select(
        pl.col(language).cast(pl.String).alias("name"), *(pl.col(name).cast(pl.Float64).fill_nan(None) for name in scores)
    )
    tables = []
    for name in scores:
        value = pl.col(name)
        quantiles = [value.sort().get(_rank(value, at)).alias(f"{at:g}") for at in PERCENTILES]
        known = data.filter(value.is_not_null()).group_by("name").agg(pl.len().alias("documents"), *quantiles)
        found = known.sort(["documents", "name"], descending=[True, False], nulls_last=True).head(MOST_LANGUAGES).collect()
        if not found.height:
            continue
        tables.append(
            {
                "measure": name,
                "by": language,
                "percentiles": list(PERCENTILES),
                "heads": [f"{at:g} %" for at in PERCENTILES],
                "sampled": rows if len(chosen) < len(paths) else None,
                "rows": [
                    {"name": row[0] or "null", "documents": row[1], "values": list(row[2:]), "limits": []}
                    for row in found.iter_rows()
                ],
            }
        )
    return tables


def _rank(value: Any, percentile: float) -> Any:
    import polars as pl

    return (value.len() * percentile / 100).ceil().clip(lower_bound=1).cast(pl.Int64) - 1


def named_scores(recipe: Mapping[str, Any] | None) -> set[str]:
    """Columns that the steps of a recipe name as scores."""
    found: set[str] = set()
    for entry in (recipe or {}).get("stages") or []:
        for parameters in entry.values() if isinstance(entry, Mapping) else ():
            if isinstance(parameters, Mapping):
                found |= {str(parameters[key]) for key in NAMED_BY if isinstance(parameters.get(key), str)}
    return found | {"annotation", "criteria"}


def _scores(schema: Any, named: set[str]) -> list[str]:
    import pyarrow as pa

    found = [
        field.name
        for field in schema
        if field.name not in NO_SCORES
        and (pa.types.is_floating(field.type) or (pa.types.is_integer(field.type) and field.name in named))
        and not field.name.endswith(("_low", "_high"))
    ]
    return found[:MOST_SCORES]
