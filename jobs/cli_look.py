"""Commands that look at a run: inspect, why, examples."""

from typing import Annotated

import typer

from jobs.cli_run import Json, RunFolder
from jobs.cli_terminal import print_json


def inspect(folder: RunFolder, json: Json = False) -> None:
    """Show a run: its funnel, rules, sources, warnings and versions.

    [bold]Example[/bold]

    sluice inspect runs/web
    """
    from pipeline.results import Run

    run = Run(folder)
    if json:
        print_json({"run": str(run.path), **run.manifest})
        return
    from jobs import show

    show.print_inspect(run)


def why(
    folder: RunFolder,
    id: Annotated[str, typer.Argument(help="Id of a document.", show_default=False)],
    source: Annotated[str | None, typer.Option(help="Its source, if several have this id.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Tell what became of a document: each step it went through, each rule it broke, or the document kept in its place.

    [bold]Example[/bold]

    sluice why runs/web doc-17
    """
    import dataclasses

    from pipeline.results import Run

    stories = Run(folder).why(id, source)
    if json:
        print_json([dataclasses.asdict(story) for story in stories])
        return
    from jobs import show

    for story in stories:
        show.print_story(story)


def examples(
    folder: RunFolder,
    dropped_by: Annotated[str | None, typer.Option(help="A rule, a step, or step.rule.", show_default="every rule")] = None,
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many.")] = 20,
    json: Json = False,
) -> None:
    """Show dropped documents with the value that dropped them and an excerpt.

    [bold]Example[/bold]

    sluice examples runs/web --dropped-by gopher_quality.min_words -n 5
    """
    from pipeline.results import Run

    rows = Run(folder).dropped(dropped_by, number).to_dicts()
    if json:
        print_json(rows)
        return
    for row in rows:
        limit = "" if row.get("limit") is None else f" {'<' if row.get('op') == 'at_least' else '>'} {row['limit']:g}"
        value = "" if row.get("value") is None else f"  {row.get('measure') or 'value'} {row['value']:g}{limit}"
        typer.secho(f"{row['source']} {row['id']}  {row['step']}.{row['rule']}{value}", bold=True)
        excerpt = row.get("excerpt")
        print("  (no excerpt kept)" if excerpt is None else "  " + " ".join(str(excerpt).split()))
    if not rows:
        typer.echo("no document was dropped" + (f" by {dropped_by}" if dropped_by else ""), err=True)
