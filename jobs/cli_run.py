"""Commands that work: run, plan, stage, submit, status, retry, clean."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.cli_terminal import outline, parameters, print_json, ready, screen

if TYPE_CHECKING:
    from pipeline.results import Run


class Engine(StrEnum):
    """Who calls the worker."""

    ray = "ray"
    local = "local"


RecipeFile = Annotated[Path, typer.Argument(help="A recipe: YAML that names input, stages and output.", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)]
Inputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--input", "-i", help="File, folder or glob that replaces the recipe's input; may be repeated.", show_default=False
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The run's folder.", show_default="runs/<name>-<fingerprint>"),
]
Engines = Annotated[Engine, typer.Option(help="ray for real work; local for a small file or a debugger.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Units of work at a time.", show_default="all CPUs")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="step.key=value, *.key=value, output.order=source, seed=7; may be repeated.", show_default=False
    ),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Only so many documents, chosen by hash of their ids.", show_default=False)
]
Sample = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Only this share of the documents, chosen by hash of their ids.", show_default=False),
]
Ids = Annotated[
    list[str] | None,
    typer.Option("--id", help="Only the document with this id; may be repeated. To see again what failed.", show_default=False),
]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster: auto, or host:port.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace a finished run of another recipe in the output folder.")]
Segments = Annotated[Path | None, typer.Option(help="Folder of what runs share.", show_default="<output>/../.sluice/segments")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary; only the run's folder.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; everything else on stderr.")]


def run(
    recipe: RecipeFile,
    input: Inputs = None,
    output: Output = None,
    engine: Engines = Engine.ray,
    workers: Workers = None,
    set_: Settings = None,
    limit: Limit = None,
    sample: Sample = None,
    ids: Ids = None,
    address: Address = None,
    force: Force = False,
    segments: Segments = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run a recipe and write the training set, its ledger and its report.

    The same command goes on where it was stopped. A changed recipe starts at the first changed step.

    [bold]Examples[/bold]

    sluice run recipes/web.yaml --input data/raw --output runs/web

    sluice run recipes/web.yaml --engine local --limit 1000

    sluice run recipes/web.yaml --set gopher_quality.min_words=30 --set output.order=source
    """
    ready()
    import pipeline

    done = pipeline.run(
        recipe,
        input=_texts(input),
        output=output,
        engine=engine.value,
        workers=workers,
        set=tuple(set_ or ()),
        limit=limit,
        sample=sample,
        ids=tuple(ids or ()),
        force=force,
        address=address,
        segments=segments,
        progress="none" if quiet else "auto",
    )
    _tell(done, quiet, json)


def plan(
    recipe: RecipeFile,
    input: Inputs = None,
    output: Output = None,
    set_: Settings = None,
    limit: Limit = None,
    sample: Sample = None,
    ids: Ids = None,
    segments: Segments = None,
    json: Json = False,
) -> None:
    """Show what a run would do: inputs, columns, segments, and what an earlier run has done already. Nothing is run.

    [bold]Example[/bold]

    sluice plan recipes/web.yaml --input data/raw
    """
    ready()
    import pipeline

    plan = pipeline.plan(
        recipe,
        input=_texts(input),
        output=output,
        set=tuple(set_ or ()),
        limit=limit,
        sample=sample,
        ids=tuple(ids or ()),
        segments=segments,
    )
    described = plan.describe()
    if json:
        print_json(described)
    else:
        print(outline(described))


