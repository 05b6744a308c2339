import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app
from pipeline import registry

HOME = Path(__file__).resolve().parents[2]


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def loaded(*arguments: str) -> Any:
    return json.loads(sluice(*arguments, "--json").stdout)


def test_every_stage_is_listed_with_its_kind_and_what_it_does() -> None:
    found = {stage["name"]: stage for stage in loaded("list")}
    assert list(found) == list(registry.names())
    assert found["word_count"]["kind"] == "filter"
    assert found["c4_quality"]["kind"] == "map+filter"
    assert found["minhash_dedup"]["kind"] == "global"
    assert all(stage["summary"].endswith(".") for stage in found.values())
    assert "word_count" in sluice("list").stdout


@pytest.mark.parametrize("name", registry.names())
def test_every_stage_can_be_described(name: str) -> None:
    found = loaded("describe", name)
    assert found["doc"]
    assert all(parameter["description"] for parameter in found["parameters"])
    assert sluice("describe", name).exit_code == 0


def test_a_description_has_defaults_units_ranges_and_rules() -> None:
    found = loaded("describe", "word_count")
    parameter = next(entry for entry in found["parameters"] if entry["name"] == "min_words")
    assert (parameter["unit"], parameter["range"], parameter["required"]) == ("words", "0.0 to any", False)
    assert found["rules"][0]["rule"] == "min_words"
    assert found["reads"] == ["text"]
    assert [entry["required"] for entry in loaded("describe", "sample")["parameters"] if entry["name"] == "fraction"] == [True]


def test_a_set_reads_only_what_it_does_not_write_itself() -> None:
    assert loaded("describe", "c4_quality")["reads"] == ["text"]


def test_a_function_is_described_by_its_signature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "described_rules.py").write_text(
        'def cut(document, length: int = 5):\n    """Shorten."""\n    return document\n'
    )
    monkeypatch.chdir(tmp_path)
    found = loaded("describe", "described_rules:cut")
    assert (found["kind"], found["doc"]) == ("function on a document", "Shorten.")
    assert [(entry["name"], entry["type"], entry["default"]) for entry in found["parameters"]] == [("length", "int", 5)]


def test_check_passes_for_a_good_stage_and_takes_parameters() -> None:
    result = sluice("check", "threshold", "--set", "column=score", "--set", "max_value=0.5")
    assert result.exit_code == 0, result.stderr
    assert "pass  same answer for any batches" in result.stdout


def test_check_fails_for_a_stage_that_breaks_a_contract_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checked_stages.py").write_text(
        "import pyarrow as pa\n"
        "from stages.core.stage import Map\n"
        "class FirstOnly(Map):\n"
        "    def apply(self, table):\n"
        "        return table.slice(0, 1)\n"
        "class Needs(Map):\n"
        "    '''Needs a word.'''\n"
        "    word: str\n"
    )
    monkeypatch.chdir(tmp_path)
    result = sluice("check", "checked_stages:FirstOnly")
    assert result.exit_code == 1
    assert "FAIL  documented: class FirstOnly has no docstring" in result.stdout
    found = loaded("check", "checked_stages:FirstOnly")
    assert not found["passed"]
    assert {"name": "survives pickling", "passed": True, "why": ""} not in found["checks"]
    missing = sluice("check", "checked_stages:Needs")
    assert missing.exit_code == 2
    assert "--set key=value" in missing.stderr


def test_the_schema_is_written_to_a_file_or_to_stdout(tmp_path: Path) -> None:
    out = tmp_path / "new" / "schema.json"
    assert sluice("schema", "--output", str(out)).exit_code == 0
    assert json.loads(out.read_text()) == json.loads(sluice("schema").stdout)
    assert json.loads(out.read_text())["title"] == "Sluice recipe"


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HOME)},
    )


def test_a_new_filter_in_a_project_of_ones_own_passes_its_test_and_the_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = sluice("new", "filter", "newlab/emoji_share")
    assert result.exit_code == 0
    assert result.stdout.split() == [str(tmp_path / "newlab/emoji_share.py"), str(tmp_path / "tests/test_emoji_share.py")]
    assert "in a recipe: newlab.emoji_share:EmojiShare" in result.stderr
    tested = python(tmp_path, "-m", "pytest", "-q", "-W", "error", "tests/test_emoji_share.py")
    assert tested.returncode == 0, tested.stdout
    assert "8 passed" in tested.stdout
    assert sluice("check", "newlab.emoji_share:EmojiShare").exit_code == 0
    assert len((tmp_path / "newlab/emoji_share.py").read_text().splitlines()) <= 45


def test_a_new_filter_in_our_own_tree_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for marker in ("pipeline/registry.py", "filters/__init__.py"):
        (tmp_path / marker).parent.mkdir()
        (tmp_path / marker).touch()
    monkeypatch.chdir(tmp_path)
    result = sluice("new", "filter", "emoji_share")
    assert result.stdout.split() == [
        str(tmp_path / "filters/emoji_share.py"),
        str(tmp_path / "tests/filters/test_emoji_share.py"),
    ]
    assert "in a recipe: emoji_share" in result.stderr
    known = sluice("new", "filter", "word_count")
    assert known.exit_code == 2
    assert "there is a stage 'word_count' already" in known.stderr


def test_a_new_filter_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_emoji_share.py").write_text("mine")
    result = sluice("new", "filter", "newlab/emoji_share")
    assert result.exit_code == 2
    assert "is there already; nothing was written" in result.stderr
    assert not (tmp_path / "newlab").exists()
    assert (tmp_path / "tests" / "test_emoji_share.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("emoji_share", "needs a package of yours: sluice new filter mylab/emoji_share"),
        ("mylab/EmojiShare", "expected snake_case"),
        ("../evil", "expected snake_case"),
        ("stages/emoji", "is Sluice's own name"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = sluice("new", "filter", name)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []
