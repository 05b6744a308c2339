"""What all tests share: one Ray cluster on loopback, and kernels that are compiled once for a machine, not for a test run."""

import logging
import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A cluster of three CPUs; runs with engine "ray" in this process use it as it is."""
    import ray

    ray.init(num_cpus=3, include_dashboard=False, object_store_memory=200_000_000, logging_level=logging.ERROR)
    yield
    ray.shutdown()
