"""`pipeline.run`: from a recipe to a finished run folder, on either engine."""

import fcntl
import os
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson

from pipeline import ledger, manifest
from pipeline.attempts import is_dead
from pipeline.engines import Engine, LocalEngine, cores
from pipeline.memory import choose_pool
from pipeline.planning import Plan, RecipeLike, bins_for, plan
from pipeline.progress import Progress
from pipeline.ray_engine import RayEngine
from pipeline.report import write_report
from pipeline.results import Run
from pipeline.results_warnings import warnings_of
from pipeline.segment import Segment, committed_parts, read_counts, unfinished
from pipeline.sink import Shard, plan_shards, write_shard
from pipeline.tally import merge
from pipeline.units import CHUNKS, rows_about
from pipeline.verdicts import solve, solved
from pipeline.worker import run_unit
from schemas.errors import FailureBudgetExceeded, OutputError, RecipeError

EngineName = Literal["ray", "local"]

STAGED = (".manifest.", ".progress.", ".ledger.", ".report.")
"""How the names of what is not finished begin in a run's folder."""


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
    folder = Path(output) if output else Path("runs") / f"{planned.recipe.keys.name}-{planned.fingerprint[:8]}"
    if (done := _claim(folder, planned, force)) is not None:
        return done
    _check_room(folder, planned)
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
        _name_parents(planned.segments)
        _remove_unfinished(folder, planned)
        manifest.write(folder, {**head, **facts, **plan_facts, "state": "running"})
        with Progress(progress, folder) as shown, _terminable():
            try:
                # Once more inside: Ray's start puts a handler of its own in the place of ours.
                with _engine(engine, workers, address, planned, shown) as made, _terminable():
                    facts["workers"] = made.workers
                    _run_all(planned, made, folder, shown, facts, clock)
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


def _run_all(planned: Plan, engine: Engine, folder: Path, shown: Progress, facts: dict[str, Any], clock: float) -> None:
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
                shown.phase(f"{node.label}: decide", 1)
                engine.call(
                    partial(solve, segment, index), f"{node.label}: decide", begun=_changes(Path(segment.folder, "solves"))
                )
                shown.advance()
    shards = _write_data(planned, engine, folder, shown)
    shown.phase("ledger and report", 3)
    ledger.gather(planned.segments, folder / "ledger")
    shown.advance()
    facts["inputs"] = manifest.inputs(planned)
    facts["seconds"] = round(time.monotonic() - clock, 3)
    content = manifest.make(planned, sums, shards, facts)
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
    for result in engine.map(partial(run_unit, segment, marks=engine.marks), todo, label, begun=_changes(attempts)):
        entered, left = [0, 0], [0, 0]
        for part in result["parts"]:
            entered = [a + b for a, b in zip(entered, part["in"], strict=True)]
            left = [a + b for a, b in zip(left, part["out"], strict=True)]
        shown.advance(1, entered[0], left[0], entered[1])
    # Workers that died on the way left what they had begun, or, between a part and its mark, the mark.
    shutil.rmtree(attempts, ignore_errors=True)
    _remove_staged(segment)


def _named(segment: Segment) -> str:
    steps = segment.steps()
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
    function = partial(_shard, last, str(data), output)
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


def _shard(segment: Segment, folder: str, output: Any, shard: Any) -> dict[str, Any]:
    return write_shard(segment, shard, folder, output)


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


def _claim(folder: Path, planned: Plan, force: bool) -> Run | None:
    """Make the run's folder; a finished run of the same fingerprint is the answer. Raises if the folder is not ours."""
    known = folder / "manifest.json"
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, expected a folder")
    if known.is_file():
        before = _manifest_of(known)
        same = before.get("fingerprint") == planned.fingerprint
        if same and before.get("state") == "complete" and _intact(folder, before):
            return Run(folder)
        if not same and before.get("state") == "complete" and not force:
            raise OutputError(
                f"{folder} holds a finished run with another recipe or input"
                f" ({before.get('name')}-{str(before.get('fingerprint'))[:8]});"
                " choose another folder, or give --force to replace it"
            )
        if foreign := _foreign(folder):
            raise OutputError(f"{folder} holds {foreign}, which no run wrote there; move it away first, nothing was changed")
    elif folder.is_dir() and any(not path.name.startswith(STAGED) for path in folder.iterdir()):
        raise OutputError(f"{folder} is not empty and has no manifest.json: it is not a run's folder; choose another")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        Path(planned.segments[0].folder).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    return None


def _manifest_of(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict) or "fingerprint" not in content or content.get("format") != 1:
        raise OutputError(f"{path.parent} is not a run's folder: its manifest.json was not written by Sluice; choose another")
    return content


OURS = re.compile(
    r"data/\.?part-\d+-of-\d+\.parquet(\.\w+)?|ledger|ledger/\w+|ledger/\w+/(none|segment-\d+(-\d+)?-part-\d+)\.parquet"
)
"""What a run writes into `data` and `ledger`"""


