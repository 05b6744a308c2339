"""The `sluice index` commands: sketches of earlier crawls, against which a new one is deduplicated."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.cli_run import Json
from jobs.cli_terminal import print_json, ready, screen

if TYPE_CHECKING:
    from pipeline.indexing import Change

SHOWN = 10
"""documents of each list that are printed"""

Folder = Annotated[Path, typer.Argument(help="The index's folder.", show_default=False)]
Run = Annotated[
    Path, typer.Argument(help="The folder of a finished run with a step minhash_dedup or exact_dedup.", show_default=False)
]
Name = Annotated[str | None, typer.Option(help="What the crawl is called in the index.", show_default="the run's folder")]

index = typer.Typer(no_args_is_help=True, help="Sketches of earlier crawls, against which a new one is deduplicated.")


@index.command()
def build(
    folder: Folder,
    run: Run,
    name: Name = None,
    step: Annotated[
        str | None,
        typer.Option(help="The step whose sketches it keeps.", show_default="minhash_dedup, or else exact_dedup"),
    ] = None,
    json: Json = False,
) -> None:
    """Make an index of the documents that came to a run's deduplication, those it dropped, too.

    The index keeps sketches, ids and URLs, and with verify: exact the hashes of shingles; no text. It decides by the parameters
    of that step from then on.

    [bold]Example[/bold]

    sluice index build indexes/web runs/crawl-1
    """
    ready()
    from pipeline import indexing

    _tell(indexing.build(folder, run, name, step), json)


@index.command()
def add(folder: Folder, run: Run, name: Name = None, json: Json = False) -> None:
    """Add the documents of one more run, and list what a better copy now supersedes.

    Run the crawl with `minhash_dedup: {index: FOLDER}` first: what is in the index already is not in its output.

    [bold]Example[/bold]

    sluice run web.yaml --input crawl-2 --set minhash_dedup.index=indexes/web --output runs/crawl-2

    sluice index add indexes/web runs/crawl-2
    """
    ready()
    from pipeline import indexing

    _tell(indexing.add(folder, run, name), json)


@index.command()
def remove(
    folder: Folder,
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="An id, or source:id; may be repeated.", show_default=False)
    ] = None,
    urls: Annotated[list[str] | None, typer.Option("--url", help="A URL; may be repeated.", show_default=False)] = None,
    domains: Annotated[
        list[str] | None, typer.Option("--domain", help="A host, and all below it; may be repeated.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Take documents down, as if they had never been there, and list the copies that come back in their place.

    [bold]Example[/bold]

    sluice index remove indexes/web --domain example.com --id web:0af3
    """
    ready()
    from pipeline import indexing
    from schemas.errors import RecipeError

    if not (ids or urls or domains):
        raise RecipeError("nothing to take down: give --id, --url or --domain")
    _tell(indexing.remove(folder, ids or (), urls or (), domains or ()), json)


@index.command()
def stat(folder: Folder, json: Json = False) -> None:
    """Crawls of an index: documents, how many are kept, bytes, and the parameters it decides by.

    [bold]Example[/bold]

    sluice index stat indexes/web --json
    """
    from pipeline import indexing
    from stages.core.sketch_index import SketchIndex

    told = indexing.stat(SketchIndex(folder))
    if json:
        print_json(told)
        return
    _table(told)
    changed = {key: value for key, value in told["stage"].items() if value is not None}
    print(f"{told['step']} decides by  " + ", ".join(f"{key}: {value}" for key, value in changed.items()))


def _table(told: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("crawl")
    keys = ("documents", "kept", "dropped", "taken_down", "bytes")
    for head in keys:
        table.add_column(head.replace("_", " "), justify="right")
    for crawl in told["crawls"]:
        table.add_row(crawl["name"], *[f"{crawl[key]:,}" for key in keys])
    screen().print(table)
    print(f"{told['documents']:,} documents, {told['bytes_per_document']:,} bytes each, state {told['state']}, {told['path']}")


def _tell(change: "Change", json: bool) -> None:
    told = change.as_json()
    if json:
        print_json(told)
        return
    _table(told)
    if change.removed:
        print(f"taken down: {change.removed:,}")
    for name, words in (("superseded", "kept until now, dropped for"), ("restored", "kept again; had been dropped for")):
        rows = told[name]
        if rows:
            print(f"{name}: {len(rows):,} documents ({words} another)")
        for row in rows[:SHOWN]:
            print(f"  {row['source']}:{row['id']}  {row['survivor_source']}:{row['survivor_id']}")
        if len(rows) > SHOWN:
            print(f"  and {len(rows) - SHOWN:,} more: --json lists all")
