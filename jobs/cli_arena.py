"""The `sluice arena` commands: models ranked from battles between their answers."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.cli_run import Json
from jobs.cli_terminal import print_json, ready, screen

if TYPE_CHECKING:
    from pipeline.arena import Ranking


class TieModel(StrEnum):
    """How ties count."""

    half = "half"
    rao_kupper = "rao-kupper"
    davidson = "davidson"


arena = typer.Typer(no_args_is_help=True, help="Models ranked from battles between their answers.")


@arena.command()
def rank(
    battles: Annotated[
        Path,
        typer.Argument(
            help="Parquet, JSONL (also .gz, .zst) or CSV with the columns model_a, model_b and winner (model_a, model_b, tie, "
            "tie (bothbad)).",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for leaderboard and win matrix (Parquet) and a plot (SVG).", show_default=False
        ),
    ] = None,
    ties: Annotated[TieModel, typer.Option(help="half a win each, or a model with a parameter for ties.")] = TieModel.half,
    bootstraps: Annotated[int, typer.Option(min=0, help="Samples for the 95 % intervals; 0 for none.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap samples.")] = 0,
    covariate: Annotated[
        list[str] | None,
        typer.Option(
            help="Two columns with a length or count of each answer, such as length_a:length_b; its effect is taken out of the "
            "strengths. May be repeated.",
            show_default=False,
        ),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(help="Standard deviation in logits of a normal prior; keeps strengths finite.", show_default="none"),
    ] = None,
    k_factor: Annotated[float, typer.Option(help="Of online Elo, which takes the battles in the file's order.")] = 4.0,
    json: Json = False,
) -> None:
    """Rank models by Bradley-Terry, with intervals, Elo and the share of battles won.

    Strengths are logits with mean 0; Elo is 400 / ln 10 times that, plus 1000. With `--ties half` a tie is half a win for each,
    as in Chatbot Arena.

    [bold]Example[/bold]

    sluice arena rank battles.parquet --covariate length_a:length_b --output out/arena
    """
    ready()
    from pipeline.arena import rank as ranked
    from schemas.errors import RecipeError

    if prior is not None and not prior > 0:
        raise RecipeError(f"--prior is {prior:g}, expected a standard deviation above 0")
    found = ranked(
        battles,
        ties=ties.value,
        bootstraps=bootstraps,
        seed=seed,
        prior=prior,
        covariates=[_columns(pair) for pair in covariate or ()],
        k_factor=k_factor,
    )
    if output is not None:
        found.write(output)
    if json:
        folder = None if output is None else str(output)
        print_json({**found.summary, "output": folder, "leaderboard": found.leaderboard.to_pylist()})
        return
    _show(found)
    if output is not None:
        print(f"leaderboard.parquet, win_matrix.parquet, leaderboard.svg, summary.json: {output}")
    else:
        print("--output FOLDER writes the leaderboard, the win matrix and a plot", file=sys.stderr)


def _columns(pair: str) -> tuple[str, str]:
    from schemas.errors import RecipeError

    one, colon, other = pair.partition(":")
    if not (one and colon and other) or ":" in other:
        raise RecipeError(f"--covariate {pair}: expected two columns, such as length_a:length_b")
    return one, other


def _show(found: "Ranking") -> None:
    from rich.table import Table
    from rich.text import Text

    from pipeline.results_format import plain

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("rank", "model", "strength", "Elo", "95 % interval", "battles", "won", "online Elo"):
        table.add_column(head, justify="left" if head == "model" else "right")
    for row in found.leaderboard.to_pylist():
        interval = "" if row["elo_low"] is None else f"{row['elo_low']:.0f} to {row['elo_high']:.0f}"
        # adding nothing makes +0.000 of -0.000
        strength = (f"{round(row['strength'], 3) + 0.0:+.3f}", f"{row['elo']:.0f}", interval)
        won = "" if row["win_rate"] is None else f"{100 * row['win_rate']:.1f} %"
        cells = (str(row["rank"]), Text(plain(row["model"])), *strength, f"{row['battles']:,}", won, f"{row['online_elo']:.0f}")
        table.add_row(*cells)
    screen().print(table)
    for effect in found.summary["covariates"]:
        print(f"{effect['covariate']}: {_effect(effect)} logits for a typical difference")
    if found.summary["tie_parameter"] is not None:
        print(f"{found.summary['ties']}: {found.summary['tie_parameter']:.4f}")
    for note in found.summary["notes"]:
        print(f"note: {note}")


def _effect(effect: dict[str, Any]) -> str:
    interval = "" if effect["low"] is None else f" ({effect['low']:+.3f} to {effect['high']:+.3f})"
    return f"{effect['coefficient']:+.3f}{interval}"
