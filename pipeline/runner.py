"""`pipeline.run`: from a recipe to a finished run folder, on either engine."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline import ledger, manifest
from pipeline.batches import cut_rows
from pipeline.engines import Engine, LocalEngine, cores
from pipeline.memory import choose_pool
from pipeline.planning import Plan, RecipeLike, bins_for, plan
from pipeline.progress import Progress
from pipeline.ray_engine import RayEngine
from pipeline.report import write_report
from pipeline.results import Run
from pipeline.results_warnings import warnings_of
from pipeline.run_folder import check_room, claim, locked, name_parents, remove_staged, remove_unfinished
from pipeline.segment import Segment, committed_parts, read_counts, unfinished
from pipeline.sink import Shard, plan_shards, write_shard
from pipeline.tally import merge
from pipeline.units import Unit, rows_about
from pipeline.verdicts import PartSketches, solve, solved
from pipeline.worker import run_units
from schemas.errors import FailureBudgetExceeded, RecipeError
from stages.core.model import ByUnits
from stages.core.requests import Reply, Request

EngineName = Literal["ray", "local"]
ONE_TASK_DOCUMENTS = 300_000
"""Documents up to which a Global decides in one task: starting several takes longer on Ray."""
TASKS, TASK_BYTES = 6, 128_000_000
"""Tasks for each worker at least, and text of one task at most, where units are put together."""


def run(
    recipe: RecipeLike,
    *,
    input: Any = None,
    output: str | Path | None = None,
    engine: EngineName = "ray",
    workers: int | None = None,
    set: Iterable[str] = (),
    limit: int | None = None,
    sample: float | None = None,
    ids: Sequence[str] = (),
    force: bool = False,
    address: str | None = None,
    segments: str | Path | None = None,
    progress: Literal["auto", "bar", "plain", "none"] = "auto",
    choose: Callable[[Plan], Sequence[Unit]] | None = None,
) -> Run:
    """Run a recipe; what was done before, by this run or one beside it, is not done again.

    recipe    path of a YAML file, or the same as a mapping
    input     path or paths in place of the recipe's inputs
    output    the run's folder; default runs/<name>-<fingerprint>
    engine    "ray" (a cluster at `address` or RAY_ADDRESS, else one on this machine) or "local" (threads of this process)
    workers   tasks at a time; default: all CPUs
    set       overrides such as "gopher_quality.min_words=40"
    limit     take so many documents, chosen by hash of id; sample: take this share of them; ids: take these
    force     replace a finished run of another recipe in `output`
    segments  where segments are kept; default <output>/../.sluice/segments
    progress  "auto", "bar", "plain" or "none"
    choose    takes some of the planned units of work, for a trial in a folder of its own: the fingerprint does not tell

    Raises a `SluiceError`; whatever was finished before stays and is used by the next start.
    """
    if workers is not None and workers < 1:
        raise RecipeError(f"workers is {workers}, expected at least 1")
    if limit is not None and limit < 1:
        raise RecipeError(f"limit is {limit}, expected at least 1")
    if sample is not None and not 0 < sample <= 1:
        raise RecipeError(f"sample is {sample}, expected a share above 0, up to 1")
    choose_pool()
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    planned = plan(recipe, input=input, output=output, set=set, limit=limit, sample=sample, ids=ids, segments=segments)
    if choose is not None:
        planned = replace(planned, units=tuple(choose(planned)))
    folder = Path(output) if output else Path("runs") / f"{planned.recipe.keys.name}-{planned.fingerprint[:8]}"
    if (done := claim(folder, planned, force)) is not None:
        return done
    check_room(folder, planned)
    head = {
        "format": 1,
        "name": planned.recipe.keys.name,
        "fingerprint": planned.fingerprint,
        "recipe": planned.recipe.as_json(),
    }
    facts: dict[str, Any] = {"engine": engine, "workers": workers or cores(), "started": started}
    facts["arguments"] = {
        "input": [entry.model_dump(mode="json") for entry in planned.inputs],
        "limit": limit,
        "sample": sample,
        "ids": list(ids),
        "segments": str(Path(planned.segments[0].folder).parent),
        "working_folder": os.getcwd(),
    }
    listed: list[dict[str, Any]] = [
        {"fingerprint": segment.fingerprint, "path": segment.folder, "steps": segment.steps()} for segment in planned.segments
    ]
    listed[0]["units"] = len(planned.units)
    plan_facts = {"segments": listed}
    with locked([folder, *(Path(segment.folder) for segment in planned.segments)]):
        name_parents(planned.segments)
        remove_unfinished(folder, planned)
        manifest.write(folder, {**head, **facts, **plan_facts, "state": "running"})
        with Progress(progress, folder) as shown, _terminable():
            try:
                # Once more inside: Ray's start puts a handler of its own in the place of ours.
                with _engine(engine, workers, address, planned, shown) as made, _terminable():
                    facts["workers"] = made.workers
                    work = _work(planned, made, folder, shown, facts)
                    # Not while Ray ends: it kills a process in which any thread then lets go of one of its objects.
                    _finish(work, folder, shown, facts, clock)
            except BaseException as error:
                told = str(error) or type(error).__name__
                manifest.write(folder, {**head, **facts, **plan_facts, "state": "failed", "error": told})
                raise
    return Run(folder)


def _engine(name: str, workers: int | None, address: str | None, planned: Plan, shown: Progress) -> Engine:
    if name == "local":
        return LocalEngine(workers or cores())
    if name == "ray":
        return RayEngine(workers, address, planned.recipe.keys.resources, shown.waiting)
    raise RecipeError(f"engine is {name!r}, expected 'ray' or 'local'")


@dataclass(frozen=True)
class _Done:
    """What the engine was needed for."""

    plan: Plan
    sums: list[dict[str, Any]]
    shards: list[dict[str, Any]]
    repeated_ids: dict[str, int]


def _work(planned: Plan, engine: Engine, folder: Path, shown: Progress, facts: dict[str, Any]) -> _Done:
    """All segments, what their Globals decide, and the training set."""
    planned = _select(planned, shown)
    sums: list[dict[str, Any]] = []
    facts["reused"] = []
    for segment in planned.segments:
        facts["reused"].append(len(committed_parts(segment.folder)))
        _run_segment(planned, segment, sums, engine, shown)
        sums.append(manifest.totals(segment))
        manifest.check_accounts(segment, sums[-1])
        _check_failures(planned, sums)
        for index, node in enumerate(segment.globals):
            if solved(segment, index) is None:
                _solve(segment, index, engine, shown, f"{node.label}: decide")
    shards = _write_data(planned, engine, folder, shown)
    repeated = engine.call(partial(manifest.repeated_ids, planned.segments[-1]), "look for repeated ids")
    return _Done(planned, sums, shards, repeated)


def _finish(done: _Done, folder: Path, shown: Progress, facts: dict[str, Any], clock: float) -> None:
    """Ledger, manifest and report."""
    shown.phase("ledger and report", 3)
    ledger.gather(done.plan.segments, folder / "ledger")
    shown.advance()
    facts["inputs"] = manifest.inputs(done.plan)
    facts["seconds"] = round(time.monotonic() - clock, 3)
    content = manifest.make(done.plan, done.sums, done.shards, done.repeated_ids, facts)
    content["warnings"] = warnings_of(content)
    manifest.write(folder, content)
    shown.advance()
    write_report(Run(folder), folder / "report.html")
    for warning in content["warnings"]:
        shown.note(f"warning: {warning}")
    shown.advance()


def _run_segment(planned: Plan, segment: Segment, sums: list[dict[str, Any]], engine: Engine, shown: Progress) -> None:
    """Do what is left of a segment's units."""
    if sums:
        before = planned.segments[segment.index - 1]
        rows, size = sums[-1]["out"]
        bins = bins_for(size, rows, planned)
        units = [{"part": part, "bins": bins} for part in committed_parts(before.folder)]
    else:
        size = sum(unit["bytes"] for unit in planned.units)
        bins = bins_for(size, rows_about(planned.files), planned)
        units = [{**unit, "bins": bins} for unit in planned.units]
    todo = unfinished(units, segment.folder)
    Path(segment.folder, "parts").mkdir(parents=True, exist_ok=True)
    label = f"segment {segment.index + 1} of {len(planned.segments)}: {_named(segment)}"
    attempts = Path(segment.folder, "attempts")
    if todo:
        shown.phase(label, len(units), done=len(units) - len(todo), bytes=size)
    bundles = _bundles(segment, todo, engine)
    for counts in engine.map(partial(run_units, segment, engine.marks), bundles, label, begun=_changes(attempts)):
        shown.advance(counts["units"], counts["in"][0], counts["out"][0], counts["in"][1])
    # Workers that died on the way left what they had begun, or, between a part and its mark, the mark.
    shutil.rmtree(attempts, ignore_errors=True)
    remove_staged(segment)


