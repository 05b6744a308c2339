"""The `sluice` command. Nothing heavy is imported before a command needs it, so that help comes at once."""

import atexit
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from jobs import cli_arena, cli_ask, cli_estimate, cli_extractors, cli_index, cli_look, cli_run, cli_stages, cli_train
from jobs.cli_terminal import Commands

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: sluice doctor, sluice list, sluice run RECIPE --engine local --limit 1000",
)
new = typer.Typer(no_args_is_help=True, help="Write the files of a stage of your own.")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"sluice {version('sluice')}")
        except PackageNotFoundError:  # run from a folder that was sent to a cluster
            print("sluice (not installed)")
        raise typer.Exit


@app.callback()
def _sluice(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Turn raw text into training sets: every document is accounted for, and every drop explained."""


_WORK, _LOOK, _STAGES = "Run", "Look at a run", "Stages and setup"
name: str
function: Callable[..., None]
for name, function in (
    ("run", cli_run.run),
    ("plan", cli_run.plan),
    ("estimate", cli_estimate.estimate),
    ("preview", cli_ask.preview),
    ("stage", cli_run.stage),
    ("submit", cli_run.submit),
    ("status", cli_run.status),
    ("retry", cli_run.retry),
    ("clean", cli_run.clean),
):
    app.command(name, rich_help_panel=_WORK)(function)
for name, function in (("inspect", cli_look.inspect), ("why", cli_look.why), ("examples", cli_look.examples)):
    app.command(name, rich_help_panel=_LOOK)(function)
for name, function in (
    ("extractors", cli_extractors.extractors),
    ("list", cli_stages.list_),
    ("describe", cli_stages.describe),
    ("prompts", cli_ask.prompts),
    ("check", cli_stages.check),
    ("schema", cli_stages.schema),
    ("doctor", cli_stages.doctor),
):
    app.command(name, rich_help_panel=_STAGES)(function)
new.command("filter")(cli_stages.new_filter)
app.add_typer(new, name="new", rich_help_panel=_STAGES)
app.add_typer(cli_index.index, name="index", rich_help_panel=_WORK)
app.add_typer(cli_train.train, name="train", rich_help_panel=_WORK)
app.add_typer(cli_arena.arena, name="arena", rich_help_panel=_WORK)


def main() -> None:
    """Entry point of the `sluice` script."""
    try:
        app(prog_name="sluice")
    except SystemExit as ended:
        # What is left is to take the modules apart, compiled kernels among them, which takes half a second to a second.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else int(ended.code is not None))


if __name__ == "__main__":
    main()
