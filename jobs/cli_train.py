"""The `sluice train` commands: classifiers from labelled documents, language models from clean ones."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.cli_run import Json
from jobs.cli_terminal import print_json, ready, screen

train = typer.Typer(no_args_is_help=True, help="Train classifiers and language models on documents.")


@train.command()
def quality(
    positive: Annotated[
        list[str], typer.Option(help="Good documents: Parquet or JSONL (.gz, .zst), folder or glob; may be repeated.")
    ],
    negative: Annotated[list[str], typer.Option(help="Other documents, in the same forms; may be repeated.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model: NAME.bin, with --cutoff NAME.ftz.")],
    text: Annotated[str, typer.Option(help="The column of the text.")] = "text",
    held_back: Annotated[float, typer.Option(help="Share of the texts, by hash, that is judged instead of trained on.")] = 0.1,
    word_ngrams: Annotated[int, typer.Option(min=1, help="Longest n-gram of words.")] = 2,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.1,
    dim: Annotated[int, typer.Option(min=1, help="Length of a vector.")] = 100,
    epochs: Annotated[int, typer.Option(min=1, help="How often each document is seen.")] = 5,
    buckets: Annotated[int, typer.Option(min=1, help="N-grams are hashed to so many.")] = 2_000_000,
    min_count: Annotated[int, typer.Option(min=1, help="Words that occur less often are unknown.")] = 1,
    min_chars: Annotated[int, typer.Option(min=0, help="Shortest n-gram of characters.")] = 0,
    max_chars: Annotated[int, typer.Option(min=0, help="Longest n-gram of characters; 0: none.")] = 0,
    loss: Annotated[str, typer.Option(help="softmax, hs or ova.")] = "softmax",
    cutoff: Annotated[
        int | None, typer.Option(min=256, help="Quantise, and keep so many words and n-grams.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the order, the split and the library.")] = 1,
    cut: Annotated[
        float | None, typer.Option(help="The cut to judge.", show_default="where recall and false positives differ most")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an earlier model.")] = False,
    json: Json = False,
) -> None:
    """Train a fastText classifier of good documents by DCLM's recipe, and write its card beside it.

    The same documents, options and seed give the same bytes. Use it as `score_fasttext: {model: NAME.bin}`.

    [bold]Example[/bold]

    sluice train quality --positive good.jsonl.gz --negative web.parquet --output quality.bin
    """
    ready()
    from pipeline.training import Options, train_quality

    options = Options(
        word_ngrams=word_ngrams,
        lr=lr,
        dim=dim,
        epochs=epochs,
        buckets=buckets,
        min_count=min_count,
        min_chars=min_chars,
        max_chars=max_chars,
        loss=loss,
        cutoff=cutoff,
        seed=seed,
    )
    card = train_quality(positive, negative, output, options, text, held_back, cut, force)
    if json:
        print_json(card)
    else:
        _tell(card, output)


@train.command()
def perplexity(
    files: Annotated[
        list[str],
        typer.Option("--input", help="Clean documents: Parquet or JSONL (.gz, .zst), folder or glob; may be repeated."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the model: model.arpa and its card.")],
    order: Annotated[int, typer.Option(help="Longest n-gram, 2 to 6.")] = 5,
    text: Annotated[str, typer.Option(help="The column of the text.")] = "text",
    sentencepiece: Annotated[
        Path | None, typer.Option(help="A model of sentencepiece that cuts texts into pieces.", show_default="words")
    ] = None,
    min_count: Annotated[int, typer.Option(min=1, help="Words that occur less often are unknown.")] = 2,
    prune_from: Annotated[
        int | None, typer.Option(help="Leave out n-grams of so many words or more that occur once.", show_default="none")
    ] = None,
    held_back: Annotated[float, typer.Option(help="Share of the texts, by hash, that is judged instead of trained on.")] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="Of the split.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Write over an earlier model.")] = False,
    json: Json = False,
) -> None:
    """Train an n-gram language model of clean documents, and write its card beside it.

    Modified Kneser-Ney, interpolated, as KenLM's lmplz estimates. The same documents and options give the same bytes, in any
    order of files. Memory goes by the different n-grams. Use it as `score_perplexity: {model: FOLDER}`.

    [bold]Example[/bold]

    sluice train perplexity --input wiki.parquet --output models/wiki --order 5 --prune-from 3
    """
    ready()
    from pipeline.perplexity_training import Options, train_perplexity

    options = Options(order=order, min_count=min_count, prune_from=prune_from, seed=seed)
    card = train_perplexity(files, output, options, text, sentencepiece, held_back, force)
    if json:
        print_json(card)
        return
    read, counts, held = card["input"], card["counts"], card["held_back"]
    print(f"{read['trained']:,} documents to train on, {read['held_back']:,} held back; {counts['tokens']:,} tokens")
    for size, row in enumerate(card["orders"], 1):
        pruned = f", {row['pruned']:,} pruned" if row["pruned"] else ""
        fallback = "; too few to find discounts, fixed ones taken" if row["discounts_by_fallback"] else ""
        print(f"  {row['ngrams']:,} n-grams of order {size}{pruned}{fallback}")
    low, high = held["quantiles"]["33"], held["quantiles"]["67"]
    print(f"held back: perplexity {held['perplexity']:,}; a third of the documents below {low:,}, a third above {high:,}")
    print(f"{output}, {card['model']['bytes']:,} bytes; its card: {output / 'card.md'}")


class Kind(StrEnum):
    """Layers of a head."""

    linear = "linear"
    mlp = "mlp"


class Target(StrEnum):
    """What a head gives."""

    classes = "classes"
    regression = "regression"


class Calibration(StrEnum):
    """How classes' outputs become probabilities."""

    platt = "platt"
    isotonic = "isotonic"
    none = "none"


