"""Training by the fastText library, in a process of its own, so that the same text gives the same model.

fastText 0.9.3 does not clear the memory of its matrices. With one thread, the only number that trains in the same order each
time, it fills a tenth of the input matrix with random numbers, the vectors of the most frequent words, and what stood in memory
remains in the rest, often NaN. So the process is started with glibc's malloc told to hand out zeros.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ZEROS = {"MALLOC_PERTURB_": "255", "GLIBC_TUNABLES": "glibc.malloc.perturb=255"}
"""Memory is filled with the complement of this byte."""


def can_train() -> bool:
    """Whether the module `fasttext` is the library itself, not the package of the same name that only predicts."""
    spec = importlib.util.find_spec("fasttext")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "FastText.py"
        if path.is_file():
            return b"def train_supervised" in path.read_bytes()
    return False


def train_fasttext(lines: Path, output: Path, options: Mapping[str, Any], cutoff: int | None = None) -> str | None:
    """Train on lines of `__label__NAME text` and write the model; what the library said if it failed.

    options  of fastText's `train_supervised`, besides thread, which is 1
    cutoff   quantise (.ftz) and keep so many words and n-grams, the ones with the longest vectors, trained once more
    """
    request = {"input": str(lines), "output": str(output), "options": {**options, "thread": 1, "verbose": 0}, "cutoff": cutoff}
    command = [sys.executable, "-P", str(Path(__file__).resolve())]
    done = subprocess.run(command, input=json.dumps(request), env={**os.environ, **ZEROS}, text=True, capture_output=True)
    if done.returncode == 0:
        return None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return said[-1] if said else f"its process ended with status {done.returncode}"


def _main() -> None:
    import fasttext

    request = json.load(sys.stdin)
    model = fasttext.train_supervised(input=request["input"], **request["options"])
    if request["cutoff"] is not None:
        model.quantize(input=request["input"], cutoff=request["cutoff"], qnorm=True, retrain=True)
    model.save_model(request["output"])


if __name__ == "__main__":
    _main()
