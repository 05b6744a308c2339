"""The engine of Sluice: `pipeline.run(recipe, ...)` from Python; the `sluice` command calls the same."""

from typing import Any

_HOMES = {
    "run": "runner",
    "status": "run_folder",
    "clean": "run_folder",
    "retry": "retrying",
    "plan": "planning",
    "Run": "results",
}


def __getattr__(name: str) -> Any:
    """Loaded at first use: the names are also needed where Arrow and Ray are not."""
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(f"pipeline.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
