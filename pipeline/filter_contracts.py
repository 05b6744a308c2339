"""What every filter must keep besides what all stages must: see `pipeline.contracts`."""

from typing import get_args

from pipeline.trial import Broken
from schemas.languages import find_language
from stages.core.stage import Filter, Stage, Unit


def check_rules(stage: Stage) -> None:
    """Rules judge declared measures and bear the names of parameters."""
    for node in stage.nodes():
        if not isinstance(node, Filter):
            continue
        names = [rule.name for rule in node.rules()]
        for rule in node.rules():
            if rule.limit is not None and isinstance(rule.limit, str):
                raise Broken(f"rule {rule.name!r} has the limit {rule.limit!r}: rules() must end with self.for_languages(...)")
            if rule.measure not in node.measures():
                raise Broken(f"rule {rule.name!r} judges {rule.measure!r}, which measures() does not have")
            if rule.name not in type(node).model_fields or names.count(rule.name) > 1:
                raise Broken(f"rule {rule.name!r} must bear the name of one parameter, and only one rule that name")


def check_unit(stage: Stage) -> None:
    """A filter says what its limits count, and for which languages they hold."""
    for node in stage.nodes():
        if not isinstance(node, Filter):
            continue
        units = get_args(Unit)
        if node.unit not in units:
            raise Broken(f"{type(node).__name__} says not what its limits count: write `unit = ...`, one of {', '.join(units)}")
        languages = node.validated_for()
        unknown = sorted(name for name in languages or () if find_language(name) != name)
        if unknown or languages == frozenset():
            raise Broken(
                f"validated_for names {unknown or 'no language'}: expected labels of lid.176, or None for any language"
            )
