"""Scores by language: at the cut, and in what was kept, in the report and in `inspect`."""

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from small_runs import curate, jsonl, parquet

from jobs.show import print_inspect
from pipeline.report import page
from pipeline.results_inspect import inspect
from pipeline.results_quality import PERCENTILES, kept, named_scores


def columns(rows: int, seed: int = 1) -> dict[str, Any]:
    rng = random.Random(seed)
    return {
        "id": [str(at) for at in range(rows)],
        "language": [rng.choice(["en", "en", "zh", None]) for _ in range(rows)],
        "language_score": [rng.random() for _ in range(rows)],
        "quality_score": [rng.choice([None, math.nan, rng.random(), rng.random()]) for _ in range(rows)],
        "label": [rng.randrange(6) for _ in range(rows)],
        "strength_low": [rng.random() for _ in range(rows)],
        "token_count": [rng.randrange(6) for _ in range(rows)],
    }


def test_quantiles_are_those_of_each_language_over_all_files(tmp_path: Path) -> None:
    data = columns(300)
    paths = [parquet(tmp_path / f"{at}.parquet", {name: values[at::3] for name, values in data.items()}) for at in range(3)]
    found = {table["measure"]: table for table in kept(paths, {"label", "token_count"})}
    assert set(found) == {"quality_score", "label"}
    for name, table in found.items():
        assert table["sampled"] is None
        for row in table["rows"]:
            own = [
                value
                for value, language in zip(data[name], data["language"], strict=True)
                if (language or "null") == row["name"] and value is not None and value == value
            ]
            assert row["documents"] == len(own)
            assert row["values"] == np.percentile(own, PERCENTILES, method="inverted_cdf").tolist()
        assert table["rows"][0]["name"] == "en"
    assert {table["measure"] for table in kept(paths)} == {"quality_score"}


def test_of_many_rows_the_first_files_are_a_sample(tmp_path: Path) -> None:
    paths = [parquet(tmp_path / f"{at}.parquet", columns(50, at)) for at in range(3)]
    (table,) = kept(paths, most_rows=60)
    assert table["sampled"] == 100
    assert table["rows"] == kept(paths[:2])[0]["rows"]


def test_without_languages_or_scores_or_files_there_is_no_table(tmp_path: Path) -> None:
    data = columns(10)
    assert kept([]) == []
    assert kept([parquet(tmp_path / "a.parquet", {"quality_score": data["quality_score"]})]) == []
    assert kept([parquet(tmp_path / "b.parquet", {"language": data["language"], "label": data["label"]})]) == []
    nothing = {"language": pa.array(["en"]), "score": pa.array([None], pa.float64())}
    assert kept([parquet(tmp_path / "c.parquet", nothing)]) == []


def test_columns_that_steps_name_are_scores() -> None:
    recipe = {"stages": ["count_tokens", {"top_fraction": {"column": "label", "fraction": 0.5}}, {"mix": {"rank": "votes"}}]}
    assert named_scores(recipe) >= {"label", "votes"}
    assert named_scores(None) == {"annotation", "criteria"}


@pytest.mark.parametrize("by", ["language", None])
def test_report_and_inspect_have_scores_by_language_after_a_cut(by: str | None, tmp_path: Path) -> None:
    rows = [{"id": str(at), "text": "text", "language": ("en", "zh")[at % 2], "score": at / 64} for at in range(64)]
    mapped = {"language": "language", "score": {"column": "score", "type": "float64"}}
    entry = {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "columns": mapped}
    run = curate(tmp_path / "run", entry, [{"top_fraction": {"column": "score", "fraction": 0.25, "by": by}}])
    facts = inspect(run.path)["quality"]
    (cut,) = facts["at_cuts"]
    (after,) = facts["kept"]
    assert cut["heads"][-1] == "fraction"
    if by:
        assert [(row["name"], row["documents"], row["limits"]) for row in cut["rows"]] == [
            ("en", 32, [48 / 64]),
            ("zh", 32, [49 / 64]),
        ]
        assert [row["values"][2] for row in cut["rows"]] == [30 / 64, 31 / 64]
    else:
        assert [(row["name"], row["documents"], row["limits"]) for row in cut["rows"]] == [("all", 64, [48 / 64])]
    assert [(row["name"], row["documents"]) for row in after["rows"]] == [("en", 8), ("zh", 8)]
    assert after["rows"][0]["values"] == [48 / 64, 50 / 64, 54 / 64, 58 / 64, 62 / 64]
    told = page(run)
    assert '<section id="quality"' in told
    assert "<bdi>zh</bdi></th><td>8</td><td>0.7656</td><td>0.7969</td><td>0.8594</td>" in told
    console = Console(width=120, record=True, file=open(tmp_path / "shown", "w"))  # noqa: SIM115
    print_inspect(run.path, console)
    shown = console.export_text()
    assert "kept, score" in shown
    assert "top_fraction, score" in shown
    assert ["zh", "8", "0.7656", "0.7969", "0.8594", "0.9219", "0.9844"] in [line.split() for line in shown.splitlines()]
