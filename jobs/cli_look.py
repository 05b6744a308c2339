"""Commands that look at a run: inspect, why, examples."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli_run import Json, RunFolder
from jobs.cli_terminal import print_json, screen


def inspect(
    path: Annotated[Path, typer.Argument(help="A run's folder, a Parquet file, or a folder of them.", show_default=False)],
    json: Json = False,
) -> None:
    """Show a run with its funnel, rules and warnings; or what Parquet files hold.

    [bold]Examples[/bold]

    sluice inspect runs/web

    sluice inspect data/raw.parquet
    """
    from jobs import show

    show.print_inspect(path, screen(), json)


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
        show.print_story(story, screen())


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

    found = Run(folder).dropped(dropped_by, number)
    if json:
        print_json(found.to_dicts())
        return
    from jobs import show

    show.print_dropped(found, screen())
    if found.is_empty():
        print("no document was dropped" + (f" by {dropped_by}" if dropped_by else ""), file=sys.stderr)
