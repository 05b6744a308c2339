"""Runs, documents and Parquet on a terminal: the funnel, why a document was kept or not, what a folder holds."""

import json as json_format
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.results_format import duration, number, one_line, plain, share, short, size
from pipeline.results_models import asked_of_models
from pipeline.results_story import SIGN, relation_of

if TYPE_CHECKING:
    import polars as pl

    from pipeline.results import Run, Story

OUTCOME = {"kept": "bold green", "dropped": "bold red", "quarantined": "bold yellow", "unknown": "bold"}
LISTED = 20
GAP = 3
NARROWEST = 8
Cell = str | Text


def print_funnel(run: "Run", console: Console) -> None:
    """The headline, the steps with what each left and took, and the warnings."""
    head, asked = _head(run.manifest, run.state, run.note), asked_of_models(run.steps)
    _print_funnel(head, run.funnel().to_dicts(), asked, run.warnings, console)


def print_rules(run: "Run", console: Console) -> None:
    """Each rule: how many break it, break only it, fall by it; what it keeps alone and what is left after it."""
    rows: list[list[Cell]] = []
    for row in run.rules().iter_rows(named=True):
        limit = f"{SIGN.get(row['op'] or '', '')} {row['limit']}".strip()
        counts = [number(row[key]) for key in ("judged", "broken", "only", "first")]
        shares = [share(row["retention_alone"]), share(row["retention_cumulative"])]
        rows.append([_text(f"{row['step']}.{row['rule']}"), _text(limit), *counts, *shares])
    _print(
        console,
        _table(console, ("rule", "?limit", "?>judged", ">broken", ">only", "?>reason", ">kept alone", ">cumulative"), rows),
    )


def print_story(story: "Story", console: Console) -> None:
    """What became of one document: outcome and reason, its way, broken rules, all measures, and for a duplicate both texts."""
    head = Text.assemble(
        (plain(story.id), "bold"), (" of ", "dim"), plain(story.source), (": ", "dim"), (story.outcome, OUTCOME[story.outcome])
    )
    _print(console, head, _inset(_text(story.reason)))
    if story.path:
        way = Text()
        for at, (step, fate) in enumerate(story.path):
            style = {"dropped": "red", "quarantined": "yellow", "passed": "green"}.get(fate, "dim")
            way.append(" → " if at else "", "dim").append(plain(step), style)
            way.append(f" ({fate})" if fate != "passed" else "", "dim")
        _print(console, _inset(way))
    if len(story.broken) > 1:
        _print(console, Text(f"  It breaks {len(story.broken)} rules; the first is the reason:", "dim"))
        _print(console, *(_inset(_text(rule), 4) for rule in story.broken))
    if story.measures:
        rows: list[list[Cell]] = []
        for item in story.measures:
            mark = {True: Text("kept", "green"), False: Text("broken", "red"), None: Text("")}[item.kept]
            name = _text(f"{item.step}.{item.measure}")
            rows.append([name, number(item.value), _text(item.wanted()), _text(item.rule or ""), mark])
        _print(console, _inset(_table(console, ("measure", ">value", "limit", "?rule", ""), rows, left=2)))
    if story.edits:
        _print(console, *(_inset(_text(f"edited by {line}")) for line in story.edits_by_step()))
    _print(console, *(_inset(_text(line)) for line in story.relatives()))
    _print_texts(story, console)