def _foreign(folder: Path) -> str | None:
    """A file in the folders that a run replaces, but which no run wrote."""
    for name in ("data", "ledger"):
        for entry in sorted((folder / name).rglob("*")) if (folder / name).is_dir() else ():
            path = str(entry.relative_to(folder))
            if not OURS.fullmatch(path):
                return path
    return None


def _intact(folder: Path, before: dict[str, Any]) -> bool:
    shards = before.get("shards", [])
    return (
        (folder / "ledger").is_dir()
        and (folder / "report.html").is_file()
        and all(
            (folder / shard["path"]).is_file() and (folder / shard["path"]).stat().st_size == shard["bytes"] for shard in shards
        )
    )


def _check_room(folder: Path, planned: Plan) -> None:
    """Refuse to start where the disk cannot hold the segments: at most about the input's text twice, compressed to a half."""
    wanted = sum(unit["bytes"] for unit in planned.units)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OutputError(f"{folder}: {free / 1e9:.1f} GB free, about {wanted / 1e9:.1f} GB are needed for segments and output")


def _remove_unfinished(folder: Path, planned: Plan) -> None:
    """What a killed run left half-done, in its folder and in its segments; what another recipe left in the folder."""
    known = folder / "manifest.json"
    if known.is_file() and orjson.loads(known.read_bytes()).get("fingerprint") != planned.fingerprint:
        for name in ("data", "ledger"):
            shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "report.html").unlink(missing_ok=True)  # it appears last, so that a run without it is not finished
    for staged in folder.glob(".*"):
        if staged.name.startswith(STAGED):
            shutil.rmtree(staged) if staged.is_dir() else staged.unlink()
    for segment in planned.segments:
        _remove_staged(segment)


def _name_parents(segments: Sequence[Segment]) -> None:
    """Each segment's folder says what it is made from: when that is done again, so is all that follows, whoever made it."""
    for segment in segments:
        place = Path(segment.folder, "segment.json")
        if not place.is_file():
            staged = place.with_name(f".segment.{secrets.token_hex(4)}")
            parent = Path(segment.parent.folder).name if segment.parent else None
            staged.write_bytes(orjson.dumps({"parent": parent, "steps": segment.steps()}))
            staged.rename(place)


def _remove_staged(segment: Segment) -> None:
    for name in ("", "parts", "solves", "shards", "poison"):
        for staged in Path(segment.folder, name).glob(".*"):
            shutil.rmtree(staged, ignore_errors=True) if staged.is_dir() else staged.unlink(missing_ok=True)


@contextmanager
def locked(folders: Sequence[Path]) -> Iterator[None]:
    """Two runs must not write one folder, or do one segment, at the same time."""
    held: list[int] = []
    try:
        for place in folders:
            place.mkdir(parents=True, exist_ok=True)
            # The folder itself is locked: there is no file to leave behind, and the lock goes with the process.
            held.append(os.open(place, os.O_RDONLY))
            try:
                fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError(f"another run works on {place}; wait for it") from error
            except OSError:  # a file system without locks: two runs at once are then the user's own care
                continue
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)


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


def status(folder: str | Path) -> dict[str, Any]:
    """How far a run is: its state, and for each segment the units planned, done, being worked on, or that died with a worker.

    A later segment's units are the parts of the one before: None until those are all there.
    """
    path = Path(folder)
    found = Run(path).manifest
    segments: list[dict[str, Any]] = []
    for segment in found.get("segments", []):
        place = Path(segment["path"])
        parts = committed_parts(place)
        marks = {mark.name.split(".")[0]: is_dead(mark) for mark in (place / "attempts").glob("*")}
        done = {part // CHUNKS for part in parts if read_counts(place, part)["last"]} if not segments else parts
        planned = segment.get("units") if not segments else None
        if segments and segments[-1]["units_done"] == segments[-1]["units_planned"]:
            planned = segments[-1]["parts_done"]
        segments.append(
            {
                "steps": segment["steps"],
                "path": str(place),
                "units_planned": planned,
                "units_done": len(done),
                "units_begun": sum(not dead for dead in marks.values()),
                "units_died": sum(marks.values()),
                "parts_done": len(parts),
            }
        )
    progress = path / "progress.json"
    now = orjson.loads(progress.read_bytes()) if progress.is_file() else None
    return {"state": found.get("state"), "error": found.get("error"), "segments": segments, "progress": now}


def clean(root: str | Path, dry_run: bool = False) -> list[str]:
    """Remove segments below `root`/.sluice that no run below `root` names; returns their paths."""
    base = Path(root).resolve()
    kept = set()
    for found in base.glob("*/manifest.json"):
        kept |= {str(Path(segment["path"]).resolve()) for segment in orjson.loads(found.read_bytes()).get("segments", [])}
    folders = (base / ".sluice" / "segments").glob("*")
    stale = sorted(str(folder) for folder in folders if str(folder.resolve()) not in kept)
    for folder in [] if dry_run else stale:
        shutil.rmtree(folder)
    return stale
