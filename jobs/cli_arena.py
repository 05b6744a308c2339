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

    _check_prior(prior)
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


def _check_prior(prior: float | None) -> None:
    from schemas.errors import RecipeError

    if prior is not None and not prior > 0:
        raise RecipeError(f"--prior is {prior:g}, expected a standard deviation above 0")


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


@arena.command()
def benchmark(
    battles: Annotated[
        Path,
        typer.Argument(
            help="Battles as for `rank`; or a ranking with intervals (model, score, score_low, score_high).", show_default=False
        ),
    ],
    reference: Annotated[
        Path,
        typer.Option(
            "--reference",
            help="The ranking that is taken as the truth: Parquet, JSONL (also .gz, .zst) or CSV with model, score or rank, "
            "and the ends of a 95 % interval if there is one; leaderboard.parquet of `rank` is such a file.",
            show_default=False,
        ),
    ],
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns of the reference, where they are called otherwise: model:score or model:score:low:high.",
            show_default=False,
        ),
    ] = None,
    ties: Annotated[TieModel, typer.Option(help="half a win each, or a model with a parameter for ties.")] = TieModel.half,
    bootstraps: Annotated[int, typer.Option(min=2, help="Samples for the 95 % intervals.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap samples.")] = 0,
    covariate: Annotated[
        list[str] | None,
        typer.Option(help="Two columns whose effect is taken out of the strengths, as for `rank`.", show_default=False),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(help="Standard deviation in logits of a normal prior; keeps strengths finite.", show_default="none"),
    ] = None,
    json: Json = False,
) -> None:
    """Tell how well a benchmark separates models, and whether it orders them as a reference does.

    The measures are Arena-Hard's (Li et al. 2024, section 3). Separability: pairs of models whose 95 % intervals do not
    overlap. Agreement: over all pairs the mean of 1 where both are sure of the same order, -1 where of opposite ones, 0 where
    one is not sure. Pair rank Brier score: mean of (p - o) squared, p from the bootstrap, o from the reference; 0 is the best,
    and a coin gets 0.25.

    [bold]Example[/bold]

    sluice arena benchmark battles.parquet --reference human/leaderboard.parquet
    """
    ready()
    from pipeline.arena_benchmark import measure
    from schemas.errors import RecipeError

    _check_prior(prior)
    named = columns.split(":") if columns else []
    if len(named) not in (0, 2, 4) or not all(named):
        raise RecipeError(f"--columns {columns}: expected model:score or model:score:low:high")
    found = measure(
        battles,
        reference,
        ties=ties.value,
        bootstraps=bootstraps,
        seed=seed,
        prior=prior,
        covariates=[_columns(pair) for pair in covariate or ()],
        columns=named,
    )
    if json:
        print_json(found)
        return
    _show_benchmark(found)


def _show_benchmark(found: dict[str, Any]) -> None:
    from pipeline.results_format import plain

    fought = "" if found["battles"] is None else f", {found['battles']:,} battles"
    print(
        f"{found['models']} models{fought}; {found['shared_models']} of them in the reference, {found['shared_pairs']:,} pairs"
    )
    for title, value in (
        ("separability", _percent(found["separability"])),
        ("  of the shared models", _percent(found["shared_separability"])),
        ("  of them by the reference", _percent(found["reference_separability"])),
        ("agreement", _percent(found["agreement"])),
        ("pair rank Brier score", _decimals(found["pair_rank_brier"])),
        ("Spearman correlation", _decimals(found["spearman"])),
    ):
        print(f"{title:<28}{value:>8}")
    for better, worse in found["disagreeing_pairs"][:10]:
        print(f"note: {plain(better)} is above {plain(worse)} here, and below in the reference")
    if found["equal_in_reference"]:
        print(f"note: {found['equal_in_reference']} pairs have equal scores in the reference and are not in the Brier score")
    for where in ("benchmark", "reference"):
        if names := found[f"only_in_{where}"]:
            shown = ", ".join(plain(name) for name in names[:5])
            print(f"note: only in the {where}: {shown}{', ...' if len(names) > 5 else ''}")


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.1f} %"


def _decimals(value: float | None) -> str:
    return "none" if value is None else f"{round(value, 4) + 0.0:.4f}"
