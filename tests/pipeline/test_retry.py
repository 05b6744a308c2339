"""After the cause is mended, the documents that were set aside are tried again and join the same run."""

import gzip
import shutil
from pathlib import Path

import orjson
import pytest
from survival import data_of, documents, ids_of, ledger_of, numbers_of, quarantined, same, strays_of, write_jsonl

import pipeline
from pipeline import retrying
from pipeline.segment import committed_parts
from pipeline.units import CHUNKS
from schemas.errors import InputError


class Killed(BaseException):
    """In place of a signal."""


FORBIDDEN = ["doc-00003", "doc-00050", "doc-00051"]


def recipe(source: Path, **changes):
    return {
        "name": "trial",
        "input": str(source),
        "stages": [
            {"word_count": {"min_words": 3}},
            "trying_steps:forbidden",
            "exact_dedup",
            {"trying_steps:slow": {"sleep_ms": 0, **changes}},
        ],
        "output": {"shard_rows": 40},
        "resources": {"part_bytes": 3000},
    }


def start(keys, output, **options):
    return pipeline.run(keys, output=output, engine="local", workers=2, progress="none", **options)


def again(run):
    return pipeline.retry(run, engine="local", workers=2, progress="none")


@pytest.fixture
def forbidden(tmp_path, monkeypatch):
    path = tmp_path / "forbidden"
    monkeypatch.setenv("TRYING_FORBIDDEN", str(path))
    monkeypatch.setenv("TRYING_CALLS", str(tmp_path / "calls"))
    path.write_text(" ".join(FORBIDDEN))
    return path


@pytest.fixture
def source(tmp_path):
    return write_jsonl(tmp_path / "docs.jsonl", documents(120, words=10))


@pytest.fixture
def clean(tmp_path, source, forbidden):
    """The run in which nothing is forbidden."""
    forbidden.rename(tmp_path / "away")
    run = start(recipe(source), tmp_path / "clean" / "run")
    (tmp_path / "away").rename(forbidden)
    return run.path


def test_a_retried_run_has_the_bytes_of_one_that_never_failed(tmp_path, source, forbidden, clean):
    run = start(recipe(source), tmp_path / "runs" / "trial").path
    assert [row["id"] for row in quarantined(run)] == FORBIDDEN
    failed = {row["part"] // CHUNKS for row in quarantined(run)}
    first = pipeline.plan(recipe(source), output=run).segments[0]
    kept = {path: path.stat().st_ino for path in Path(first.folder, "parts").iterdir()}
    forbidden.unlink()
    assert again(run).path == run
    same(run, clean)
    now = {path: path.stat().st_ino for path in Path(first.folder, "parts").iterdir()}
    assert len(kept) > 3
    done_again = {int(path.name) // CHUNKS for path in kept if now[path] != kept[path]}
    assert done_again == failed
    assert len(failed) < len({int(path.name) // CHUNKS for path in kept})


def test_a_retry_before_the_cause_is_mended_finds_the_same_failures(tmp_path, source, forbidden):
    run = start(recipe(source), tmp_path / "runs" / "trial").path
    before = data_of(run), ledger_of(run), numbers_of(run)
    again(run)
    assert (data_of(run), ledger_of(run), numbers_of(run)) == before


def test_a_retry_of_a_run_without_failures_does_nothing(tmp_path, clean):
    written = {path: path.stat().st_mtime_ns for path in clean.rglob("*")}
    again(clean)
    assert {path: path.stat().st_mtime_ns for path in clean.rglob("*")} == written


def test_a_retry_keeps_what_the_command_line_said(tmp_path, source, forbidden):
    options = {"input": str(source), "set": ["word_count.min_words=9"], "limit": 100}
    run = start({**recipe(source), "input": []}, tmp_path / "runs" / "trial", **options).path
    forbidden.unlink()
    again(run)
    other = start({**recipe(source), "input": []}, tmp_path / "clean" / "trial", **options).path
    same(run, other)


def test_a_retried_segment_takes_those_with_it_that_other_runs_made_from_it(tmp_path, source, forbidden):
    runs = tmp_path / "runs"
    start(recipe(source), runs / "one")
    start(recipe(source, name="other"), runs / "two")
    result = data_of(runs / "two")
    first, second = pipeline.plan(recipe(source, name="other"), output=runs / "two").segments
    assert committed_parts(second.folder)
    forbidden.unlink()
    again(runs / "one")
    assert committed_parts(first.folder)
    assert committed_parts(second.folder) == []
    assert data_of(runs / "two") == result
    again(runs / "two")
    assert data_of(runs / "two") == result  # a finished run stays as it is until it is started again by force
    shutil.rmtree(runs / "two")
    assert len(ids_of(start(recipe(source, name="other"), runs / "two").path)) == len(ids_of(runs / "one"))


def test_a_chunk_in_the_middle_of_a_stream_is_done_again_with_those_after_it(tmp_path, forbidden):
    packed = tmp_path / "docs.jsonl.gz"
    packed.write_bytes(gzip.compress(b"".join(orjson.dumps(row) + b"\n" for row in documents(120, words=10))))
    run = start(recipe(packed), tmp_path / "runs" / "trial").path
    first = pipeline.plan(recipe(packed), output=run).segments[0]
    assert len(committed_parts(first.folder)) > 4
    forbidden.unlink()
    again(run)
    same(run, start(recipe(packed), tmp_path / "clean" / "trial").path)


@pytest.mark.parametrize("removals", range(6))
def test_a_retry_killed_while_it_removes_goes_on_with_the_next(tmp_path, source, forbidden, clean, monkeypatch, removals):
    run = start(recipe(source), tmp_path / "runs" / "trial").path
    forbidden.unlink()
    remove, done = retrying._remove, []

    def remove_some(place):
        if len(done) == removals:
            raise Killed
        done.append(place)
        remove(place)

    with monkeypatch.context() as patched:
        patched.setattr(retrying, "_remove", remove_some)
        with pytest.raises(Killed):
            again(run)
    assert pipeline.status(run)["state"] == "running"
    again(run)
    same(run, clean)
    assert strays_of(run) == []


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError):
        again(tmp_path)
