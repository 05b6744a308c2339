"""The smallest Ray Data job: what Ray itself takes before and after any work, as the floor of every run on it.

    python benchmarks/bare_ray.py --workers 2

A dataset of one row a worker, each mapped by a task that does nothing, with the settings that Sluice gives Ray. The
seconds that count are those of the whole process; compare_datatrove.py takes them beside Sluice and the peer.
"""

import argparse
import logging
import os
from typing import Any


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    os.environ |= {"RAY_DATA_DISABLE_PROGRESS_BARS": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    import ray
    import ray.data

    ray.init(num_cpus=workers, include_dashboard=False, logging_level=logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    rows = ray.data.from_items(list(range(workers)), override_num_blocks=workers).map(_same, num_cpus=1)
    found = sum(1 for _ in rows.iter_rows())
    ray.shutdown()
    return 0 if found == workers else 1


def _same(row: dict[str, Any]) -> dict[str, Any]:
    return row


if __name__ == "__main__":
    raise SystemExit(main())
