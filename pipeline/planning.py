"""From a recipe and its inputs to segments: what will run, on what, and what is there already. Nothing is read but footers."""

import importlib.metadata
import importlib.util
import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import registry
from pipeline.batches import document_schema
from pipeline.curriculum import CurriculumOrder
from pipeline.function import Function
from pipeline.origins import ORIGIN, multiplies
from pipeline.percentiles import PercentileLimits
from pipeline.read_warc import web_columns
from pipeline.readers import Reader, Selection
from pipeline.recipe import Recipe, load, make_stage
from pipeline.segment import Node, ParentSegment, Segment, SolveFolder, committed_parts, digest, file_digest, unfinished
from pipeline.sources import InputFile, LeftOut, list_files, mapped_columns
from pipeline.steps import group_nodes
from pipeline.units import Unit, cut, part_bytes
from pipeline.verdicts import solved
from schemas.columns import COPY, TOKEN_COUNT
from schemas.errors import MissingExtra, RecipeError
from schemas.recipe import Input, Output
from schemas.rule import Percentile, Table
from stages.core.stage import Filter, Global, Stage

RecipeLike = str | Path | Mapping[str, Any] | Recipe


def version() -> str:
    """Sluice's version."""
    try:
        return importlib.metadata.version("sluice")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do."""

    recipe: Recipe
    inputs: tuple[Input, ...]
    files: tuple[InputFile, ...]
    left_out: tuple[LeftOut, ...]
    units: tuple[Unit, ...]
    segments: tuple[Segment, ...]
    fingerprint: str
    models: dict[str, str]

    @property
    def columns(self) -> list[str]:
        """Columns of the training set."""
        return list(output_schema(self.segments[-1].schema).names)

    def describe(self) -> dict[str, Any]:
        """JSON-ready: inputs, columns, segments with their fingerprints, and what would be reused."""
        segments = []
        for segment in self.segments:
            done = len(committed_parts(segment.folder))
            planned = len(self.units) if segment.parent is None else None
            open_units = len(unfinished(self.units, segment.folder)) if segment.parent is None else None
            segments.append(
                {
                    "index": segment.index,
                    "fingerprint": segment.fingerprint,
                    "folder": segment.folder,
                    "steps": [
                        {"step": node.label, "stage": node.stage.name(), "kind": kind_of(node.stage)}
                        for node in (*segment.nodes, *segment.globals)
                    ],
                    "columns": [f"{field.name}: {field.type}" for field in segment.schema],
                    "units": planned,
                    "units_to_do": open_units,
                    "parts_done": done,
                    "solved": [solved(segment, index) is not None for index in range(len(segment.globals))],
                }
            )
        return {
            "name": self.recipe.keys.name,
            "fingerprint": self.fingerprint,
            "inputs": [
                {"path": file.path, "source": file.source, "format": file.format, "bytes": file.size, "rows": file.rows}
                for file in self.files
            ],
            "left_out": [{"path": item.path, "reason": item.reason} for item in self.left_out],
            "units": len(self.units),
            "text_bytes_about": sum(unit["bytes"] for unit in self.units),
            "columns": self.columns,
            "segments": segments,
        }


def plan(
    recipe: RecipeLike,
    *,
    input: Any = None,
    output: str | Path | None = None,
    set: Iterable[str] = (),
    limit: int | None = None,
    sample: float | None = None,
    ids: Sequence[str] = (),
    segments: str | Path | None = None,
) -> Plan:
    """Check a recipe against its inputs and say what would run. See `pipeline.run` for the parameters."""
    loaded = recipe if isinstance(recipe, Recipe) else load(recipe, set)
    inputs = _inputs(loaded, input)
    files, left_out = list_files(inputs)
    registry.check_ownership()
    selection = Selection(limit=limit, sample=sample, ids=tuple(ids), seed=loaded.keys.seed)
    resources = loaded.keys.resources
    size = resources.part_bytes or part_bytes(files)
    units = cut(files, size)
    schema = document_schema(web_columns(files) | mapped_columns(inputs))
    reader = Reader(tuple(files), inputs, schema, resources.batch_bytes, resources.max_document_bytes, selection)
    folder = Path(segments) if segments else segments_folder(output)
    start = {
        "sluice": version(),
        "files": [
            (os.path.realpath(file.path), file.relative, file.source, file.size, file.modified, file.input) for file in files
        ],
        "inputs": [entry.model_dump(mode="json", exclude={"path"}) for entry in inputs],
        "part_bytes": size,
        "max_document_bytes": resources.max_document_bytes,
        "selection": selection.as_json(),
    }
    built, models = _segments(loaded, digest(start), folder, reader, schema, size)
    fingerprint = digest([built[-1].fingerprint, loaded.keys.output.model_dump(mode="json")])
    return Plan(loaded, inputs, tuple(files), tuple(left_out), tuple(units), tuple(built), fingerprint, models)


def segments_folder(output: str | Path | None) -> Path:
    """Where runs that stand side by side share their segments."""
    return (Path(output).resolve().parent if output else Path("runs").resolve()) / ".sluice" / "segments"


def _inputs(recipe: Recipe, given: Any) -> tuple[Input, ...]:
    """The recipe's inputs, or the paths given in their place; one input of the recipe lends its mapping to them."""
    if given is None or given == () or given == []:
        if not recipe.keys.input:
            raise RecipeError(f"{recipe.file or 'recipe'}: there is no input: give `input:` in the recipe, or --input PATH")
        return recipe.keys.input
    paths = [given] if isinstance(given, str | Path) else list(given)
    template = recipe.keys.input[0] if len(recipe.keys.input) == 1 else Input(path="")
    return tuple(
        path
        if isinstance(path, Input)
        else template.model_copy(update={"path": str(path), "source": None if len(paths) > 1 else template.source})
        for path in paths
    )


