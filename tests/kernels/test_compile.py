"""Compiled kernels are found again by other processes, wherever the same source lies, and not where it differs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

STAGES = Path(__file__).parents[2] / "stages"
COUNT = """
import numpy as np, pyarrow as pa
from stages.kernels.text import text_of
from stages.kernels.planes import _fill
text_of(pa.array(["a b"])).planes
print(sum(_fill.stats.cache_hits.values()), sum(_fill.stats.cache_misses.values()))
"""


def hits_and_misses(folder: Path, cache: Path) -> str:
    told = subprocess.run(
        [sys.executable, "-c", COUNT], cwd=folder, env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return told.stdout.strip()


def test_the_same_source_in_another_folder_compiles_nothing_and_a_changed_leaf_compiles_its_callers(tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(STAGES, tmp_path / name / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path / "cache"
    assert hits_and_misses(tmp_path / "one", cache) == "0 1"
    assert hits_and_misses(tmp_path / "two", cache) == "1 0"
    with (tmp_path / "two" / "stages" / "kernels" / "bits.py").open("a") as file:
        file.write("# changed\n")
    assert hits_and_misses(tmp_path / "two", cache) == "0 1"
