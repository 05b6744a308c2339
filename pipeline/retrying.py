"""`pipeline.retry`: the documents that a run set aside are tried again, after whatever made them fail was mended."""

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import manifest
from pipeline.attempts import unit_name
from pipeline.planning import Plan, plan
from pipeline.results import Run
from pipeline.run_folder import locked
from pipeline.runner import EngineName, run
from pipeline.segment import Segment, committed_parts
from pipeline.units import CHUNKS
from schemas.errors import InputError
from schemas.recipe import Input
from stages.core.answer_rows import Answers


def retry(
    run_folder: str | Path,
    *,
    engine: EngineName = "ray",
    workers: int | None = None,
    progress: Literal["auto", "bar", "plain", "none"] = "auto",
) -> Run:
    """Do again the parts in which documents failed, and all that follows from them, in the same run folder.

    The result is that of a run in which they never failed. Rows of the input that are no documents stay set aside: mend the
    file, then start the run again. A changed model file or function makes another run from its step on: all parts of that
    segment and of those after it are done again.

    Raises `InputError` if the folder is no run's or its inputs are gone, and what `pipeline.run` raises.
    """
    folder = Path(run_folder)
    path = folder / "manifest.json"
    known = orjson.loads(path.read_bytes()) if path.is_file() else Run(folder).manifest
    if "arguments" not in known:
        raise InputError(f"{path} does not tell how the run was started; start it again with its command")
    start, arguments = known["arguments"], arguments_of(known)
    planned = plan(known["recipe"], output=folder, **arguments)
    told = _forget_failed(folder, known, planned)
    changed = planned.fingerprint != known["fingerprint"]
    if changed:
        before = {segment["fingerprint"] for segment in known["segments"]}
        first = next((segment for segment in planned.segments if segment.fingerprint not in before), planned.segments[-1])
        told.append(
            f"the input, the code or a model has changed since the run: segment {first.index + 1}"
            f" ({', '.join(first.steps()) or 'write'}) and what follows are done again"
        )
        if start["working_folder"] != os.getcwd():
            told.append(f"the run was started in {start['working_folder']}: paths below it may be what has changed")
    if progress != "none":
        for line in told or ["no document is set aside but rows of the input that are no documents: nothing to do"]:
            print(f"sluice: {line}", file=sys.stderr)
    return run(known["recipe"], output=folder, engine=engine, workers=workers, progress=progress, force=changed, **arguments)


def arguments_of(known: dict[str, Any]) -> dict[str, Any]:
    """What a run was started with, besides its recipe, from its manifest: arguments of `plan`."""
    start = known["arguments"]
    return {
        "input": [_found_again(Input.model_validate(entry), start["working_folder"]) for entry in start["input"]],
        "limit": start["limit"],
        "sample": start["sample"],
        "ids": start["ids"],
        "segments": start["segments"],
    }


def _found_again(entry: Input, working_folder: str) -> Input:
    """The input as it was named; from another folder than the run was started in, by a path that leads there."""
    if working_folder == os.getcwd():
        return entry
    paths = tuple(os.path.join(working_folder, os.path.expanduser(path)) for path in entry.paths())
    return entry.model_copy(update={"path": paths[0] if isinstance(entry.path, str) else paths})


def _forget_failed(folder: Path, known: dict[str, Any], planned: Plan) -> list[str]:
    """Remove the parts in which documents failed, and first all that was made from them. What was removed, in sentences.

    A kill at any moment leaves a state from which the same run goes on: nothing stands that was made from what is gone.
    """
    for segment in planned.segments:
        failed = {part: count for part in committed_parts(segment.folder) if (count := _failed(segment, part))}
        if not failed:
            continue
        made_from_it = list(_dependents(Path(segment.folder)))
        asked_before = [Path(segment.parent.folder)] if segment.parent else []
        with locked([folder, *asked_before, Path(segment.folder), *made_from_it]):
            if (folder / "manifest.json").is_file():
                manifest.write(folder, {**known, "state": "running"})
            for place in reversed(made_from_it):
                _remove(place)
            for name in ("shards", "solves", "rounds"):
                _remove(Path(segment.folder, name))
            again = _with_what_follows(segment, failed)
            for part in again:
                unit = {"part": part} if segment.reader is None else {"unit": part // CHUNKS}
                Path(segment.folder, "poison", f"{unit_name(unit)}.parquet").unlink(missing_ok=True)
                for mark in Path(segment.folder, "attempts").glob(f"{unit_name(unit)}.*"):
                    mark.unlink()
                _remove(segment.folder_of_part(part))
            _forget_answers(planned, segment)
        return [
            f"{sum(failed.values())} documents failed in segment {segment.index + 1}"
            f" ({', '.join(segment.steps()) or 'write'}): {len(again)} of its parts and all later segments are done again"
        ]
    return []


def _forget_answers(planned: Plan, segment: Segment) -> None:
    """Where a model's answers begin a segment, what was not answered is asked again; what was answered is kept elsewhere."""
    if segment.index and segment.nodes and isinstance(segment.nodes[0].stage, Answers):
        before = planned.segments[segment.index - 1]
        last = len(before.globals) - 1
        _remove(before.solve_folder(last))
        _remove(before.rounds_folder(last))


def _failed(segment: Segment, part: int) -> int:
    """Documents of a part that a step set aside, or of which it did so with an answer; no rows that are no documents."""
    path = segment.folder_of_part(part) / "quarantined.parquet"
    if not path.is_file():
        return 0
    table = pq.read_table(path, columns=["row", "step"])
    return len(table.filter(pc.not_equal(table["step"], "read"))["row"].unique())


def _with_what_follows(segment: Segment, failed: dict[int, int]) -> list[int]:
    """The failed parts, last first, each with the chunks after it of the same stream: a stream is resumed at its first gap."""
    if segment.reader is None:
        return sorted(failed, reverse=True)
    first: dict[int, int] = {}
    for part in sorted(failed, reverse=True):
        first[part // CHUNKS] = part
    return [part for part in reversed(committed_parts(segment.folder)) if part >= first.get(part // CHUNKS, part + 1)]


def _dependents(segment: Path) -> Iterator[Path]:
    """Segments that were made from this one, by any run, each before those that were made from it."""
    parents = {path.parent: orjson.loads(path.read_bytes())["parent"] for path in segment.parent.glob("[!.]*/segment.json")}
    for place, parent in sorted(parents.items()):
        if parent == segment.name:
            yield place
            yield from _dependents(place)


def _remove(place: Path) -> None:
    """A folder goes at once, by rename; what stays of it after a kill has a name that begins with a dot."""
    if place.is_dir():
        gone = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        place.rename(gone)
        shutil.rmtree(gone)
