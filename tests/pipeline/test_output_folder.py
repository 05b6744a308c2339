"""What a run may do to its folder: nothing to files that are not ours."""

from pathlib import Path

import pytest
from small_runs import counts, curate, documents, jsonl

from pipeline.results import Run
from schemas.errors import OutputError, RecipeError


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(jsonl(tmp_path / "in" / "a.jsonl", ({"id": str(number), "text": "x" * 50} for number in range(50))))


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and modification time of every file below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_is_not_a_runs_is_refused_and_left_alone(tmp_path: Path, source: str, force: bool) -> None:
    """IO-2."""
    out = tmp_path / "out"
    (out / "data").mkdir(parents=True)
    (out / "data" / "precious.parquet").write_text("x")
    before = files(out)
    with pytest.raises(OutputError, match=r"is not empty and has no manifest\.json"):
        curate(out, source, force=force)
    for content in ("{}", "not json", '{"name": "web", "version": 3}', "[]", '{"format": 1}'):
        (out / "manifest.json").write_text(content)
        before = files(out)
        with pytest.raises(OutputError, match=r"its manifest\.json was not written by Sluice"):
            curate(out, source, force=force)
        assert files(out) == before


def test_an_output_that_is_a_file_is_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError, match="is a file, expected a folder"):
        curate(tmp_path / "out", source)
    with pytest.raises(OutputError, match="cannot be made"):
        curate(tmp_path / "out" / "below", source)
    assert (tmp_path / "out").read_text() == "x"


def test_an_empty_folder_is_taken(tmp_path: Path, source: str) -> None:
    (tmp_path / "out").mkdir()
    assert counts(curate(tmp_path / "out", source))["out"] == 50


def test_the_same_recipe_again_changes_nothing(tmp_path: Path, source: str) -> None:
    first = curate(tmp_path / "out", source, ["exact_dedup"])
    before = files(tmp_path)
    again = curate(tmp_path / "out", source, ["exact_dedup"], workers=2)
    assert again.manifest == first.manifest
    assert files(tmp_path) == before


def test_the_same_recipe_in_another_folder_beside_reuses_all_segments(tmp_path: Path, source: str) -> None:
    curate(tmp_path / "one", source, ["exact_dedup"])
    segments = files(tmp_path / ".sluice" / "segments")
    second = curate(tmp_path / "two", source, ["exact_dedup"])
    assert [segment["reused"] == segment["parts"] for segment in second.manifest["segments"]] == [True, True]
    changed = {name for name, content in files(tmp_path / ".sluice" / "segments").items() if segments.get(name) != content}
    assert {Path(name).parts[1] for name in changed} <= {"shards", "lock"}
    assert Run(tmp_path / "one").manifest["shards"] == second.manifest["shards"]


def test_a_finished_run_of_another_recipe_is_replaced_by_force_only(tmp_path: Path, source: str) -> None:
    out = tmp_path / "out"
    curate(out, source, output={"shard_bytes": 500})
    assert len(list((out / "data").iterdir())) > 3
    (out / "notes.md").write_text("mine")
    before = files(out)
    with pytest.raises(OutputError, match=r"holds a finished run with another recipe or input.*--force"):
        curate(out, source, seed=5)
    assert files(out) == before
    result = curate(out, source, seed=5, force=True)
    assert [path.name for path in (out / "data").iterdir()] == ["part-00000-of-00001.parquet"]
    assert counts(result)["out"] == len(documents(result)) == 50
    assert (out / "notes.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["data/mine.parquet", "data/more/part-00000-of-00001.parquet", "ledger/notes.txt"])
def test_foreign_files_among_ours_stop_a_run_before_it_replaces_anything(tmp_path: Path, source: str, name: str) -> None:
    """IO-2."""
    out = tmp_path / "out"
    curate(out, source)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine")
    before = files(out)
    with pytest.raises(OutputError, match="which no run wrote there; move it away first, nothing was changed"):
        curate(out, source, seed=5, force=True)
    assert files(out) == before


def test_a_shard_that_is_lost_or_changed_is_written_again(tmp_path: Path, source: str) -> None:
    out = tmp_path / "out"
    curate(out, source, output={"shard_bytes": 500})
    before = {name: content for name, (content, _) in files(out / "data").items()}
    first, second, *_ = sorted((out / "data").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    curate(out, source, output={"shard_bytes": 500})
    assert {name: content for name, (content, _) in files(out / "data").items()} == before


@pytest.mark.parametrize("keys", [{"limit": 0}, {"limit": -1}, {"sample": 0.0}, {"sample": 1.5}, {"workers": 0}])
def test_numbers_that_make_no_sense_are_refused_first(tmp_path: Path, source: str, keys: dict) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(keys))} is"):
        curate(tmp_path / "out", source, **keys)
    assert not (tmp_path / "out").exists()