def _print_texts(story: "Story", console: Console) -> None:
    texts = []
    if story.excerpt is not None:
        texts.append((Text("text", "bold"), _text(story.excerpt)))
    if story.survivor is not None:
        kept = story.survivor
        alike = "" if kept.similarity is None else f" (similarity {number(round(kept.similarity, 4))})"
        title = Text.assemble(
            (f"{kept.relation} ", "bold"), plain(kept.id), (" of ", "dim"), plain(kept.source), alike, f", {plain(kept.fate)}"
        )
        texts.append((title, _text(kept.excerpt or "")))
    if not texts:
        return
    if len(texts) == 2 and console.width >= 100:
        grid = Table.grid(padding=(0, 3), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(ratio=1)
        grid.add_row(*(title for title, _ in texts))
        grid.add_row(*(text for _, text in texts))
        _print(console, _inset(grid, top=1))
        return
    for title, text in texts:
        _print(console, _inset(title, top=1), _inset(text))


def print_dropped(examples: "pl.DataFrame", console: Console) -> None:
    """Examples of dropped documents, each with its rule, value, id and the beginning of its text."""
    for row in examples.iter_rows(named=True):
        value = "" if row["value"] is None else f" {number(row['value'])}"
        limit = "" if row["limit"] is None else f" (limit {number(row['limit'])})"
        rule = (plain(f"{row['step']}.{row['rule']}"), "red")
        _print(console, Text.assemble(rule, value, (limit, "dim"), "  ", plain(row["source"]), " ", (plain(row["id"]), "bold")))
        if row.get("survivor_id") is not None:
            _print(
                console, _inset(_text(f"{relation_of(row['rule'])} {row['survivor_id']} of {row['survivor_source']}", "dim"))
            )
        if row["excerpt"]:
            _print(console, _inset(_text(one_line(row["excerpt"], 400))))


def print_inspect(path: str | Path, console: Console, json: bool = False) -> None:
    """What a run folder, a Parquet file or a folder of Parquet holds; with `json` the same as one JSON object on stdout."""
    from pipeline.results_inspect import inspect

    facts = inspect(path)
    if json:
        sys.stdout.write(json_format.dumps(facts, indent=2, default=str) + "\n")
        return
    run = facts["run"]
    if run is not None:
        _print_funnel(_head(run, run["state"], run["note"]), run["funnel"], run["asked"], run["warnings"], console)
    _print_files(facts, console)
    _print_schema(facts, console)
    for title, rows in facts["groups"].items():
        cells: list[list[Cell]] = []
        for row in rows[:LISTED]:
            name = Text("null", "dim") if row["value"] is None else _text(row["value"])
            tokens = [short(row["tokens"])] if "tokens" in row else []
            cells.append([name, number(row["rows"]), share(row["rows"], facts["rows"]), *tokens])
        titles = (title, ">rows", ">of all", *([">tokens"] if rows and "tokens" in rows[0] else []))
        _print(console, _table(console, titles, cells))
        if len(rows) > LISTED:
            _print(console, Text(f"  and {number(len(rows) - LISTED)} more", "dim"))
    _print_mixtures(facts["mixtures"], console)
    _print_quality(facts["quality"], console)
    for row in facts["sample"]:
        _print(console, Text.assemble(("row ", "dim"), number(row["row"]), (" of ", "dim"), plain(row["file"])))
        name_width = min(24, max(map(len, row["values"]), default=1))
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True, overflow="ellipsis", width=name_width)
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(console.width - name_width - 6, NARROWEST))
        for name, value in row["values"].items():
            table.add_row(_text(name), Text("null", "dim") if value is None else Text(one_line(value, 400)))
        _print(console, _inset(table))


def _print_mixtures(mixtures: list[dict[str, Any]], console: Console) -> None:
    """Shares of tokens asked for, beside those before the mixture and those taken."""
    for mixture in mixtures:
        _print(console, Text.assemble((plain(mixture["step"]), "bold"), f" {short(mixture['tokens'])} tokens"))
        rows: list[list[Cell]] = []
        for group in mixture["groups"][:LISTED]:
            shares = [f"{100 * group[key]:.2f} %" if group[key] is not None else "" for key in ("before", "wanted", "taken")]
            rows.append([_text(group["name"]), *shares, short(group["tokens"]), number(group["epochs"])])
        titles = (mixture["by"], ">before", ">asked for", ">taken", ">tokens", ">epochs")
        _print(console, _table(console, titles, rows))
        if mixture["dropped_later"]:
            _print(console, Text(f"  steps behind it dropped {number(mixture['dropped_later'])} documents", "dim"))


def _print_quality(quality: dict[str, list[dict[str, Any]]], console: Console) -> None:
    """Quantiles of scores by language or another group: at each cut, with its limits, and of what was kept."""
    for where, tables in quality.items():
        for table in tables:
            place = (
                f"kept, {plain(table['measure'])}" if where == "kept" else f"{plain(table['step'])}, {plain(table['measure'])}"
            )
            _print(console, Text(place, "bold"))
            rows: list[list[Cell]] = [
                [_text(row["name"]), number(row["documents"]), *map(number, [*row["values"], *row["limits"]])]
                for row in table["rows"][:LISTED]
            ]
            titles = (table["by"] or "group", ">documents", *(f">{head}" for head in table["heads"]))
            _print(console, _table(console, titles, rows))


def _print_files(facts: dict[str, Any], console: Console) -> None:
    files, groups = facts["files"], facts["row_groups"]
    plural = "file" if len(files) == 1 else "files"
    line = f"{number(facts['rows'])} rows, {size(facts['bytes'])} in {number(len(files))} {plural}, "
    line += f"{number(groups['count'])} row {'group' if groups['count'] == 1 else 'groups'}"
    _print(console, Text(line, "bold"))
    if groups["rows"]:
        counts, sizes = groups["rows"], groups["bytes"]
        spread = f"row groups of {number(counts['smallest'])} to {number(counts['largest'])} rows, "
        spread += f"median {number(counts['median'])}; "
        spread += f"{size(sizes['smallest'])} to {size(sizes['largest'])} unpacked"
        _print(console, Text(f"  {spread}", "dim"))
    if len(files) > 1:
        rows: list[list[Cell]] = [
            [_text(f["path"]), number(f["rows"]), size(f["bytes"]), number(len(f["row_groups"]))] for f in files[:LISTED]
        ]
        _print(console, _table(console, ("file", ">rows", ">size", ">row groups"), rows))
        if len(files) > LISTED:
            _print(console, Text(f"  and {number(len(files) - LISTED)} more files", "dim"))


def _print_schema(facts: dict[str, Any], console: Console) -> None:
    rows: list[list[Cell]] = []
    for column in facts["schema"]:
        note = column["doc"] or ""
        if "in_files" in column:
            note = f"in {column['in_files']} of {len(facts['files'])} files. {note}"
        rows.append([_text(column["name"]), _text(column["type"]), share(column["null_fraction"]), _text(note, "dim")])
    _print(console, _table(console, ("column", "type", ">nulls", "?about"), rows))


