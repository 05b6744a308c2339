"""Histograms as shapes: paths of bars by what becomes of them, ticks, and limit labels that do not cover each other."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.report_histograms import Histogram, numbers_of, position
from pipeline.results_format import limit_brief, number, short
from pipeline.results_story import SIGN

WIDTH, HEIGHT = 1000, 100
PIXELS = 470
"""Width in pixels for which labels are placed; on a narrower screen the lanes still keep them apart for most."""
LABELLED = 6
TOWER = 4


@dataclass
class Mark:
    """A limit on the axis. `left` and `lane` place its label; `beyond`: it lies outside; `minor`: one of many, unlabelled."""

    at: float
    label: str
    lane: int
    left: bool
    beyond: bool
    minor: bool = False


@dataclass
class Chart:
    """What the template draws of one measure. Positions are per cent of the width, paths in a box of 1000 x 100."""

    step: str
    measure: str
    paths: dict[str, str]
    marks: list[Mark]
    lanes: int
    ticks: list[tuple[float, str]]
    summary: str
    alt: str
    cut: tuple[float, str] | None
    rules: list[dict[str, Any]]
    log: bool


def chart_of(histogram: Histogram, rules: list[dict[str, Any]]) -> Chart:
    """Shapes and words for a histogram and the rules on its measure."""
    marks = _marks(histogram, rules)
    middle, low, high = (histogram.quantiles[q] for q in (0.5, 0.05, 0.95))
    summary = f"median {_value(middle)} · 90 % from {_value(low)} to {_value(high)} · {number(histogram.values)} documents"
    if histogram.every > 1:
        summary += f" (every {histogram.every}th group of rows)"
    outside = []
    if histogram.below:
        outside.append(f"{number(histogram.below)} below")
    if histogram.above:
        outside.append(f"{number(histogram.above)} above, up to {_value(histogram.high)}")
    if outside:
        summary += f" · not drawn: {', '.join(outside)}"
    said = "; ".join(mark.label for mark in marks if mark.label) or "no limit"
    fell = [f"{number(rule.get('broken', 0))} documents break {rule['rule']}" for rule in rules]
    alt = f"Histogram of {histogram.measure}: {summary}. Limits: {said}. {'; '.join(fell)}."
    lanes = max((mark.lane for mark in marks), default=-1) + 1
    paths, cut = _paths(histogram, rules)
    if cut:
        alt += f" The tallest bar, {cut[1][2:]} documents, is cut."
    return Chart(
        step=histogram.step,
        measure=histogram.measure,
        paths=paths,
        marks=marks,
        lanes=lanes,
        ticks=_ticks(histogram),
        summary=summary,
        alt=alt,
        cut=cut,
        rules=rules,
        log=histogram.log,
    )


def _paths(histogram: Histogram, rules: list[dict[str, Any]]) -> tuple[dict[str, str], tuple[float, str] | None]:
    """One path for kept, mixed (limits differ between documents) and dropped; and where a bar is cut, its place and count."""
    edges, counts = histogram.edges, histogram.counts
    if not len(counts) or not counts.max():
        return {}, None
    at = np.array([position(histogram, edge) for edge in edges])
    # bars are areas: where bins differ in width, height is count by width
    height = counts / np.maximum(np.diff(at), 1e-9)
    order = np.argsort(height)
    top, cut = float(height[order[-1]]), None
    if len(order) > 2 and height[order[-2]] > 0 and top > TOWER * height[order[-2]]:
        # one tower, mostly documents that measure 0, would leave nothing to see of all others
        tall = int(order[-1])
        top = 1.6 * float(height[order[-2]])
        cut = (round(100 * float(at[tall + 1]), 2), f"↑ {number(int(counts[tall]))}")
    height = np.minimum(height / top, 1) * HEIGHT
    parts: dict[str, list[str]] = {"kept": [], "mixed": [], "dropped": []}
    for i in np.flatnonzero(counts):
        left, right, top = at[i] * WIDTH, at[i + 1] * WIDTH, HEIGHT - max(height[i], 0.8)
        # a hair of space between bars that are wide enough to spare it
        right -= min(1.2, 0.15 * (right - left))
        shape = f"M{left:.1f} {HEIGHT}V{top:.1f}H{right:.1f}V{HEIGHT}z"
        parts[_fate(histogram, rules, float(edges[i]), float(edges[i + 1]))].append(shape)
    return {fate: "".join(shapes) for fate, shapes in parts.items() if shapes}, cut


def _fate(histogram: Histogram, rules: list[dict[str, Any]], left: float, right: float) -> str:
    fate = "kept"
    for rule in rules:
        op = rule.get("op") or "at_most"
        ends = [histogram.edge_of(op, limit) for limit in numbers_of(rule.get("limit"))]
        sides = [right <= end if op == "at_least" else left >= end for end in ends]
        if isinstance(rule.get("limit"), dict) and rule["limit"].get("default") is None:
            sides.append(False)
        if sides and all(sides):
            return "dropped"
        if any(sides):
            fate = "mixed"
    return fate


def _marks(histogram: Histogram, rules: list[dict[str, Any]]) -> list[Mark]:
    found = []
    for rule in rules:
        sign, limit = SIGN.get(rule.get("op") or "", ""), rule.get("limit")
        if not isinstance(limit, dict):
            found += [(value, f"{rule['rule']} {sign} {number(value)}") for value in numbers_of(limit)]
            continue
        names: dict[float, list[str]] = {}
        for name, value in [*sorted((limit.get("values") or {}).items()), ("others", limit.get("default"))]:
            if isinstance(value, int | float):
                names.setdefault(float(value), []).append(str(name))
        few = len(names) <= LABELLED
        for value, keys in sorted(names.items()):
            who = ", ".join(keys[:3]) + (" …" if len(keys) > 3 else "")
            found.append((value, f"{rule['rule']} {sign} {number(value)} {who}" if few else ""))
        if not few:
            found.append((min(names), f"{rule['rule']} {sign} {limit_brief(limit)}"))
    return _placed(histogram, sorted(found))


def _placed(histogram: Histogram, found: list[tuple[float, str]]) -> list[Mark]:
    marks: list[Mark] = []
    ends: list[list[tuple[float, float]]] = []
    for value, label in found:
        beyond = bool(value < histogram.edges[0] or value > histogram.edges[-1])
        at = position(histogram, value)
        if beyond:
            label = f"{label} ▸" if value > histogram.edges[-1] else f"◂ {label}"
        left = at > 0.55
        width = (len(label) * 6.4 + 14) / PIXELS
        span = (at - width, at) if left else (at, at + width)
        lane = 0
        if label:
            while lane < len(ends) and any(span[0] < end and start < span[1] for start, end in ends[lane]):
                lane += 1
            if lane == len(ends):
                ends.append([])
            ends[lane].append(span)
        marks.append(Mark(round(100 * at, 2), label, lane, left, beyond, minor=not label))
    # the fine lines of a long table first, so that labels lie over them
    return sorted(marks, key=lambda mark: not mark.minor)


def _ticks(histogram: Histogram) -> list[tuple[float, str]]:
    low, high = float(histogram.edges[0]), float(histogram.edges[-1])
    if histogram.integer:
        high -= 1
    if histogram.log:
        tens = [10.0**power for power in range(0, 16)]
        values = [value for value in [0.0, *tens] if low <= value <= high]
        if len(values) < 3:
            values = [low, *[v for v in values if low * 1.5 < v < high / 1.5], high]
    else:
        values = _round_numbers(low, high, histogram.integer)
    found: list[tuple[float, str]] = []
    for value in values:
        # a whole number stands in the middle of its bin where bins are that wide
        middle = 0.5 if histogram.integer and not histogram.log and high - low < 60 else 0.0
        at = 100 * position(histogram, value + middle)
        if not found or at - found[-1][0] > 8:
            found.append((round(at, 2), short(value) if abs(value) >= 10_000 else number(round(value, 10))))
    return found


def _round_numbers(low: float, high: float, whole: bool) -> list[float]:
    if high <= low:
        return [low]
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    if whole:
        step = max(1.0, step)
    first = math.ceil(low / step - 1e-9)
    return [step * n for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _value(value: float) -> str:
    return number(float(f"{value:.3g}") if abs(value) < 1000 else round(value))


def bar(part: int | None, whole: int | None) -> float:
    """Width in per cent of a bar for `part` of `whole`; something is never nothing."""
    if not part or not whole:
        return 0.0
    return round(max(100 * part / whole, 0.25), 2)
