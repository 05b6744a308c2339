"""Run a command and measure the memory of everything it started, Ray's daemons included.

    python benchmarks/memory.py --output peak.json -- sluice run jobs/recipes/fineweb_text.yaml --input big/ --output out/

Every INTERVAL seconds the proportional set size (PSS: private pages plus a fair part of shared ones, so Ray's object
store counts once) is summed over all processes that carry this run's mark in their environment, or whose parent does.
Children inherit the mark, also those which leave the process group or lose their parent, as Ray's daemons do; Ray's
workers write their titles over it. Reports the peak of the sum, the parts of that peak by program, and the peak of the
command's own process (the driver). Linux only.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from harness import adopt_orphans, facts, reap, save

INTERVAL = 0.1
MARK = "SLUICE_MEMORY_BENCHMARK"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help="a JSON file")
    parser.add_argument("--label", default="", help="kept in the JSON")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="after --")
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        parser.error("no command: put it after --")
    adopt_orphans()
    result = {**facts(), "label": args.label, "command": command, **measure(command)}
    if args.output:
        save(args.output, None, result)
    print(f"peak of all {result['processes']} processes {result['peak_mb']} MB; ", end="")
    print(f"driver {result['driver_peak_mb']} MB; {result['seconds']} s")
    for name, mb in result["peak_by_program_mb"].items():
        print(f"  {mb:8.1f} MB  {name}")
    return int(result["status"])


def measure(command: Sequence[str], cwd: Path | None = None, stdout: IO[str] | None = None) -> dict[str, Any]:
    """Peaks in MB (2**20 bytes) while the command runs, and its CPU seconds (after `adopt_orphans`, its daemons' too).

    stdout  a file for what the command says; default: the terminal
    """
    mark = f"{MARK}={uuid.uuid4().hex}".encode()
    name, _, value = mark.decode().partition("=")
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.Popen(command, cwd=cwd, stdout=stdout, stderr=stdout, env={**os.environ, name: value})
    ours: dict[int, bool] = {}
    peak = driver = processes = samples = 0
    parts: Counter[str] = Counter()
    while child.poll() is None:
        now: Counter[str] = Counter()
        pids = marked(mark, ours)
        for pid in pids:
            held = pss(pid)
            now[program(pid)] += held
            if pid == child.pid:
                driver = max(driver, held)
        if sum(now.values()) > peak:
            peak, parts, processes = sum(now.values()), now, len(pids)
        samples += 1
        time.sleep(INTERVAL)
    seconds = time.monotonic() - start
    reap()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "status": child.returncode,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "peak_mb": round(peak / 1024, 1),
        "driver_peak_mb": round(driver / 1024, 1),
        "processes": processes,
        "peak_by_program_mb": {key: round(kb / 1024, 1) for key, kb in parts.most_common() if kb},
        "samples": samples,
    }


def marked(mark: bytes, known: dict[int, bool]) -> list[int]:
    """Processes whose environment holds the mark, or that have such a parent.

    What was found is not read again; what was not found is, because a process is listed for a moment before its exec.
    """
    alive = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    found = []
    for pid in alive:
        if not known.get(pid):
            try:
                environment = Path(f"/proc/{pid}/environ").read_bytes()
                parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # ended meanwhile, or another user's
                continue
            known[pid] = mark in environment.split(b"\0") or known.get(parent, False)
        if known[pid]:
            found.append(pid)
    for pid in set(known).difference(alive):
        del known[pid]
    return found


def pss(pid: int) -> int:
    """Proportional set size in KB; 0 for a process that has just ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def program(pid: int) -> str:
    """A name for the process: Ray sets titles such as ray::map; for scripts the script's name."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").split()
    except OSError:
        return "ended"
    if words and words[0].startswith("ray::"):
        return words[0].partition("(")[0]
    scripts = [Path(word).name for word in words[:4] if not word.startswith("-")]
    return " ".join(scripts[:2]) or "?"


if __name__ == "__main__":
    sys.exit(main())
