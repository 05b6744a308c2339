"""What a stage does, from its docstring, its fields, and an instance of it."""

import inspect
import re
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pipeline import recipe, registry
from pipeline.function import Function
from pipeline.specimens import example
from schemas.errors import RecipeError
from schemas.languages import labels
from stages.core.stage import Expand, Filter, Global, Map, Stage

KINDS: tuple[tuple[type[Stage], str], ...] = ((Expand, "expand"), (Filter, "filter"), (Global, "global"), (Map, "map"))
_LIMIT = re.compile(r"Union\[int, float, Percentile, Table, Literal\['fineweb2'\](, null)?\]")
INHERITED = {"gate": "end the group: what this filter drops is not measured by those after it"}


def made(name: str, parameters: Mapping[str, Any] | None = None) -> Stage:
    """The stage, with its own `example` below the given parameters."""
    found = registry.find_user_object(name) if ":" in name else registry.find(name)
    base = getattr(found, "example", {}) if isinstance(found, type) else {}
    try:
        return recipe.make_stage(name, {**base, **(parameters or {})})
    except RecipeError as error:
        hint = "; give it with --set key=value, or give the class `example: ClassVar[dict[str, Any]] = {...}`"
        raise RecipeError(f"{error}{hint if 'is missing' in str(error) else ''}") from error


def summaries() -> list[dict[str, str]]:
    """Name, kind and first line of every stage of ours, by name."""
    found = []
    for name in registry.names():
        kind = registry.find(name)
        found.append({"name": name, "kind": _kind(kind, _instance(kind)), "summary": _doc(kind).partition("\n")[0]})
    return found


def description(name: str) -> dict[str, Any]:
    """Everything a recipe's author has to know of a stage, ready for JSON."""
    named: Any = registry.find_user_object(name) if ":" in name else registry.find(name)
    if not isinstance(named, type):
        return _function(name, named)
    found: type[Stage] = named
    stage = _instance(found)
    nodes = list(stage.nodes()) if stage else []
    rules = [(node, rule) for node in nodes if isinstance(node, Filter) for rule in node.rules()]
    extras = {extra for node in nodes for _, extra in node.requirements()} | ({found.extra} if found.extra else set())
    filters = [node for node in nodes if isinstance(node, Filter)]
    return {
        "name": name,
        "kind": _kind(found, stage),
        "doc": _doc(found),
        "unit": filters[-1].unit if filters else None,
        "validated_for": _languages(filters) if filters else None,
        "parameters": [_parameter(key, found.model_fields[key]) for key in _own_first(found)],
        "reads": _read(nodes),
        "writes": {
            column: str(kind)
            for node in nodes
            for column, kind in node.columns_written().items()
            if not column.startswith("_") or len(nodes) == 1  # else one node's for the next
        },
        "measures": {key: str(kind) for node in nodes if isinstance(node, Filter) for key, kind in node.measures().items()},
        "rules": [
            {"rule": rule.name, "measure": rule.measure, "op": rule.op, "limit": _plain(rule.limit)} for _, rule in rules
        ],
        "extra": sorted(extras),
        "file": inspect.getfile(found),
    }


def _own_first(found: type[Stage]) -> list[str]:
    """Names of the parameters: those of the stage itself, then those that it shares with others."""
    return sorted(found.model_fields, key=lambda key: key not in found.__annotations__)