def _solve(segment: Segment, index: int, engine: Engine, shown: Progress, label: str) -> None:
    """Few documents are decided in one task, many, or those that a model is asked about, by rounds of tasks."""
    begun = _changes(Path(segment.folder, "solves"))
    few = PartSketches(segment, index).rows() <= ONE_TASK_DOCUMENTS
    if few and not isinstance(segment.globals[index].stage, ByUnits):
        shown.phase(label, 1)
        engine.call(partial(solve, segment, index), label, begun=begun)
        shown.advance()
        return

    def mapped(function: Callable[[Any], Any], items: Sequence[Any], model_bytes: int) -> Iterator[Any]:
        shown.phase(label, len(items))
        for answer in engine.map(function, items, label, begun=begun, model_bytes=model_bytes):
            shown.advance()
            yield answer

    def progress(what: str, units: int) -> Callable[[int], None]:
        shown.phase(f"{segment.globals[index].label}: {what}", units)
        return shown.advance

    cluster = OnRay(engine, segment.globals[index].label, shown) if isinstance(engine, RayEngine) else None
    solve(segment, index, mapped, progress, cluster)


class OnRay:
    """`Cluster` of a run on Ray."""

    def __init__(self, engine: RayEngine, label: str, shown: Progress) -> None:
        self._engine, self._label, self._shown = engine, label, shown

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """By tasks."""
        self._shown.phase(f"{self._label}: look for what to ask", len(items))
        for answer in self._engine.map(function, items, self._label):
            self._shown.advance()
            yield answer

    def replies(
        self, engine: Any, function: Callable[[Any], Iterable[Request]], items: Sequence[Any], requests: int
    ) -> Iterator[tuple[Request, Reply]]:
        """By replicas of vLLM."""
        self._shown.phase(f"{self._label}: ask", requests)
        for answer in self._engine.replies(engine, function, items, self._label):
            self._shown.advance()
            yield answer


