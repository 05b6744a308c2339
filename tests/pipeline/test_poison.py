"""Documents on which a stage raises, dies or hangs cost themselves and nothing else."""

import os
import signal
from pathlib import Path

import orjson
import pytest
from survival import (
    data_of,
    documents,
    driver,
    finish,
    ids_of,
    ledger_of,
    numbers_of,
    quarantined,
    run_arguments,
    strays_of,
    wait_until,
    write_jsonl,
)

import pipeline
from pipeline.manifest import check_accounts
from schemas.errors import AccountingError, FailureBudgetExceeded, StageError

WAYS = {"doc-00017": "segfault", "doc-00022": "exit", "doc-00041": "memory", "doc-00052": "loop"}
CAUSES = {
    "doc-00017": "killed by signal SIGSEGV",
    "doc-00022": "the process ended with exit code 3",
    "doc-00041": "out of memory",
    "doc-00052": "more than 1 s of CPU time",
}


def local(tmp_path: Path, rows, stages, **keys):
    source = write_jsonl(tmp_path / "docs.jsonl", rows)
    recipe = {"name": "trial", "input": str(source), "stages": stages, **keys}
    return pipeline.run(recipe, output=tmp_path / "run", engine="local", workers=2, progress="none")


def accounted(run: Path) -> None:
    """in == out + dropped + quarantined, in the manifest and in the tables."""
    counts = numbers_of(run)["counts"]
    documents_of = {key: counts[key]["documents"] for key in ("in", "out", "dropped", "quarantined")}
    assert documents_of["in"] == documents_of["out"] + documents_of["dropped"] + documents_of["quarantined"]
    assert documents_of["out"] == len(ids_of(run))
    assert documents_of["quarantined"] == len(quarantined(run))


def test_three_documents_on_which_a_function_raises_are_set_aside_and_the_others_come_out(tmp_path):
    bad = ["doc-00003", "doc-01000", "doc-01999"]
    rows = documents(2000, words=10, copies=10**6, near=10**6)
    run = local(tmp_path, rows, [{"trying_steps:raises": {"ids": bad}}])
    found = quarantined(run.path)
    assert [row["id"] for row in found] == bad
    assert ids_of(run.path) == sorted(row["id"] for row in rows if row["id"] not in bad)
    first = found[0]
    assert (first["step"], first["error"], first["message"]) == ("raises", "ValueError", "no good")
    assert 'raise ValueError("no good")' in first["trace"]
    assert first["place"] == "part 0 row 3"
    assert rows[3]["text"].startswith(first["excerpt"][:50])
    assert first["bytes"] == len(rows[3]["text"].encode())
    accounted(run.path)


def test_stop_names_step_document_and_the_command_that_shows_it_again(tmp_path):
    rows = documents(50, words=10)
    with pytest.raises(StageError) as caught:
        local(tmp_path, rows, [{"trying_steps:raises": {"ids": ["doc-00003"]}}], failures={"on_error": "stop"})
    told = str(caught.value)
    assert told.startswith("raises raised ValueError: no good\n  document 'doc-00003' of source 'docs', which begins: ")
    assert rows[3]["text"][:40] in told
    assert "sluice run RECIPE --engine local --id doc-00003" in told
    recipe = tmp_path / "recipe.yaml"
    recipe.write_bytes(
        orjson.dumps(
            {
                "name": "trial",
                "input": str(tmp_path / "docs.jsonl"),
                "stages": [{"trying_steps:raises": {"ids": ["doc-00003"]}}],
                "failures": {"on_error": "stop"},
            }
        )
    )
    arguments = ["run", str(recipe), "--engine", "local", "--output", str(tmp_path / "again"), "--id", "doc-00003"]
    code, log = finish(tmp_path, *arguments)
    assert code == 1
    assert "raises raised ValueError: no good" in log
    code, log = finish(tmp_path, *arguments[:-1], "doc-00004")
    assert code == 0, log
    assert ids_of(tmp_path / "again") == ["doc-00004"]


def test_more_failures_than_allowed_end_the_run_with_exit_code_3(tmp_path):
    rows = documents(100, words=10, copies=10**6, near=10**6)
    stages = [{"trying_steps:raises": {"ids": [row["id"] for row in rows[:5]]}}]
    at_the_limit = local(tmp_path, rows, stages, failures={"max_fraction": 0.05, "min_count": 0})
    assert len(quarantined(at_the_limit.path)) == 5
    with pytest.raises(FailureBudgetExceeded, match="5 of 100 documents failed") as caught:
        pipeline.run(
            {**at_the_limit.manifest["recipe"], "failures": {"max_fraction": 0.04, "min_count": 4}},
            output=tmp_path / "other",
            engine="local",
            progress="none",
        )
    assert caught.value.exit_code == 3
    assert "step 'raises'" in str(caught.value)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("trying_steps:Forgetful", "Forgetful: a Map got 9 documents and gave 8"),
        ("trying_steps:Talkative", "Talkative writes the column 'mood' that it does not declare"),
        ("trying_steps:Nothing", "Nothing: a Map gave NoneType, expected a pyarrow Table"),
        ("trying_steps:Shuffling", "Shuffling: a Map gave back another 'id' column"),
        ("trying_steps:Emptying", "Emptying: the column 'text' is null in 9 documents"),
        ("trying_steps:Unopenable", "Unopenable: could not be opened: FileNotFoundError: model.bin is not there"),
        ("trying_steps:halved", "trying_steps:halved got 9 rows and gave 4 rows"),
        ({"trying_steps:Measuring": {"how": "nan"}}, "Measuring: the measure 'score' of 1 documents is NaN"),
        ({"trying_steps:Measuring": {"how": "short"}}, "Measuring: the measure 'score' has shape (8,) for 9 documents"),
        ({"trying_steps:Measuring": {"how": "other"}}, "Measuring measures points; it declares score in measures()"),
        ({"trying_steps:Measuring": {"how": "words"}}, "Measuring: the measure 'score' is <U4, expected numbers"),
    ],
)
def test_a_stage_that_breaks_its_contract_ends_the_run_and_no_document_is_blamed(tmp_path, stage, message):
    with pytest.raises(StageError) as caught:
        local(tmp_path, documents(9, words=10), [stage])
    assert message in str(caught.value)


