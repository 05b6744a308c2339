"""What mixtures were asked for and what they gave, from the manifest's facts."""

from collections.abc import Mapping, Sequence
from typing import Any

OFF = 0.005
"""a share that is off by more is told"""


def mixtures(steps: Sequence[Mapping[str, Any]], sources: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """For each mixture its groups, the largest shares first: shares of tokens in the input, as they came, asked for, and taken.

    before   what came to the mixture: after deduplication and all else that stands before it
    input    of the input's tokens as estimated from bytes, where groups are sources; else None
    off      taken less asked for

    `dropped_later` are documents that steps behind it dropped: the shares are then no more those of the training set.
    """
    found = []
    for at, step in enumerate(steps):
        facts = step.get("facts") or {}
        if step.get("stage", step["step"]) != "mix" or not facts.get("groups"):
            continue
        by = facts.get("by", "source")
        tokens = {name: (counts.get("in") or {}).get("tokens") or 0 for name, counts in (sources or {}).items()}
        total = sum(tokens.values()) if by == "source" else 0
        groups = [
            {
                "name": name,
                "input": tokens.get(name, 0) / total if total else None,
                "before": group.get("share_before"),
                "wanted": group["share_wanted"],
                "taken": group["taken_share"],
                "off": group["taken_share"] - group["share_wanted"],
                "tokens": group["taken_tokens"],
                "epochs": group["epochs"],
                "rows": group["rows"],
                "lowest_rank": group.get("lowest_rank"),
            }
            for name, group in facts["groups"].items()
        ]
        groups.sort(key=lambda group: (-group["wanted"], group["name"]))
        later = sum((other.get("dropped") or {}).get("documents") or 0 for other in steps[at + 1 :])
        told = {name: facts.get(name) for name in ("tokens", "requested_tokens")}
        found.append({"step": step["step"], "by": by, **told, "dropped_later": later, "groups": groups})
    return found


def missed(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences about groups whose share is not what was asked for."""
    return [
        f"{mixture['step']}: {group['name']} is {100 * group['taken']:.2f} % of the tokens, asked for were"
        f" {100 * group['wanted']:.2f} %: documents are not cut, and these are few tokens."
        for mixture in mixtures(steps)
        if mixture["tokens"]
        for group in mixture["groups"]
        if round(abs(group["off"]), 9) > OFF  # 0.705 - 0.7 is a little more than 0.005
    ]