def _bundles(segment: Segment, todo: Sequence[Unit], engine: Engine) -> list[list[Unit]]:
    """Units for one task each: several where starting a task takes longer than doing one, or where filters left little."""
    if segment.parent is None and not engine.slow_start:
        return [[unit] for unit in todo]
    sizes = [_size_of(segment, unit) for unit in todo]
    edges = cut_rows(np.array(sizes, np.int64), max(1, min(TASK_BYTES, sum(sizes) // (TASKS * engine.workers))))
    return [list(todo[start:stop]) for start, stop in pairwise(edges)]


def _size_of(segment: Segment, unit: Unit) -> int:
    """Bytes of text, about."""
    if segment.parent is None:
        return int(unit["bytes"])
    return int(read_counts(segment.parent.folder, unit["part"])["out"][1])


def _named(segment: Segment) -> str:
    steps = segment.steps() or ["what was decided"]
    return ", ".join(steps) if len(steps) <= 3 else f"{steps[0]} ... {steps[-1]} ({len(steps)} steps)"


def _changes(folder: Path) -> Callable[[], bool]:
    """Whether anything has appeared in a folder since now: a task that begins leaves something there before it works."""

    def state() -> int | None:
        return folder.stat().st_mtime_ns if folder.is_dir() else None

    before = state()
    return lambda: state() != before


def _write_data(planned: Plan, engine: Engine, folder: Path, shown: Progress) -> list[dict[str, Any]]:
    output, last = planned.recipe.keys.output, planned.segments[-1]
    shards = plan_shards(last, output)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    _remove_others(data, shards)
    shown.phase("write data", len(shards))
    written = []
    function = partial(write_shard, last, str(data), output)
    for facts in engine.map(function, shards, "write data", begun=_changes(data)):
        written.append(facts)
        shown.advance(1, facts["rows"], facts["rows"], facts["text_bytes"])
    _remove_others(data, shards)
    return sorted(written, key=lambda facts: str(facts["path"]))


def _remove_others(data: Path, shards: Sequence[Shard]) -> None:
    """Files of data/ that are no shard of this run: of another state of it, or left half-written by a worker that died."""
    names = {shard.name for shard in shards}
    for stray in data.iterdir():
        if stray.name not in names:
            stray.unlink()


def _select(planned: Plan, shown: Progress) -> Plan:
    """For `limit`: find the largest key that is taken, by a pass over the ids."""
    first = planned.segments[0]
    selection = first.reader.selection
    if selection.limit is None:
        return planned
    whole = replace(first.reader, selection=replace(selection, limit=None))
    shown.phase("choose documents", len(planned.units))
    smallest = np.zeros(0, np.uint64)
    for unit in planned.units:
        for batch in whole.read(unit):
            keys = selection.keys(batch.table.column("source").combine_chunks(), batch.table.column("id").combine_chunks())
            smallest = np.sort(np.concatenate([smallest, keys]))[: selection.limit]
        shown.advance()
    chosen = replace(selection, max_key=int(smallest[-1]) if len(smallest) == selection.limit else None)
    reader = replace(first.reader, selection=chosen)
    return replace(planned, segments=(replace(first, reader=reader), *planned.segments[1:]))


def _check_failures(planned: Plan, sums: Sequence[dict[str, Any]]) -> None:
    failures = planned.recipe.keys.failures
    total = merge({}, {"steps": {}})
    for part in sums:
        merge(total, {"steps": part["steps"]})
    failed = sum(step["quarantined"][0] for step in total["steps"].values())
    documents = sums[0]["in"][0]
    if failed > failures.min_count and failed > failures.max_fraction * documents:
        worst = max(total["steps"], key=lambda label: total["steps"][label]["quarantined"][0])
        folders = ", ".join(segment.folder for segment in planned.segments)
        raise FailureBudgetExceeded(
            f"{failed} of {documents} documents failed, more than failures.max_fraction {failures.max_fraction:g} allows;"
            f" most of them at step {worst!r}. The errors are in parts/*/quarantined.parquet below {folders}"
        )


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt
