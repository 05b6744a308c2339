"""Marks of begun work, by which a unit that killed or hung its worker is known at the next attempt.

A mark is a file `attempts/<unit>.<random>` that names the process. It goes when the unit is done or raised an error; one that
stays belongs to a process that died.
"""

import json
import os
import secrets
import socket
from pathlib import Path
from typing import Any

MARKS_BEFORE_ISOLATION = 2
"""A killed run leaves one mark on each unit it was at; two say that the unit itself may be the cause."""


def unit_name(unit: dict[str, Any]) -> str:
    """Name of a unit within its segment."""
    return f"{unit['part'] if 'part' in unit else unit['unit']:012d}"


class Attempt:
    """The mark of one attempt."""

    def __init__(self, folder: str, unit: dict[str, Any]) -> None:
        self._name = unit_name(unit)
        self._folder = Path(folder) / "attempts"
        self._mark = self._folder / f"{self._name}.{secrets.token_hex(4)}"

    def begin(self) -> int:
        """Leave the mark; return how many earlier ones belong to processes that died."""
        self._folder.mkdir(parents=True, exist_ok=True)
        dead = sum(is_dead(mark) for mark in self._folder.glob(f"{self._name}.*"))
        self._mark.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}))
        return dead

    def hung(self) -> None:
        """Leave enough marks that the next attempt isolates the document."""
        for number in range(MARKS_BEFORE_ISOLATION):
            (self._folder / f"{self._name}.hung{number}").write_text(json.dumps({"host": "", "pid": 0, "started": ""}))

    def failed(self) -> None:
        """The attempt ended with an error that was told: the mark says nothing more."""
        self._mark.unlink(missing_ok=True)

    def done(self) -> None:
        """Remove all marks of the unit."""
        for mark in self._folder.glob(f"{self._name}.*"):
            mark.unlink(missing_ok=True)


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot, so that a reused number is not taken for the same process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_dead(mark: Path) -> bool:
    """Whether the process that left a mark has ended. One on another host is taken for dead: only a live run has live ones."""
    try:
        owner = json.loads(mark.read_text())
    except (OSError, ValueError):
        return False
    if owner["host"] not in ("", socket.gethostname()):
        return True
    return _started(owner["pid"]) != owner["started"] if owner["pid"] else True