def test_a_stage_that_loses_a_document_in_silence_is_found_by_the_accounts(tmp_path):
    with pytest.raises(AccountingError, match="step Pretending of segment 0: 9 in, 8 out, 0 dropped, 0 quarantined"):
        local(tmp_path, documents(9, words=10), ["trying_steps:Pretending"])


def test_counts_that_do_not_add_up_are_refused(tmp_path):
    run = local(tmp_path, documents(9, words=10), [])
    (segment,) = pipeline.plan(run.manifest["recipe"], output=run.path).segments
    step = {"in": [6, 0], "out": [3, 0], "dropped": [2, 0], "quarantined": [1, 0]}
    total = {"in": [6, 0], "out": [3, 0], "steps": {"a": step}}
    check_accounts(segment, total)
    with pytest.raises(AccountingError, match="step a of segment 0: 6 in, 3 out, 2 dropped, 0 quarantined"):
        check_accounts(segment, {**total, "steps": {"a": {**step, "quarantined": [0, 0]}}})
    with pytest.raises(AccountingError, match="7 documents in, 3 out, 3 dropped or quarantined"):
        check_accounts(segment, {**total, "in": [7, 0]})


def deadly_recipe(tmp_path: Path, ways=WAYS) -> Path:
    source = write_jsonl(tmp_path / "docs.jsonl", documents(60, words=10))
    recipe = {
        "name": "trial",
        "input": str(source),
        "stages": ["exact_dedup", {"trying_steps:deadly": {"ways": ways}}],
        "failures": {
            "document_cpu_seconds": 1,
            "batch_cpu_seconds": 1.5,
            "worker_memory_bytes": 300_000_000,
            "max_fraction": 0.1,
        },
        "resources": {"part_bytes": 1500},
    }
    path = tmp_path / "recipe.yaml"
    path.write_bytes(orjson.dumps(recipe))
    return path


def check_deadly(run: Path) -> None:
    found = quarantined(run)
    assert {row["id"]: row["message"] for row in found} == CAUSES
    assert {(row["step"], row["error"]) for row in found} == {("worker", "WorkerDied")}
    accounted(run)
    assert strays_of(run) == []


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray")
    code, log = finish(folder, *run_arguments(deadly_recipe(folder), folder / "run", "ray"), seconds=200)
    assert code == 0, log
    return folder / "run"


def test_on_ray_one_run_finds_the_documents_that_kill_or_hang_their_worker(on_ray):
    check_deadly(on_ray)


def test_on_local_the_same_command_finds_them_at_its_next_starts(tmp_path, on_ray):
    arguments = run_arguments(deadly_recipe(tmp_path), tmp_path / "run")
    starts = 0
    while finish(tmp_path, *arguments)[0] != 0:
        starts += 1
        assert starts <= len(WAYS) + 1
    assert starts >= 1
    check_deadly(tmp_path / "run")
    assert data_of(tmp_path / "run") == data_of(on_ray)


def test_a_worker_of_ray_that_is_killed_costs_nothing(tmp_path):
    source = write_jsonl(tmp_path / "docs.jsonl", documents(200, words=10))
    recipe = {
        "name": "trial",
        "input": str(source),
        "stages": [{"trying_steps:slow": {"sleep_ms": 8}}, "exact_dedup"],
        "resources": {"part_bytes": 4000},
    }
    path = tmp_path / "recipe.yaml"
    path.write_bytes(orjson.dumps(recipe))
    environment = {"TRYING_CALLS": str(tmp_path / "calls")}
    first = Path(pipeline.plan(recipe, output=tmp_path / "run").segments[0].folder)
    with driver(tmp_path, *run_arguments(path, tmp_path / "run", "ray"), environment=environment) as started:

        def at_work():
            for mark in (first / "attempts").glob("*"):
                try:
                    return int(orjson.loads(mark.read_bytes())["pid"])
                except (OSError, ValueError):
                    continue
            return None

        wait_until(lambda: at_work() or not started.running, 90, "a worker", pause=0.01)
        victim = at_work()
        assert victim, started.log()
        os.kill(victim, signal.SIGKILL)
        assert started.wait(90) == 0, started.log()
    undisturbed = pipeline.run(recipe, output=tmp_path / "clean", segments=tmp_path / "s", engine="local", progress="none")
    assert data_of(tmp_path / "run") == data_of(undisturbed.path)
    assert ledger_of(tmp_path / "run") == ledger_of(undisturbed.path)
    assert numbers_of(tmp_path / "run") == numbers_of(undisturbed.path)