def stage(
    name: Annotated[str, typer.Argument(help="A stage: word_count, or mylab.emoji:EmojiShare.", show_default=False)],
    input: Annotated[
        list[Path], typer.Option("--input", "-i", help="File, folder or glob; may be repeated.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The run's folder.", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value, without the stage's name; may be repeated.", show_default=False),
    ] = None,
    workers: Workers = None,
    limit: Limit = None,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run one stage alone, in this process; documents come out in the order of the input.

    [bold]Example[/bold]

    sluice stage word_count --input docs.jsonl --output runs/try --set min_words=20
    """
    ready()
    import pipeline

    recipe = {
        "name": name.replace(":", "."),
        "input": _texts(input),
        "stages": [{name: parameters(set_ or [])}],
        "output": {"order": "source"},
    }
    done = pipeline.run(
        recipe,
        output=output,
        engine="local",
        workers=workers,
        limit=limit,
        force=force,
        progress="none" if quiet else "auto",
    )
    _tell(done, quiet, json)


def submit(
    recipe: RecipeFile,
    address: Annotated[
        str,
        typer.Option(help="The cluster's job server, http://host:8265.", envvar="RAY_API_SERVER_ADDRESS", show_default=False),
    ],
    input: Inputs = None,
    output: Output = None,
    workers: Workers = None,
    set_: Settings = None,
    limit: Limit = None,
    sample: Sample = None,
    force: Force = False,
    segments: Segments = None,
    working_dir: Annotated[
        Path, typer.Option(help="Folder that is sent: the recipe and the modules it names.", show_default="this folder")
    ] = Path(),
    exclude: Annotated[
        list[str] | None, typer.Option(help="Glob of files that are not sent; may be repeated.", show_default=False)
    ] = None,
    max_upload_mb: Annotated[float, typer.Option(min=0, help="Refuse to send more than this.")] = 5.0,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the job's id and return at once.")] = False,
) -> None:
    """Run a recipe on a Ray cluster: send this folder, run the same command there, show its log, return its exit code.

    Input and output are paths as the cluster sees them. Data files, environments and runs are not sent.

    [bold]Example[/bold]

    sluice submit recipes/web.yaml --address http://head:8265 --input /shared/raw --output /shared/runs/web
    """
    from jobs.submit import Job, submit_and_follow

    options: list[str] = []
    for flag, values in (("--input", input), ("--set", set_)):
        for value in values or ():
            options += [flag, str(value)]
    for flag, single in (
        ("--output", output),
        ("--workers", workers),
        ("--limit", limit),
        ("--sample", sample),
        ("--segments", segments),
    ):
        options += [flag, str(single)] if single is not None else []
    options += ["--force"] if force else []
    job = Job(recipe, working_dir.resolve(), tuple(options), tuple(exclude or ()), round(max_upload_mb * 1_000_000))
    raise typer.Exit(submit_and_follow(job, address, wait=not no_wait))


def status(folder: RunFolder, json: Json = False) -> None:
    """Show how far a run is; the exit code is 1 until it is complete.

    [bold]Example[/bold]

    sluice status runs/web && echo complete
    """
    ready()
    import pipeline

    found: dict[str, Any] = pipeline.status(folder)
    if json:
        print_json(found)
    else:
        current = {key: value for key, value in (found.get("progress") or {}).items() if key != "phases"}
        print(outline({**found, "progress": current}))
    if found.get("state") != "complete":
        raise typer.Exit(1)


def retry(
    folder: RunFolder,
    engine: Engines = Engine.ray,
    workers: Workers = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Try the documents again that a run set aside because a stage failed on them.

    [bold]Example[/bold]

    sluice retry runs/web
    """
    ready()
    import pipeline

    done = pipeline.retry(folder, engine=engine.value, workers=workers, progress="none" if quiet else "auto")
    _tell(done, quiet, json)


def clean(
    root: Annotated[Path, typer.Argument(help="Folder that holds runs.")] = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    json: Json = False,
) -> None:
    """Remove shared segments that no kept run names. Delete a run's folder first, then clean.

    [bold]Example[/bold]

    sluice clean runs --dry-run
    """
    ready()
    import pipeline

    removed = [str(path) for path in pipeline.clean(root, dry_run)]
    if json:
        print_json({"dry_run": dry_run, "removed": removed})
        return
    for path in removed:
        print(path)
    would = "would be removed" if dry_run else "removed"
    print(f"{len(removed)} segment{'' if len(removed) == 1 else 's'} {would}", file=sys.stderr)


def _texts(paths: list[Path] | None) -> list[str] | None:
    return [str(path) for path in paths] if paths else None


def _tell(done: "Run", quiet: bool, json: bool) -> None:
    places = {
        "run": str(done.path),
        "data": str(done.path / "data"),
        "ledger": str(done.path / "ledger"),
        "report": str(done.path / "report.html"),
    }
    if json:
        told = {key: done.manifest.get(key) for key in ("name", "fingerprint", "state", "counts", "steps")}
        print_json({**places, **told, "warnings": done.warnings})
        return
    if quiet:
        print(done.path)
        return
    from jobs import show

    show.print_funnel(done, screen())
    for name, path in places.items():
        print(f"{name:8}{path}")
