"""Run a recipe on a Ray cluster: send a small folder, run the same command there, show its log, return its exit code."""

import asyncio
import fnmatch
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import InputError, OutputError, SluiceError

PACKAGES = ("schemas", "stages", "filters", "pipeline", "jobs")
FOLDERS = ("__pycache__", "runs", "node_modules", "venv", "env", "build", "dist", "data", "datasets", "*.egg-info")
FILES = (
    *("*.parquet", "*.arrow", "*.feather", "*.jsonl", "*.ndjson", "*.csv", "*.warc", "*.safetensors", "*.pyc", "*.so", "*.log"),
    *("*.gz", "*.zst", "*.bz2", "*.xz", "*.zip", "*.tar", "*.tgz", "*.whl"),
)


class JobFailed(SluiceError):
    """The cluster refused the job or cannot be reached."""


@dataclass(frozen=True)
class Job:
    """A recipe, the folder it is sent with, the options of `sluice run`, and what may be sent."""

    recipe: Path
    folder: Path
    options: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_bytes: int = 5_000_000


def submit_and_follow(job: Job, address: str, wait: bool = True) -> int:
    """Send and run the job; the exit code is the job's. Without `wait` its id is printed and 0 returned.

    Raises `OutputError` if more than `max_bytes` would be sent, `JobFailed` if there is no such cluster.
    """
    from ray.job_submission import JobSubmissionClient

    with tempfile.TemporaryDirectory(prefix="sluice-submit-") as staged:
        files = stage(job, Path(staged))
        try:
            client = JobSubmissionClient(address)
            identity = _submitted(client, entry_point(job), runtime_env(Path(staged)))
        except (ConnectionError, RuntimeError) as error:
            raise JobFailed(f"{address}: {str(error).strip().splitlines()[-1]}") from error
    size = sum(size for _, size in files)
    print(f"job {identity}: {len(files)} files, {size / 1e6:.2f} MB sent", file=sys.stderr)
    if not wait:
        print(identity)
        return 0
    return follow(client, identity)


AGENT_SECONDS = 120
"""A head that has just started answers before it can run jobs: so long is it asked again."""


def _submitted(client: Any, command: str, environment: dict[str, Any]) -> str:
    deadline = time.monotonic() + AGENT_SECONDS
    while True:
        try:
            return str(client.submit_job(entrypoint=command, runtime_env=environment))
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1)


def entry_point(job: Job) -> str:
    """The command that the cluster runs, quoted for its shell."""
    recipe = _inside(job)
    return shlex.join(["python", "-m", "jobs.cli", "run", str(recipe), "--engine", "ray", "--address", "auto", *job.options])


def runtime_env(folder: Path) -> dict[str, Any]:
    """Ray's environment of the job. Logs come line by line; `uv run` must not build an environment for each worker."""
    variables = {"PYTHONUNBUFFERED": "1", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    return {"working_dir": str(folder), "env_vars": variables}


def stage(job: Job, target: Path) -> list[tuple[Path, int]]:
    """Copy what is sent to `target`: the user's small files, the recipe, and our packages. Returns paths and sizes.

    Our packages go with every job, so that the cluster decides as this machine does, whatever it has installed.
    """
    if not job.recipe.is_file():
        raise InputError(f"{job.recipe}: no such recipe")
    home = Path(__file__).resolve().parent.parent
    wanted: dict[Path, Path] = {}
    for path in _files(job.folder, job.exclude):
        if path.parts[0] not in PACKAGES or job.folder == home:
            wanted[path] = job.folder / path
        elif path.suffix == ".py":
            raise InputError(
                f"{job.folder / path.parts[0]} has the name of one of Sluice's packages; rename it to send this folder"
            )
    if job.folder == home:  # Sluice's own tree: its tests and documents are not needed to run
        wanted = {path: at for path, at in wanted.items() if path.parts[0] not in ("tests", "docs", "benchmarks")}
    for package in PACKAGES:
        wanted |= {Path(package) / path: home / package / path for path in _files(home / package, ("sample",))}
    wanted[_inside(job)] = job.recipe.resolve()
    files = sorted(((path, at.stat().st_size) for path, at in wanted.items()), key=lambda entry: (-entry[1], entry[0]))
    total = sum(size for _, size in files)
    if total > job.max_bytes:
        largest = "\n".join(f"  {size / 1e6:8.2f} MB  {path}" for path, size in files[:10])
        raise OutputError(
            f"{job.folder}: {total / 1e6:.2f} MB would be sent, more than {job.max_bytes / 1e6:g} MB. The largest files:\n"
            f"{largest}\nLeave some out with --exclude GLOB, send another folder with --working-dir, or raise --max-upload-mb"
        )
    for path, _ in files:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(wanted[path], target / path)
    return files


def _inside(job: Job) -> Path:
    """The recipe's path in the folder that is sent; a recipe from elsewhere is put beside it."""
    recipe = job.recipe.resolve()
    return recipe.relative_to(job.folder) if recipe.is_relative_to(job.folder) else Path(recipe.name)


def _files(folder: Path, exclude: tuple[str, ...]) -> Iterator[Path]:
    """Relative paths of what is worth sending. Hidden files stay: .git and .venv hold most of a project's bytes."""
    for root, folders, files in os.walk(folder):
        here = Path(root).relative_to(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not _matches(name, here / name, (".*", *FOLDERS, *exclude))
            and not (Path(root) / name / "pyvenv.cfg").exists()
            and (here / name).as_posix() != "jobs/sample"
        )
        for name in sorted(files):
            path = here / name
            if not _matches(name, path, (".*", *FILES, *exclude)) and (folder / path).is_file():
                yield path


def _matches(name: str, path: Path, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(path.as_posix(), pattern) for pattern in patterns)


def follow(client: Any, identity: str) -> int:
    """Show the job's log until it ends; its exit code. Ctrl-C stops the job, at a terminal after asking."""
    try:
        asyncio.run(_show_log(client, identity))
        info = client.get_job_info(identity)
        while not info.status.is_terminal():
            asyncio.run(_show_log(client, identity))
            info = client.get_job_info(identity)
    except KeyboardInterrupt:
        if not sys.stdin.isatty() or input(f"\nStop job {identity}? [Y/n] ").strip().lower() in ("", "y", "yes"):
            client.stop_job(identity)
            print(f"job {identity} was asked to stop; submit the same command to go on", file=sys.stderr)
        else:
            print(f"job {identity} goes on", file=sys.stderr)
        return 130
    if info.status.value == "SUCCEEDED":
        return 0
    code = info.driver_exit_code
    if code is None or code == 0:
        print(f"sluice: job {identity} {info.status.value.lower()}: {info.message}", file=sys.stderr)
        return 1
    return int(code)


async def _show_log(client: Any, identity: str) -> None:
    async for lines in client.tail_job_logs(identity):
        print(lines, end="", flush=True)
