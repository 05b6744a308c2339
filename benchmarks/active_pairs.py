"""Comparisons that pair choice by information needs for a ranking, beside pairs taken at random, in simulation.

    python benchmarks/active_pairs.py

200 items with strengths drawn from a normal distribution (standard deviation 1, 2 and 4 logits); a comparison is won with the
probability of Bradley-Terry. Batches have 50 comparisons, or a twentieth of those made so far if that is more. After each, both
arms rank the items by `believe`, with the spread of the prior learnt, and Kendall's tau against the true strengths is taken.

random     pairs at random, uniformly, with repeats
chosen     `next_pairs`, no repeat within a batch

What counts is when tau first reaches a level, interpolated within the batch. Ratios are of the means over seeds; beside them
how many seeds needed no more than random. Writes benchmarks/results/active_pairs.json and active_pairs.svg.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices of 200 x 200: threads cost more than they give

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import harness
import numpy as np
from harness import Result

sys.path.insert(0, str(harness.HERE.parent))

LEVELS = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
JUDGED = (0.8, 0.9)
SPREADS = (1.0, 2.0, 4.0)
ARMS = ("random", "chosen")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=20, help="the choice was tuned on seeds 0 to 3")
    parser.add_argument("--results", type=Path, default=harness.RESULTS / "active_pairs.json")
    args = parser.parse_args()
    needed: dict[float, dict[str, list[list[float]]]] = {spread: {arm: [] for arm in ARMS} for spread in SPREADS}
    for spread in SPREADS:
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            for arm in ARMS:
                needed[spread][arm].append(comparisons(arm, args.items, spread, seed))
            print(f"  spread {spread}: seed {seed} of {args.seeds} from {args.first_seed}", file=sys.stderr, flush=True)
    report = {f"{spread:g}": judged(needed[spread]) for spread in SPREADS}
    rows = [
        [
            f"spread {spread}, tau {level}",
            *[round(one[arm]) for arm in ARMS],
            one["ratio"],
            f"{one['seeds_no_worse']}/{args.seeds}",
        ]
        for spread, by_level in report.items()
        for level, one in by_level.items()
        if float(level) in JUDGED
    ]
    harness.print_table("comparisons, mean", [f"{args.items} items", *ARMS, "ratio", "seeds no worse"], rows)
    result = {**harness.facts(("numpy", "sluice")), "items": args.items, "seeds": args.seeds, "comparisons": report}
    result["first_seed"] = args.first_seed
    harness.save(args.results, None, result)
    args.results.with_suffix(".svg").write_text(curves(report), encoding="utf-8")
    return 0


def comparisons(arm: str, items: int, spread: float, seed: int) -> list[float]:
    """How many comparisons until tau first reached each level."""
    from stages.core.pair_choice import believe, next_pairs, no_belief

    random = np.random.Generator(np.random.PCG64([seed, int(spread * 10)]))
    strengths = random.normal(0, spread, items)
    scores, belief = np.zeros((items, items)), no_belief(items)
    made, tau, found = 0, 0.0, []
    while len(found) < len(LEVELS):
        batch = max(50, made // 20)
        if arm == "chosen":
            one, other = next_pairs(belief, batch).T
        else:
            one = random.integers(0, items, batch)
            other = (one + random.integers(1, items, batch)) % items
        won = random.random(batch) < 1 / (1 + np.exp(strengths[other] - strengths[one]))
        np.add.at(scores, (np.where(won, one, other), np.where(won, other, one)), 1)
        belief = believe(scores, belief)
        before, tau = tau, kendall(belief.strengths, strengths)
        while len(found) < len(LEVELS) and tau >= LEVELS[len(found)]:
            found.append(made + batch * (LEVELS[len(found)] - before) / (tau - before))
        made += batch
    return found


def kendall(found: np.ndarray, true: np.ndarray) -> float:
    upper = np.triu_indices(len(true), 1)
    signs = [np.sign((one[:, None] - one[None, :])[upper]) for one in (found, true)]
    return float(np.mean(signs[0] * signs[1]))


def judged(needed: dict[str, list[list[float]]]) -> dict[str, Result]:
    report = {}
    for at, level in enumerate(LEVELS):
        arms = {arm: np.array([one[at] for one in needed[arm]]) for arm in ARMS}
        means = {arm: round(float(values.mean()), 1) for arm, values in arms.items()}
        report[f"{level:g}"] = {
            **means,
            "ratio": round(float(arms["chosen"].mean() / arms["random"].mean()), 3),
            "seeds_no_worse": int((arms["chosen"] <= arms["random"]).sum()),
        }
    return report


def curves(report: dict[str, dict[str, Result]]) -> str:
    """Kendall's tau against mean comparisons, on a logarithmic scale, a panel for each spread."""
    width, height, left, top = 250, 190, 48, 42
    every = [one[arm] for by_level in report.values() for one in by_level.values() for arm in ARMS]
    low, high = math.log10(min(every)) - 0.05, math.log10(max(every)) + 0.05
    colours = {"random": "#a08a63", "chosen": "#1f7278"}
    parts = []
    for panel, (spread, by_level) in enumerate(report.items()):
        x0 = left + panel * (width + 24)

        def place(count: float, level: float, x0: int = x0) -> tuple[float, float]:
            return x0 + width * (math.log10(count) - low) / (high - low), top + height * (0.95 - level) / 0.7

        parts.append(f'<text x="{x0}" y="{top - 10}">standard deviation {spread}</text>')
        for level in (0.3, 0.5, 0.7, 0.8, 0.9):
            y = place(10, level)[1]
            parts.append(f'<path class="line" d="M{x0} {y:.1f}h{width}"/>')
            if not panel:
                parts.append(f'<text class="soft" x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{level}</text>')
        for count in (100, 1000, 10_000):
            x = place(count, 0.5)[0]
            if x0 <= x <= x0 + width:
                parts.append(f'<path class="line" d="M{x:.1f} {top}v{height}"/>')
                parts.append(f'<text class="soft" x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{count:,}</text>')
        for arm in ARMS:
            points: Sequence[tuple[float, float]] = [place(one[arm], float(level)) for level, one in by_level.items()]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
            parts.append(f'<path d="M{path}" fill="none" stroke="{colours[arm]}" stroke-width="2"/>')
    whole = left + len(report) * (width + 24)
    key = "".join(
        f'<rect x="{left + 110 * at}" y="{top + height + 28}" width="10" height="10" fill="{colours[arm]}"/>'
        f'<text x="{left + 16 + 110 * at}" y="{top + height + 37}">{words}</text>'
        for at, (arm, words) in enumerate(zip(ARMS, ("random pairs", "chosen pairs"), strict=True))
    )
    title = "Kendall's tau of 200 items by number of comparisons (mean of seeds)"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {top + height + 48}" font-family="system-ui,sans-serif" '
        f'font-size="12"><title>{title}</title><style>text{{fill:#1b2225}}.soft{{fill:#566166}}.line{{stroke:#e2e4e1}}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{left}" y="16" font-weight="600">{title}</text>'
        f"{''.join(parts)}{key}</svg>\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
