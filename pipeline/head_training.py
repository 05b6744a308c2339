"""`sluice train head`: a head on the vectors of an embedding model, and what is known about it."""

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pipeline.calibrate import calibrate
from pipeline.head_card import page
from pipeline.labelled_vectors import Label, Read, Side, labelled, sides, with_column
from pipeline.training_texts import check_held_back, file_facts, new_folder
from schemas.errors import InputError, MissingExtra, RecipeError
from stages.core.classifier_figures import Scored, best_cut, calibration, figures, roc
from stages.core.embedding_models import EmbeddingModel, fingerprint
from stages.core.head_fitting import Fitting, fit
from stages.core.heads import FACTS, WEIGHTS, Calibration, Head, Kind, Target, log_odds, write_head
from stages.core.score_figures import class_figures, confusion, f1, per_label, regression_figures
from stages.embed_text import EmbedText

SAMPLES = 3
NEGATIVE, POSITIVE = "negative", "positive"
MOST_CLASSES = 100


@dataclass(frozen=True)
class Options:
    """What is trained, and how; `cut` of a regression is FineWeb-Edu's 3 where none is given."""

    kind: Kind = "linear"
    target: Target = "classes"
    calibration: Calibration = "platt"
    fitting: Fitting = field(default_factory=Fitting)
    held_back: float = 0.1
    cut: float | None = None
    seed: int = 1


@dataclass(frozen=True)
class Labelled:
    """Where labelled documents stand: good and other ones, or files with a column of labels."""

    positive: Sequence[str] = ()
    negative: Sequence[str] = ()
    labels: Sequence[str] = ()
    label_column: str | None = None
    text: str = "text"


