"""A run that is killed anywhere and started again is the run that was never killed."""

import gzip
import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

import orjson
import pytest
from survival import (
    data_of,
    documents,
    driver,
    finish,
    run_arguments,
    same,
    wait_until,
    write_jsonl,
)

import pipeline
from pipeline.segment import committed_parts, read_counts
from pipeline.units import CHUNKS

DOCUMENTS = 240
PARTS = 7
"""Parts of either segment."""


def recipe(sleep_ms=1.5, **changes):
    return {
        "name": "trial",
        "stages": [
            {"trying_steps:slow": {"sleep_ms": sleep_ms, "name": "first"}},
            {"word_count": {"min_words": 25}},
            {"text_length": {"max_chars": changes.get("max_chars", 480)}},
            "exact_dedup",
            {"minhash_dedup": {"seed": changes.get("seed", 1)}},
            {"trying_steps:slow": {"sleep_ms": sleep_ms, "name": "second"}},
        ],
        "output": {"shard_rows": 40, "row_group_bytes": 4000},
        "resources": {"part_bytes": changes.get("part_bytes", 14_500), "batch_bytes": changes.get("batch_bytes", 4000)},
    }


class Place:
    """A folder with an input, a recipe and the calls that the user's functions noted."""

    def __init__(self, folder: Path, source: Path, keys: dict) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.run = folder, folder / "run"
        self.recipe = folder / "recipe.yaml"
        self.write({**keys, "input": str(source)})
        self.environment = {"TRYING_CALLS": str(folder / "calls")}

    def write(self, keys: dict) -> None:
        self.keys = keys
        self.recipe.write_bytes(orjson.dumps(keys))

    def arguments(self, engine="local", workers=2):
        return run_arguments(self.recipe, self.run, engine, workers)

    def complete(self, engine="local", workers=2, seconds=90):
        code, log = finish(self.folder, *self.arguments(engine, workers), environment=self.environment, seconds=seconds)
        assert code == 0, log

    def plan(self):
        return pipeline.plan(self.keys, output=self.run)

    def calls(self, name):
        path = self.folder / f"calls.{name}"
        return path.read_text().split() if path.is_file() else []

    def forget_calls(self):
        for path in self.folder.glob("calls.*"):
            path.unlink()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_jsonl(tmp_path_factory.mktemp("input") / "docs.jsonl", documents(DOCUMENTS))


@pytest.fixture(scope="module")
def clean(tmp_path_factory, source):
    """The run that nobody disturbs."""
    place = Place(tmp_path_factory.mktemp("clean"), source, recipe())
    place.complete()
    first, _ = place.plan().segments
    assert len(committed_parts(first.folder)) == PARTS
    assert len(list((place.run / "data").iterdir())) >= 3
    return place


def moments(place: Place):
    """Conditions by name: each holds from some moment of a run on, and the files show it."""
    first, second = (Path(segment.folder) for segment in place.plan().segments)
    data = place.run / "data"
    return {
        "start": lambda: True,
        "folder": lambda: (place.run / "manifest.json").is_file(),
        "first unit begun": lambda: (first / "attempts").is_dir() and any((first / "attempts").iterdir()),
        "one part": lambda: len(committed_parts(first)) >= 1,
        "first parts": lambda: len(committed_parts(first)) >= 3,
        "most parts": lambda: len(committed_parts(first)) >= PARTS - 1,
        "solve": lambda: (first / "solves").is_dir(),
        "one solved": lambda: any((first / "solves").glob("0-*")),
        "second unit begun": lambda: (second / "attempts").is_dir() and any((second / "attempts").iterdir()),
        "second parts": lambda: len(committed_parts(second)) >= 3,
        "shards begun": lambda: data.is_dir(),
        "a shard": lambda: data.is_dir() and any(data.glob("part-*")),
        "ledger": lambda: (place.run / "ledger").is_dir(),
    }


def kill_at(place: Place, moment: str, delay: float, engine="local", workers=2) -> bool:
    """Kill the run that far after a moment; whether it was still running."""
    condition = moments(place)[moment]
    with driver(place.folder, *place.arguments(engine, workers), environment=place.environment) as started:
        wait_until(lambda: condition() or not started.running, 60, moment)
        try:
            started.wait(delay)
        except subprocess.TimeoutExpired:
            os.killpg(started.process.pid, signal.SIGKILL)
            started.wait(30)
            return True
        return False


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_killed_again_and_again_gives_the_bytes_of_one_never_killed(tmp_path, source, clean, seed):
    chance = random.Random(seed)
    place = Place(tmp_path, source, recipe())
    chosen = list(moments(place))[seed % 2 :: 2]
    landed = [kill_at(place, name, chance.uniform(0, 0.05), workers=chance.choice([1, 2])) for name in chosen]
    assert sum(landed) >= 5, dict(zip(chosen, landed, strict=True))
    place.complete()
    same(place.run, clean.run)


