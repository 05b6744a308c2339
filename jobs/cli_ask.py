"""Commands about what models are asked: preview, prompts."""

from typing import Annotated, Any

import typer

from jobs.cli_run import Inputs, Json, Output, RecipeFile, Settings
from jobs.cli_terminal import print_json, ready, screen


def preview(
    recipe: RecipeFile,
    step: Annotated[str | None, typer.Argument(help="Label of a step that asks a model.", show_default="the only one")] = None,
    input: Inputs = None,
    output: Output = None,
    set_: Settings = None,
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="Documents, chosen by hash.")] = 5,
    ask: Annotated[bool, typer.Option("--ask/--no-ask", help="Show prompts alone, and ask nothing.")] = True,
    json: Json = False,
) -> None:
    """Show what a step asks its model about a few documents, beside what comes back.

    Answers are kept where a run looks for them.

    [bold]Examples[/bold]

    sluice preview recipes/rephrase.yaml -n 3

    sluice preview recipes/rephrase.yaml rephrase --no-ask
    """
    ready()
    from pipeline.preview import preview as make

    inputs = [str(path) for path in input] if input else None
    found = make(recipe, step, documents=number, ask=ask, input=inputs, output=output, set=tuple(set_ or ()))
    if json:
        print_json(found)
        return
    for entry in found:
        _show(entry)


def prompts(
    name: Annotated[str | None, typer.Argument(help="One of them, to show it whole.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """List the prompts that come with Sluice, or show one.

    [bold]Examples[/bold]

    sluice prompts

    sluice prompts wikipedia
    """
    from stages.core.prompts import Prompt, preset_names

    chosen = [Prompt.read(each) for each in ([name] if name else preset_names())]
    if json:
        print_json([{"name": p.name, "version": p.version, "hash": p.hash, "content": p.content} for p in chosen])
    elif name:
        print(chosen[0].content, end="")
    else:
        for each in chosen:
            print(f"{each.name:24} version {each.version}  {each.hash}  fills in {', '.join(sorted(each.variables()))}")


def _show(entry: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from pipeline.results_format import plain

    console = screen()
    answered = entry["answer"] is not None
    counts = f"{entry['prompt_tokens']} + {entry['completion_tokens']} tokens" if answered else "not answered"
    where = f" of {plain(entry['source'])}, {plain(entry['step'])}: {counts}"
    console.print(Text.assemble((plain(entry["id"]), "bold"), where))
    asked = "\n\n".join(f"{message['role']}: {message['content']}" for message in entry["messages"])
    answer = entry["answer"] if answered else ""
    fault = Text(f"\nat fault: {plain(entry['fault'])}", "red") if entry["fault"] else Text("")
    table = Table(expand=True, box=None, padding=(0, 2, 1, 0))
    table.add_column("prompt", ratio=1)
    table.add_column("answer", ratio=1)
    table.add_row(Text(plain(asked)), Text(plain(answer)) + fault)
    console.print(table)