def train_head(
    documents: Labelled,
    model: str,
    output: Path,
    options: Options,
    prefix: str = "",
    max_tokens: int | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Embed, train, calibrate, judge on what was held back, write the folder of the head with its card; returns the card."""
    _check(documents, options)
    if options.target == "regression":
        options = replace(options, calibration="none")
    try:
        embedder = EmbedText(model=model, prefix=prefix, max_tokens=max_tokens, precision="float32")
    except ValueError as error:
        raise RecipeError(f"--model {model}: {error}") from error
    for module, extra in (*embedder.requirements(), ("torch", "embed")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(f"sluice train head needs {module!r}: pip install 'sluice[{extra}]'")
    with new_folder(output, force) as folder:
        read = Read()
        if documents.label_column is not None:
            numbers = options.target == "regression"
            source = with_column(documents.labels, documents.text, documents.label_column, numbers, read)
        else:
            source = labelled({NEGATIVE: documents.negative, POSITIVE: documents.positive}, documents.text, read)
        parts = sides(source, read, embedder.load_model(), prefix, options.held_back, options.seed, folder.parent)
        head, fitted = _fitted(parts, options, _embedding_facts(embedder))
        write_head(head, folder)
        packages = ("torch", "sluice", "model2vec" if embedder.is_static() else "sentence-transformers")
        card = {
            "head": {
                "files": [file_facts(folder / name) for name in (FACTS, WEIGHTS)],
                "versions": {name: version(name) for name in packages},
            },
            "options": asdict(options),
            "labels": list(head.labels),
            "embedding": {**head.embedding, "model": model},
            "label_column": documents.label_column,
            "text": documents.text,
            "input": asdict(read),
            "fitted": fitted,
            **_judged(head, parts["judge"], options),
        }
        (folder / "card.json").write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2) + b"\n")
        (folder / "card.md").write_text(page(card, output.name), encoding="utf-8")
    return card


def _check(documents: Labelled, options: Options) -> None:
    check_held_back(2 * options.held_back)  # as many again are for calibration
    by_file, by_column = bool(documents.positive or documents.negative), bool(documents.labels)
    if by_file == by_column or (by_file and not (documents.positive and documents.negative)):
        raise RecipeError("expected either --positive and --negative, or --labels with --label-column")
    if by_column != (documents.label_column is not None):
        raise RecipeError("--labels and --label-column, the column that holds the labels, go together")
    if by_file and options.target == "regression":
        raise RecipeError("--target regression needs scores: --labels FILE --label-column COLUMN")


def _embedding_facts(embedder: EmbeddingModel) -> dict[str, Any]:
    known = {"prefix": embedder.prefix, "max_tokens": embedder.max_tokens, "sha256": fingerprint(embedder)}
    return {"kind": embedder.facts()["kind"], "dimensions": embedder.dimensions(), **known}


def _fitted(parts: dict[str, Side], options: Options, embedding: dict[str, Any]) -> tuple[Head, dict[str, Any]]:
    train, apart = parts["train"], parts["calibrate"]
    if options.target == "regression":
        labels: tuple[str, ...] = ()
        wanted, other = (np.array(side.labels, np.float64) for side in (train, apart))
    else:
        labels = tuple(sorted({str(label) for side in parts.values() for label in side.labels}))
        _check_classes(labels, train.labels)
        wanted, other = (_numbers(side.labels, labels) for side in (train, apart))
    outputs = max(1, len(labels))
    layers, facts = fit(
        train.vectors, wanted, (apart.vectors, other), options.kind, options.target, outputs, options.fitting, options.seed
    )
    head = Head(options.kind, options.target, labels, layers, (), embedding)
    if not labels:
        return head, facts
    odds = log_odds(head.outputs(apart.vectors))
    of = [1] if len(labels) == 2 else range(len(labels))
    curves = tuple(calibrate(odds[:, label], other == label, options.calibration) for label in of)
    return Head(options.kind, options.target, labels, layers, curves, embedding), facts


def _check_classes(labels: Sequence[str], trained: Sequence[Label]) -> None:
    if not 2 <= len(labels) <= MOST_CLASSES:
        raise InputError(f"there are {len(labels)} labels, expected 2 to {MOST_CLASSES}; numbers are for --target regression")
    if missing := set(labels) - {str(label) for label in trained}:
        raise InputError(f"no document with the label {min(missing)!r} is left to train on: expected at least one of each")


def _numbers(values: Sequence[Label], labels: Sequence[str]) -> np.ndarray:
    place = {label: at for at, label in enumerate(labels)}
    return np.array([place[str(value)] for value in values], np.int64)


def _judged(head: Head, side: Side, options: Options) -> dict[str, Any]:
    scores = head.scores(side.vectors)
    if head.target == "regression":
        wanted = np.array(side.labels, np.float64)
        cut = 3.0 if options.cut is None else options.cut
        whole = [str(number) for number in range(int(np.floor(wanted.min() + 0.5)), int(np.floor(wanted.max() + 0.5)) + 1)]
        low = int(whole[0])
        places = [np.clip(np.floor(values + 0.5), low, int(whole[-1])).astype(np.int64) - low for values in (scores, wanted)]
        return {
            "figures": regression_figures(scores, wanted, cut, options.seed),
            "cut": {"value": cut, "chosen": "3, as FineWeb-Edu" if options.cut is None else "given"},
            "confusion": confusion(places[0], places[1], whole),
            "samples": _around(side, scores, cut),
        }
    numbers = _numbers(side.labels, head.labels)
    told: dict[str, Any] = {
        "per_label": per_label(scores, numbers, head.labels),
        "confusion": confusion(scores.argmax(axis=1), numbers, head.labels),
    }
    if len(head.labels) > 2:
        found = class_figures(scores.argmax(axis=1), numbers, len(head.labels), options.seed)
        wrong = np.where(scores.argmax(axis=1) != numbers, scores.max(axis=1), -1.0)
        worst = [at for at in np.argsort(-wrong, kind="stable")[:SAMPLES].tolist() if wrong[at] >= 0]
        return {"figures": found, **told, "samples": [_sample(side, at, float(wrong[at]), None) for at in worst]}
    positive = numbers == 1
    if positive.all() or not positive.any():
        raise InputError(f"all documents held back are {side.labels[0]!r}: give more documents, or another --seed")
    scored = Scored.of(scores[:, 1], positive)
    cut = best_cut(scored) if options.cut is None else options.cut
    found = figures(scored, cut, options.seed)
    found["f1"] = {"value": round(f1(scores[:, 1] >= cut, positive), 5)}
    return {
        "figures": found,
        "cut": {
            "value": cut,
            "chosen": "largest difference of recall and false positive rate" if options.cut is None else "given",
        },
        **told,
        "roc": roc(scored),
        "calibration": calibration(scored),
        "samples": _around(side, scores[:, 1], cut),
    }


def _around(side: Side, scores: np.ndarray, cut: float) -> list[dict[str, Any]]:
    """The documents closest to the cut on both sides."""
    found = []
    for kept in (True, False):
        mine = np.flatnonzero((scores >= cut) == kept)
        closest = mine[np.argsort(np.abs(scores[mine] - cut), kind="stable")][:SAMPLES]
        found += [_sample(side, at, float(scores[at]), kept) for at in closest.tolist()]
    return found


def _sample(side: Side, at: int, score: float, kept: bool | None) -> dict[str, Any]:
    told = {} if kept is None else {"kept": kept}
    return {**told, "label": side.labels[at], "score": round(score, 5), "text": side.excerpts[at]}
