"""What every stage must keep, as checks that run on any stage: ours in the tests, a user's by `sluice check`."""

import importlib.util
import io
import itertools
import pickle
import random
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from ruamel.yaml import YAML

from pipeline.filter_contracts import check_rules, check_unit
from pipeline.function import Function
from pipeline.specimens import HUGE, TEXTS, documents
from pipeline.trial import Broken, MemorySketches, MemoryVerdicts, Outcome, apply, brief
from schemas.columns import VERDICT
from schemas.errors import MissingExtra
from stages.core.stage import Expand, Filter, Global, Map, Stage


@dataclass(frozen=True)
class Check:
    """What came of one contract: `why` is empty if it is kept."""

    name: str
    passed: bool
    why: str = ""


def _columns(stage: Stage) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for node in stage.nodes() for column in _read(node)))


def _read(node: Stage) -> tuple[str, ...]:
    return node.columns_read() if not isinstance(node, Function) else ("text",)


def _nodes(stage: Stage, texts: tuple[str | None, ...] = TEXTS) -> Iterator[tuple[Stage, pa.Table]]:
    """Each node with the documents that reach it; for a set of several nodes, as the nodes before it leave them."""
    nodes = stage.nodes()
    own = {column for node in nodes for column in node.columns_written()}
    table = documents(texts, tuple(column for column in _columns(stage) if column not in own))
    for number, node in enumerate(nodes):
        yield node, table
        if number + 1 < len(nodes):
            table = _with_added(node, table) if isinstance(node, Global) else apply(node, table).table


def _with_added(node: Global, table: pa.Table) -> pa.Table:
    """The documents with the columns that a Global adds to them."""
    sketch = apply(node, table).table
    for name in ("source", "id"):
        sketch = sketch.append_column(name, table.column(name))
    sketch = sketch.append_column("row", pa.array(range(table.num_rows), pa.int32()))
    verdicts = MemoryVerdicts([table.num_rows], node.columns_written())
    node.solve(MemorySketches([sketch], [table]), verdicts)
    added = verdicts.values[0] if verdicts.values else None
    for name, kind in node.columns_written().items():
        column = pa.nulls(table.num_rows, kind) if added is None else added[name]
        table = table.append_column(name, column)
    return table


def _same(first: Outcome, second: Outcome, what: str) -> None:
    if first.parents != second.parents or first.gone != second.gone:
        raise Broken(f"{what}: other documents come out or are dropped")
    if not first.table.schema.equals(second.table.schema):
        raise Broken(f"{what}: columns are {brief(second.table.schema)} instead of {brief(first.table.schema)}")
    for name in first.table.column_names:
        # through Python, as -0.0 and 0.0 or other encodings of a dictionary are the same answer
        left, right = first.table.column(name).to_pylist(), second.table.column(name).to_pylist()
        if left != right:
            row = next((at for at, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), len(left))
            shown = f"{str(left[row])[:60]!r} and {str(right[row])[:60]!r}" if row < min(len(left), len(right)) else "lengths"
            raise Broken(f"{what}: column {name!r} differs at row {row}: {shown}")


def _joined(pieces: Sequence[Outcome]) -> Outcome:
    starts = [piece for piece in pieces if piece.table.num_rows or piece.gone] or list(pieces[:1])
    return Outcome(
        pa.concat_tables([piece.table for piece in starts]),
        [row for piece in pieces for row in piece.parents],
        [gone for piece in pieces for gone in piece.gone],
    )


def _cuts(rows: int) -> Iterator[tuple[str, list[int]]]:
    yield "documents one by one", list(range(rows + 1))
    chance = random.Random(7)
    for _ in range(3):
        yield "the same documents in other batches", [0, *sorted(chance.sample(range(1, rows), 5)), rows]


def check_documented(stage: Stage) -> None:
    """The class has a docstring and each parameter a description."""
    kind = type(stage)
    if not (kind.__dict__.get("__doc__") or "").strip():
        raise Broken(f"class {kind.__name__} has no docstring; its first line is what `sluice list` shows")
    for key, info in kind.model_fields.items():
        if not info.description and key != "gate":
            raise Broken(f"the parameter {key!r} has no description: write Field(..., description=...)")


def check_yaml(stage: Stage) -> None:
    """Parameters written to a recipe and read again give the same stage."""
    text = io.StringIO()
    YAML(typ="safe").dump(stage.model_dump(mode="json"), text)
    again = type(stage).model_validate(YAML(typ="safe").load(io.StringIO(text.getvalue())))
    if again != stage:
        raise Broken(f"{stage!r} comes back from YAML as {again!r}")


