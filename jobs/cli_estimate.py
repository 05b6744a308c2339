"""The `sluice estimate` command."""

from typing import Annotated, Any

import typer

from jobs.cli_run import Inputs, Json, Output, RecipeFile, Settings, Workers
from jobs.cli_terminal import print_json, ready, screen


def estimate(
    recipe: RecipeFile,
    input: Inputs = None,
    output: Output = None,
    workers: Workers = None,
    set_: Settings = None,
    sample: Annotated[
        str | None,
        typer.Option(
            help="Text that is tried, in whole units of work; where the recipe asks a model, documents.",
            show_default="64MB, or 200 documents",
        ),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask/--no-ask", help="Count prompts, and ask no model.")] = True,
    allow: Annotated[bool, typer.Option("--allow", help="Exit with 0 even where disk or memory is short.")] = False,
    json: Json = False,
) -> None:
    """Say how long a run will take, and what disk and memory it needs, from a trial on a sample.

    Of a recipe that asks a model it says requests, tokens, hours and cost instead, each with a 95 % interval. Ends with exit
    code 2 where this machine has too little.

    [bold]Example[/bold]

    sluice estimate recipes/web.yaml --input data/raw --workers 32
    """
    ready()
    from pipeline.estimate import estimate as make
    from pipeline.recipe import load
    from schemas.errors import OutputError, RecipeError
    from schemas.recipe import parse_bytes
    from stages.core.asking import Asking

    inputs = [str(path) for path in input] if input else None
    if any(isinstance(step.stage, Asking) for step in load(recipe, tuple(set_ or ())).steps):
        _estimate_answers(recipe, sample or "200", inputs, output, tuple(set_ or ()), ask, json)
        return
    wanted = parse_bytes(sample or "64MB")
    if not isinstance(wanted, int):
        raise RecipeError(f"--sample is {sample!r}, expected bytes such as 64MB")
    quiet = "none" if json else "auto"
    found = make(
        recipe, input=inputs, output=output, set=tuple(set_ or ()), sample_bytes=wanted, workers=workers, progress=quiet
    )
    if json:
        print_json(found)
    else:
        _tell(found)
    if found["short"] and not allow:
        raise OutputError("; ".join(found["short"]) + " (--allow lets this pass)")


def _estimate_answers(
    recipe: RecipeFile, sample: str, inputs: list[str] | None, output: Output, settings: tuple[str, ...], ask: bool, json: bool
) -> None:
    from pipeline.preview import estimate_answers
    from schemas.errors import RecipeError

    if not sample.isdigit() or not int(sample):
        raise RecipeError(f"--sample is {sample!r}; the recipe asks a model: expected a number of documents such as 200")
    found = estimate_answers(recipe, documents=int(sample), ask=ask, input=inputs, output=output, set=settings)
    if json:
        print_json(found)
        return
    for step in found:
        print(f"{step['step']}: {step['model']}, tried on {step['sample']} of {step['documents']:,} documents that come to it")
        for name in ("requests", "prompt_tokens", "completion_tokens", "hours", "cost"):
            if (span := step[name]) is not None:
                shown = [f"{span[key]:,.0f}" if span[key] >= 100 else f"{span[key]:.3g}" for key in ("value", "low", "high")]
                print(f"  {name.replace('_', ' '):18} {shown[0]:>16}   ({shown[1]} to {shown[2]})")
        if step["tokens_p50"] is not None:
            print(f"  tokens of an answer: half have up to {step['tokens_p50']}, 95 % up to {step['tokens_p95']}")


def _tell(found: dict[str, Any]) -> None:
    from rich.table import Table

    from pipeline.results_format import size

    sample = found["sample"]
    texts = f"{size(sample['text_bytes'])} of {size(found['text_bytes'])} of text"
    print(f"tried {sample['units']} of {found['units']} units, {texts}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("step")
    for head in ("documents", "left", "seconds", "sketches", "rounds"):
        table.add_column(head, justify="right")
    for step in found["steps"]:
        sizes = [size(step[name]) if step[name] else "" for name in ("sketch_bytes", "round_bytes")]
        counts = [f"{step[name]['documents']:,}" for name in ("in", "out")]
        table.add_row(step["step"], *counts, f"{step['seconds']:,.0f}", *sizes)
    screen().print(table)
    disk, memory = found["disk"], found["memory"]
    print(f"time    {found['cpu_seconds']:,.0f} s of CPU, {found['wall_seconds']:,.0f} s with {found['workers']} workers")
    parts = ", ".join(f"{name} {size(disk[name])}" for name in ("segments", "output", "rounds"))
    print(f"disk    {size(disk['peak'])} at most: {parts}")
    print(f"memory  {size(memory['all'])} in all, {size(memory['worker'])} of a process with one worker")
