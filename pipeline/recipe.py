"""From a YAML file to checked stages. Every mistake of form is found here, with its place in the file."""

import inspect
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline import registry
from pipeline.function import Function
from schemas.errors import RecipeError
from schemas.recipe import RecipeKeys
from stages.core.stage import Stage


@dataclass(frozen=True)
class Step:
    """One entry of `stages`: its label (unique in the recipe), the stage, and where it stands."""

    label: str
    stage: Stage
    place: str


@dataclass(frozen=True)
class Recipe:
    """A recipe that can be run: its own keys, its steps, and the file it came from (None for one made in Python)."""

    keys: RecipeKeys
    steps: tuple[Step, ...]
    file: str | None

    def as_json(self) -> dict[str, Any]:
        """The recipe with all defaults filled in; loading it again gives the same recipe."""
        stages: list[Any] = []
        for step in self.steps:
            values = step.stage.model_dump(mode="json")
            if isinstance(step.stage, Function):
                name = values.pop("function")
                values = {**({"writes": values["writes"]} if values["writes"] else {}), **values["arguments"]}
            else:
                name = _stage_name(step.stage)
            stages.append({name: values} if values else name)
        return {**self.keys.model_dump(mode="json"), "stages": stages}


def _stage_name(stage: Stage) -> str:
    module = type(stage).__module__
    ours = module.partition(".")[0] in ("stages", "filters")
    return stage.name() if ours else f"{module}:{type(stage).__name__}"


def load(recipe: str | Path | Mapping[str, Any], overrides: Iterable[str] = ()) -> Recipe:
    """Read and check a recipe: a YAML file, or the same content as a mapping.

    overrides  `step.key=value` (a label of `stages`, or `*` for every stage that has the key), `output.order=source`, `seed=7`;
               values are YAML.

    Raises `RecipeError` that names file, line, and the nearest valid name.
    """
    if isinstance(recipe, Mapping):
        raw, where = json.loads(json.dumps(recipe)), _Places(None, None)
    else:
        raw, where = _read(Path(recipe))
    if not isinstance(raw, dict):
        raise RecipeError(f"{where.name}: expected keys such as `name`, `input` and `stages`, found {type(raw).__name__}")
    entries = [_entry(entry, where.at("stages", index)) for index, entry in enumerate(_as_list(raw.get("stages")))]
    labels = _labels(entries)
    for override in overrides:
        _override(raw, entries, labels, override)
    try:
        keys = RecipeKeys.model_validate(_plain(raw))
    except ValidationError as error:
        raise RecipeError(_explain(error, RecipeKeys, lambda path: where.at(*path))) from error
    steps = []
    for index, ((name, parameters), label) in enumerate(zip(entries, labels, strict=True)):
        place = where.at("stages", index)
        steps.append(
            Step(label, _build(name, parameters, lambda path, i=index, n=name: where.at("stages", i, n, *path), place), place)
        )
    keys = keys.model_copy(update={"stages": ()})
    return Recipe(keys, tuple(steps), str(recipe) if isinstance(recipe, str | Path) else None)


def make_stage(name: str, parameters: Mapping[str, Any] | None = None) -> Stage:
    """One stage by its name in recipes, checked as in a recipe."""
    return _build(name, dict(parameters or {}), lambda path: "", "")


