import io
import json
import threading
import time
from pathlib import Path

import pytest

from pipeline.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def plain(folder: Path | None = None, **options: float) -> tuple[Progress, io.StringIO, Clock]:
    out, clock = io.StringIO(), Clock()
    return Progress("plain", folder, out=out, clock=clock, **options), out, clock


def lines(out: io.StringIO) -> list[str]:
    return [line.partition(", RSS")[0] for line in out.getvalue().splitlines()]


def until(condition: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_plain_prints_one_line_at_the_start_and_one_at_the_end_of_a_phase() -> None:
    progress, out, clock = plain()
    with progress:
        progress.phase("words", 4, done=1, bytes=3_000_000)
        for _ in range(3):
            clock.now += 2
            progress.advance(documents_in=100, documents_out=90, bytes=1_000_000)
    assert lines(out) == [
        "words: 4 units, 1 of them done before",
        "words: done, 4 of 4 units, 300 documents in, 270 out, 50 documents/s, 0.5 MB/s, 6 s",
    ]


def test_a_new_phase_ends_the_one_before() -> None:
    progress, out, _ = plain()
    with progress:
        progress.phase("listing", 1)
        progress.advance()
        progress.phase("words", 2)
    assert lines(out) == [
        "listing: 1 unit",
        "listing: done, 1 of 1 unit, 0 s",
        "words: 2 units",
        "words: done, 0 of 2 units, 0 s",
    ]


def test_a_long_phase_reports_every_thirty_seconds_even_if_nothing_advances() -> None:
    progress, out, clock = plain(tick_seconds=0.01)
    with progress:
        progress.phase("solve", 2)
        clock.now += 29.9
        time.sleep(0.1)
        assert len(lines(out)) == 1
        clock.now += 0.1
        until(lambda: len(lines(out)) == 2)
        time.sleep(0.1)
        clock.now += 30
        until(lambda: len(lines(out)) == 3)
    assert lines(out)[1:3] == ["solve: 0 of 2 units, 30 s", "solve: 0 of 2 units, 60 s"]
    assert "nothing finished for 60 s" in out.getvalue()


def test_what_a_run_waits_for_is_told_until_something_advances() -> None:
    progress, out, clock = plain(tick_seconds=0.01)
    with progress:
        progress.phase("words", 2)
        progress.waiting("no CPU is free")
        clock.now += 30
        until(lambda: "waiting: no CPU is free" in out.getvalue())
        progress.advance()
        assert progress.numbers()["waiting"] is None


def test_a_note_is_printed_at_once() -> None:
    progress, out, _ = plain()
    with progress:
        progress.note("3 documents were quarantined")
    assert out.getvalue() == "3 documents were quarantined\n"


def test_time_left_goes_by_bytes_where_they_are_known_and_leaves_out_what_was_done_before() -> None:
    progress, _, clock = plain()
    with progress:
        progress.phase("words", 10, done=5, bytes=10_000)
        assert progress.numbers()["seconds_left"] is None
        clock.now += 10
        progress.advance(bytes=2_000)
        assert progress.numbers()["seconds_left"] == 40.0
        progress.advance(units=4)
        assert progress.numbers()["seconds_left"] == 0.0
        progress.phase("units only", 10, done=5)
        clock.now += 10
        progress.advance()
        assert progress.numbers()["seconds_left"] == 40.0


def test_the_file_holds_the_same_numbers_and_is_complete_whenever_it_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    progress, _, clock = plain(folder, tick_seconds=0.0)
    with progress:
        progress.phase("words", 200)
        for done in range(1, 201):
            clock.now += 1
            progress.advance(documents_in=10, documents_out=9, bytes=1000)
            told = json.loads((folder / "progress.json").read_bytes())
            assert (told["phase"], told["units"], told["done"], told["documents_out"]) == ("words", 200, done, 9 * done)
            assert (told["ended"], told["documents_per_second"], told["bytes_per_second"]) == (False, 10.0, 1000)
            assert told["rss_bytes"] > 1_000_000
    told = json.loads((folder / "progress.json").read_bytes())
    assert told["ended"]
    assert [phase["seconds"] for phase in told["phases"]] == [200.0]
    assert [entry.name for entry in folder.iterdir()] == ["progress.json"]


def test_the_file_is_written_at_most_once_a_second(tmp_path: Path) -> None:
    progress, _, clock = plain(tmp_path)
    progress.phase("words", 100)
    first = (tmp_path / "progress.json").stat().st_mtime_ns
    inode = (tmp_path / "progress.json").stat().st_ino
    for _ in range(50):
        clock.now += 0.01
        progress.advance()
    assert (tmp_path / "progress.json").stat().st_mtime_ns == first
    clock.now += 1
    progress.advance()
    assert (tmp_path / "progress.json").stat().st_ino != inode
    progress.close()


def test_many_threads_lose_no_count() -> None:
    progress, _, _ = plain()
    with progress:
        progress.phase("words", 4000)
        threads = [
            threading.Thread(target=lambda: [progress.advance(documents_in=2, bytes=3) for _ in range(1000)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = progress.numbers()
    assert (told["done"], told["documents_in"], told["bytes"]) == (4000, 8000, 12000)


def test_none_prints_nothing_but_keeps_the_file(tmp_path: Path) -> None:
    out = io.StringIO()
    with Progress("none", tmp_path, out=out) as progress:
        progress.phase("words", 1)
        progress.note("a note")
        progress.advance()
    assert out.getvalue() == ""
    assert json.loads((tmp_path / "progress.json").read_bytes())["done"] == 1


def test_auto_is_a_bar_at_a_terminal_and_plain_elsewhere() -> None:
    terminal, log = Terminal(), io.StringIO()
    for out in (terminal, log):
        with Progress("auto", out=out) as progress:
            progress.phase("words", 2)
            progress.advance(documents_in=5)
            progress.note("a note [with brackets]")
    assert "\x1b[" in terminal.getvalue()
    assert "a note [with brackets]" in terminal.getvalue()
    assert "\x1b[" not in log.getvalue()


def test_closing_twice_or_without_a_phase_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("plain")
    progress.close()
    progress.close()
    assert capsys.readouterr() == ("", "")


def test_the_ticker_ends_with_the_progress() -> None:
    progress, _, _ = plain()
    progress.phase("words", 1)
    progress.close()
    assert "progress" not in {thread.name for thread in threading.enumerate()}
