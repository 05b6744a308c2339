"""What a run tells while it works: one bar at a terminal, few lines in a log, and the same numbers in a file."""

import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

import orjson
import psutil

Mode = Literal["auto", "bar", "plain", "none"]


class Progress:
    """Phases of a run, one after the other, each counted in units of work. Any thread may report.

    mode    auto is bar at a terminal, else plain; none writes nothing but the file
    folder  where `progress.json` is kept, or None
    Plain prints a line at the start and the end of a phase and one every `line_seconds`, so that a long phase that does
    not advance is seen too. Everything goes to stderr.
    """

    def __init__(
        self,
        mode: Mode = "auto",
        folder: Path | None = None,
        *,
        out: TextIO | None = None,
        line_seconds: float = 30.0,
        tick_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out or sys.stderr
        self._mode: Mode = mode if mode != "auto" else ("bar" if self._out.isatty() else "plain")
        self._file = folder / "progress.json" if folder else None
        self._line_seconds, self._tick_seconds, self._clock = line_seconds, tick_seconds, clock
        self._lock = threading.RLock()
        self._process = psutil.Process()
        self._phases: list[_Phase] = []
        self._phase: _Phase | None = None
        self._waiting = self._note = ""
        self._next_line = 0.0
        self._last_write = -tick_seconds
        self._closed = threading.Event()
        self._ticker: threading.Thread | None = None
        self._bar: _Bar | None = None

    def phase(self, name: str, units: int, done: int = 0, bytes: int | None = None) -> None:
        """Begin a phase of `units`, of which `done` were done by an earlier run; `bytes` of text are still to be read."""
        with self._lock:
            self._end_phase()
            self._phase = _Phase(name, units, done, bytes, self._clock())
            self._phases.append(self._phase)
            self._next_line = self._clock() + self._line_seconds
            before = f", {done:,} of them done before" if done else ""
            self._line(f"{name}: {_plural(units, 'unit')}{before}")
            if self._ticker is None:
                if self._mode == "bar":
                    self._bar = _Bar(self._out)
                self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
                self._ticker.start()
            self._show()

    def advance(self, units: int = 1, documents_in: int = 0, documents_out: int = 0, bytes: int = 0) -> None:
        """Count finished units, and the documents and bytes of text that went through them."""
        with self._lock:
            self._waiting = ""
            if self._phase is not None:
                self._phase.add(units, documents_in, documents_out, bytes, self._clock())
            self._show()

    def note(self, text: str) -> None:
        """A line for the reader, at once."""
        with self._lock:
            self._note = text
            if self._bar is not None:
                self._bar.print(text)
            self._line(text)

    def waiting(self, text: str) -> None:
        """What the run waits for; it is shown until something advances."""
        with self._lock:
            self._waiting = text
            self._show()

    def close(self) -> None:
        """End the last phase and write the file. Calling it again does nothing."""
        with self._lock:
            if self._closed.is_set():
                return
            self._end_phase()
            self._closed.set()
            self._write()
            if self._bar is not None:
                self._bar.stop()
        if self._ticker is not None and self._ticker is not threading.current_thread():
            self._ticker.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def numbers(self) -> dict[str, Any]:
        """What `progress.json` holds."""
        with self._lock:
            now = self._clock()
            current = self._phase or (self._phases[-1] if self._phases else None)
            return {
                "ended": self._closed.is_set(),
                **(current.numbers(now) if current else {}),
                "rss_bytes": self._process.memory_info().rss,
                "waiting": self._waiting or None,
                "note": self._note or None,
                "phases": [phase.numbers(now) for phase in self._phases],
                "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            }

    def _end_phase(self) -> None:
        if self._phase is not None:
            now = self._clock()
            self._phase.ended = now
            self._line(f"{self._phase.name}: done, {self._phase.told(now)}, {self._rss()}")
            self._phase, self._waiting = None, ""

    def _tick(self) -> None:
        while not self._closed.wait(self._tick_seconds):
            with self._lock:
                now = self._clock()
                if self._phase is not None and now >= self._next_line:
                    self._next_line = now + self._line_seconds
                    self._line(f"{self._phase.name}: {self._state(now)}")
                self._show()

    def _state(self, now: float) -> str:
        assert self._phase is not None
        parts = [self._phase.told(now)]
        if (left := self._phase.seconds_left(now)) is not None:
            parts.append(f"{_duration(left)} left")
        parts.append(self._rss())
        idle = now - self._phase.moved
        if self._waiting:
            parts.append(f"waiting: {self._waiting}")
        elif idle >= self._line_seconds:
            parts.append(f"nothing finished for {_duration(idle)}")
        return ", ".join(parts)

    def _rss(self) -> str:
        return f"RSS {_size(self._process.memory_info().rss)}"

    def _line(self, text: str) -> None:
        if self._mode == "plain":
            print(text, file=self._out, flush=True)

    def _show(self) -> None:
        now = self._clock()
        if now - self._last_write >= self._tick_seconds:
            self._last_write = now
            self._write()
            if self._bar is not None and self._phase is not None:
                self._bar.update(self._phase.name, self._phase.units, self._phase.done, self._state(now))

    def _write(self) -> None:
        if self._file is None:
            return
        beside = self._file.with_name(".progress.json.new")
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(orjson.dumps(self.numbers(), option=orjson.OPT_INDENT_2))
        beside.replace(self._file)


class _Phase:
    def __init__(self, name: str, units: int, before: int, bytes_: int | None, now: float) -> None:
        self.name, self.units, self.before, self.done, self.total_bytes = name, units, before, before, bytes_
        self.documents_in = self.documents_out = self.bytes = 0
        self.started = self.moved = now
        self.ended: float | None = None

    def add(self, units: int, documents_in: int, documents_out: int, bytes_: int, now: float) -> None:
        self.done += units
        self.documents_in += documents_in
        self.documents_out += documents_out
        self.bytes += bytes_
        self.moved = now

    def seconds(self, now: float) -> float:
        return (self.ended if self.ended is not None else now) - self.started

    def seconds_left(self, now: float) -> float | None:
        """From bytes where their number is known, as units differ in size; None before anything is done."""
        if self.done >= self.units:
            return 0.0
        if self.total_bytes and self.bytes:
            share = self.bytes / self.total_bytes
        elif self.done > self.before and self.units > self.before:
            share = (self.done - self.before) / (self.units - self.before)
        else:
            return None
        return max(0.0, self.seconds(now) * (1 / share - 1))

    def told(self, now: float) -> str:
        parts = [f"{self.done:,} of {_plural(self.units, 'unit')}"]
        seconds = self.seconds(now)
        if self.documents_in or self.documents_out:
            parts.append(f"{self.documents_in:,} documents in, {self.documents_out:,} out")
        if seconds > 0 and self.documents_in:
            parts.append(f"{self.documents_in / seconds:,.0f} documents/s")
        if seconds > 0 and self.bytes:
            parts.append(f"{self.bytes / seconds / 1e6:,.1f} MB/s")
        return ", ".join([*parts, _duration(seconds)])

    def numbers(self, now: float) -> dict[str, Any]:
        seconds = self.seconds(now)
        return {
            "phase": self.name,
            "units": self.units,
            "done": self.done,
            "documents_in": self.documents_in,
            "documents_out": self.documents_out,
            "bytes": self.bytes,
            "seconds": round(seconds, 3),
            "documents_per_second": round(self.documents_in / seconds, 1) if seconds > 0 else None,
            "bytes_per_second": round(self.bytes / seconds) if seconds > 0 else None,
            "seconds_left": None if (left := self.seconds_left(now)) is None else round(left, 1),
        }


class _Bar:
    """One rich bar that is reused for every phase."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        columns = TextColumn("{task.fields[phase]}"), BarColumn(bar_width=20), TextColumn("{task.fields[state]}")
        # stdout stays as it is: it may hold JSON for another program
        self._rich = RichProgress(*columns, console=Console(file=out), transient=True, redirect_stdout=False)
        self._task = self._rich.add_task("", phase="", state="", total=1)
        self._rich.start()

    def update(self, phase: str, units: int, done: int, state: str) -> None:
        self._rich.update(self._task, total=units or 1, completed=done if units else 1, phase=phase, state=state)

    def print(self, text: str) -> None:
        self._rich.console.print(text, markup=False, highlight=False)

    def stop(self) -> None:
        self._rich.stop()


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _size(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"
