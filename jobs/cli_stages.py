"""Commands about stages and this installation: list, describe, check, new, schema, doctor."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli_run import Json
from jobs.cli_terminal import parameters, print_json, ready

StageName = Annotated[
    str, typer.Argument(help="A stage's name, or package.module:Class, or package.module:function.", show_default=False)
]


def list_(json: Json = False) -> None:
    """List the stages with their kind and what they do.

    [bold]Example[/bold]

    sluice list
    """
    ready()
    from jobs.describe import summaries

    found = summaries()
    if json:
        print_json(found)
        return
    width, kinds = (max((len(stage[key]) for stage in found), default=0) for key in ("name", "kind"))
    for stage in found:
        print(f"{stage['name']:{width}}  {stage['kind']:{kinds}}  {stage['summary']}")


def describe(name: StageName, json: Json = False) -> None:
    """Show what a stage does: parameters with defaults, units and ranges, columns, rules, and the extra it needs.

    [bold]Example[/bold]

    sluice describe gopher_quality
    """
    ready()
    from jobs.describe import as_text, description

    found = description(name)
    if json:
        print_json(found)
    else:
        print(as_text(found))


def check(
    name: StageName,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, for parameters without a default.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Try a stage on difficult documents and say which contracts it keeps; the exit code is 1 if one is broken.

    [bold]Examples[/bold]

    sluice check mylab.emoji_share:EmojiShare

    sluice check threshold --set column=score --set min=0.5
    """
    ready()
    from jobs.describe import made
    from pipeline import contracts

    found = contracts.check(made(name, parameters(set_ or [])))
    broken = [check for check in found if not check.passed]
    if json:
        print_json({"stage": name, "passed": not broken, "checks": found})
    else:
        for check in found:
            typer.secho("pass  " if check.passed else "FAIL  ", fg="green" if check.passed else "red", nl=False)
            print(check.name + (f": {check.why}" if check.why else ""))
        print(f"{len(found) - len(broken)} of {len(found)} contracts kept", file=sys.stderr)
    if broken:
        raise typer.Exit(1)


def new_filter(
    name: Annotated[
        str, typer.Argument(help="snake_case; in a project of your own with a package: mylab/emoji_share.", show_default=False)
    ],
) -> None:
    """Write a filter and its test, ready to run; nothing is overwritten.

    [bold]Example[/bold]

    sluice new filter mylab/emoji_share
    """
    from jobs.new import new_filter as write

    made = write(name, Path.cwd())
    for path in made.files:
        print(path)
    print(f"in a recipe: {made.recipe_name}", file=sys.stderr)
    print(f"try it: {made.test_command} && sluice check {made.recipe_name}", file=sys.stderr)


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.", show_default="stdout")] = None,
) -> None:
    """Write the JSON Schema of recipes, for completion and checks in editors.

    [bold]Example[/bold]

    sluice schema --output sluice.schema.json
    """
    ready()
    from pipeline import recipe

    found = recipe.json_schema()
    if output is None:
        print_json(found)
        return
    import orjson

    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    print(output)


def doctor(
    folder: Annotated[Path, typer.Argument(help="Where runs will be written.")] = Path(),
    json: Json = False,
) -> None:
    """Check this installation and machine, and print the exact fix for what is wrong; the exit code is 1 if something is.

    [bold]Example[/bold]

    sluice doctor
    """
    from jobs.doctor import examine

    found = examine(folder)
    bad = [finding for finding in found if finding.state == "bad"]
    if json:
        print_json({"ok": not bad, "findings": found})
    else:
        colours = {"ok": "green", "note": "yellow", "bad": "red"}
        for finding in found:
            typer.secho(f"{finding.state:5}", fg=colours[finding.state], nl=False)
            print(f"{finding.what}: {finding.detail}" + (f"\n     fix: {finding.fix}" if finding.fix else ""))
    if bad:
        raise typer.Exit(1)
