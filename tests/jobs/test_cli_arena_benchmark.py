"""`sluice arena benchmark` prints what a benchmark is worth beside a reference, or what is wrong with either."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app

STRENGTHS = {"a": 2.0, "b": 1.0, "c": 0.0, "d": -2.0}


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def told(*arguments: str) -> Any:
    result = sluice(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    rows = ["model_a,model_b,winner"]
    for _ in range(900):
        one, other = rng.choice(list(STRENGTHS), 2, replace=False)
        won = rng.random() < 1 / (1 + np.exp(STRENGTHS[other] - STRENGTHS[one]))
        rows.append(f"{one},{other},{'model_a' if won else 'model_b'}")
    Path("battles.csv").write_text("\n".join(rows) + "\n")
    Path("truth.csv").write_text("model,rank\na,1\nb,2\nd,4\nc,3\ne,5\n")
    return tmp_path


def test_a_benchmark_that_agrees_with_the_reference(folder: Path) -> None:
    found = told("arena", "benchmark", "battles.csv", "--reference", "truth.csv")
    assert (found["battles"], found["models"], found["shared_models"], found["shared_pairs"]) == (900, 4, 4, 6)
    assert found["separability"] == found["shared_separability"] == 1
    assert found["agreement"] == 1
    assert found["pair_rank_brier"] < 0.001
    assert found["spearman"] == pytest.approx(1)
    assert (found["only_in_reference"], found["only_in_benchmark"]) == (["e"], [])
    assert found == told("arena", "benchmark", "battles.csv", "--reference", "truth.csv")


def test_a_pair_in_the_other_order_is_named(folder: Path) -> None:
    Path("truth.csv").write_text("model,score,score_low,score_high\na,1,0.9,1.1\nb,2,1.9,2.1\nc,0,-3,3\nx,9,8,10\n")
    found = told("arena", "benchmark", "battles.csv", "--reference", "truth.csv")
    assert found["disagreeing_pairs"] == [["a", "b"]]
    assert found["agreement"] == pytest.approx(-1 / 3)
    assert found["reference_separability"] == pytest.approx(1 / 3)
    assert found["only_in_benchmark"] == ["d"]
    result = sluice("arena", "benchmark", "battles.csv", "--reference", "truth.csv")
    assert "note: a is above b here, and below in the reference" in result.stdout
    assert ["agreement", "-33.3", "%"] in [line.split() for line in result.stdout.splitlines()]


def test_a_leaderboard_of_rank_is_a_reference_and_a_benchmark(folder: Path) -> None:
    assert sluice("arena", "rank", "battles.csv", "--output", "out").exit_code == 0
    found = told("arena", "benchmark", "battles.csv", "--reference", "out/leaderboard.parquet", "--bootstraps", "50")
    assert found["agreement"] == found["reference_separability"] == 1
    other = told("arena", "benchmark", "out/leaderboard.parquet", "--reference", "truth.csv")
    assert (other["battles"], other["agreement"]) == (None, 1)
    assert other["pair_rank_brier"] == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("battles.csv", "--reference", "none.csv"), "none.csv: there is no such file"),
        (("none.csv", "--reference", "truth.csv"), "none.csv: there is no such file"),
        (("truth.csv", "--reference", "truth.csv"), "has neither battles"),
        (("battles.csv", "--reference", "other.csv"), "0 models are in both"),
        (("battles.csv", "--reference", "truth.csv", "--columns", "model"), "expected model:score"),
        (("battles.csv", "--reference", "truth.csv", "--columns", "model:points"), "points is missing"),
    ],
)
def test_what_cannot_be_measured_is_an_error(arguments: tuple[str, ...], why: str, folder: Path) -> None:
    Path("other.csv").write_text("model,score\nx,1\ny,2\n")
    result = sluice("arena", "benchmark", *arguments)
    assert result.exit_code != 0
    assert why in " ".join(result.stderr.split())


def test_the_help_has_an_example() -> None:
    assert "sluice arena benchmark" in sluice("arena", "benchmark", "--help").stdout.partition("Example")[2]
