"""Looks for texts on which a kernel crashes, reads outside of its arrays, or does not answer as its slow definition does.

Two processes work side by side. In one, the kernels run as plain Python with every index checked, negative ones too: a text
that takes a branch no text took before, or a branch more often, joins the corpus. In the other, the compiled kernels check
their indices (NUMBA_BOUNDSCHECK=1): it gets the same texts, and many more that were made from the corpus.

A failure is made small, printed, and written into the folder of findings with the command that repeats it. The exit status is 1
if there was one. Seconds come from FUZZ_SECONDS (3600).
"""

import argparse
import json
import os
import platform
import random
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

sys.path[:0] = [str(Path(__file__).parents[1] / "kernels"), str(Path(__file__).parents[2])]
from mutations import mutated  # noqa: E402
from seeds import ROOT, seeds  # noqa: E402

_SETTINGS = {"plain": {"NUMBA_DISABLE_JIT": "1"}, "compiled": {"NUMBA_BOUNDSCHECK": "1"}}
_LONGEST = {"plain": 700, "compiled": 4000}
_BATCH = {"plain": 4, "compiled": 64}
_ANSWER_SECONDS = {"plain": 300, "compiled": 600}


class Gone(Exception):
    """The process ended, or did not answer in time."""


class Worker:
    """A process of `worker.py` in one of its modes; started again after it ended."""

    def __init__(self, mode: str, log: Path) -> None:
        self.mode, self.log = mode, log
        self.start()

    def start(self) -> None:
        # numba does not keep kernels with and without checks apart in its cache
        cache = os.environ.get("NUMBA_CACHE_DIR", f"{tempfile.gettempdir()}/sluice-numba-{os.getuid()}")
        settings = _SETTINGS[self.mode] | {"NUMBA_CACHE_DIR": f"{cache}-checked"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("worker.py")), self.mode],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | settings,
            )
        self.places: list[str] = self._read(_ANSWER_SECONDS[self.mode])["places"]

    def ask(self, texts: list[str], seconds: float | None = None) -> dict[str, Any]:
        """The worker's answer. Raises `Gone`; the worker is then another one."""
        try:
            self._pipe(self.process.stdin).write(json.dumps(texts).encode() + b"\n")
            self._pipe(self.process.stdin).flush()
            return self._read(seconds or _ANSWER_SECONDS[self.mode])
        except (BrokenPipeError, Gone) as error:
            self.stop()
            reason = f"ended with status {self.process.returncode}" if isinstance(error, BrokenPipeError) else str(error)
            self.start()
            raise Gone(reason) from error

    def _read(self, seconds: float) -> dict[str, Any]:
        pipe = self._pipe(self.process.stdout)
        if not select.select([pipe], [], [], seconds)[0]:
            raise Gone(f"no answer in {seconds:.0f} s")
        line = pipe.readline()
        if not line:
            raise Gone(f"ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: Any) -> BinaryIO:
        assert pipe is not None
        return pipe  # type: ignore[no-any-return]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Fuzzer:
    """The corpus, what was reached and found, and a thread for each worker."""

    def __init__(self, seconds: float, folder: Path, seed: int, inputs: Sequence[Path]) -> None:
        self.end = time.monotonic() + seconds
        self.folder, self.seed = folder, seed
        folder.mkdir(parents=True, exist_ok=True)
        self.first = deque(seeds(seed, inputs))
        random.Random(seed).shuffle(self.first)
        self.corpus = [*self.first]
        self.kept = 0
        self.features: set[int] = set()
        self.places: list[str] = []
        self.pending: deque[str] = deque()
        self.inputs: Counter[str] = Counter()
        self.findings: list[dict[str, Any]] = []
        self.errors: list[BaseException] = []

    def run(self) -> None:
        """Until the time is over."""
        threads = [threading.Thread(target=self._work, args=(mode,), daemon=True) for mode in _SETTINGS]
        begin = shown = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            if time.monotonic() - shown >= 30:
                shown += 30
                print(self.line(time.monotonic() - begin), flush=True)
        if self.errors:
            raise self.errors[0]

    def line(self, seconds: float) -> str:
        inputs = f"{self.inputs['plain']:,} texts as Python, {self.inputs['compiled']:,} compiled"
        reached = f"{len(self.reached()):,} of {len(self.places):,} branches"
        return f"{seconds:6.0f} s  {inputs}, {reached}, {self.kept:,} kept, {len(self.findings)} findings"

    def reached(self) -> set[int]:
        return {feature // 8 for feature in self.features}

    def _work(self, mode: str) -> None:
        worker = None
        try:
            pick = random.Random(f"{self.seed} {mode}")
            worker = Worker(mode, self.folder / f"{mode}.log")
            self.places = worker.places or self.places
            worker.ask(["first"], 3600)  # kernels are compiled
            while time.monotonic() < self.end and not self.errors:
                texts = self._next(pick, mode)
                try:
                    answer = worker.ask(texts)
                except Gone as error:
                    self._found(mode, self._guilty(worker, texts, str(error)))
                    continue
                self.inputs[mode] += len(texts)
                for failure in answer["failures"]:
                    self._found(mode, failure)
                if mode == "plain":
                    self._keep(texts, answer["features"])
        except BaseException as error:
            self.errors.append(error)
        finally:
            if worker:
                worker.stop()

    def _next(self, pick: random.Random, mode: str) -> list[str]:
        waiting = self.first if mode == "plain" else self.pending
        texts = [waiting.popleft() for _ in range(min(_BATCH[mode], len(waiting)))]
        while len(texts) < _BATCH[mode]:
            texts.append(mutated(pick, self.corpus, _LONGEST[mode]))
        return texts

    def _keep(self, texts: list[str], features: list[list[int]]) -> None:
        for text, reached in zip(texts, features, strict=True):
            if not self.features.issuperset(reached):
                self.features.update(reached)
                self.corpus.append(text)
                self.kept += 1
        self.pending.extend(texts)

    @staticmethod
    def _guilty(worker: Worker, texts: list[str], reason: str) -> dict[str, Any]:
        """The text that alone ends the worker again, or all of them."""
        for text in texts:
            try:
                worker.ask([text], 120)
            except Gone as error:
                return {"comparison": None, "kind": f"crash: {error}", "texts": [text]}
        return {"comparison": None, "kind": f"crash: {reason}", "texts": texts}

    def _found(self, mode: str, failure: dict[str, Any]) -> None:
        path = self.folder / f"{mode}-{len(self.findings):03}.json"
        command = f"{sys.executable} tests/fuzz/fuzz.py --repeat {path}"
        failure = {"mode": mode, "command": command, **failure}
        self.findings.append(failure)
        path.write_text(json.dumps(failure, indent=1) + "\n", encoding="utf-8")
        print(f"{mode}: {failure['comparison']}: {failure['kind']}: {ascii(failure['texts'])[:300]}\n  {command}", flush=True)

    def result(self, seconds: float) -> dict[str, Any]:
        """What is kept of a run."""
        reached = self.reached()
        files = [place.split(":")[0] for place in self.places]
        known, met = Counter(files), Counter(files[at] for at in reached)
        return {
            "what": "make fuzz: kernels beside their slow definitions on mutated texts; a branch is an outcome of a condition",
            "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
            "seconds": round(seconds),
            "seed": self.seed,
            "texts": {"as Python": self.inputs["plain"], "compiled, with checked indices": self.inputs["compiled"]},
            "kept_for_new_branches": self.kept,
            "branches": {"reached": len(reached), "known": len(self.places)},
            "branches_by_file": {file: {"reached": met[file], "known": known[file]} for file in sorted(known)},
            "not_reached": [place for at, place in enumerate(self.places) if at not in reached],
            "findings": self.findings,
        }


def repeat(path: Path) -> bool:
    """Run a finding's texts once more; say whether it failed again."""
    finding = json.loads(path.read_text(encoding="utf-8"))
    worker = Worker(finding["mode"], path.with_suffix(".log"))
    try:
        failures = worker.ask(finding["texts"])["failures"]
    except Gone as error:
        failures = [{"comparison": None, "kind": f"crash: {error}"}]
    worker.stop()
    for failure in failures:
        print(json.dumps(failure, indent=1))
    print("failed again" if failures else "no failure")
    return bool(failures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", "3600")))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--findings", type=Path, default=ROOT / "runs" / "fuzz", help="folder of findings and logs")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "fuzz.json")
    parser.add_argument("--input", type=Path, action="append", default=[], help="Parquet or gzipped JSON lines with texts")
    parser.add_argument("--repeat", type=Path, help="a finding to run once more")
    arguments = parser.parse_args()
    if arguments.repeat:
        sys.exit(repeat(arguments.repeat))
    fuzzer, begin = Fuzzer(arguments.seconds, arguments.findings, arguments.seed, arguments.input), time.monotonic()
    fuzzer.run()
    seconds = time.monotonic() - begin
    print(fuzzer.line(seconds))
    arguments.output.write_text(json.dumps(fuzzer.result(seconds), indent=1) + "\n", encoding="utf-8")
    print(f"written to {arguments.output}")
    sys.exit(bool(fuzzer.findings))


if __name__ == "__main__":
    main()
