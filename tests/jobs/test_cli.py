import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app

HOME = Path(__file__).resolve().parents[2]
RECIPE = """
name: tiny
input: docs.jsonl
stages:
  - word_count: {min_words: 3}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    lines = [json.dumps({"id": f"d{number}", "text": "word " * (number % 10)}) for number in range(50)]
    (tmp_path / "docs.jsonl").write_text("\n".join(lines))
    return tmp_path


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def loaded(*arguments: str) -> Any:
    result = sluice(*arguments, "--json")
    assert result.exit_code in (0, 1), result.stderr
    return json.loads(result.stdout)


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HOME), **environment},
    )


def test_help_imports_nothing_heavy() -> None:
    heavy = {"pyarrow", "numpy", "numba", "ray", "polars", "pydantic", "psutil", "orjson", "ruamel", "asyncio"}
    code = (
        "import sys; from jobs.cli import app\n"
        "try: app(['--help'])\n"
        f"except SystemExit: print(sorted({heavy!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(HOME)}
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_has_help_with_an_example() -> None:
    commands = [[command.name] for command in app.registered_commands if command.name]
    assert len(commands) == 19
    for command in [*commands, ["new", "filter"], *(["index", name] for name in ("build", "add", "remove", "stat"))]:
        result = sluice(*command, "--help")
        assert result.exit_code == 0
        assert f"sluice {' '.join(command)}" in result.stdout.partition("Example")[2], command


def test_version_is_shown() -> None:
    assert sluice("--version").stdout.startswith("sluice ")


def test_a_run_prints_its_funnel_and_where_everything_is(project: Path) -> None:
    result = sluice("run", "tiny.yaml", "--engine", "local", "--output", "runs/a")
    assert result.exit_code == 0
    assert "35 of 50 documents kept" in result.stdout
    assert [line.split() for line in result.stdout.splitlines()[-4:]] == [
        ["run", "runs/a"],
        ["data", "runs/a/data"],
        ["ledger", "runs/a/ledger"],
        ["report", "runs/a/report.html"],
    ]
    assert "word_count" in result.stderr


def test_with_json_stdout_holds_one_document_and_nothing_else(project: Path) -> None:
    told = loaded("run", "tiny.yaml", "--engine", "local", "--output", "runs/a")
    assert (told["run"], told["state"]) == ("runs/a", "complete")
    assert (told["counts"]["in"]["documents"], told["counts"]["out"]["documents"]) == (50, 35)


def test_quiet_prints_the_folder_alone(project: Path) -> None:
    result = sluice("run", "tiny.yaml", "--engine", "local", "--output", "runs/a", "--quiet")
    assert (result.stdout, result.stderr) == ("runs/a\n", "")


def test_input_set_and_limit_reach_the_run(project: Path) -> None:
    (project / "more.jsonl").write_text('{"id": "x", "text": "one two three four five six"}\n')
    told = loaded(
        "run", "tiny.yaml", "--engine", "local", "-o", "runs/a", "-i", "more.jsonl", "--set", "word_count.min_words=7"
    )
    assert told["counts"]["dropped"]["documents"] == 1
    told = loaded("run", "tiny.yaml", "--engine", "local", "-o", "runs/b", "--limit", "5", "--segments", "shared")
    assert told["counts"]["in"]["documents"] == 5
    assert (project / "shared").is_dir()


def test_a_plan_shows_inputs_and_steps_and_runs_nothing(project: Path) -> None:
    result = sluice("plan", "tiny.yaml")
    assert result.exit_code == 0
    assert "path: docs.jsonl" in result.stdout
    assert "step: word_count" in result.stdout
    assert loaded("plan", "tiny.yaml")["name"] == "tiny"
    assert not list(project.glob("runs/tiny*"))


def test_one_stage_is_run_alone_and_keeps_the_order(project: Path) -> None:
    import pyarrow.parquet as pq

    result = sluice("stage", "word_count", "-i", "docs.jsonl", "-o", "runs/a", "--set", "min_words=9")
    assert result.exit_code == 0, result.stderr
    assert pq.read_table(project / "runs" / "a" / "data")["id"].to_pylist() == ["d9", "d19", "d29", "d39", "d49"]


def test_a_stage_of_the_users_own_is_run_by_its_path(project: Path) -> None:
    (project / "ownrules.py").write_text("def even(document):\n    return document if int(document['id'][1:]) % 2 else None\n")
    told = loaded("stage", "ownrules:even", "-i", "docs.jsonl", "-o", "runs/a")
    assert told["counts"]["out"]["documents"] == 25


def test_a_finished_run_can_be_looked_at(project: Path) -> None:
    sluice("run", "tiny.yaml", "--engine", "local", "--output", "runs/a")
    assert "word_count" in sluice("inspect", "runs/a").stdout
    assert loaded("inspect", "runs/a")
    why = sluice("why", "runs/a", "d1")
    assert why.exit_code == 0
    assert "word_count.min_words" in why.stdout
    assert loaded("why", "runs/a", "d1", "--source", "docs")[0]["outcome"] == "dropped"
    assert "word_count.min_words" in sluice("examples", "runs/a", "--dropped-by", "word_count.min_words", "-n", "3").stdout
    assert len(loaded("examples", "runs/a", "-n", "3")) <= 3
    missing = sluice("why", "runs/a", "nobody")
    assert missing.exit_code == 1
    assert "'nobody'" in missing.stderr


def test_status_is_zero_only_for_a_complete_run(project: Path) -> None:
    sluice("run", "tiny.yaml", "--engine", "local", "--output", "runs/a")
    assert sluice("status", "runs/a").exit_code == 0
    manifest = project / "runs" / "a" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"complete"', '"running"'))
    assert sluice("status", "runs/a").exit_code == 1
    assert loaded("status", "runs/a")["state"] == "running"
    assert sluice("status", "runs/none").exit_code == 2


def test_clean_removes_what_no_run_names_and_a_dry_run_nothing(project: Path) -> None:
    sluice("run", "tiny.yaml", "--engine", "local", "--output", "runs/a")
    sluice("run", "tiny.yaml", "--engine", "local", "--output", "runs/b", "--set", "word_count.min_words=5")
    assert loaded("clean", "runs") == {"dry_run": False, "removed": []}
    (project / "runs" / "b" / "manifest.json").unlink()
    assert len(loaded("clean", "runs", "--dry-run")["removed"]) == 1
    assert len(loaded("clean", "runs")["removed"]) == 1
    assert loaded("clean", "runs")["removed"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "tny.yaml"], "tny.yaml: no such recipe; did you mean 'tiny.yaml'?"),
        (["plan", "tiny.yaml", "--set", "word_cont.min_words=3"], "did you mean 'word_count'?"),
        (["plan", "tiny.yaml", "--set", "word_count.min_word=3"], "there is no key 'min_word'"),
        (["plan", "tiny.yaml", "--input", "gone.jsonl"], "gone.jsonl"),
        (["describe", "word_cuont"], "there is no stage 'word_cuont'; did you mean 'word_count'?"),
        (["check", "nobody.rules:Stage"], "no module 'nobody.rules'"),
        (["inspect", "nowhere"], "nowhere"),
        (["stage", "word_count", "-i", "docs.jsonl", "-o", "x", "--set", "nonsense"], "--set nonsense: expected key=value"),
    ],
)
def test_an_error_is_one_message_on_stderr_with_exit_code_2(project: Path, arguments: list[str], message: str) -> None:
    result = sluice(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("sluice: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_traceback_is_shown_on_request(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TRACEBACK", "1")
    assert "Traceback" in sluice("run", "gone.yaml").stderr


def test_too_many_failures_end_with_exit_code_3(project: Path) -> None:
    (project / "failrules.py").write_text("def fail(document):\n    raise ValueError('no')\n")
    (project / "bad.yaml").write_text("name: bad\ninput: docs.jsonl\nfailures: {min_count: 0}\nstages: [failrules:fail]\n")
    result = sluice("run", "bad.yaml", "--engine", "local", "--output", "runs/bad")
    assert result.exit_code == 3, result.stderr
    assert sluice("status", "runs/bad").exit_code == 1


def test_a_real_process_gives_json_alone_and_the_same_exit_codes(project: Path) -> None:
    done = process("run", "tiny.yaml", "--engine", "local", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "complete"
    failed = process("run", "gone.yaml", "--json")
    assert (failed.returncode, failed.stdout) == (2, "")


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(project: Path) -> None:
    (project / "slowrules.py").write_text("import time\ndef slow(document):\n    time.sleep(0.05)\n    return document\n")
    (project / "slow.yaml").write_text("name: slow\ninput: docs.jsonl\nstages: [slowrules:slow]\n")
    running = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "run", "slow.yaml", "--engine", "local", "--output", "runs/slow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HOME)},
    )
    end = time.monotonic() + 60
    while not (project / "runs" / "slow" / "progress.json").exists():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert "sluice: stopped; the same command goes on where this one ended" in errors
    assert "Traceback" not in errors


def test_run_takes_documents_by_their_id(project: Path) -> None:
    loaded("run", "tiny.yaml", "--engine", "local", "--id", "d7", "--output", "runs/one")
    manifest = json.loads((project / "runs" / "one" / "manifest.json").read_text())
    assert (manifest["counts"]["in"]["documents"], manifest["counts"]["out"]["documents"]) == (1, 1)
