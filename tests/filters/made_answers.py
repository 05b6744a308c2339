"""Answers with their sources, as the filters that verify them get them."""

from typing import Any

import pyarrow as pa

from pipeline.judge import judge
from stages.core.docs import Docs
from stages.core.generated import FINISH_REASON, KIND, PARENT_TEXT, SYNTHETIC
from stages.core.stage import Filter


def answers(
    text: str | None, source: str | None = None, kind: str | None = SYNTHETIC, finish_reason: str | None = "stop"
) -> pa.Table:
    return pa.table(
        {
            "text": pa.array([text], pa.large_string()),
            PARENT_TEXT: pa.array([source], pa.large_string()),
            KIND: pa.array([kind], pa.string()),
            FINISH_REASON: pa.array([finish_reason], pa.string()),
        }
    )


def measured(stage: Filter, table: pa.Table) -> dict[str, Any]:
    """What was measured, zeros left out."""
    found = stage.open()(Docs(table.select(list(stage.columns_read()))))
    assert list(found) == list(stage.measures())
    return {name: values[0].item() for name, values in found.items() if values[0]}


def broken(stage: Filter, table: pa.Table) -> list[str]:
    """The rules that are broken."""
    return [found.rule.name for found in judge("step", stage.rules(), stage.open()(Docs(table)), table)]