def check_reads(stage: Stage) -> None:
    """The stage needs only the columns that `columns_read` names."""
    for node, table in _nodes(stage):
        if isinstance(node, Function):
            continue
        if missing := set(node.columns_read()) - set(table.column_names):
            raise Broken(f"columns_read names {min(missing)!r}, which no earlier node wrote")
        whole = apply(node, table)
        try:
            narrow = apply(node, table.select(list(node.columns_read())))
        except KeyError as error:
            raise Broken(f"it reads a column that columns_read does not name: {error.args[0]}") from error
        shared = [name for name in narrow.table.column_names if name in whole.table.column_names]
        _same(
            Outcome(whole.table.select(shared), whole.parents),
            Outcome(narrow.table.select(shared), narrow.parents),
            "with only the columns of columns_read",
        )


def check_writes(stage: Stage) -> None:
    """Columns of `columns_written` appear with their types; every other column is left as it was."""
    for node, table in _nodes(stage):
        if isinstance(node, Filter | Global):
            if isinstance(node, Filter) and node.columns_written():
                raise Broken("a Filter adds no columns; columns_written must be empty")
            continue
        outcome = apply(node, table)
        result, written = outcome.table, node.columns_written()
        expected = {**{name: table.schema.field(name).type for name in table.column_names}, **written}
        found = {column.name: column.type for column in result.schema}
        if found != expected:
            name = min(name for name in {*found, *expected} if found.get(name) != expected.get(name))
            was, wanted = found.get(name, "missing"), expected.get(name, "not there: columns_written does not name it")
            raise Broken(f"column {name!r} is {was}, expected {wanted}")
        rows = outcome.parents if isinstance(node, Expand | Function) else list(range(table.num_rows))
        source = table.take(pa.array(rows, pa.int64()))
        fixed = [name for name in table.column_names if name not in written and name != "text"]
        if isinstance(node, Expand):
            fixed.remove("id")
        fixed += ["text"] if isinstance(node, Map) and "text" not in written else []
        if not isinstance(node, Function):
            _same(Outcome(source.select(fixed)), Outcome(result.select(fixed)), "a column that columns_written does not name")


def check_batches(stage: Stage) -> None:
    """The answer does not depend on how documents are cut into batches."""
    for node, table in _nodes(stage):
        opened = node.open()  # type: ignore[attr-defined]
        whole = apply(node, table, opened)
        for what, cuts in _cuts(table.num_rows):
            pieces = [
                apply(node, table.slice(start, end - start), opened).shifted(start) for start, end in itertools.pairwise(cuts)
            ]
            if odd := [piece.table.schema for piece in pieces if not piece.table.schema.equals(whole.table.schema)]:
                raise Broken(f"{what}: columns are {brief(odd[0])} instead of {brief(whole.table.schema)}")
            _same(whole, _joined(pieces), what)


def check_threads(stage: Stage) -> None:
    """Several threads may call the opened stage at once."""
    for node, table in _nodes(stage):
        opened = node.open()  # type: ignore[attr-defined]
        whole = apply(node, table, opened)
        with ThreadPoolExecutor(4) as pool:
            for outcome in pool.map(lambda _, n=node, t=table, o=opened: apply(n, t, o), range(8)):
                _same(whole, outcome, "called by several threads")


def check_empty(stage: Stage) -> None:
    """A batch without documents gives an empty answer of the same form."""
    for node, table in _nodes(stage):
        empty, whole = apply(node, table.slice(0, 0)), apply(node, table)
        if empty.table.num_rows:
            raise Broken(f"a batch without documents gave {empty.table.num_rows} rows")
        if not empty.table.schema.equals(whole.table.schema):
            raise Broken(f"for an empty batch columns are {brief(empty.table.schema)}, else {brief(whole.table.schema)}")


def check_nulls(stage: Stage) -> None:
    """A text that is null counts as an empty one."""
    nulls: tuple[str | None, ...] = (None, "text", None, "")
    if any(isinstance(node, Function) for node in stage.nodes()):
        return  # a function never sees a null text: readers give none
    for (node, table), (_, filled) in zip(_nodes(stage, nulls), _nodes(stage, ("", "text", "", "")), strict=True):
        outcome = apply(node, table)
        if isinstance(node, Filter | Global):
            _same(apply(node, filled), outcome, "a null text beside an empty one")


def check_huge(stage: Stage) -> None:
    """Texts of 1 MB pass."""
    for node, table in _nodes(stage, ("short", *HUGE)):
        apply(node, table)


def check_pickling(stage: Stage) -> None:
    """A copy sent to another process is equal and gives the same answer."""
    try:
        copy = pickle.loads(pickle.dumps(stage))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise Broken(f"it cannot be pickled: {error}") from error
    if copy != stage:
        raise Broken("its pickled copy is not equal to it")
    for (node, table), (other, _) in zip(_nodes(stage), _nodes(copy), strict=True):
        _same(apply(node, table), apply(other, table), "the pickled copy")


def check_input(stage: Stage) -> None:
    """The batch it is given is left as it was, bit for bit."""
    for node, table in _nodes(stage):
        before = _bits(table)
        apply(node, table)
        if _bits(table) != before:
            raise Broken("it changed the batch it was given; other stages read the same memory")