def _read(path: Path) -> tuple[Any, "_Places"]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        siblings = [entry.name for entry in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        raise RecipeError(f"{path}: no such recipe{registry.nearest(path.name, siblings)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    try:
        tree = YAML(typ="rt").load(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise RecipeError(f"{path}{spot}: not valid YAML: {error.problem or error.context}") from error
    except YAMLError as error:
        raise RecipeError(f"{path}: not valid YAML: {error}") from error
    return _plain_keep(tree), _Places(str(path), tree)


class _Places:
    """Line and column of each key of the file, for error messages."""

    def __init__(self, name: str | None, tree: Any) -> None:
        self.name = name or "recipe"
        self._tree = tree

    def at(self, *path: Any) -> str:
        """`file:line:column` of the deepest part of `path` that the file has."""
        node, mark = self._tree, None
        for key in path:
            try:
                if isinstance(node, dict) and key in node:
                    mark = node.lc.key(key)  # type: ignore[attr-defined]
                elif isinstance(node, list) and isinstance(key, int) and key < len(node):
                    mark = node.lc.item(key)  # type: ignore[attr-defined]
                else:
                    break
                node = node[key]
            except (AttributeError, KeyError, TypeError):
                break
        return f"{self.name}:{mark[0] + 1}:{mark[1] + 1}" if mark else self.name


def _plain_keep(value: Any) -> Any:
    """The YAML tree as plain Python values."""
    if isinstance(value, dict):
        return {str(key): _plain_keep(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain_keep(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _plain(raw: dict[str, Any]) -> dict[str, Any]:
    return {**raw, "stages": tuple(_as_list(raw.get("stages")))}


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _entry(entry: Any, place: str) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, parameters),) = entry.items()
        if parameters is None:
            return name, {}
        if isinstance(parameters, dict):
            return name, dict(parameters)
        raise RecipeError(f"{place}: the parameters of {name!r} are {parameters!r}, expected keys and values")
    raise RecipeError(f"{place}: expected a stage's name, or one name with its parameters below it, found {entry!r}")


def _labels(entries: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    seen: dict[str, int] = {}
    labels = []
    for name, _ in entries:
        short = name.rpartition(":")[2]
        seen[short] = seen.get(short, 0) + 1
        labels.append(short if seen[short] == 1 else f"{short}_{seen[short]}")
    return labels


def _override(raw: dict[str, Any], entries: list[tuple[str, dict[str, Any]]], labels: list[str], override: str) -> None:
    target, equals, text = override.partition("=")
    if not equals:
        raise RecipeError(f"--set {override}: expected step.key=value")
    try:
        value = _plain_keep(YAML(typ="safe").load(io.StringIO(text)))
    except YAMLError as error:
        raise RecipeError(f"--set {override}: the value is not valid YAML") from error
    step, dot, key = target.rpartition(".")
    if step == "*":
        hits = [parameters for name, parameters in entries if key in _fields(name)]
        if not hits:
            raise RecipeError(f"--set {override}: no stage of the recipe has a key {key!r}")
        for parameters in hits:
            parameters[key] = value
    elif step in labels:
        entries[labels.index(step)][1][key] = value
    elif not dot and key in RecipeKeys.model_fields:
        raw[key] = value
    elif step in ("output", "failures", "resources", "report"):
        raw[step] = {**(raw.get(step) or {}), key: value}
    else:
        known = [*labels, "output", "failures", "resources", "report", *RecipeKeys.model_fields]
        raise RecipeError(f"--set {override}: the recipe has no step {step or key!r}{registry.nearest(step or key, known)}")


def _fields(name: str) -> Iterable[str]:
    return () if ":" in name else registry.find(name).model_fields


def _build(name: str, parameters: dict[str, Any], at: Any, place: str) -> Stage:
    prefix = f"{place}: " if place else ""
    try:
        kind: Any = registry.find_user_object(name) if ":" in name else registry.find(name)
    except RecipeError as error:
        raise RecipeError(f"{prefix}{error}") from error
    if not isinstance(kind, type):
        known = list(inspect.signature(kind).parameters)[1:]
        arguments = {key: value for key, value in parameters.items() if key != "writes"}
        if unknown := [key for key in arguments if key not in known]:
            raise RecipeError(
                f"{at((unknown[0],)) or prefix}: {name} has no argument {unknown[0]!r}{registry.nearest(unknown[0], known)}"
            )
        parameters, kind = {"function": name, "writes": parameters.get("writes", {}), "arguments": arguments}, Function
    try:
        stage: Stage = kind.model_validate(parameters)
    except ValidationError as error:
        raise RecipeError(_explain(error, kind, at, label=name)) from error
    return stage


def _explain(error: ValidationError, model: Any, at: Any, label: str = "") -> str:
    """All problems, one a line, each with its place and what was expected. Alternatives of a union count as one problem."""
    lines: dict[str, str] = {}
    for problem in error.errors():
        path = tuple(problem["loc"])
        key = next((part for part in path if isinstance(part, str)), "")
        place = at(path)
        if problem["type"] == "extra_forbidden":
            last = str(path[-1])
            owner = _owner(model, path[:-1])
            fields = owner.model_fields if owner is not None else {}
            message = f"there is no key {last!r}{registry.nearest(last, fields)}"
        elif problem["type"] == "missing":
            message = f"the key {path[-1]!r} is missing"
        else:
            message = f"{'.'.join(map(str, path)) + ': ' if path else ''}{problem['msg'].removeprefix('Value error, ')}"
        line = f"{place + ': ' if place else ''}{label + ': ' if label else ''}{message}"
        lines.setdefault(f"{place}{key}", line)
    return "\n".join(lines.values())


def _owner(model: Any, path: Sequence[Any]) -> Any:
    """The pydantic model that stands at `path` below `model`, or None."""
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        if field is None:
            return None
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((kind for kind in candidates if hasattr(kind, "model_fields")), None)
        if model is None:
            return None
    return model


def json_schema() -> dict[str, Any]:
    """JSON Schema of recipes, with every stage and its parameters, for completion in editors."""
    schema = RecipeKeys.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    entries: list[Any] = []
    for name in registry.names():
        stage = registry.find(name).model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(stage.pop("$defs", {}))
        definitions[f"stage_{name}"] = stage
        about = (stage.get("description") or "").partition("\n")[0]
        entries.append({"const": name, "description": about})
        parameters = {"$ref": f"#/$defs/stage_{name}"}
        entries.append({"type": "object", "properties": {name: parameters}, "required": [name], "additionalProperties": False})
    own = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
    entries.append({"type": "string", "pattern": own})
    entries.append({"type": "object", "patternProperties": {own: {"type": ["object", "null"]}}, "additionalProperties": False})
    schema["properties"]["stages"] = {"type": "array", "items": {"anyOf": entries}, "description": "stages in order"}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Sluice recipe"
    return schema
