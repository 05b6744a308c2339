"""Ctrl-C and SIGTERM end a run and all its processes; a run that cannot go on says so."""

import os
import signal
import time
from pathlib import Path

import orjson
import pytest
from survival import data_of, documents, driver, finish, ids_of, run_arguments, wait_until, write_jsonl

import pipeline

COUNT = 60


def prepared(folder: Path, stages, **keys) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    source = write_jsonl(folder / "docs.jsonl", documents(COUNT, words=10, copies=10**6, near=10**6))
    recipe = {"name": "trial", "input": str(source), "stages": stages, "resources": {"part_bytes": 3000}, **keys}
    path = folder / "recipe.yaml"
    path.write_bytes(orjson.dumps(recipe))
    return path


@pytest.mark.parametrize(
    ("engine", "workers", "number"),
    [
        ("local", 1, signal.SIGINT),
        ("local", 2, signal.SIGTERM),
        ("local", 2, signal.SIGINT),
        ("ray", 2, signal.SIGTERM),
        ("ray", 2, signal.SIGINT),
    ],
)
def test_a_signal_ends_a_run_with_all_its_processes_and_the_same_command_goes_on(tmp_path, engine, workers, number):
    recipe = prepared(tmp_path, ["trying_steps:sleeps_long"])
    arguments = run_arguments(recipe, tmp_path / "run", engine, workers)
    asleep = tmp_path / "asleep"
    with driver(tmp_path, *arguments, environment={"TRYING_ASLEEP": str(asleep)}) as started:
        wait_until(lambda: asleep.exists() or not started.running, 90, "a document that sleeps", pause=0.05)
        assert started.running, started.log()
        began = time.monotonic()
        started.process.send_signal(number)
        assert started.wait(15) == 130, started.log()
        wait_until(lambda: not started.descendants(), 15 - (time.monotonic() - began), "the end of its processes", pause=0.2)
        assert "the same command goes on where this one ended" in started.log()
        assert pipeline.status(tmp_path / "run")["state"] == "failed"
    code, log = finish(tmp_path, *run_arguments(recipe, tmp_path / "run"))
    assert code == 0, log
    assert len(ids_of(tmp_path / "run")) == COUNT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_search_for_a_killing_document_ends_with_the_run(tmp_path, number):
    arguments = run_arguments(prepared(tmp_path, ["trying_steps:dies_then_sleeps"]), tmp_path / "run")
    asleep = tmp_path / "asleep"
    environment = {"TRYING_ASLEEP": str(asleep)}
    assert finish(tmp_path, *arguments, environment=environment)[0] == 3
    with driver(tmp_path, *arguments, environment=environment) as started:
        wait_until(lambda: asleep.exists() or not started.running, 60, "the child process that sleeps", pause=0.05)
        assert started.running, started.log()
        assert len(started.descendants()) >= 2
        started.process.send_signal(number)
        assert started.wait(15) in (130, -signal.SIGKILL), started.log()
        wait_until(lambda: not started.descendants(), 10, "the end of the search", pause=0.1)
    code, log = finish(tmp_path, *arguments)
    assert code == 0, log
    assert len(ids_of(tmp_path / "run")) == COUNT


@pytest.mark.parametrize("workers", [1, 4])
def test_a_run_completes_on_a_ray_of_so_many_cpus(tmp_path, workers):
    stages = [{"word_count": {"min_words": 8}}, "exact_dedup", "minhash_dedup"]
    path = prepared(tmp_path, stages)
    code, log = finish(tmp_path, *run_arguments(path, tmp_path / "run", "ray", workers), seconds=120)
    assert code == 0, log
    clean = pipeline.run(path, output=tmp_path / "clean", segments=tmp_path / "s", engine="local", progress="none")
    assert data_of(tmp_path / "run") == data_of(clean.path)


HELD = """
import os, sys, ray
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)

@ray.remote(num_cpus=1)
class Greedy:
    def here(self):
        return True

greedy = Greedy.remote()
ray.get(greedy.here.remote())
import pipeline
from schemas.errors import Stalled
try:
    pipeline.run(sys.argv[1], output=sys.argv[2], engine="ray", progress="none")
except Stalled as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_a_run_whose_cpus_something_else_holds_ends_and_names_the_step_and_the_cpu(tmp_path):
    path = prepared(tmp_path, ["word_count"], resources={"stall_seconds": 3})
    # A killed run leaves marks of work that it began: they do not count as work of this one.
    marks = Path(pipeline.plan(path, output=tmp_path / "run").segments[0].folder, "attempts")
    marks.mkdir(parents=True)
    (marks / "000000000000.0badcafe").write_bytes(orjson.dumps({"host": os.uname().nodename, "pid": 1, "started": "0"}))
    with driver(tmp_path, str(path), str(tmp_path / "run"), program=HELD) as started:
        assert started.wait(60) == 5, started.log()
        assert "word_count" in started.log()
        assert "0 of 1 CPUs are free" in started.log()
