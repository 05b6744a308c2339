"""The page that shows a run: one self-contained HTML file, readable without script, made from manifest and ledger."""

import json
import os
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline import results_ledger, results_mix, results_quality
from pipeline.report_charts import Chart, bar, chart_of
from pipeline.report_histograms import histograms
from pipeline.results import Run
from pipeline.results_format import duration, limit_brief, limit_text, number, one_line, plain, share, short, size
from pipeline.results_models import asked_of_models
from pipeline.results_story import SIGN

HERE = Path(__file__).parent
LISTED = 60
"""Rows of a list of files that the page shows; the manifest has them all."""

SHOWN = 4
"""Examples on each side of a limit."""

CLUSTER_ROWS = 20_000_000
"""Rows of the ledger above which clusters are taken from the manifest's facts alone, not counted again."""

QUALITY_ROWS = 5_000_000
"""Rows of the data whose scores are looked at by language."""

SCRIPT = "addEventListener('beforeprint',()=>document.querySelectorAll('details').forEach(d=>d.open=true));"
"""The page's only script, and the only one its policy allows: what is folded is printed."""


def write_report(run: Run, path: str | Path) -> None:
    """Write the page of `run` to `path`, which appears complete or not at all."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.write_text(page(run), encoding="utf-8")
    partial.replace(target)


def page(run: Run) -> str:
    """The HTML. Every value that comes from data is made inert (`plain`) and escaped by the template engine, not by hand."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_inert,
    )
    environment.filters |= {
        "number": number,
        "size": size,
        "short": short,
        "duration": duration,
        "limit": limit_text,
        "percent": lambda fraction: "–" if fraction is None else f"{100 * fraction:.2f} %",
        "brief": limit_brief,
    }
    environment.globals |= {"share": share, "bar": bar, "sign": lambda op: SIGN.get(op or "", "")}
    style = Markup((HERE / "report.css").read_text(encoding="utf-8"))
    script = {"script": Markup(SCRIPT), "script_hash": b64encode(sha256(SCRIPT.encode()).digest()).decode()}
    return environment.get_template("report.html.jinja").render(style=style, **script, **_content(run))


