"""The command that shows extractors side by side."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli_run import Json
from jobs.cli_terminal import print_json, screen


def extractors(
    input: Annotated[
        list[Path],
        typer.Option("--input", "-i", help="WARC or HTML files, folders or globs; JSONL or Parquet with HTML in `text`."),
    ],
    extractors: Annotated[str, typer.Option(help="Two or more of fast and precise, with commas.")] = "fast,precise",
    format: Annotated[str, typer.Option(help="text or markdown.")] = "markdown",
    gold: Annotated[
        Path | None, typer.Option(help="JSON lines with gold_text (or text) and url or id.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Pages, chosen by hash of their ids.")] = 50,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="An HTML page with all texts side by side.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Run extractors on a sample of pages: what each keeps, its cost, and its F1 where there is gold text.

    [bold]Example[/bold]

    sluice extractors --input crawl.warc.gz --limit 100 --output extractors.html
    """
    from pipeline.compare_extractors import compare, write_page
    from schemas.errors import RecipeError

    names = [name.strip() for name in extractors.split(",") if name.strip()]
    if unknown := [name for name in names if name not in ("fast", "precise")]:
        raise RecipeError(f"there is no extractor {unknown[0]!r}, expected fast or precise")
    if format not in ("text", "markdown"):
        raise RecipeError(f"format is {format!r}, expected text or markdown")
    found = compare([str(path) for path in input], names, limit=limit, gold=gold, format=format)
    if output is not None:
        write_page(found, output)
    summary = found.summary()
    if json:
        print_json({"extractors": summary, "page": None if output is None else str(output)})
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for head in ("pages", "failed", "empty", "words", "table rows", "code blocks", "formulas", "CPU s", "F1"):
        table.add_column(head, justify="right")
    for name, row in summary.items():
        score = "" if row["f1"] is None else f"{row['f1']:.4f}"
        numbers = [f"{row[key]:,}" for key in ("pages", "failed", "empty", "words", "table_rows", "code_blocks", "formulas")]
        table.add_row(name, *numbers, f"{row['seconds']:.2f}", score)
    screen().print(table)
    for name, kept in found.most_different()[:3]:
        words = ", ".join(f"{extractor} {kept[extractor].words:,} words" for extractor in names)
        print(f"differ most: {name}: {words}")
    if output is not None:
        print(f"side by side: {output}")
    else:
        print("--output page.html shows the texts side by side", file=sys.stderr)