def _segments(
    recipe: Recipe, fingerprint: str, folder: Path, reader: Reader, schema: pa.Schema, size: int
) -> tuple[list[Segment], dict[str, str]]:
    nodes = _nodes(recipe, folder.parent / "answers")
    models = {path: file_digest(path) for path in dict.fromkeys(path for node in nodes for path in _files(node))}
    output, keys = recipe.keys.output, recipe.keys
    after = schema
    segments: list[Segment] = []
    pieces = _pieces(nodes)
    for index, (own, globals_) in enumerate(pieces):
        last = index == len(pieces) - 1
        schema_now = _checked_schema(after, own)
        after = _checked_schema(schema_now, globals_)
        seed = keys.seed if last and output.order != "source" else None
        parts: list[Any] = [
            fingerprint,
            [_spec(node, models) for node in own],
            [_sketch_spec(node, models) for node in globals_],
        ]
        if keys.failures.on_error == "stop":
            parts.append("stop")
        if last:
            parts += ["last", seed, _piece_bytes(output), output.shard_rows]
        fingerprint = digest(parts)
        decided = [digest([_solve_spec(node, models) for node in globals_[: number + 1]]) for number in range(len(globals_))]
        previous = segments[-1] if segments else None
        segments.append(
            Segment(
                index=index,
                fingerprint=fingerprint,
                folder=str(folder / fingerprint[:24]),
                nodes=tuple(own),
                globals=tuple(globals_),
                solves=tuple(f"{number}-{each[:12]}" for number, each in enumerate(decided)),
                reader=None if previous else reader,
                parent=_as_parent(previous) if previous else None,
                schema=schema_now,
                failures=keys.failures,
                chunk_bytes=size,
                is_last=last,
                order_seed=seed,
                piece_bytes=min(SOURCE_PIECE_BYTES, _piece_bytes(output)),
                piece_rows=max(1, output.shard_rows // 4) if output.shard_rows else None,
                user_folder=str(Path.cwd()) if any(_is_foreign(node.stage) for node in nodes) else None,
            )
        )
        fingerprint = digest([fingerprint, *decided[-1:]])
    return segments, models


def _as_parent(segment: Segment) -> ParentSegment:
    solves = [
        SolveFolder(node.label, segment.solve_folder(index), pa.schema(list(stage.columns_written().items())), stage.repeats)
        for index, node in enumerate(segment.globals)
        if isinstance(stage := node.stage, Global)
    ]
    return ParentSegment(segment.folder, tuple(solves))


def _nodes(recipe: Recipe, answers: Path) -> list[Node]:
    """All steps flat, seeds and the folder for models' answers filled in, tokens counted at the end; needs are checked."""
    nodes = []
    for step in recipe.steps:
        stage = step.stage
        if "seed" in type(stage).model_fields and getattr(stage, "seed", 0) is None:
            seed = int(digest([recipe.keys.seed, step.label])[:15], 16)
            stage = stage.model_copy(update={"seed": seed})
        if "cache" in type(stage).model_fields:
            stage = stage.model_copy(update={"cache": str(Path(getattr(stage, "cache", None) or answers).absolute())})
        _check_available(stage, step.place, step.label)
        nodes += [Node(step.label, node, number, step.place) for number, node in enumerate(stage.nodes())]
    if not any(step.stage.name() == "count_tokens" for step in recipe.steps):
        tokens = make_stage("count_tokens", {"tokenizer": recipe.keys.tokenizer} if recipe.keys.tokenizer else {})
        _check_available(tokens, f"{recipe.file or 'recipe'}: tokenizer", "count_tokens")
        nodes.append(Node("count_tokens", tokens))
    output = recipe.keys.output
    if output.by is not None:
        order = CurriculumOrder(by=output.by, descending=output.descending, order_seed=recipe.keys.seed)
        nodes.append(Node("curriculum", order, place=f"{recipe.file or 'recipe'}: output.by"))
    return nodes


def _check_available(stage: Stage, place: str, label: str) -> None:
    for module, extra in stage.requirements():
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(f"{place}: {label} needs the package {module!r}: pip install 'sluice[{extra}]'")
    for path in stage.files():
        if not os.path.isfile(path):
            siblings = os.listdir(os.path.dirname(path) or ".") if os.path.isdir(os.path.dirname(path) or ".") else []
            raise RecipeError(f"{place}: {label}: no such file {path!r}{registry.nearest(os.path.basename(path), siblings)}")


def _pieces(nodes: Sequence[Node]) -> list[tuple[list[Node], list[Node]]]:
    """Nodes cut into segments: each ends with the Globals that stand next to each other, or with one that changes documents."""
    pieces: list[tuple[list[Node], list[Node]]] = [([], [])]
    for group in group_nodes(nodes):
        own, globals_ = pieces[-1]
        if isinstance(group[0].stage, Global):
            if globals_ and isinstance(globals_[-1].stage, Global) and globals_[-1].stage.changes_documents():
                globals_ = []
                pieces.append(([], globals_))
            globals_.append(group[0])
            continue
        if globals_:
            own, globals_ = [], []
            pieces.append((own, globals_))
        own += group
        for node in group:
            if isinstance(node.stage, Filter) and node.stage.percentile_rules():
                globals_.append(Node(f"{node.label}_percentile", PercentileLimits(filter=node.stage)))
    if pieces[-1][1]:
        pieces.append(([], []))
    return pieces


def _checked_schema(schema: pa.Schema, nodes: Sequence[Node]) -> pa.Schema:
    """Columns after these steps. Raises if a step reads a column that is not there."""
    fields = {field.name: field for field in schema}
    for node in nodes:
        for column in _reads(node.stage):
            if column not in fields:
                place = f"{node.place}: " if node.place else ""
                writers = _writers(column)
                hint = f"; {' or '.join(writers)} writes it: put it before" if writers else registry.nearest(column, fields)
                raise RecipeError(f"{place}{node.label} reads the column {column!r}, which nothing before it writes{hint}")
        if multiplies(node.stage):
            fields[ORIGIN] = pa.field(ORIGIN, pa.int32())
        for column, kind in node.stage.columns_written().items():
            if column in ("id", "source"):
                raise RecipeError(f"{node.label} writes {column!r}; a document keeps its id and source")
            fields[column] = pa.field(column, kind, column not in ("text", "token_count", COPY.name))
    return pa.schema(list(fields.values()))


def _reads(stage: Stage) -> list[str]:
    limits = [rule.limit for rule in stage.rules()] if isinstance(stage, Filter) else []
    return [*stage.columns_read(), *(limit.by for limit in limits if isinstance(limit, Table | Percentile) and limit.by)]


@lru_cache(maxsize=64)
def _writers(column: str) -> list[str]:
    """Names of our stages that write a column, as far as they can be made without parameters."""
    found = []
    for name in registry.names():
        try:
            stage = make_stage(name)
        except RecipeError:
            continue
        if any(column in node.columns_written() for node in stage.nodes()):
            found.append(name)
    return found


def _files(node: Node) -> tuple[str, ...]:
    stage = node.stage.filter if isinstance(node.stage, PercentileLimits) else node.stage
    return stage.files()


def _is_foreign(stage: Stage) -> bool:
    return isinstance(stage, Function) or type(stage).__module__.partition(".")[0] not in ("stages", "filters", "pipeline")


def _spec(node: Node, models: dict[str, str]) -> Any:
    """What of a step decides its answer: name, version, parameters, contents of its files, and the source of a user's code."""
    stage = node.stage
    spec: dict[str, Any] = {
        "label": node.label,
        "stage": f"{type(stage).__module__}:{type(stage).__qualname__}",
        "version": stage.version,
        "parameters": stage.deciding_parameters(),
        "files": [models[path] for path in _files(node)],
    }
    if isinstance(stage, PercentileLimits):
        spec["filter"] = _spec(replace(node, stage=stage.filter), models)
    if _is_foreign(stage) and not isinstance(stage, Function):
        spec["source"] = file_digest(inspect.getfile(type(stage)))
    return spec


def _sketch_spec(node: Node, models: dict[str, str]) -> Any:
    """What of a Global decides its sketches."""
    assert isinstance(node.stage, Global)
    return {**_spec(node, models), "parameters": node.stage.sketch_parameters()}


def _solve_spec(node: Node, models: dict[str, str]) -> Any:
    """All that decides a Global's answer, besides its sketches."""
    assert isinstance(node.stage, Global)
    by = node.stage.decided_by()
    return _spec(node, models) if by is None else {**_spec(node, models), "decided_by": by}


def kind_of(stage: Stage) -> str:
    """`map`, `expand`, `filter`, `global` or `function`."""
    if isinstance(stage, Function):
        return "function"
    bases = {"Map": "map", "Expand": "expand", "Filter": "filter", "Global": "global"}
    return next((bases[kind.__name__] for kind in type(stage).__mro__ if kind.__name__ in bases), "stage")


def output_schema(schema: pa.Schema) -> pa.Schema:
    """Columns of the training set: helper columns (beginning with `_`) are left out, `token_count` and `extra` stand last."""
    fields = [field for field in schema if not field.name.startswith("_") and field.name not in ("extra", "token_count")]
    extra = [field for field in schema if field.name == "extra"]
    return pa.schema([*fields, TOKEN_COUNT.remove_metadata(), *extra])


SOURCE_PIECE_BYTES = 4_000_000
"""Where the sources' order is kept, a part is written in pieces of at most this, so that shards come out alike."""


def _piece_bytes(output: Output) -> int:
    """Text of one piece of the output: half a row group, and small enough that four or more make a shard."""
    return max(1, min(output.row_group_bytes // 2, output.shard_bytes // 4))


def bins_for(total_bytes: int, total_rows: int, plan: Plan) -> int:
    """Ranges of keys in which the last segment sorts its documents: a power of two, two or more a row group, at most 4096."""
    output = plan.recipe.keys.output
    wanted = total_bytes / _piece_bytes(output)
    if output.shard_rows:
        wanted = max(wanted, 4 * total_rows / output.shard_rows)
    bins = 1
    while bins < wanted and bins < 4096:
        bins *= 2
    return bins
