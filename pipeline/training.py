"""`sluice train quality`: a fastText classifier of good against other documents, and what is known about it."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from pipeline.fasttext_trainer import can_train, train_fasttext
from pipeline.labelled_texts import Split, split
from pipeline.model_card import markdown
from schemas.errors import InputError, MissingExtra, OutputError, RecipeError
from stages.core.classifier_figures import Scored, best_cut, calibration, figures, roc
from stages.kernels.fasttext_model import read_model
from stages.kernels.fasttext_scalars import LabelScorer
from stages.kernels.text import text_of

SAMPLES, EXCERPT = 3, 300
LOSSES = ("softmax", "hs", "ova")
GOOD = "hq"


@dataclass(frozen=True)
class Options:
    """DCLM's recipe (Li et al. 2024, section 4.4): fastText's own defaults, and n-grams of two words."""

    word_ngrams: int = 2
    lr: float = 0.1
    dim: int = 100
    epochs: int = 5
    buckets: int = 2_000_000
    min_count: int = 1
    min_chars: int = 0
    max_chars: int = 0
    loss: str = "softmax"
    cutoff: int | None = None
    seed: int = 1

    def for_library(self) -> dict[str, Any]:
        """As fastText names them."""
        return {
            "wordNgrams": self.word_ngrams,
            "lr": self.lr,
            "dim": self.dim,
            "epoch": self.epochs,
            "bucket": self.buckets,
            "minCount": self.min_count,
            "minn": self.min_chars,
            "maxn": self.max_chars,
            "loss": self.loss,
            "seed": self.seed,
        }


def train_quality(
    positive: Sequence[str],
    negative: Sequence[str],
    output: Path,
    options: Options,
    text: str = "text",
    held_back: float = 0.1,
    cut: float | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Train, judge on what was held back, write the model and its card (.json and .md beside it); returns the card."""
    _check(output, options, held_back, force)
    output.parent.mkdir(parents=True, exist_ok=True)
    # beside the output, where there is room for it
    with tempfile.TemporaryDirectory(prefix=".training-", dir=output.parent) as made:
        folder = Path(made)
        parts = split({GOOD: positive, "cc": negative}, text, held_back, options.seed, folder)
        _check_classes(parts, held_back)
        model = folder / output.name
        failed = train_fasttext(parts.train, model, options.for_library(), options.cutoff)
        if failed is not None:
            raise InputError(f"fastText could not train on {parts.train.stat().st_size:,} bytes: {failed}")
        card = {"model": _facts(model, output), "options": asdict(options), "text": text, "held_back_fraction": held_back}
        card |= {"classes": {label: asdict(count) for label, count in parts.counts.items()}}
        card |= _judged(model, parts.held_back, cut, options.seed)
        made_card, made_page = folder / "card.json", folder / "card.md"
        made_card.write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2) + b"\n")
        made_page.write_text(markdown(card), encoding="utf-8")
        for made_file, ending in ((made_card, ".json"), (made_page, ".md"), (model, output.suffix)):
            os.replace(made_file, output.with_suffix(ending))
    return card


def _check(output: Path, options: Options, held_back: float, force: bool) -> None:
    if not can_train():
        raise MissingExtra(
            "training needs the library fasttext: it is not installed, or the files of fasttext-predict lie over its own."
            " Run `pip install --force-reinstall --no-deps 'fasttext>=0.9.3'`, with a C++ compiler; `sluice doctor` tells more"
        )
    if options.loss not in LOSSES:
        raise RecipeError(f"loss is {options.loss!r}, expected {', '.join(LOSSES)}")
    ending = ".bin" if options.cutoff is None else ".ftz"
    if output.suffix != ending:
        raise RecipeError(f"{output}: expected a name that ends in {ending}" + (", as --cutoff quantises" * (ending == ".ftz")))
    if not 0 < held_back < 1:
        raise RecipeError(f"held back is {held_back}, expected a share above 0 and below 1")
    if output.exists() and not force:
        raise OutputError(f"{output} exists; --force writes over it")


def _check_classes(parts: Split, held_back: float) -> None:
    for label, count in parts.counts.items():
        if not count.trained or not count.held_back:
            both = f", {count.in_both_classes} are in both classes" if count.in_both_classes else ""
            raise InputError(
                f"of the {count.documents} documents of {label!r} {count.trained} are left to train on and {count.held_back}"
                f" are held back ({held_back:.0%}){both}: expected at least one of each"
            )


def _facts(model: Path, output: Path) -> dict[str, Any]:
    content = model.read_bytes()
    versions = {name: version(name) for name in ("fasttext", "sluice")}
    return {"file": output.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "versions": versions}


def _judged(model: Path, held_back: Path, cut: float | None, seed: int) -> dict[str, Any]:
    read = read_model(model)
    score = LabelScorer(read, read.labels.index(GOOD))
    labels, scores = [], []
    for batch in _batches(held_back):
        labels += [label == GOOD for label, _ in batch]
        scores.append(score(text_of(pa.array([text for _, text in batch], pa.large_string()))))
    scored = Scored.of(np.concatenate(scores), np.array(labels))
    chosen = best_cut(scored) if cut is None else cut
    return {
        "figures": figures(scored, chosen, seed),
        "cut": {"value": chosen, "chosen": "largest difference of recall and false positive rate" if cut is None else "given"},
        "roc": roc(scored),
        "calibration": calibration(scored),
        "samples": _samples(held_back, np.concatenate(scores), chosen),
    }


def _batches(held_back: Path, size: int = 8_000_000) -> Iterator[list[tuple[str, str]]]:
    batch, held = [], 0
    with held_back.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            label, _, text = line.rstrip("\n").removeprefix("__label__").partition(" ")
            batch.append((label, text))
            held += len(line)
            if held >= size:
                yield batch
                batch, held = [], 0
    if batch:
        yield batch


def _samples(held_back: Path, scores: np.ndarray, cut: float) -> list[dict[str, Any]]:
    """The documents of each class closest to the cut on each of its sides."""
    order = np.argsort(np.abs(scores - cut), kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    found: dict[tuple[bool, str], list[tuple[int, dict[str, Any]]]] = {}
    row = 0
    for batch in _batches(held_back):
        for label, text in batch:
            kept = bool(scores[row] >= cut)
            sample = {"kept": kept, "label": label, "score": round(float(scores[row]), 5), "text": text[:EXCERPT]}
            closest = found.setdefault((kept, label), [])
            closest.append((int(rank[row]), sample))
            closest.sort(key=lambda entry: entry[0])
            del closest[SAMPLES:]
            row += 1
    return [sample for key in sorted(found, reverse=True) for _, sample in found[key]]
