"""What planning a mixture takes, of made rows without text: seconds, peak memory, and how near each budget is met.

    python benchmarks/mix.py --rows 100000000

Rows have a source (five, of very different sizes), tokens, and a score by chance; 40 % of the tokens are asked for, in shares
that repeat the smallest one three times. One process plans it: sorted keys are stored by blocks, as a run stores them. Writes
benchmarks/results/mix.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harness
from harness import Result

sys.path.insert(0, str(harness.HERE.parent))
PART = 2**18
SIZES = {"web": 0.8, "code": 0.12, "books": 0.05, "papers": 0.025, "wiki": 0.005}
SHARES = {"web": 0.6, "code": 0.2, "books": 0.1, "papers": 0.0625, "wiki": 0.0375}
TAKEN = 0.4
"""of all tokens"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, action="append", help="may be repeated; default 1,000,000")
    parser.add_argument("--results", type=Path, default=harness.RESULTS / "mix.json")
    parser.add_argument("--step", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        print(json.dumps(planned(args.step, args.work)))
        return 0
    rows = []
    for count in args.rows or [1_000_000]:
        with tempfile.TemporaryDirectory(prefix="mix-") as folder:
            command = [sys.executable, str(Path(__file__).resolve()), "--step", str(count), "--work", folder]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    keys = [key for key in rows[0] if key != "groups"]
    harness.print_table("plan of a mixture, one process", keys, [[row[key] for key in keys] for row in rows])
    groups = [
        [name, *[group[key] for key in ("budget", "taken_tokens", "epochs")]] for name, group in rows[-1]["groups"].items()
    ]
    harness.print_table(f"{rows[-1]['rows']:,} rows", ["source", "budget", "taken tokens", "epochs"], groups)
    harness.save(args.results, None, {**harness.facts(), "runs": rows})
    return 0


def planned(count: int, work: Path) -> Result:
    from stages.mix import Mix

    made = MadeRows(count, work)
    tokens = int(TAKEN * sum(int(made.tokens(part).sum()) for part in made.parts()))
    stage = Mix(tokens=tokens, shares=SHARES, max_epochs=4, rank="score", seed=1)
    start = time.monotonic()
    facts = stage.solve(made, made)  # type: ignore[arg-type]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "rows": count,
        "seconds": round(time.monotonic() - start, 1),
        "peak_mb": round(peak / 1000),
        "anonymous_peak_mb": round(made.anonymous / 1e6),
        "stored_mb": round(sum(file.stat().st_size for file in work.iterdir()) / 1e6),
        "dropped": made.dropped,
        "repeated": made.repeated,
        "largest_gap_tokens": max(group["budget"] - group["taken_tokens"] for group in facts["groups"].values()),
        "groups": facts["groups"],
    }


class MadeRows:
    """Sketches of rows that are made as they are read, and an answer that is counted."""

    def __init__(self, count: int, work: Path) -> None:
        self.count = count
        self.work = work
        self.anonymous = self.dropped = self.repeated = 0

    def parts(self) -> list[int]:
        return list(range(-(-self.count // PART)))

    def rows(self) -> int:
        return self.count

    def size(self, part: int) -> int:
        return min(PART, self.count - part * PART)

    def tokens(self, part: int) -> Any:
        import numpy as np

        return np.random.default_rng([part, 1]).integers(10, 3000, self.size(part))

    def read(self, part: int, columns: Sequence[str]) -> Any:
        import numpy as np
        import pyarrow as pa

        rows = np.arange(self.size(part))
        made: dict[str, Any] = {"row": pa.array(rows, pa.int32())}
        if "weight" in columns:
            rng = np.random.default_rng([part, 2])
            which = np.searchsorted(np.cumsum(list(SIZES.values())), rng.random(len(rows)))
            named = pa.DictionaryArray.from_arrays(pa.array(np.minimum(which, 4), pa.int32()), list(SIZES)).cast(pa.string())
            made |= {"source": named, "group": named, "weight": pa.array(self.tokens(part))}
            made |= {"id": pa.array(part * PART + rows).cast(pa.string()), "score": pa.array(rng.random(len(rows)))}
        return pa.table({name: made[name] for name in columns})

    def round(self, name: str, function: Callable[[Any], Any], items: Sequence[Any], model_bytes: int = 0) -> list[Any]:
        from pipeline.verdicts import SavedTable, _save

        saved = [SavedTable(self.work / f"{name}-{number:06d}.arrow") for number in range(len(items))]
        for table, item in zip(saved, items, strict=True):
            _save(function, (table, item))
            self._look()
        return saved

    def write(self, part: int, verdicts: Any) -> None:
        self.dropped += verdicts.num_rows
        self._look()

    def repeat(self, part: int, copies: Any) -> None:
        self.repeated += copies.num_rows

    def _look(self) -> None:
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
        self.anonymous = max(self.anonymous, 1024 * int(line.split()[1]))


if __name__ == "__main__":
    raise SystemExit(main())
