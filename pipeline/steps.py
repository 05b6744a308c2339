"""The steps of a segment on one batch: what stays, what is dropped by which rules, what failed."""

import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.batches import byte_lengths
from pipeline.function import Function
from pipeline.judge import Broken, judge
from pipeline.origins import ORIGIN, distinct, multiplies, with_origins
from pipeline.outcome import Dropped, Edits, Failed, Lineage, Measured, Outcome
from pipeline.segment import Node
from pipeline.step_checks import check_edits, check_measures, check_parents, check_rewritten, document_error
from pipeline.tally import Tally, add
from schemas.edits import NO_PLACE
from schemas.errors import StageError
from schemas.rule import Rule
from stages.core.docs import Docs
from stages.core.stage import Edited, Expand, Filter, Global, Map, Measures, Processed


class Steps:
    """The opened stages of a segment. Made once in a worker; called on batches by several threads."""

    def __init__(self, nodes: Sequence[Node], globals_: Sequence[Node]) -> None:
        self.groups = group_nodes(nodes)
        self.globals = list(globals_)
        self._open: dict[int, Callable[..., Any]] = {id(node): open_stage(node) for node in (*nodes, *globals_)}
        self._known = {id(node): node.stage.validated_for() for node in nodes if isinstance(node.stage, Filter)}

    def run(self, table: pa.Table, rows: np.ndarray, tally: Tally, stop_on_error: bool) -> Outcome:
        """All steps on one batch. `rows` numbers the documents in the part's input; children share their parent's number."""
        outcome = Outcome(table, rows, [], [], [], [], [], [])
        for group in self.groups:
            if isinstance(group[0].stage, Filter):
                self._judge(group, outcome, tally, stop_on_error)
            else:
                self._rewrite(group[0], outcome, tally, stop_on_error)
        self._sketch(outcome, tally, stop_on_error)
        return outcome

    def _sketch(self, outcome: Outcome, tally: Tally, stop_on_error: bool) -> None:
        docs = Docs(outcome.table)
        for node in self.globals:
            started = time.perf_counter()
            try:
                outcome.sketches.append(self._sketch_one(node, docs))
            except StageError:  # the stage broke its contract: no document's fault
                raise
            except Exception as error:
                self._set_aside(node, self.globals, outcome, tally, stop_on_error, error, partial(self._sketch_table, node))
                outcome.sketches.clear()
                return self._sketch(outcome, tally, stop_on_error)
            tally.step(node.key)["seconds"] += time.perf_counter() - started
        return None

    def _sketch_one(self, node: Node, docs: Docs) -> pa.Table:
        stage = node.stage
        assert isinstance(stage, Global)
        sketch = self._open[id(node)](docs)
        if sketch.num_rows != len(docs) or not sketch.schema.equals(stage.sketch_schema()):
            raise StageError(
                f"{node.label}: its sketch has {sketch.num_rows} rows for {len(docs)} documents, or another schema"
            )
        return sketch

    def _sketch_table(self, node: Node, table: pa.Table) -> None:
        self._sketch_one(node, Docs(table))

    def _measure_table(self, node: Node, table: pa.Table) -> None:
        self._open[id(node)](Docs(table))

    def _judge(self, group: Sequence[Node], outcome: Outcome, tally: Tally, stop_on_error: bool) -> None:
        table = outcome.table
        docs = Docs(table)
        judged: list[tuple[Node, Measures]] = []
        broken: list[Broken] = []
        for node in group:
            stage = node.stage
            assert isinstance(stage, Filter)
            started = time.perf_counter()
            try:
                measures = self._open[id(node)](docs)
            except StageError:  # the stage broke its contract: no document's fault
                raise
            except Exception as error:
                self._set_aside(node, group, outcome, tally, stop_on_error, error, partial(self._measure_table, node))
                return self._judge(group, outcome, tally, stop_on_error)
            check_measures(node.label, stage, measures, len(docs))
            judged.append((node, measures))
            broken.extend(judge(node.label, stage.rules(), measures, table))
            tally.step(node.key)["seconds"] += time.perf_counter() - started
        first = first_broken(broken, table.num_rows)
        self._count_group(group, broken, first, outcome, tally)
        values = {f"{node.label}.{name}": np.asarray(column) for node, measures in judged for name, column in measures.items()}
        outcome.measured.append(Measured(table, outcome.rows, values, judged, broken))
        dropped = first >= 0
        if dropped.any():
            at = np.cumsum(dropped) - 1
            moved = [Broken(b.step, b.rule, at[b.rows], b.values, b.limits) for b in broken]
            gone = table.select(["source", "id"]).filter(pa.array(dropped))
            sizes = byte_lengths(table.column("text"))[dropped]
            outcome.dropped.append(Dropped(gone, sizes, outcome.rows[dropped], moved))
            outcome.table = table.filter(pa.array(~dropped))
            outcome.rows = outcome.rows[~dropped]
        return None

    def _count_group(
        self, group: Sequence[Node], broken: Sequence[Broken], first: np.ndarray, outcome: Outcome, tally: Tally
    ) -> None:
        """A document that a group drops counts as dropped by the step of its first reason; later steps do not count it in."""
        origins, sizes = outcome.origins(), byte_lengths(outcome.table.column("text"))
        times = np.zeros(len(first), np.int32)
        for item in broken:
            times[item.rows] += 1
        alive = np.ones(len(first), bool)
        for node in group:
            counts = tally.step(node.key)
            counts["measured"] += len(first)
            tally.other_languages(node.key, outcome.table, self._known[id(node)])
            entered = distinct(origins[alive])
            add(counts["in"], entered, sizes[alive].sum())
            for number, item in enumerate(broken):
                if item.step != node.label:
                    continue
                rule = tally.rule(node.key, item.rule.name)
                firsts = item.rows[first[item.rows] == number]
                rule["broken"] += len(item.rows)
                rule["first"] += len(firsts)
                rule["only"] += int((times[item.rows] == 1).sum())
                add(counts["dropped"], 0, sizes[firsts].sum())
                alive[firsts] = False
            left = distinct(origins[alive])
            add(counts["dropped"], entered - left, 0)
            add(counts["out"], left, sizes[alive].sum())

    def _rewrite(self, node: Node, outcome: Outcome, tally: Tally, stop_on_error: bool) -> None:
        table, started = outcome.table, time.perf_counter()
        try:
            result = self._open[id(node)](table)
        except StageError:  # the stage broke its contract: no document's fault
            raise
        except Exception as error:
            self._set_aside(node, [node], outcome, tally, stop_on_error, error, self._open[id(node)])
            return self._rewrite(node, outcome, tally, stop_on_error)
        counts = tally.step(node.key)
        origins, parents, how = outcome.origins(), np.arange(table.num_rows), ()
        add(counts["in"], distinct(origins), byte_lengths(table.column("text")).sum())
        if isinstance(result, Processed):
            parents = np.asarray(result.parents, np.int64)
            self._take_processed(node, result, outcome, tally, stop_on_error)
            counts["added"] += len(parents) - len(np.unique(parents))
            result, how = result.table, result.lineage
        elif isinstance(node.stage, Expand):
            result, parents = result
            check_parents(node.label, parents, table.num_rows)
            counts["added"] += len(parents) - table.num_rows
        else:
            if isinstance(result, Edited):
                self._take_edits(node, result, outcome, tally)
                result = result.table
            check_rewritten(node.label, table, result)
        if ORIGIN in table.column_names or multiplies(node.stage):
            result = with_origins(result, origins[parents])
        outcome.table = self._conform(node, table, result)
        self._take_lineage(node, table, parents, how, outcome)
        outcome.rows = outcome.rows[parents]
        counts["edited"] += self._edited(table, outcome.table, parents)
        add(counts["out"], distinct(origins[parents]), byte_lengths(outcome.table.column("text")).sum())
        counts["seconds"] += time.perf_counter() - started
        return None

    def _take_lineage(
        self, node: Node, before: pa.Table, parents: np.ndarray, how: Sequence[str | None], outcome: Outcome
    ) -> None:
        """Of the rows that have other ids than the documents they come from."""
        if not isinstance(node.stage, Expand | Function):
            return
        ids = before.column("id").take(pa.array(parents))
        at = np.flatnonzero(pc.not_equal(outcome.table.column("id"), ids).to_numpy())
        if len(at):
            told = outcome.table.select(["source", "id"]).append_column("parent", ids).take(pa.array(at))
            outcome.lineage.append(
                Lineage(node.label, told, outcome.rows[parents[at]], [how[row] if how else None for row in at.tolist()])
            )

    def _take_edits(self, node: Node, edited: Edited, outcome: Outcome, tally: Tally) -> None:
        check_edits(node.label, edited, outcome.table.num_rows)
        documents = outcome.table.select(["source", "id"]).take(pa.array(edited.row))
        outcome.edits.append(Edits(node.label, documents, outcome.rows[edited.row], edited))
        edits: dict[str, int] = tally.step(node.key)["edits"]
        numbers = np.where(np.asarray(edited.offset) == NO_PLACE, edited.length, 1).tolist()
        for name, number in zip(edited.type, numbers, strict=True):
            edits[name] = edits.get(name, 0) + number

    def _take_processed(self, node: Node, result: Processed, outcome: Outcome, tally: Tally, stop_on_error: bool) -> None:
        """Drops and failures of a user's function. A document with a child left is none of them."""
        table, counts, origins = outcome.table, tally.step(node.key), outcome.origins()
        sizes, parents = byte_lengths(table.column("text")), np.asarray(result.parents, np.int64)
        alive = origins[parents]
        if result.failed and stop_on_error:
            row, error, trace = result.failed[0]
            raise document_error(node.label, table, row, error, trace) from error
        if result.failed:
            at = np.array([row for row, _, _ in result.failed])
            errors = [(type(error).__name__, str(error), trace) for _, error, trace in result.failed]
            outcome.failed.append(Failed(node.label, table.take(at), outcome.rows[at], errors))
            add(counts["quarantined"], distinct(np.setdiff1d(origins[at], alive)), sizes[np.setdiff1d(at, parents)].sum())
            alive = np.concatenate([alive, origins[at]])
        if result.dropped:
            at = np.array([row for row, _ in result.dropped])
            gone = table.select(["source", "id"]).take(at)
            outcome.dropped.append(Dropped(gone, sizes[at], outcome.rows[at], reasons_of(node.label, result.dropped)))
            add(counts["dropped"], distinct(np.setdiff1d(origins[at], alive)), sizes[at].sum())
            for _, reason in result.dropped:
                rule = tally.rule(node.key, reason.reason)
                for key in rule:
                    rule[key] += 1

    def _conform(self, node: Node, before: pa.Table, after: pa.Table) -> pa.Table:
        """The table with exactly the declared columns, in order: those before, then those the stage adds."""
        written = node.stage.columns_written()
        fields = {field.name: field for field in before.schema}
        if ORIGIN in after.column_names:
            fields[ORIGIN] = pa.field(ORIGIN, pa.int32())
        for name, kind in written.items():
            fields[name] = pa.field(name, kind, fields[name].nullable if name in fields else True)
        if unknown := [name for name in after.column_names if name not in fields]:
            raise StageError(f"{node.label} writes the column {unknown[0]!r} that it does not declare in columns_written()")
        if missing := [name for name in fields if name not in after.column_names]:
            raise StageError(f"{node.label} does not give the column {missing[0]!r}")
        columns = []
        for field in fields.values():
            column = after.column(field.name)
            if not column.type.equals(field.type):
                try:
                    column = column.cast(field.type)
                except pa.ArrowException as error:
                    raise StageError(f"{node.label}: the column {field.name!r} is {column.type}: {error}") from error
            if column.null_count and not field.nullable:
                raise StageError(f"{node.label}: the column {field.name!r} is null in {column.null_count} documents")
            columns.append(column)
        return pa.Table.from_arrays(columns, schema=pa.schema(list(fields.values())))

    def _edited(self, before: pa.Table, after: pa.Table, parents: np.ndarray) -> int:
        old, new = before.column("text"), after.column("text")
        if old is new or not len(parents):
            return 0
        if len(parents) != before.num_rows or (parents != np.arange(before.num_rows)).any():
            old = old.take(pa.array(parents))
        return int(pc.sum(pc.not_equal(old, new)).as_py() or 0)

    def _set_aside(
        self,
        node: Node,
        group: Sequence[Node],
        outcome: Outcome,
        tally: Tally,
        stop_on_error: bool,
        error: Exception,
        call: Callable[[pa.Table], Any],
    ) -> None:
        """Find the documents on which `call` raises by halving, and take them out of the batch."""
        table = outcome.table
        found = find_failures(call, table)
        if not found:
            raise StageError(
                f"{node.label} raised {type(error).__name__}: {error}; each document alone does not: not repeatable"
            ) from error
        if stop_on_error:
            row = min(found)
            raise document_error(node.label, table, row, *found[row]) from found[row][0]
        at = np.array(sorted(found))
        errors = [(type(found[row][0]).__name__, str(found[row][0]), found[row][1]) for row in sorted(found)]
        outcome.failed.append(Failed(node.label, table.take(at), outcome.rows[at], errors))
        keep = np.ones(table.num_rows, bool)
        keep[at] = False
        origins = outcome.origins()
        count = distinct(np.setdiff1d(origins[at], origins[keep]))
        size = int(byte_lengths(table.column("text"))[at].sum())
        for earlier in group[: [item is node for item in group].index(True)]:
            add(tally.step(earlier.key)["in"], count, size)
            add(tally.step(earlier.key)["out"], count, size)
        counts = tally.step(node.key)
        add(counts["in"], count, size)
        add(counts["quarantined"], count, size)
        outcome.table, outcome.rows = table.filter(pa.array(keep)), outcome.rows[keep]


