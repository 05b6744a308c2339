"""One tiny model and one engine for all tests of vLLM."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import pytest

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "stages"))

from made_model import CONTEXT, ON_CPU, make_model

# numba forgets the kernels of another version of itself: the one here is not that of the other tests
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"sluice-numba-{os.getuid()}-{numba.__version__}"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What vLLM and its libraries warn of is not ours to change."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for kind in ("DeprecationWarning", "FutureWarning", "UserWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model."""
    return make_model(tmp_path_factory.mktemp("made") / "tiny")


@pytest.fixture(scope="session")
def settings(tiny: Path) -> dict[str, Any]:
    """`vllm` of a stage."""
    engine = {"enforce_eager": True, "max_num_seqs": 64}
    return {"model": str(tiny), "dtype": "float32", "max_model_len": CONTEXT, "engine": engine, "environment": ON_CPU}


@pytest.fixture(scope="session")
def local(settings: dict[str, Any]) -> Iterator[Any]:
    """The engine, on this machine."""
    from stages.core.vllm_engine import Vllm

    made = Vllm(**settings).open()
    yield made
    made.close()
