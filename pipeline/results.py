"""A finished, running or failed run, opened for reading: its funnel, its rules, and why each document was kept or not."""

import html
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.results_format import number, plain, share
from pipeline.results_format import size as bytes_text
from pipeline.results_story import Story, UnknownDocument
from pipeline.results_warnings import warnings_of
from schemas.errors import InputError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Run", "Story", "UnknownDocument", "warnings_of"]

FORMAT = 1


class Run:
    """The folder a run left behind. Opening reads the manifest alone; everything else is read when asked for.

    Raises `InputError` if `path` is no run folder. A running run shows the numbers of its last progress.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.name == "manifest.json":
            self.path = self.path.parent
        self.manifest: dict[str, Any] = _manifest(self.path)

    @property
    def state(self) -> str:
        """`running`, `complete` or `failed`."""
        return str(self.manifest.get("state", "running"))

    @property
    def note(self) -> str | None:
        """What a reader must know first of a run that is not complete."""
        if self.state == "failed":
            error = self.manifest.get("error", "the manifest does not say why")
            return f"This run failed: {error}. The numbers are those up to then."
        if self.state == "running":
            return "This run is not finished: numbers and files are those of its last progress."
        return None

    @property
    def ledger(self) -> Path:
        """The folder of drops, quarantined, measures, examples and edits."""
        return self.path / "ledger"

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps of the manifest, in order."""
        return list(self.manifest.get("steps") or [])

    @cached_property
    def shards(self) -> list[Path]:
        """The data files, in order."""
        from pipeline import results_ledger

        return results_ledger.files(self.path / "data")

    @cached_property
    def warnings(self) -> list[str]:
        """The manifest's own warnings, then those its numbers give."""
        return list(dict.fromkeys([*(self.manifest.get("warnings") or []), *warnings_of(self.manifest)]))

    def funnel(self) -> "pl.DataFrame":
        """One row per step: documents, bytes and tokens in and out, dropped, quarantined, shares of documents kept, seconds.

        A document is dropped with the last of its rows; `rows_dropped` counts the rows that fell by the step's rules, more than
        the documents where several were made of one. `added` are rows beyond the first of each document.
        """
        import polars as pl

        came = self._came_in()
        schema: dict[str, Any] = {"step": pl.String, "kind": pl.String}
        schema |= {f"{unit}_{side}": pl.Int64 for unit in ("documents", "bytes", "tokens") for side in ("in", "out")}
        schema |= dict.fromkeys(("dropped", "rows_dropped", "quarantined", "edited", "added"), pl.Int64)
        schema |= {"kept_fraction": pl.Float64, "cumulative_fraction": pl.Float64, "seconds": pl.Float64}
        rows = []
        for step in self.steps:
            row: dict[str, Any] = {"step": step["step"], "kind": step.get("kind"), "seconds": step.get("seconds")}
            for unit in ("documents", "bytes", "tokens"):
                row |= {f"{unit}_{side}": (step.get(side) or {}).get(unit) for side in ("in", "out")}
            row |= {side: (step.get(side) or {}).get("documents", 0) for side in ("dropped", "quarantined")}
            row |= {"edited": step.get("edited", 0), "added": step.get("added", 0)}
            row["rows_dropped"] = sum(rule.get("first") or 0 for rule in step.get("rules") or [])
            row["kept_fraction"] = _fraction(row["documents_out"], row["documents_in"])
            row["cumulative_fraction"] = _fraction(row["documents_out"], came)
            rows.append(row)
        return pl.DataFrame(rows, schema=schema)

    def rules(self) -> "pl.DataFrame":
        """One row per rule, in documents: how many it judged, break it, fall by it first, break it only.

        `retention_alone` is the share of judged documents it would keep by itself; `retention_cumulative` the share
        of all documents left after it, as the steps ran.
        """
        import polars as pl

        from pipeline.results_format import limit_text

        came = self._came_in()
        counts = ("judged", "broken", "first", "only")
        schema: dict[str, Any] = {name: pl.String for name in ("step", "rule", "measure", "op", "limit")}
        schema |= {name: pl.Int64 for name in counts} | {"retention_alone": pl.Float64, "retention_cumulative": pl.Float64}
        rows = []
        for step in self.steps:
            # documents that failed in the step are gone, whatever its rules say
            left = (step.get("in") or {}).get("documents", 0) - (step.get("quarantined") or {}).get("documents", 0)
            for rule in step.get("rules") or []:
                judged = self.measured[step["step"]]
                left -= rule.get("first") or 0
                row = {name: rule.get(name) for name in ("rule", "measure", "op", "broken", "first", "only")}
                row |= {"step": step["step"], "limit": limit_text(rule.get("limit")), "judged": judged}
                row["retention_alone"] = _fraction(judged - (rule.get("broken") or 0), judged)
                row["retention_cumulative"] = _fraction(left, came)
                rows.append(row)
        return pl.DataFrame(rows, schema=schema)

    @cached_property
    def measured(self) -> dict[str, int]:
        """Documents each step judged. A filter judges all that entered its group, which is more than were left before it."""
        from pipeline import results_ledger

        names = [step["step"] for step in self.steps]
        counts = results_ledger.measured_by_step(self.ledger / "measures", names)
        return {
            step["step"]: step.get("measured") or counts.get(step["step"]) or (step.get("in") or {}).get("documents", 0)
            for step in self.steps
        }

    def table(self, columns: Sequence[str] | None = None) -> "pl.LazyFrame":
        """The training set, lazily; `columns` in this order, or all. Raises `InputError` if no data file is there yet."""
        from pipeline import results_ledger

        table = results_ledger.scan(self.path / "data")
        if table is None:
            raise InputError(f"{self.path / 'data'} holds no Parquet file. {self.note or 'Has it been moved?'}")
        return table if columns is None else table.select(list(columns))

    def to_arrow(self, columns: Sequence[str] | None = None) -> "pa.Table":
        """The training set in memory."""
        import pyarrow.parquet as pq

        self.table()
        return pq.read_table([str(path) for path in self.shards], columns=None if columns is None else list(columns))

    def dropped(self, rule: str | None = None, n: int = 20) -> "pl.DataFrame":
        """Up to `n` examples of dropped documents, with excerpts if there are; `rule` is a rule, a step or `step.rule`.

        Raises `InputError` if no step or rule of the run has that name.
        """
        from pipeline import results_ledger

        if rule is not None:
            names = {(step["step"], r["rule"]) for step in self.steps for r in step.get("rules") or []}
            known = {step["step"] for step in self.steps} | {r for _, r in names} | {f"{s}.{r}" for s, r in names}
            if rule not in known:
                listed = ", ".join(f"{s}.{r}" for s, r in sorted(names)) or "none"
                raise InputError(f"No step or rule of this run is called {rule!r}; its rules are {listed}.")
        return results_ledger.dropped(self.ledger, rule, n)

    def duplicates(self, top: int = 20) -> "pl.DataFrame":
        """The survivors with most duplicates: size of the cluster, similarities, a few of the dropped ids."""
        from pipeline import results_ledger

        return results_ledger.duplicates(self.ledger, top)

    def why(self, id: str, source: str | None = None) -> list[Story]:
        """What became of the documents with this id: one story for each, as sources may share or repeat ids.

        Reads the row groups whose ids can hold it, not the ledger. Raises `UnknownDocument` if there is none.
        """
        from pipeline import results_why

        return results_why.stories(self, id, source)

    def _came_in(self) -> int:
        counts = (self.manifest.get("counts") or {}).get("in") or {}
        first = self.steps[0].get("in") if self.steps else None
        return int(counts.get("documents") or (first or {}).get("documents") or 0)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.state})"

    def _repr_html_(self) -> str:
        counts = self.manifest.get("counts") or {}
        came, left = counts.get("in") or {}, counts.get("out") or {}
        name = html.escape(plain(self.manifest.get("name", self.path.name)))
        head = f"<b>{name}</b> ({html.escape(self.state)}): {number(came.get('documents'))} documents in, "
        head += f"{number(left.get('documents'))} out ({share(left.get('documents'), came.get('documents'))}), "
        head += f"{bytes_text(left.get('bytes'))} of text"
        note = f"<p>{html.escape(plain(self.note))}</p>" if self.note else ""
        cells = ("step", "kind", "documents_in", "documents_out", "dropped", "quarantined")
        rows = "".join(
            "<tr>"
            + "".join(f"<td>{html.escape(_cell(row[c]))}</td>" for c in cells)
            + f"<td>{share(row['cumulative_fraction'])}</td></tr>"
            for row in self.funnel().iter_rows(named=True)
        )
        titles = "".join(
            f"<th>{title}</th>" for title in ("step", "kind", "in", "out", "dropped", "quarantined", "kept of all")
        )
        return f"<div><p>{head}</p>{note}<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div>"


def _cell(value: Any) -> str:
    return plain(value) if isinstance(value, str) else number(value)


def _fraction(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("progress.json", "manifest.json"):
        try:
            text = (folder / name).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            continue
        try:
            read = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{folder / name} is not valid JSON ({error}); expected a manifest as `sluice run` writes it."
            ) from error
        if isinstance(read, dict):
            # progress is newer than the manifest of a run that has just begun
            found = found | read if read.get("state", "running") != "running" or not found else read | found
    if not found:
        expected = "expected a folder with manifest.json, as `sluice run` writes it"
        inside = sorted(path.parent.name for path in folder.glob("*/manifest.json")) if folder.is_dir() else []
        below = f"; runs below it: {', '.join(inside[:8])}" if inside else ""
        exists = "is not a run folder" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {exists}: {expected}{below}.")
    if found.get("format", FORMAT) != FORMAT:
        raise InputError(f"{folder} has a manifest of format {found['format']}; this version reads format {FORMAT}.")
    return found