def _inert(value: Any) -> Any:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _content(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    counts = manifest.get("counts") or {}
    came, left = counts.get("in") or {}, counts.get("out") or {}
    versions = manifest.get("versions") or {}
    charts = _charts(run)
    return {
        "run": run,
        "name": manifest.get("name") or run.path.name,
        "fingerprint": manifest.get("fingerprint") or "",
        "state": run.state,
        "note": run.note,
        "started": _when(manifest.get("started")),
        "seconds": manifest.get("seconds"),
        "engine": manifest.get("engine") or "",
        "workers": manifest.get("workers"),
        "warnings": run.warnings,
        "headline": [
            ("Documents", came.get("documents"), left.get("documents"), number),
            ("Text", came.get("bytes"), left.get("bytes"), size),
            ("Tokens", came.get("tokens"), left.get("tokens"), short),
        ],
        "token_counter": manifest.get("token_counter") or {},
        "rows_written": counts.get("rows_written"),
        "fell": {side: (counts.get(side) or {}).get("documents") or 0 for side in ("dropped", "quarantined")},
        "came_in": came.get("documents") or 0,
        "came": came,
        "funnel": run.funnel().to_dicts(),
        "filters": _filters(run),
        "rules": run.rules().to_dicts(),
        "charts": charts,
        "mixed": any("mixed" in chart.paths for chart in charts),
        "examples": _examples(run),
        "clusters": _clusters(run),
        "facts": [(step["step"], _facts(step["facts"])) for step in run.steps if step.get("facts")],
        "asked": asked_of_models(run.steps),
        "edits": [(step["step"], step["edits"].items()) for step in run.steps if step.get("edits")],
        "groups": [("Source", _groups(manifest.get("sources"))), ("Language", _groups(manifest.get("languages")))],
        "quality": results_quality.at_cuts(run.steps),
        "quality_kept": _quality_kept(run),
        "mixtures": results_mix.mixtures(run.steps, manifest.get("sources")),
        "quarantined": _quarantined(run),
        "shards": _listed(manifest.get("shards")),
        "inputs": _listed(manifest.get("inputs")),
        "skipped_records": list((manifest.get("skipped_records") or {}).items()),
        "left_out": _listed(manifest.get("left_out")),
        "repeated": [(name, count) for name, count in (manifest.get("repeated_ids") or {}).items() if count],
        "segments": manifest.get("segments") or [],
        "versions": sorted(versions.items()),
        "sluice": versions.get("sluice", ""),
        "models": _models(manifest.get("models")),
        "seed": manifest.get("seed"),
        "recipe_file": manifest.get("recipe_file") or "",
        "recipe": json.dumps(manifest.get("recipe") or {}, indent=2, ensure_ascii=False),
    }


def _when(started: object) -> str:
    try:
        return datetime.fromisoformat(str(started)).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return str(started or "")


def _filters(run: Run) -> list[dict[str, Any]]:
    """Each filter by itself: of the documents it measured, how many it would have dropped alone, and how many fell by it."""
    counted = None
    rows = []
    for step, funnel in zip(run.steps, run.funnel().to_dicts(), strict=True):
        if step.get("kind") != "filter":
            continue
        broken = step.get("broken")
        if broken is None:
            counted = results_ledger.broken_by_step(run.ledger / "drops") if counted is None else counted
            broken = counted.get(step["step"], 0)
        judged = run.measured[step["step"]]
        rows.append(
            {"step": step["step"], "judged": judged, "broken": broken, "alone": judged - broken}
            | {key: funnel[key] for key in ("documents_in", "documents_out", "kept_fraction", "cumulative_fraction")}
        )
    return rows


def _charts(run: Run) -> list[Chart]:
    found = []
    rules = {step["step"]: step.get("rules") or [] for step in run.steps}
    order = {(name, rule.get("measure")): at for name, some in rules.items() for at, rule in reversed(list(enumerate(some)))}
    steps = {name: at for at, name in enumerate(rules)}
    for histogram in histograms(run.ledger / "measures", run.steps):
        on_it = [
            rule for rule in rules[histogram.step] if rule.get("measure") == histogram.measure and rule.get("limit") is not None
        ]
        found.append(chart_of(histogram, on_it))
    # as the recipe has them; measures without a rule after those with one
    return sorted(found, key=lambda chart: (steps[chart.step], order.get((chart.step, chart.measure), len(order))))


def _examples(run: Run) -> dict[tuple[str, str], dict[str, list[dict[str, Any]]]]:
    """Examples by (step, rule) and side: those nearest to the limit, then one or more at random, `SHOWN` to a side.

    The ledger has a few of each part; only the best so far are held while its files are read in turn.
    """
    import pyarrow.parquet as pq

    best: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for path in results_ledger.files(run.ledger / "examples"):
        # a few rows of each rule and part: a loop over these, not over documents
        for row in pq.read_table(path).to_pylist():
            kept = best.setdefault((row["step"], row["rule"], row["side"], row["why"]), [])
            kept.append(row)
            if len(kept) >= 64:
                kept[:] = _best(kept)
    found: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for (step, rule, side, why), rows in sorted(best.items()):  # near comes before random
        sides = found.setdefault((step, rule), {"kept": [], "dropped": []})
        seen = {(row["source"], row["id"]) for row in sides[side]}
        rows = [row for row in _best(rows) if (row["source"], row["id"]) not in seen]
        sides[side] += rows[: SHOWN - 1 if why == "near" else SHOWN - len(sides[side])]
    return found


def _best(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The nearest to the limit, or of those at random the first by a hash that favours no part."""

    def order(row: dict[str, Any]) -> tuple[float, bytes]:
        place = sha256(f"{row['source']}/{row['id']}".encode("utf-8", "surrogatepass")).digest()
        near = row["why"] == "near" and row["value"] is not None and row["limit"] is not None
        return (abs(row["value"] - row["limit"]) if near else 0.0, place)

    return sorted(rows, key=order)[:SHOWN]


def _clusters(run: Run) -> list[dict[str, Any]]:
    """The largest clusters of duplicates, counted in the ledger; where that is too long, as the solver counted them.

    The solver's components may hold documents that a closer look then kept, so the ledger comes first.
    """
    if sum((step.get("dropped") or {}).get("documents") or 0 for step in run.steps) <= CLUSTER_ROWS:
        rows = run.duplicates(20).to_dicts()
    else:
        rows = [
            {"step": step["step"], "min_similarity": None, **cluster}
            for step in run.steps
            for cluster in (step.get("facts") or {}).get("largest_components") or []
        ]
        rows = sorted(rows, key=lambda row: -row["size"])[:20]
    keys = {(row["survivor_source"], row["survivor_id"]) for row in rows}
    texts = results_ledger.texts_of(run.shards, keys) if len(run.shards) <= 64 else {}
    for row in rows:
        text = texts.get((row["survivor_source"], row["survivor_id"]))
        row["excerpt"] = None if text is None else one_line(text, 240)
    return rows


def _facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = []
    for key, value in facts.items():
        if isinstance(value, bool | str):
            shown.append((key, str(value)))
        elif isinstance(value, int | float):
            shown.append((key, number(value)))
    return shown


def _groups(groups: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    empty = {"documents": 0, "bytes": 0, "tokens": 0}
    rows: list[dict[str, Any]] = []
    for name, counts in (groups or {}).items():
        came, left = counts.get("in") or empty, counts.get("out") or empty
        most = max(came["documents"], left["documents"])
        rows.append({"name": name, "came": came, "left": left, "most": most, "size": came["bytes"] or left["bytes"]})
    return sorted(rows, key=lambda row: (-row["size"], row["name"]))[:LISTED]


def _quality_kept(run: Run) -> list[dict[str, Any]]:
    return results_quality.kept(run.shards, results_quality.named_scores(run.manifest.get("recipe")), QUALITY_ROWS)


def _quarantined(run: Run) -> list[dict[str, Any]]:
    import polars as pl

    table = results_ledger.scan(run.ledger / "quarantined")
    if table is None:
        return []
    first = [pl.col(name).first() for name in ("message", "source", "id", "place")]
    errors = table.group_by("step", "error").agg(pl.len().alias("documents"), *first)
    return errors.sort(["documents", "step", "error"], descending=[True, False, False]).head(LISTED).collect().to_dicts()


def _listed(rows: list[dict[str, Any]] | None) -> tuple[list[dict[str, Any]], int]:
    """The first rows, and how many there are."""
    return (rows or [])[:LISTED], len(rows or [])


def _models(models: Any) -> list[tuple[str, str]]:
    if isinstance(models, Mapping):
        return sorted((str(path), str(hash_)) for path, hash_ in models.items())
    return [(str(model.get("path", "")), str(model.get("sha256", ""))) for model in models or []]
