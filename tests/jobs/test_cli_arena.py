"""`sluice arena rank` prints a leaderboard, writes its files, and says what is wrong with the battles."""

import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app

CSV = "model_a,model_b,winner,length_a,length_b\n"
ROWS = ["<x>,y,model_a,40,20\n"] * 30 + ["y,<x>,model_a,10,30\n"] * 10 + ["y,<x>,tie,10,10\n"] * 4


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def told(*arguments: str) -> Any:
    result = sluice(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("battles.csv").write_text(CSV + "".join(ROWS))
    return tmp_path


def test_a_leaderboard_is_printed(folder: Path) -> None:
    result = sluice("arena", "rank", "battles.csv")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    # ln(32 / 12) / 2 logits above the mean
    assert lines[1][:4] == ["1", "<x>", "+0.490", "1085"]
    assert lines[2][:4] == ["2", "y", "-0.490", "915"]
    assert "72.7 %" in result.stdout


def test_json_has_all_of_it(folder: Path) -> None:
    found = told("arena", "rank", "battles.csv", "--ties", "davidson", "--bootstraps", "20", "--seed", "3")
    first = found["leaderboard"][0]
    assert (first["model"], first["wins"], first["losses"], first["ties"]) == ("<x>", 30, 10, 4)
    assert first["strength"] == pytest.approx(math.log(3) / 2)
    assert first["strength_low"] < first["strength"] < first["strength_high"]
    assert found["tie_parameter"] == pytest.approx(4 / math.sqrt(300))
    assert (found["battles"], found["models"], found["bootstraps"], found["seed"]) == (44, 2, 20, 3)
    assert found == told("arena", "rank", "battles.csv", "--ties", "davidson", "--bootstraps", "20", "--seed", "3")


def test_files_are_written(folder: Path) -> None:
    assert sluice("arena", "rank", "battles.csv", "--output", "out").exit_code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "leaderboard.parquet",
        "leaderboard.svg",
        "summary.json",
        "win_matrix.parquet",
    ]
    assert pq.read_table("out/leaderboard.parquet")["model"].to_pylist() == ["<x>", "y"]
    assert pq.read_table("out/win_matrix.parquet")["win_fraction"].to_pylist() == [32 / 44, 12 / 44]
    drawn = ET.parse("out/leaderboard.svg").getroot()
    words = ["".join(one.itertext()) for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "<x>" in words
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 2


def test_without_bootstraps_there_are_no_intervals(folder: Path) -> None:
    found = told("arena", "rank", "battles.csv", "--bootstraps", "0", "--output", "out")
    assert found["leaderboard"][0]["elo_low"] is None
    assert "interval" not in Path("out/leaderboard.svg").read_text()
    assert sluice("arena", "rank", "battles.csv", "--bootstraps", "0").exit_code == 0


def test_a_covariate_takes_its_part(folder: Path) -> None:
    counts = {"model_a,40,20": 24, "model_a,20,40": 6, "model_b,40,20": 6, "model_b,20,40": 4}
    Path("styled.csv").write_text(CSV + "".join(f"x,y,{row}\n" * count for row, count in counts.items()))
    found = told("arena", "rank", "styled.csv", "--covariate", "length_a:length_b")
    # longer: 24 to 6; shorter: 6 to 4; lengths are a typical difference apart in every battle
    longer, shorter = math.log(24 / 6), math.log(6 / 4)
    assert found["leaderboard"][0]["strength"] == pytest.approx((longer + shorter) / 4)
    (effect,) = found["covariates"]
    assert effect["covariate"] == "length_a:length_b"
    assert effect["coefficient"] == pytest.approx((longer - shorter) / 2)
    assert effect["low"] < effect["coefficient"] < effect["high"]
    shown = sluice("arena", "rank", "styled.csv", "--covariate", "length_a:length_b").stdout
    assert "length_a:length_b: +0.490" in shown


def test_what_the_user_should_know_is_noted(folder: Path) -> None:
    Path("more.csv").write_text(CSV + "".join(ROWS) + "p,q,tie,1,1\np,p,tie,1,1\n")
    notes = told("arena", "rank", "more.csv", "--prior", "1")["notes"]
    assert notes == [
        "1 battles of a model against itself are left out",
        "the models fall into 2 groups without a battle between them: only the prior compares these",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: there is no such file"),
        (["battles.csv", "--covariate", "length_a"], "--covariate length_a: expected two columns"),
        (["battles.csv", "--covariate", "a:b"], "battles.csv has no column a, b; it has model_a, model_b, winner, length_a"),
        (["battles.csv", "--prior", "0"], "--prior is 0, expected a standard deviation above 0"),
        (["won.csv"], "no finite strengths: a won every battle against the others; b lost every battle"),
        (["odd.csv"], "odd.csv, row 2: winner is 'b', expected one of 'model_a'"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(folder: Path, arguments: list[str], message: str) -> None:
    Path("won.csv").write_text("model_a,model_b,winner\na,b,model_a\n")
    Path("odd.csv").write_text("model_a,model_b,winner\na,b,model_a\na,b,b\n")
    result = sluice("arena", "rank", *arguments, "--output", "out")
    assert result.exit_code != 0
    assert message in result.output
    assert not Path("out").exists()
