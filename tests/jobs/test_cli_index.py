"""`sluice index` builds, adds, takes down and tells, in words and as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app

TEXT = "one of many words that stand here in a row so that there are shingles enough to compare two texts by them"
RECIPE = "name: r\ninput: {input}\nstages:\n  - minhash_dedup: {{seed: {seed}}}\n"


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, the second of which has a copy of a document of the first, and one of a page of its own."""
    monkeypatch.chdir(tmp_path)
    for name, ids in (("first", "a"), ("second", "bc")):
        rows = [
            {"id": one, "text": f"{TEXT} {'c' * 9 if one == 'c' else ''}".strip(), "url": f"https://{one}.example/"}
            for one in ids
        ]
        rows[-1]["text"] += " and this is another page altogether with other words in it" * (len(ids) - 1)
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        Path(f"{name}.yaml").write_text(RECIPE.format(input=f"{name}.jsonl", seed=1))
        assert sluice("run", f"{name}.yaml", "--engine", "local", "--output", f"runs/{name}", "--quiet").exit_code == 0
    return tmp_path


def told(*arguments: str) -> Any:
    result = sluice(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_index_is_built_added_to_and_taken_from(runs: Path) -> None:
    built = told("index", "build", "idx", "runs/first")
    assert [(crawl["name"], crawl["documents"], crawl["kept"]) for crawl in built["crawls"]] == [("first", 1, 1)]
    added = told("index", "add", "idx", "runs/second", "--name", "later")
    assert [(crawl["name"], crawl["documents"], crawl["kept"]) for crawl in added["crawls"]] == [
        ("first", 1, 1),
        ("later", 2, 1),
    ]
    taken = told("index", "remove", "idx", "--domain", "a.example")
    assert taken["taken_down"] == 1
    assert [row["id"] for row in taken["restored"]] == ["b"]
    assert [crawl["kept"] for crawl in told("index", "stat", "idx")["crawls"]] == [0, 2]


def test_words_tell_the_same(runs: Path) -> None:
    assert sluice("index", "build", "idx", "runs/first").exit_code == 0
    assert sluice("index", "add", "idx", "runs/second").exit_code == 0
    result = sluice("index", "remove", "idx", "--id", "first:a")
    assert result.exit_code == 0, result.output
    assert "taken down: 1" in result.stdout
    assert "restored: 1 documents" in result.stdout
    shown = sluice("index", "stat", "idx").stdout
    assert "3 documents" in shown
    assert "decides by" in shown


def test_a_run_with_an_index_leaves_out_what_is_in_it(runs: Path) -> None:
    told("index", "build", "idx", "runs/first")
    arguments = ["--set", "minhash_dedup.index=idx", "--engine", "local", "--output", "runs/new", "--quiet"]
    assert sluice("run", "second.yaml", *arguments).exit_code == 0
    (story,) = json.loads(sluice("why", "runs/new", "b", "--json").stdout)
    assert (story["outcome"], story["survivor"]["id"]) == ("dropped", "a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stat", "nowhere"], "nowhere is no index"),
        (["add", "nowhere", "runs/first"], "nowhere is no index"),
        (["build", "idx", "nowhere"], "nowhere is no run's folder"),
        (["build", "idx", "runs/first", "--name", "a/b"], "a crawl's name is made of"),
        (["build", "runs", "runs/first"], "runs is not empty"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(runs: Path, arguments: list[str], message: str) -> None:
    result = sluice("index", *arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert not (runs / "idx").exists()


def test_a_take_down_needs_something(runs: Path) -> None:
    told("index", "build", "idx", "runs/first")
    assert "give --id, --url or --domain" in sluice("index", "remove", "idx").output
    assert "nothing was taken down" in sluice("index", "remove", "idx", "--url", "https://b.example/").output
