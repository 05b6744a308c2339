"""`sluice train perplexity`: an n-gram language model of documents, and what is known about it."""

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pipeline.kneser_ney import estimate, write_arpa
from pipeline.model_card import table
from pipeline.ngram_counts import count
from pipeline.training_texts import (
    Seen,
    check_held_back,
    copy_file,
    digest,
    file_facts,
    is_held_back,
    new_folder,
    read_documents,
)
from schemas.errors import InputError, MissingExtra, RecipeError
from stages.core import kenlm_models
from stages.core.kenlm_models import MODEL, PIECES
from stages.core.lm_text import Split, splitter, token_lines
from stages.score_perplexity import perplexity

QUANTILES = (5, 25, 33, 50, 67, 75, 95)
SAMPLES, EXCERPT = 3, 300
STEP = "sluice train perplexity"
MOST_ORDER = 6
"""What the PyPI package of KenLM is compiled for."""


@dataclass(frozen=True)
class Options:
    """Of the model; see `pipeline.kneser_ney`."""

    order: int = 5
    min_count: int = 2
    prune_from: int | None = None
    seed: int = 1


@dataclass
class Sides:
    """Documents by what became of them."""

    trained: int = 0
    held_back: int = 0
    without_tokens: int = 0


def train_perplexity(
    files: Sequence[str],
    output: Path,
    options: Options,
    text: str = "text",
    sentencepiece: Path | None = None,
    held_back: float = 0.05,
    force: bool = False,
) -> dict[str, Any]:
    """Train, judge on what was held back, write the folder (model.arpa, card.json, card.md); returns the card.

    Copies of a text all stand on one side; each is counted.
    """
    _check(options, held_back, sentencepiece)
    split = splitter(sentencepiece, STEP)
    with new_folder(output, force) as folder:
        seen, sides, apart = Seen(), Sides(), folder.parent / "held-back.jsonl"
        with apart.open("wb") as aside:
            sentences = _sentences(read_documents(files, text, seen), split, held_back, options.seed, sides, aside)
            counts = count(sentences, options.order, options.min_count, folder.parent)
        if not sides.trained or not sides.held_back:
            raise InputError(
                f"of {seen.documents} documents {sides.trained} have tokens and are left to train on and {sides.held_back} are"
                f" held back ({held_back:.0%}): expected at least one of each"
            )
        model = estimate(counts, folder.parent, options.prune_from)
        write_arpa(model, folder / MODEL)
        if sentencepiece is not None:
            copy_file(sentencepiece, folder / PIECES)
        packages = ("kenlm", "polars", "sluice", *(("sentencepiece",) if sentencepiece is not None else ()))
        card = {
            "model": {**file_facts(folder / MODEL), "versions": {name: version(name) for name in packages}},
            "options": asdict(options),
            "tokens": "words" if sentencepiece is None else {"sentencepiece": file_facts(folder / PIECES)},
            "text": text,
            "held_back_fraction": held_back,
            "input": {**asdict(seen), **asdict(sides)},
            "counts": {
                "sentences": counts.sentences,
                "tokens": counts.tokens,
                "different_words": len(counts.words) - 4,
                "unknown_fraction": round(counts.unknown / max(1, counts.tokens), 6),
            },
            "orders": model.facts(),
            "held_back": _judged(folder, apart, split),
        }
        (folder / "card.json").write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2) + b"\n")
        (folder / "card.md").write_text(_page(card, output.name), encoding="utf-8")
    return card


def _check(options: Options, held_back: float, sentencepiece: Path | None) -> None:
    check_held_back(held_back)
    if not 2 <= options.order <= MOST_ORDER:
        raise RecipeError(f"order is {options.order}, expected 2 to {MOST_ORDER}, which KenLM's package reads")
    if options.prune_from is not None and not 2 <= options.prune_from <= options.order:
        raise RecipeError(f"prune from is {options.prune_from}, expected 2 to the order, {options.order}")
    wanted = [("kenlm", "perplexity"), *([("sentencepiece", "sentencepiece")] if sentencepiece is not None else [])]
    for module, extra in wanted:
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(f"{STEP} needs {module!r}: pip install 'sluice[{extra}]'")


