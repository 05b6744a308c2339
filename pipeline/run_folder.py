"""The folders of a run: whose they are, what a killed run left in them, how far it is, and what nobody needs any more."""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from pipeline.attempts import is_dead
from pipeline.planning import Plan
from pipeline.results import Run
from pipeline.segment import Segment, committed_parts, read_counts
from pipeline.units import CHUNKS
from schemas.errors import OutputError

STAGED = (".manifest.", ".progress.", ".ledger.", ".report.")
"""How the names of what is not finished begin in a run's folder."""


def claim(folder: Path, planned: Plan, force: bool) -> Run | None:
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


def check_room(folder: Path, planned: Plan) -> None:
    """Refuse to start where the disk cannot hold the segments: at most about the input's text twice, compressed to a half."""
    wanted = sum(unit["bytes"] for unit in planned.units)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OutputError(f"{folder}: {free / 1e9:.1f} GB free, about {wanted / 1e9:.1f} GB are needed for segments and output")


def remove_unfinished(folder: Path, planned: Plan) -> None:
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
        remove_staged(segment)


def name_parents(segments: Sequence[Segment]) -> None:
    """Each segment's folder says what it is made from: when that is done again, so is all that follows, whoever made it."""
    for segment in segments:
        place = Path(segment.folder, "segment.json")
        if not place.is_file():
            staged = place.with_name(f".segment.{secrets.token_hex(4)}")
            parent = Path(segment.parent.folder).name if segment.parent else None
            staged.write_bytes(orjson.dumps({"parent": parent, "steps": segment.steps()}))
            staged.rename(place)


def remove_staged(segment: Segment) -> None:
    for name in ("", "parts", "solves", "rounds/*", "shards", "poison"):
        for staged in Path(segment.folder).glob(f"{name}/.*".lstrip("/")):
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
