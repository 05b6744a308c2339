"""An estimate is a trial on some units, multiplied; it leaves nothing behind and says what is short."""

import json
import random
from pathlib import Path

import pytest
from small_runs import counts, curate, jsonl
from typer.testing import CliRunner

from jobs.cli import app
from pipeline import estimate as estimating
from pipeline.estimate import Machine, estimate, summed_up
from pipeline.planning import plan

STAGES = [{"word_count": {"min_words": 30}}, "minhash_dedup"]
RESOURCES = {"part_bytes": "20KB"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = random.Random(2)
    for number in range(8):
        rows = [
            {"id": f"{number}-{at}", "text": " ".join(rng.choices("abcdefgh", k=rng.choice([20, 60])))} for at in range(150)
        ]
        jsonl(tmp_path / "in" / f"{number}.jsonl", rows)
    return tmp_path


def recipe(folder: Path) -> dict[str, object]:
    source = {"path": str(folder / "in"), "source": "s"}
    return {"name": "try", "input": source, "stages": STAGES, "resources": RESOURCES}


def test_a_trial_on_everything_tells_what_a_run_does(folder: Path) -> None:
    found = estimate(recipe(folder), output=folder / "runs" / "x", sample_bytes=10**9, workers=3)
    real = counts(curate(folder / "real" / "x", {"path": str(folder / "in"), "source": "s"}, STAGES, resources=RESOURCES))
    assert found["sample"]["times"] == 1
    assert found["sample"]["units"] == found["units"] > 3
    assert (found["in"]["documents"], found["out"]["documents"]) == (real["in"], real["out"]) == (1200, real["out"])
    disk = found["disk"]
    size = sum(file.stat().st_size for file in (folder / "real").rglob("*") if file.is_file())
    assert disk["segments"] + disk["output"] == pytest.approx(size, rel=0.05)
    assert disk["peak"] == disk["segments"] + disk["output"] + disk["rounds"]
    assert disk["rounds"] > 0
    (dedup,) = [step for step in found["steps"] if step["step"] == "minhash_dedup"]
    assert dedup["sketch_bytes"] == dedup["sketch_bytes_per_document"] * dedup["in"]["documents"]
    assert found["wall_seconds"] == pytest.approx(found["cpu_seconds"] / 3, abs=0.1)
    assert found["short"] == []
    assert list((folder / "runs").iterdir()) == []


def test_a_sample_is_multiplied(folder: Path) -> None:
    found = estimate(recipe(folder), output=folder / "runs" / "x", sample_bytes=1)
    assert found["sample"]["units"] == 1 < found["units"]
    assert found["sample"]["times"] == found["text_bytes"] / found["sample"]["text_bytes"]
    assert found["in"]["documents"] == pytest.approx(1200, rel=0.25)


def test_what_is_short_is_told(folder: Path) -> None:
    planned = plan(recipe(folder), output=folder / "a" / "x")
    trial = curate(folder / "a" / "x", {"path": str(folder / "in"), "source": "s"}, STAGES, resources=RESOURCES)
    taken = sum(unit["bytes"] for unit in planned.units)
    enough = Machine(10**12, 10**12, 4)
    assert summed_up(planned, taken, trial, folder / "a", 2.0, (0, 10**9), enough)["short"] == []
    less = Machine(1000, 4 * 10**9, 4)
    disk, memory = summed_up(planned, taken, trial, folder / "a", 2.0, (0, 10**9), less)["short"]
    assert disk.endswith(", 1.0 kB are")
    assert memory == "memory: 4.8 GB should be there, 4.0 GB are; take fewer workers"


def test_the_command_ends_with_an_error_where_something_is_short(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "recipe.yaml").write_text(json.dumps(recipe(folder)))
    command = ["estimate", "recipe.yaml", "--sample", "20KB", "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["short"] == []
    monkeypatch.setattr(estimating, "_memory", lambda: 1000)
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "memory: " in done.stderr
    assert CliRunner().invoke(app, [*command, "--allow"]).exit_code == 0
    assert CliRunner().invoke(app, ["estimate", "recipe.yaml", "--sample", "much"]).exit_code == 2
    assert "minhash_dedup" in CliRunner().invoke(app, ["estimate", "recipe.yaml"]).stdout
