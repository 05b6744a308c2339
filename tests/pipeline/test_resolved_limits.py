"""Every limit of every filter may be a percentile, and the number it stands for is in the facts that the manifest keeps."""

import typing
from typing import Any

import pyarrow as pa
import pytest

from pipeline import registry
from pipeline.percentiles import PercentileLimits
from pipeline.specimens import TEXTS, documents, example
from pipeline.trial import MemorySketches, MemoryVerdicts, apply
from schemas.rule import Percentile
from stages.core.docs import Docs
from stages.core.stage import Filter, Stage

NEED = {("url_blocklist", "max_soft_words"): {"soft_words": ("shipped",)}}
"""parameters without which a limit is not looked at"""


def limits() -> list[tuple[str, str]]:
    found = []
    for name in registry.names():
        for key, field in registry.find(name).model_fields.items():
            if Percentile in typing.get_args(field.annotation) or "Percentile" in str(field.annotation):
                found.append((name, key))
    return found


def filter_of(stage: Stage) -> tuple[Filter, pa.Table]:
    """The filter that a recipe entry is or has, and documents as they come to it."""
    nodes = stage.nodes()
    wanted = tuple(dict.fromkeys(column for one in nodes for column in one.columns_read()))
    own = {column for one in nodes for column in one.columns_written()}
    table = documents(TEXTS, tuple(column for column in wanted if column not in own))
    for node in nodes:
        if isinstance(node, Filter):
            return node, table
        table = apply(node, table).table
    raise AssertionError(f"{stage.name()} has no filter")


def test_there_are_limits_to_check() -> None:
    assert len(limits()) > 60


@pytest.mark.parametrize(("name", "key"), limits())
def test_a_percentile_becomes_a_number_in_the_manifest_s_facts(name: str, key: str) -> None:
    kind = registry.find(name)
    given: dict[str, Any] = {**getattr(kind, "example", {}), **NEED.get((name, key), {})}
    stage = kind.model_validate({**given, key: {"percentile": 60}})
    assert stage != example(kind)
    node, table = filter_of(stage)
    rules = node.percentile_rules()
    assert rules, f"{name}.{key} is no rule"
    solver = PercentileLimits(filter=node)
    sketch = solver.open()(Docs(table))
    for column in ("source", "id"):
        sketch = sketch.append_column(column, table[column])
    sketch = sketch.append_column("row", pa.array(range(table.num_rows), pa.int32()))
    verdicts = MemoryVerdicts([table.num_rows])
    facts = solver.solve(MemorySketches([sketch], [table]), verdicts)
    assert set(facts["limits"]) == {rule.name for rule in rules}
    for rule in rules:
        assert isinstance(facts["limits"][rule.name], float)
    told = {row["limit"] for part in verdicts.tables.values() for row in part.to_pylist()}
    assert told <= set(facts["limits"].values())
