"""A leaderboard drawn: each model's Elo as a dot, its interval as a line, in one SVG file that needs nothing else."""

import math
from html import escape

import pyarrow as pa

from pipeline.results_format import plain

PLOT, LINE, TOP, BOTTOM = 560, 24, 34, 34
"""pixels: width between the axis' ends, height for each model, above and below"""
LETTER = 7.2
"""pixels a letter takes in the widest of the usual fonts; longer names are cut"""
LETTERS = 40
STYLE = (
    ":root{color-scheme:light dark}text{fill:#1b2225;font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    ".page{fill:#fff}.soft{fill:#566166;font-size:12px}.line{stroke:#e2e4e1}.span{stroke:#1f7278;stroke-width:2}.dot{fill:#1f7278}"
    "@media (prefers-color-scheme:dark){text{fill:#e5e8e7}.page{fill:#1a1e20}.soft{fill:#9ca7ab}.line{stroke:#2d3335}"
    ".span{stroke:#4bb0b6}.dot{fill:#4bb0b6}}"
)


def plot(board: pa.Table) -> str:
    """SVG of a leaderboard, the strongest on top."""
    rows = board.select(["model", "elo", "elo_low", "elo_high"]).to_pylist()
    spans = [(row["elo"] if row[end] is None else row[end]) for row in rows for end in ("elo_low", "elo_high", "elo")]
    low, high = min(spans), max(spans)
    margin = 0.03 * (high - low) or 1.0
    low, high = low - margin, high + margin
    names = [_brief(row["model"]) for row in rows]
    left = round(16 + LETTER * max(map(len, names)))
    height = TOP + LINE * len(rows)

    def place(value: float) -> float:
        return float(left + PLOT * (value - low) / (high - low))

    parts = [f'<text x="{left}" y="18" class="soft">{_words(board)}</text>']
    for value in ticks(low, high):
        x = place(value)
        parts.append(f'<path class="line" d="M{x:.1f} {TOP}V{height}"/>')
        parts.append(f'<text class="soft" x="{x:.1f}" y="{height + 18}" text-anchor="middle">{value:,g}</text>')
    for at, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = TOP + LINE * (at + 0.5)
        said = f"{row['model']}: {row['elo']:.0f}"
        if row["elo_low"] is not None:
            said += f", 95 % interval {row['elo_low']:.0f} to {row['elo_high']:.0f}"
            parts.append(f'<path class="span" d="M{place(row["elo_low"]):.1f} {y}H{place(row["elo_high"]):.1f}"/>')
        parts.append(f'<text x="{left - 10}" y="{y + 4.5}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<circle class="dot" cx="{place(row["elo"]):.1f}" cy="{y}" r="4"><title>{escape(plain(said))}</title></circle>'
        )
    size = f"{left + PLOT + 24} {height + BOTTOM}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img"><title>Leaderboard</title>'
        f'<style>{STYLE}</style><rect class="page" width="100%" height="100%"/>{"".join(parts)}</svg>\n'
    )


def _words(board: pa.Table) -> str:
    intervals = " with 95 % intervals" if board["elo_low"].null_count == 0 else ""
    return f"Elo{intervals}; 400 points are odds of 10 to 1, the mean is 1,000"


def _brief(name: str) -> str:
    shown = plain(name)
    return shown if len(shown) <= LETTERS else f"{shown[: LETTERS - 1]}…"


def ticks(low: float, high: float) -> list[float]:
    """Three to eight round numbers between the two."""
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [round(step * at, 10) for at in range(math.ceil(low / step), math.floor(high / step) + 1)]
