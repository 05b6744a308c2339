"""A classifier's card as Markdown."""

from typing import Any


def markdown(card: dict[str, Any]) -> str:
    """What the JSON card says, for reading."""
    model, cut, found = card["model"], card["cut"], card["figures"]
    lines = [
        f"# {model['file']}",
        "",
        f"A fastText classifier of good (`hq`) against other (`cc`) documents, {model['bytes']:,} bytes,"
        f" SHA-256 `{model['sha256']}`, trained by `sluice train quality`.",
        "",
        "## Trained on",
        "",
        *table(
            ["class", "documents", "bytes", "copies", "in both", "no words", "faults", "trained on", "held back"],
            [[label, *(count[key] for key in _COUNTED)] for label, count in card["classes"].items()],
        ),
        "",
        *[
            f"- {label}: `{file['path']}`, {file['bytes']:,} bytes, SHA-256 `{file['sha256']}`"
            for label, count in card["classes"].items()
            for file in count["files"]
        ],
        "",
        "Options: " + ", ".join(f"{key} {value}" for key, value in card["options"].items() if value is not None) + ".",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in model["versions"].items()) + ".",
        "",
        f"## On the documents held back ({card['held_back_fraction']:.0%} by hash of the text)",
        "",
        f"Kept is what scores {cut['value']:.4f} or more ({cut['chosen']}). Intervals: 95 %, 1000 bootstrap resamples.",
        "",
        *table(
            ["", "value", "from", "to"],
            [[name.replace("_", " "), *(f"{row[key]:.4f}" for key in ("value", "low", "high"))] for name, row in found.items()],
        ),
        "",
        "### ROC",
        "",
        *table(
            ["cut", "recall", "false positive rate"],
            [[f"{row['cut']:.4f}", f"{row['recall']:.4f}", f"{row['false_positive_rate']:.4f}"] for row in card["roc"]],
        ),
        "",
        f"### Calibration (mean error {card['calibration']['expected_error']:.4f}, Brier {card['calibration']['brier']:.4f})",
        "",
        *table(
            ["score", "documents", "mean score", "share of good"],
            [
                [
                    f"{row['from']:.1f} to {row['to']:.1f}",
                    row["documents"],
                    *(f"{row[key]:.4f}" if key in row else "" for key in ("mean_score", "positive_fraction")),
                ]
                for row in card["calibration"]["bins"]
            ],
        ),
        "",
        "### Closest to the cut",
        "",
        *[_sample(sample) for sample in card["samples"]],
        "",
    ]
    return "\n".join(lines)


_COUNTED = ("documents", "bytes", "copies", "in_both_classes", "without_words", "faults", "trained", "held_back")


def table(head: list[str], rows: list[list[Any]]) -> list[str]:
    """Lines of a table in Markdown."""
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *cells]]


def _sample(sample: dict[str, Any]) -> str:
    fate = "kept" if sample["kept"] else "not kept"
    quoted = sample["text"].replace("`", "'")
    return f"- {fate}, labelled {sample['label']}, score {sample['score']:.4f}: `{quoted}`"
