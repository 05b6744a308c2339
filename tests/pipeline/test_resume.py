"""A run that is killed anywhere and started again is the run that was never killed."""

import gzip
import json
import os
import random
import signal
import subprocess
from pathlib import Path

import orjson
import pytest
from survival import (
    documents,
    driver,
    finish,
    run_arguments,
    same,
    wait_until,
    write_jsonl,
)

import pipeline
from pipeline.segment import committed_parts

DOCUMENTS = 240
PARTS = 12
"""Parts of either segment: six units of the input, each of them read in two chunks."""


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
    first, second = place.plan().segments
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
        "first parts": lambda: len(committed_parts(first)) >= 5,
        "most parts": lambda: len(committed_parts(first)) >= PARTS - 1,
        "solve": lambda: (first / "solves").is_dir(),
        "one solved": lambda: (first / "solves" / "0").is_dir(),
        "second unit begun": lambda: (second / "attempts").is_dir() and any((second / "attempts").iterdir()),
        "second parts": lambda: len(committed_parts(second)) >= 5,
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
