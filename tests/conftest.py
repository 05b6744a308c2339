"""What all tests share: one Ray cluster on loopback, and kernels that are compiled once for a machine, not for a test run."""

import importlib.util
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

# vLLM has an environment of its own, in which `make test` runs these: see the Makefile
WITH_VLLM = importlib.util.find_spec("vllm") is not None
collect_ignore = [] if WITH_VLLM else ["vllm"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was left out."""
    if not WITH_VLLM:
        terminalreporter.write_line("tests/vllm is not among these: vLLM is in .venv/vllm, where `make test` runs it")


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A cluster of three CPUs; runs with engine "ray" in this process use it as it is."""
    import ray

    ray.init(num_cpus=3, include_dashboard=False, object_store_memory=200_000_000, logging_level=logging.ERROR)
    yield
    ray.shutdown()