def _sentences(
    documents: Iterator[dict[str, Any]], split: Split, held_back: float, seed: int, sides: Sides, aside: Any
) -> Iterator[list[str]]:
    """Lines of the documents to train on; the others are written aside."""
    for document in documents:
        lines = token_lines(document["text"], split)
        if not lines:
            sides.without_tokens += 1
        elif is_held_back(digest(document["text"], seed), held_back):
            sides.held_back += 1
            aside.write(orjson.dumps(document["text"]) + b"\n")
        else:
            sides.trained += 1
            yield from lines


def _judged(folder: Path, held_back: Path, split: Split) -> dict[str, Any]:
    """Perplexity of all documents held back together, its quantiles by document, and documents at both ends."""
    model = kenlm_models.load(folder / MODEL, None, STEP)
    total, tokens, each, texts = 0.0, 0, [], []
    with held_back.open("rb") as lines:
        for line in lines:
            text = orjson.loads(line)
            log10, length = model.log10(token_lines(text, split))
            total, tokens = total + log10, tokens + length
            each.append(perplexity(log10, length))
            texts.append(text[:EXCERPT])
    order = np.argsort(each, kind="stable")
    ends = dict.fromkeys([*order[:SAMPLES].tolist(), *order[-SAMPLES:].tolist()])
    found = np.quantile(each, [at / 100 for at in QUANTILES], method="inverted_cdf")
    return {
        "documents": len(each),
        "tokens": tokens,
        "perplexity": round(perplexity(total, tokens), 3),
        "quantiles": {str(at): round(float(value), 3) for at, value in zip(QUANTILES, found, strict=True)},
        "samples": [{"perplexity": round(each[at], 3), "text": texts[at]} for at in ends],
    }


def _page(card: dict[str, Any], name: str) -> str:
    model, held, counts, read = card["model"], card["held_back"], card["counts"], card["input"]
    orders = [
        [size, order["ngrams"], order["pruned"], " ".join(f"{one:.4f}" for one in order["discounts"])]
        for size, order in enumerate(card["orders"], 1)
    ]
    fallback = [str(size) for size, order in enumerate(card["orders"], 1) if order["discounts_by_fallback"]]
    kind = "words" if card["tokens"] == "words" else f"pieces of {card['tokens']['sentencepiece']['sha256'][:12]}"
    lines = [
        f"# {name}",
        "",
        f"An n-gram language model of order {card['options']['order']} ({kind}; modified Kneser-Ney, interpolated),"
        f" {model['bytes']:,} bytes, SHA-256 `{model['sha256']}`, trained by `sluice train perplexity`.",
        "",
        "## Trained on",
        "",
        f"{read['trained']:,} of {read['documents']:,} documents ({read['held_back']:,} held back,"
        f" {read['without_tokens']:,} without tokens, {read['faults']:,} faults): {counts['tokens']:,} tokens,"
        f" {counts['different_words']:,} different ones, {counts['unknown_fraction']:.2%} unknown, in"
        f" {counts['sentences']:,} lines.",
        "",
        *[f"- `{file['path']}`, {file['bytes']:,} bytes, SHA-256 `{file['sha256']}`" for file in read["files"]],
        "",
        "Options: " + ", ".join(f"{key} {value}" for key, value in card["options"].items() if value is not None) + ".",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in model["versions"].items()) + ".",
        "",
        *table(["order", "n-grams", "pruned", "discounts"], orders),
        "",
        *(
            [f"Too few n-grams to find discounts of order {', '.join(fallback)}: fixed ones were taken.", ""]
            if fallback
            else []
        ),
        f"## On the documents held back ({card['held_back_fraction']:.0%} by hash of the text)",
        "",
        f"Perplexity {held['perplexity']:,} of all {held['tokens']:,} tokens; by document:",
        "",
        *table(["percentile", "perplexity"], [[at, f"{value:,.1f}"] for at, value in held["quantiles"].items()]),
        "",
        "### Lowest and highest",
        "",
        *[
            f"- {sample['perplexity']:,.1f}: `{' '.join(sample['text'].replace('`', chr(39)).split())}`"
            for sample in held["samples"]
        ],
        "",
    ]
    return "\n".join(lines)