def _bits(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def check_solve(stage: Stage) -> None:
    """Verdicts do not depend on parts, and a named survivor survives."""
    for node, table in _nodes(stage):
        if not isinstance(node, Global):
            continue
        everything = list(range(table.num_rows))
        first = _solve(node, table, [everything])
        chance = random.Random(11)
        cuts = [0, *sorted(chance.sample(everything[1:], 4)), len(everything)]
        ways = {
            "one document in each part": [[row] for row in everything],
            "other parts, one of them empty": [[], *(everything[a:b] for a, b in itertools.pairwise(cuts))],
            "documents dealt to three parts in turn": [everything[start::3] for start in range(3)],
        }
        if node.cuts:  # it may go by the order of the input
            del ways["documents dealt to three parts in turn"]
        for what, parts in ways.items():
            if (other := _solve(node, table, parts)) != first:
                key = min(key for key in {*first, *other} if first.get(key) != other.get(key))
                raise Broken(f"{what}: the verdict on {key} is {other.get(key)} instead of {first.get(key)}")
        for key, verdict in first.items():
            survivor = verdict[5:7]  # a cut has none
            if survivor and survivor[1] is not None and survivor in first:
                raise Broken(f"{key} is dropped for {survivor}, which is dropped itself")
        _solve(node, table, [])


def _solve(node: Global, table: pa.Table, parts: list[list[int]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Verdict by (source, id), what is cut by (source, id, start), values by (source, id)."""
    pieces, documents = [], [table.take(pa.array(rows, pa.int64())) for rows in parts]
    for rows, piece in zip(parts, documents, strict=True):
        sketch = apply(node, piece).table
        for name in ("source", "id"):
            sketch = sketch.append_column(name, piece.column(name))
        pieces.append(sketch.append_column("row", pa.array(range(len(rows)), pa.int32())))
    verdicts = MemoryVerdicts([len(rows) for rows in parts], node.columns_written())
    facts = node.solve(MemorySketches(pieces, documents), verdicts)
    if not isinstance(facts, dict):
        raise Broken(f"solve returned {type(facts).__name__}, expected a dict of facts")
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for part, answer in verdicts.tables.items():
        for row in answer.to_pylist():
            at = parts[part][row["row"]]
            found[table["source"][at].as_py(), table["id"][at].as_py()] = tuple(row[name] for name in VERDICT.names[1:])
    for part, cuts in verdicts.cuts.items():
        for row in cuts.to_pylist():
            at = parts[part][row["row"]]
            found[table["source"][at].as_py(), table["id"][at].as_py(), row["start"]] = (row["stop"], row["type"])
    for part, values in verdicts.values.items():
        for row in values.to_pylist():
            at = parts[part][row.pop("row")]
            found[table["source"][at].as_py(), table["id"][at].as_py(), "values"] = (row,)
    for part, copies in verdicts.copies.items():
        for row in copies.to_pylist():
            at = parts[part][row["row"]]
            found[table["source"][at].as_py(), table["id"][at].as_py(), "copies"] = (row["copies"],)
    return found


CHECKS: dict[str, Callable[[Stage], None]] = {
    "documented": check_documented,
    "parameters survive YAML": check_yaml,
    "reads what it declares": check_reads,
    "writes what it declares": check_writes,
    "same answer for any batches": check_batches,
    "same answer from several threads": check_threads,
    "empty batch": check_empty,
    "null text": check_nulls,
    "huge text": check_huge,
    "survives pickling": check_pickling,
    "leaves its input alone": check_input,
    "rules fit measures and parameters": check_rules,
    "declares its unit": check_unit,
    "verdicts do not depend on parts": check_solve,
}


def check(stage: Stage) -> list[Check]:
    """Every contract that applies to the stage. Raises `MissingExtra` if it cannot run here."""
    for node in stage.nodes():
        extras = [(module, extra) for module, extra in node.requirements() if importlib.util.find_spec(module) is None]
        if extras:
            raise MissingExtra(f"{stage.name()} needs {extras[0][0]!r}: pip install 'sluice[{extras[0][1]}]'")
    return [_run(name, test, stage) for name, test in CHECKS.items() if _applies(name, stage)]


def _applies(name: str, stage: Stage) -> bool:
    kinds = {
        "rules fit measures and parameters": Filter,
        "declares its unit": Filter,
        "verdicts do not depend on parts": Global,
    }
    kind = kinds.get(name, Stage)
    return any(isinstance(node, kind) for node in stage.nodes())


def _run(name: str, test: Callable[[Stage], None], stage: Stage) -> Check:
    try:
        test(stage)
    except Broken as error:
        return Check(name, False, str(error))
    except Exception as error:  # whatever a user's stage raises is a finding, not an end of the checks
        place = traceback.extract_tb(error.__traceback__)[-1]
        return Check(name, False, f"it raised {type(error).__name__}: {error} ({place.filename}:{place.lineno})")
    return Check(name, True)
