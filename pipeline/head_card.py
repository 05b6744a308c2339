"""A head's card as Markdown."""

from collections.abc import Mapping
from typing import Any

from pipeline.model_card import table

_LEFT_OUT = {
    "without_label": "without label",
    "without_text": "without text",
    "copies": "copies",
    "several_labels": "with several labels",
    "faults": "faults",
}


def page(card: dict[str, Any], name: str) -> str:
    """What the JSON card says, for reading."""
    embedding, read, options = card["embedding"], card["input"], card["options"]
    # what only an mlp has says nothing of one layer
    fitting = {key: value for key, value in options["fitting"].items() if key == "l2" or options["kind"] == "mlp"}
    weights = card["head"]["files"][1]
    plain = {key: value for key, value in options.items() if not isinstance(value, Mapping) and value is not None}
    left_out = ", ".join(f"{read[key]:,} {words}" for key, words in _LEFT_OUT.items())
    lines = [
        f"# {name}",
        "",
        f"A head ({options['kind']}, {options['target']}) on the vectors of `{embedding['model']}` ({embedding['kind']},"
        f" {embedding['dimensions']} numbers, files' hash `{embedding['sha256'][:12]}`), {weights['bytes']:,} bytes, SHA-256"
        f" `{weights['sha256']}`, trained by `sluice train head`.",
        "",
        "## Trained on",
        "",
        f"{read['trained']:,} of {read['documents']:,} documents; {read['calibrated']:,} for calibration,"
        f" {read['held_back']:,} held back; left out: {left_out}.",
        "",
        *table(["label", "documents"], [[label, count] for label, count in list(read["labels"].items())[:50]]),
        "",
        *[f"- `{file['path']}`, {file['bytes']:,} bytes, SHA-256 `{file['sha256']}`" for file in read["files"]],
        "",
        "Options: " + ", ".join(f"{key} {value}" for key, value in {**plain, **fitting}.items()) + ".",
        "Fitted: " + ", ".join(f"{key} {value}" for key, value in card["fitted"].items()) + ".",
        "Versions: " + ", ".join(f"{key} {value}" for key, value in card["head"]["versions"].items()) + ".",
        "",
        f"## On the documents held back ({options['held_back']:.0%} by hash of the text)",
        "",
        *_figures(card),
        *_labels(card),
        "### Found to be",
        "",
        *table(
            ["label", *(row["label"] for row in card["confusion"])],
            [[row["label"], *row["found"].values()] for row in card["confusion"]],
        ),
        "",
        *_calibration(card),
        "### Closest to the cut" if "cut" in card else "### Wrong with the highest probability",
        "",
        *[_sample(sample) for sample in card["samples"]],
        "",
    ]
    return "\n".join(lines)


def _figures(card: dict[str, Any]) -> list[str]:
    cut = card.get("cut")
    rows = [
        [name.replace("_", " "), *(f"{row[key]:.4f}" if key in row else "" for key in ("value", "low", "high"))]
        for name, row in card["figures"].items()
    ]
    kept = [f"Kept is what scores {cut['value']:.4f} or more ({cut['chosen']}). "] if cut else [""]
    return [f"{kept[0]}Intervals: 95 %, 1000 bootstrap resamples.", "", *table(["", "value", "from", "to"], rows), ""]


def _labels(card: dict[str, Any]) -> list[str]:
    if "per_label" not in card:
        return []
    keys = ("precision", "recall", "f1", "auc")
    rows = [
        [row["label"], row["documents"], *(f"{row[key]:.4f}" if key in row else "" for key in keys)]
        for row in card["per_label"]
    ]
    return ["### By the most likely label", "", *table(["label", "documents", *keys], rows), ""]


def _calibration(card: dict[str, Any]) -> list[str]:
    found = card.get("calibration")
    if found is None:
        return []
    rows = [
        [
            f"{row['from']:.1f} to {row['to']:.1f}",
            row["documents"],
            *(f"{row[key]:.4f}" if key in row else "" for key in ("mean_score", "positive_fraction")),
        ]
        for row in found["bins"]
    ]
    head = f"### Calibration (mean error {found['expected_error']:.4f}, Brier {found['brier']:.4f})"
    return [head, "", *table(["score", "documents", "mean score", "share of the second label"], rows), ""]


def _sample(sample: dict[str, Any]) -> str:
    fate = "" if "kept" not in sample else "kept, " if sample["kept"] else "not kept, "
    quoted = " ".join(sample["text"].replace("`", "'").split())
    return f"- {fate}labelled {sample['label']}, score {sample['score']:.4f}: `{quoted}`"