def open_stage(node: Node) -> Callable[..., Any]:
    """Load what a stage needs. An error here is no document's fault and ends the run."""
    stage = node.stage
    assert isinstance(stage, Map | Expand | Filter | Global | Function)
    try:
        return stage.open()
    except Exception as error:
        raise StageError(f"{node.label}: could not be opened: {type(error).__name__}: {error}") from error


def group_nodes(nodes: Sequence[Node]) -> list[list[Node]]:
    """Filters that stand next to each other are one group, up to and with the first gate; every other node is alone."""
    groups: list[list[Node]] = []
    for node in nodes:
        last = groups[-1][-1].stage if groups else None
        joins = isinstance(node.stage, Filter) and isinstance(last, Filter) and not last.gate
        groups[-1].append(node) if joins else groups.append([node])
    return groups


def first_broken(broken: Sequence[Broken], count: int) -> np.ndarray:
    """For each document the number of the first rule it breaks, or -1."""
    first = np.full(count, -1, np.int32)
    for number in reversed(range(len(broken))):
        first[broken[number].rows] = number
    return first


def reasons_of(label: str, dropped: Sequence[tuple[int, Any]]) -> list[Broken]:
    """A function's reasons as broken rules."""
    broken = []
    for at, (_, drop) in enumerate(dropped):
        value = np.array([np.nan if drop.value is None else drop.value])
        limit = np.array([np.nan if drop.limit is None else drop.limit])
        broken.append(Broken(label, Rule(drop.reason, "", "at_most", None), np.array([at]), value, limit))
    return broken


def find_failures(call: Callable[[pa.Table], Any], table: pa.Table) -> dict[int, tuple[Exception, str]]:
    """Rows on which `call` raises when it gets them alone, with error and trace; found by halving."""
    found: dict[int, tuple[Exception, str]] = {}
    pending = [(0, table.num_rows)]
    while pending:
        start, stop = pending.pop()
        try:
            call(table.slice(start, stop - start))
        except Exception as error:
            if stop - start == 1:
                found[start] = (error, traceback.format_exc(limit=-8))
            elif stop - start > 1:
                middle = (start + stop) // 2
                pending += [(middle, stop), (start, middle)]
    return found