def as_text(found: Mapping[str, Any]) -> str:
    """The description for a terminal."""
    lines = [f"{found['name']} ({found['kind']})", "", found["doc"], "", "parameters"]
    for parameter in found["parameters"]:
        default = "required" if parameter["required"] else f"default {parameter['default']}"
        facts = [parameter["type"], parameter["unit"], parameter["range"], default]
        lines.append(f"  {parameter['name']}  ({', '.join(fact for fact in facts if fact)})")
        lines.append(f"      {parameter['description']}")
        for key in parameter["keys"]:
            told = "required" if key["required"] else f"default {key['default']}"
            lines.append(f"      {key['name']} ({told}): {key['description'] or key['type']}")
    lines += ["  none"] if not found["parameters"] else []
    if found["rules"]:
        sign = {"at_least": ">=", "at_most": "<="}
        lines += ["rules (a document is kept if)"]
        lines += [
            f"  {rule['rule']}: {rule['measure']} {sign[rule['op']]} {rule['limit']}"
            if rule["limit"] is not None
            else f"  {rule['rule']}: off"
            for rule in found["rules"]
        ]
    if found["unit"]:
        languages = found["validated_for"]
        told = "any language" if languages is None else ", ".join(languages)
        if languages is not None and len(languages) > len(labels()) / 2:
            told = f"all languages but {', '.join(sorted(set(labels()) - set(languages)))}"
        lines.append(f"counts  {found['unit']}s; default limits hold for {told}")
    lines.append(f"reads   {', '.join(found['reads']) or 'what the function takes'}")
    lines.append(f"writes  {', '.join(f'{key} ({kind})' for key, kind in found['writes'].items()) or 'nothing'}")
    lines += [f"needs   pip install 'sluice[{extra}]'" for extra in found["extra"]]
    return "\n".join([*lines, f"file    {found['file']}"])


def _languages(filters: list[Filter]) -> list[str] | None:
    known = [languages for node in filters if (languages := node.validated_for()) is not None]
    return sorted(frozenset.intersection(*known)) if known else None


def _read(nodes: list[Stage]) -> list[str]:
    """Columns that must be there before the first node: not those that one node writes for the next."""
    found: dict[str, None] = {}
    written: set[str] = set()
    for node in nodes:
        found |= dict.fromkeys(column for column in node.columns_read() if column not in written)
        written |= set(node.columns_written())
    return list(found)


def _instance(kind: type[Stage]) -> Stage | None:
    try:
        return example(kind)
    except ValueError:  # parameters without default and no example: only the class can be told of
        return None


def _kind(kind: type[Stage], stage: Stage | None) -> str:
    nodes = [type(node) for node in stage.nodes()] if stage else [kind]
    return "+".join(next((name for base, name in KINDS if issubclass(node, base)), "stage") for node in nodes)


def _doc(found: Any) -> str:
    return inspect.cleandoc(found.__doc__ or "")


def _function(name: str, function: Any) -> dict[str, Any]:
    arguments = list(inspect.signature(function).parameters.values())[1:]
    table = Function(function=name).takes_table()
    return {
        "name": name,
        "unit": None,
        "validated_for": None,
        "kind": "function on a table" if table else "function on a document",
        "doc": _doc(function),
        "parameters": [
            {
                "name": argument.name,
                "type": "" if argument.annotation is argument.empty else _type(argument.annotation),
                "unit": None,
                "range": None,
                "required": argument.default is argument.empty,
                "default": None if argument.default is argument.empty else argument.default,
                "description": "argument of the function",
            }
            for argument in arguments
        ],
        "reads": [],
        "writes": {},
        "measures": {},
        "rules": [],
        "extra": [],
        "file": inspect.getfile(function),
    }


def _parameter(key: str, field: Any) -> dict[str, Any]:
    told = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    low, high = told.get("low"), told.get("high")
    for fact in field.metadata:
        low = getattr(fact, "ge", getattr(fact, "gt", low))
        high = getattr(fact, "le", getattr(fact, "lt", high))
    required = field.is_required()
    default = None if required else _plain(field.get_default(call_default_factory=True))
    return {
        "name": key,
        "type": _type(field.annotation),
        "unit": told.get("unit"),
        "range": None if low is None and high is None else f"{'' if low is None else low} to {'any' if high is None else high}",
        "required": required,
        "default": None if default is PydanticUndefined else default,
        "description": field.description or INHERITED.get(key, ""),
        "keys": [_parameter(name, inner) for kind in _models(field.annotation) for name, inner in kind.model_fields.items()],
    }


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Our own models in a type: a parameter with keys of its own."""
    kinds = (annotation, *typing.get_args(annotation))
    found = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [kind for kind in found if kind.__module__.startswith("stages.core") and not issubclass(kind, Stage)]


def _type(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    text = re.sub(r"typing\.|\b[a-z_]+(?:\.[a-z_]+)*\.(?=[A-Z])", "", text)
    text = re.sub(r"\bNoneType\b|\bNone\b", "null", text)
    return _LIMIT.sub(lambda found: "limit | null" if found[1] else "limit", text)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