def _head(manifest: dict[str, Any], state: str, note: str | None) -> list[Text]:
    counts = manifest.get("counts") or {}
    came, left = counts.get("in") or {}, counts.get("out") or {}
    style = {"complete": "green", "failed": "red"}.get(state, "yellow")
    name, print_ = plain(manifest.get("name") or "run"), plain(str(manifest.get("fingerprint") or "")[:12])
    lines = [Text.assemble((name, "bold"), " ", (print_, "dim"), " ", (state, style))]
    if note:
        lines.append(_text(note, style))
    kept = f"{number(left.get('documents'))} of {number(came.get('documents'))} documents kept"
    kept += f" ({share(left.get('documents'), came.get('documents'))}), {size(left.get('bytes'))} of text, "
    kept += f"{short(left.get('tokens'))} tokens"
    if not (manifest.get("token_counter") or {}).get("exact"):
        kept += " (estimated)"
    return [*lines, Text(f"{kept}, in {duration(manifest.get('seconds'))}")]


def _print_funnel(
    head: list[Text], rows: list[dict[str, Any]], asked: list[str], warnings: list[str], console: Console
) -> None:
    _print(console, *head)
    wide = console.width >= 100
    bad = any(row["quarantined"] for row in rows)
    lines: list[list[Cell]] = []
    for row in rows:
        cells: list[Cell] = [_text(row["step"])]
        if wide:
            cells.append(_bar(row["cumulative_fraction"], 24))
        dropped = (
            Text(f"-{number(row['dropped'])}", "red") if row["dropped"] else Text("0" if row["kind"] != "map" else "", "dim")
        )
        if row["rows_dropped"] > row["dropped"]:
            dropped.append(f" ({number(row['rows_dropped'])} rows)", "red")
        elif row["added"]:
            dropped = Text(f"+{number(row['added'])} rows", "green")
        lost = share(row["dropped"], row["documents_in"]) if row["dropped"] else ""
        cells += [number(row["documents_out"]), share(row["cumulative_fraction"]), dropped, lost]
        if bad:
            cells.append(Text(number(row["quarantined"]), "yellow" if row["quarantined"] else "dim"))
        lines.append([*cells, size(row["bytes_out"]), Text(duration(row["seconds"]), "dim")])
    titles = ["step", *(["kept of all"] if wide else []), ">left", ">of all", ">dropped", "?>of step"]
    _print(console, _table(console, [*titles, *([">failed"] if bad else []), "?>text", "?>time"], lines))
    _print(console, *(_text(line) for line in asked))
    for warning in warnings:
        _print(console, Text.assemble(("! ", "bold yellow"), plain(warning)))


def _bar(fraction: float | None, width: int) -> Text:
    full = 0 if not fraction else max(1, round(fraction * width))
    return Text.assemble(("█" * full, "cyan"), ("░" * (width - full), "dim"))


def _table(console: Console, titles: Sequence[str], rows: Sequence[Sequence[Cell]], left: int = 0) -> Table:
    """A table that fits the screen less `left`. Titles that begin with `>` are columns of numbers, which are never cut.

    Where the screen is too narrow, columns whose titles begin with `?` go first, the last one first, then names are cut.
    Widths are set here, as Rich shrinks all columns alike and would cut numbers.
    """
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    optional = [at for at, title in enumerate(titles) if title.startswith("?")]
    wide = [max([len(title.lstrip("?>")), *(row[at].cell_len for row in cells)]) + GAP for at, title in enumerate(titles)]
    gone: set[int] = set()
    while optional and sum(width for at, width in enumerate(wide) if at not in gone) > console.width - left:
        gone.add(optional.pop())
    titles = [title.lstrip("?") for at, title in enumerate(titles) if at not in gone]
    cells = [[cell for at, cell in enumerate(row) if at not in gone] for row in cells]
    names = [title.lstrip(">") for title in titles]
    widths = [max([len(name), *(row[at].cell_len for row in cells)]) for at, name in enumerate(names)]
    while sum(widths) + GAP * len(widths) > console.width - left:
        widest = max(
            (at for at, title in enumerate(titles) if not title.startswith(">")), key=lambda at: widths[at], default=None
        )
        if widest is None or widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False, padding=(0, GAP - 1, 0, 0))
    for title, name, width in zip(titles, names, widths, strict=True):
        justify: Literal["left", "right"] = "right" if title.startswith(">") else "left"
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis", width=width)
    for row in cells:
        table.add_row(*row)
    return table


def _inset(thing: RenderableType, left: int = 2, top: int = 0) -> Padding:
    return Padding(thing, (top, 0, 0, left), expand=False)


def _text(value: object, style: str = "") -> Text:
    """Data as text: no markup is read in it, and nothing in it reaches the terminal as a command."""
    return Text(plain(value), style)


def _print(console: Console, *things: RenderableType) -> None:
    for thing in things:
        console.print(thing, markup=False, highlight=False, emoji=False)