def test_what_is_finished_is_not_done_again_whatever_the_workers_and_the_batches(tmp_path, source, clean):
    place = Place(tmp_path, source, recipe())
    assert kill_at(place, "first parts", 0.01, workers=2)
    first = place.plan().segments[0].folder
    finished = sum(read_counts(first, part)["in"][0] for part in committed_parts(first))
    largest_unit = max(read_counts(clean.plan().segments[0].folder, part)["in"][0] for part in range(0, PARTS * CHUNKS, CHUNKS))
    assert finished > 0
    place.forget_calls()
    place.write({**place.keys, "resources": {**place.keys["resources"], "batch_bytes": 1000}})
    place.complete(workers=1)
    same(place.run, clean.run)
    # What was begun is looked at once more, in a child process, for it may have been what ended the run.
    assert DOCUMENTS - finished <= len(place.calls("first")) <= DOCUMENTS - finished + 2 * largest_unit
    assert len(place.calls("second")) == len(clean.calls("second"))
    place.forget_calls()
    place.complete(workers=2)
    assert place.calls("first") == place.calls("second") == []


def test_a_changed_step_begins_at_its_own_segment(tmp_path, source, clean):
    place = Place(tmp_path, source, recipe())
    shutil.copytree(clean.folder / ".sluice", tmp_path / ".sluice")
    place.keys["stages"][-1]["trying_steps:slow"]["sleep_ms"] = 0
    place.write(place.keys)
    before = place.plan().describe()["segments"]
    assert [(segment["parts_done"], segment["solved"]) for segment in before] == [(PARTS, [True, True]), (0, [])]
    place.complete()
    assert place.calls("first") == []
    assert sorted(place.calls("second")) == sorted(clean.calls("second"))
    assert data_of(place.run) == data_of(clean.run)
    place.keys["stages"][3] = "exact_dedup"
    place.keys["stages"][4] = {"minhash_dedup": {"seed": 2}}
    assert [segment["parts_done"] for segment in pipeline.plan(place.keys, output=place.run).describe()["segments"]] == [0, 0]


def test_status_tells_how_far_a_killed_run_is(tmp_path, source, clean):
    place = Place(tmp_path, source, recipe())
    assert kill_at(place, "first parts", 0.0, workers=2)
    found = pipeline.status(place.run)
    first, second = found["segments"]
    assert found["state"] == "running"
    assert first["units_planned"] == PARTS
    assert 3 <= first["units_done"] < PARTS
    assert first["units_died"] in (1, 2)
    assert (second["units_planned"], second["units_done"], second["units_died"]) == (None, 0, 0)
    assert finish(tmp_path, "status", str(place.run))[0] == 1
    place.complete()
    found = pipeline.status(place.run)
    assert found["state"] == "complete"
    assert [(s["units_planned"], s["units_done"], s["units_died"]) for s in found["segments"]] == [(PARTS, PARTS, 0)] * 2
    assert finish(tmp_path, "status", str(place.run))[0] == 0


def test_a_stream_killed_between_two_chunks_goes_on_at_the_next(tmp_path):
    packed = tmp_path / "docs.jsonl.gz"
    packed.write_bytes(gzip.compress(b"".join(orjson.dumps(row) + b"\n" for row in documents(DOCUMENTS))))
    undisturbed = Place(tmp_path / "clean", packed, recipe(sleep_ms=4, part_bytes=20_000))
    undisturbed.complete()
    chunks = committed_parts(undisturbed.plan().segments[0].folder)
    assert chunks == list(range(len(chunks)))
    assert len(chunks) > 3
    place = Place(tmp_path / "killed", packed, recipe(sleep_ms=4, part_bytes=20_000))
    assert kill_at(place, "one part", 0.0, workers=1)
    first = place.plan().segments[0].folder
    sizes = {part: read_counts(first, part)["in"][0] for part in committed_parts(first)}
    place.forget_calls()
    place.complete()
    same(place.run, undisturbed.run)
    finished = sum(sizes.values())
    assert DOCUMENTS - finished <= len(place.calls("first")) <= DOCUMENTS - finished + 2 * max(sizes.values())


@pytest.mark.parametrize("moment", ["first parts", "second unit begun"])
def test_a_run_on_ray_that_is_killed_with_all_its_workers_goes_on(tmp_path, source, clean, moment):
    place = Place(tmp_path, source, recipe())
    condition = moments(place)[moment]
    with driver(place.folder, *place.arguments("ray"), environment=place.environment) as started:
        wait_until(lambda: condition() or not started.running, 60, moment)
        assert started.running, started.log()
        os.killpg(started.process.pid, signal.SIGKILL)
        started.wait(30)
        wait_until(lambda: not started.descendants(), 15, "the end of Ray's processes", pause=0.2)
    place.complete()
    same(place.run, clean.run)