@train.command()
def head(
    model: Annotated[str, typer.Option(help="Folder of an embedding model: sentence-transformers or model2vec.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the head and its card.")],
    positive: Annotated[
        list[str] | None, typer.Option(help="Good documents: Parquet or JSONL (.gz, .zst), folder or glob; may be repeated.")
    ] = None,
    negative: Annotated[list[str] | None, typer.Option(help="Other documents, in the same forms; may be repeated.")] = None,
    labels: Annotated[
        list[str] | None, typer.Option(help="Instead, documents with a column of labels, in the same forms; may be repeated.")
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="The column of the labels: names of classes, or scores.")] = None,
    kind: Annotated[Kind, typer.Option(help="One layer, or two with ReLU between them.")] = Kind.linear,
    target: Annotated[Target, typer.Option(help="Classes, or a score such as FineWeb-Edu's 0 to 5.")] = Target.classes,
    calibration: Annotated[Calibration, typer.Option(help="Of classes, on documents of their own.")] = Calibration.platt,
    text: Annotated[str, typer.Option(help="The column of the text.")] = "text",
    prefix: Annotated[str, typer.Option(help="Put before each text, where the model was trained with one.")] = "",
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a text that are read.", show_default="the model's own limit")
    ] = None,
    held_back: Annotated[
        float, typer.Option(help="Share of the texts, by hash, that is judged, and as many again to calibrate, not trained on.")
    ] = 0.1,
    l2: Annotated[float, typer.Option(min=0, help="Weight of the weights' squares beside the mean loss.")] = 1e-3,
    hidden: Annotated[int, typer.Option(min=1, help="Numbers between the layers of an mlp.")] = 64,
    epochs: Annotated[int, typer.Option(min=1, help="How often an mlp sees each document, at most.")] = 30,
    lr: Annotated[float, typer.Option(help="Learning rate of an mlp.")] = 1e-3,
    cut: Annotated[
        float | None,
        typer.Option(help="The cut to judge.", show_default="3; of classes where recall and false positives differ most"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and the first weights.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Write over an earlier head.")] = False,
    json: Json = False,
) -> None:
    """Train a small classifier or a score on the embeddings of labelled documents, and write its card.

    The embedding model stays as it is. The same documents, options and seed give the same head on the same kind of machine. Use
    it as `score_head: {head: FOLDER, model: EMBEDDING_FOLDER}`.

    [bold]Example[/bold]

    sluice train head --model minilm --labels rated.parquet --label-column score --target regression --output heads/edu
    """
    ready()
    from pipeline.head_training import Labelled, Options, train_head
    from stages.core.head_fitting import Fitting

    options = Options(
        kind=kind.value,
        target=target.value,
        calibration=calibration.value,
        fitting=Fitting(l2=l2, hidden=hidden, epochs=epochs, lr=lr),
        held_back=held_back,
        cut=cut,
        seed=seed,
    )
    documents = Labelled(positive or (), negative or (), labels or (), label_column, text)
    card = train_head(documents, model, output, options, prefix, max_tokens, force)
    if json:
        print_json(card)
        return
    read = card["input"]
    print(f"{read['trained']:,} documents to train on, {read['calibrated']:,} to calibrate, {read['held_back']:,} held back")
    _tell_figures(card)
    if "cut" in card:
        _tell_samples(card)
    print(f"{output}; its card: {output / 'card.md'}")


def _tell(card: dict[str, Any], output: Path) -> None:
    for label, count in card["classes"].items():
        left_out = {"copies": count["copies"], "in both classes": count["in_both_classes"], "faults": count["faults"]}
        beside = "".join(f", {number:,} {name}" for name, number in left_out.items() if number)
        print(f"{label}: {count['trained']:,} documents to train on, {count['held_back']:,} held back{beside}")
    _tell_figures(card)
    _tell_samples(card)
    print(f"{output}, {card['model']['bytes']:,} bytes; its card: {output.with_suffix('.md')}")


def _tell_figures(card: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("held back", "value", "95 % from", "to"):
        table.add_column(head, justify="left" if head == "held back" else "right")
    for name, row in card["figures"].items():
        table.add_row(name.replace("_", " "), *(f"{row[key]:.4f}" if key in row else "" for key in ("value", "low", "high")))
    screen().print(table)


def _tell_samples(card: dict[str, Any]) -> None:
    print(f"cut: {card['cut']['value']:.4f} ({card['cut']['chosen']}); on both sides of it:")
    for sample in card["samples"]:
        fate = "kept    " if sample["kept"] else "not kept"
        print(f"  {fate} {sample['label']} {sample['score']:.4f}  {' '.join(sample['text'].split())[:80]}")
