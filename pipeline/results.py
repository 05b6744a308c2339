"""A finished, running or failed run, opened for reading: its funnel, its rules, and why each document was kept or not."""

import html
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.results_format import number, one_line, plain, share
from pipeline.results_format import size as bytes_text
from pipeline.results_story import Broken, Story, Survivor, measures_of
from pipeline.results_warnings import warnings_of
from schemas.errors import InputError, SluiceError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Run", "Story", "UnknownDocument", "warnings_of"]

FORMAT = 1
RESERVED = {"source", "id", "part", "row", "row_in_file"}


class UnknownDocument(SluiceError):
    """No document of the run has this id; the message says what ids of the run look like."""


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
        """The folder of drops, quarantined, measures and examples."""
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
        """One row per step: documents, bytes and tokens in and out, dropped, quarantined, shares of documents kept, seconds."""
        import polars as pl

        came = self._came_in()
        schema: dict[str, Any] = {"step": pl.String, "kind": pl.String}
        schema |= {f"{unit}_{side}": pl.Int64 for unit in ("documents", "bytes", "tokens") for side in ("in", "out")}
        schema |= {"dropped": pl.Int64, "quarantined": pl.Int64, "edited": pl.Int64}
        schema |= {"kept_fraction": pl.Float64, "cumulative_fraction": pl.Float64, "seconds": pl.Float64}
        rows = []
        for step in self.steps:
            row: dict[str, Any] = {"step": step["step"], "kind": step.get("kind"), "seconds": step.get("seconds")}
            for unit in ("documents", "bytes", "tokens"):
                row |= {f"{unit}_{side}": (step.get(side) or {}).get(unit) for side in ("in", "out")}
            row |= {side: (step.get(side) or {}).get("documents", 0) for side in ("dropped", "quarantined")}
            row["edited"] = step.get("edited", 0)
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

        left = came = self._came_in()
        counts = ("judged", "broken", "first", "only")
        schema: dict[str, Any] = {name: pl.String for name in ("step", "rule", "measure", "op", "limit")}
        schema |= {name: pl.Int64 for name in counts} | {"retention_alone": pl.Float64, "retention_cumulative": pl.Float64}
        rows = []
        for step in self.steps:
            # documents that failed in the step are gone, whatever its rules say
            left -= (step.get("quarantined") or {}).get("documents", 0)
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
        from pipeline import results_ledger

        def rows(kind: str, id: str = id, source: str | None = source) -> list[dict[str, Any]]:
            return [row for _, row in results_ledger.rows_of(results_ledger.files(self.ledger / kind), id, source)]

        measured = rows("measures")
        drops, failed, kept = rows("drops"), rows("quarantined"), self._kept(id, source)
        stories = [self._story_of_drop(some, measured) for some in _fallen(drops)]
        stories += [self._story_of_failure(row, measured) for row in failed]
        stories += [self._story_of_kept(some, measured) for some in kept]
        told = {story.source for story in stories}
        stories += [
            Story(
                id, name, "unknown", self.note or "It was measured, and neither kept nor dropped: the ledger is not complete."
            )
            for name in dict.fromkeys(row["source"] for row in measured)
            if name not in told
        ]
        if not stories:
            raise UnknownDocument(self._no_such(id, source))
        return sorted(stories, key=lambda story: story.source)

    def _kept(self, id: str, source: str | None) -> list[list[tuple[Path, dict[str, Any]]]]:
        from pipeline import results_ledger

        found: dict[Any, list[tuple[Path, dict[str, Any]]]] = {}
        for path, row in results_ledger.rows_of(self.shards, id, source):
            # copies of one document share its text; a repeated id does not
            found.setdefault((row.get("source"), row.get("text")), []).append((path, row))
        return list(found.values())

    def _story_of_kept(self, copies: list[tuple[Path, dict[str, Any]]], measured: list[dict[str, Any]]) -> Story:
        path, row = copies[0]
        source = row.get("source") or ""
        shard = path.relative_to(self.path).as_posix()
        times = f", and {len(copies) - 1} more" if len(copies) > 1 else ""
        return Story(
            row["id"],
            source,
            "kept",
            f"It is in {shard}, row {number(row['row_in_file'])}{times}.",
            shard=shard,
            row=row["row_in_file"],
            copies=len(copies),
            measures=measures_of(self.steps, _values(measured, source, None), [], row),
            excerpt=_excerpt(row),
            path=[(step["step"], "passed") for step in self.steps],
        )

    def _story_of_drop(self, rows: list[dict[str, Any]], measured: list[dict[str, Any]]) -> Story:
        first = rows[0]
        broken = [Broken(r["step"], r["rule"], r["measure"], r["value"], r["op"], r["limit"]) for r in rows]
        values = _values(measured, first["source"], (first["part"], first["row"]))
        survivor = self._survivor(first) if first.get("survivor_id") is not None else None
        reason = f"Dropped by {broken[0]}."
        if survivor is not None:
            alike = "" if survivor.similarity is None else f", similarity {number(round(survivor.similarity, 4))}"
            reason = f"Dropped by {first['step']}.{first['rule']}: it duplicates {survivor.id} of {survivor.source}{alike}."
        path = self._way(first["step"], "dropped", {name.rpartition(".")[0] for name in values})
        return Story(
            first["id"],
            first["source"],
            "dropped",
            plain(reason),
            broken=broken,
            measures=measures_of(self.steps, values, broken, {}),
            survivor=survivor,
            path=path,
        )

    def _story_of_failure(self, row: dict[str, Any], measured: list[dict[str, Any]]) -> Story:
        values = _values(measured, row["source"], (row["part"], row["row"]))
        return Story(
            row["id"],
            row["source"],
            "quarantined",
            plain(f"Failed in {row['step']}: {row['error']}: {row['message']} ({row['place']})."),
            measures=measures_of(self.steps, values, [], {}),
            excerpt=row.get("excerpt"),
            path=self._way(row["step"], "quarantined", set()),
        )

    def _way(self, at: str, fate: str, measured: set[str]) -> list[tuple[str, str]]:
        names = [step["step"] for step in self.steps]
        stop = names.index(at) if at in names else len(names)
        later = ["measured" if name in measured else "not reached" for name in names[stop + 1 :]]
        return list(zip(names, [*(["passed"] * stop), fate, *later], strict=False))

    def _survivor(self, row: dict[str, Any]) -> Survivor:
        from pipeline import results_ledger

        id, source = row["survivor_id"], row["survivor_source"]
        for copies in self._kept(id, source):
            path, kept = copies[0]
            fate = f"kept in {path.relative_to(self.path).as_posix()}, row {number(kept['row_in_file'])}"
            return Survivor(source, id, row["similarity"], fate, _excerpt(kept))
        later = results_ledger.rows_of(results_ledger.files(self.ledger / "drops"), id, source)
        reasons = [f"{found['step']}.{found['rule']}" for _, found in later if found["rank"] == 0]
        fate = f"itself dropped by {reasons[0]}" if reasons else "not among what was kept"
        return Survivor(source, id, row["similarity"], fate, None)

    def _no_such(self, id: str, source: str | None) -> str:
        sources = sorted(self.manifest.get("sources") or {})
        shown = ", ".join(plain(name) for name in sources) or "not known yet"
        where = f" in source {plain(source)!r}" if source is not None else ""
        told = f"No document of this run has the id {one_line(id, 80)!r}{where}. Its sources are: {shown}."
        samples = [one_line(row, 60) for row in self._sample_ids()]
        if samples:
            hashed = all(len(text) >= 12 and all(char in "0123456789abcdef" for char in text) for text in samples)
            like = "hashes that Sluice made, as the source has no ids" if hashed else "the source's own"
            told += f" Ids here look like {', '.join(repr(text) for text in samples)} ({like})."
        return told if self.note is None else f"{told} {self.note}"

    def _sample_ids(self) -> Iterator[str]:
        import pyarrow.parquet as pq

        from pipeline import results_ledger

        for path in (*self.shards, *results_ledger.files(self.ledger / "drops")):
            for batch in pq.ParquetFile(path).iter_batches(3, columns=["id"]):
                yield from batch.column(0).to_pylist()
                return

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


def _excerpt(row: dict[str, Any]) -> str | None:
    text = row.get("text")
    return text[:400] if isinstance(text, str) else None


def _fallen(drops: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows of the ledger by document, each in order of rank. A rank of 0 begins another document at the same address."""
    stories: list[list[dict[str, Any]]] = []
    last = None
    # the sort is stable, so rows of one address keep the order of the file
    for row in sorted(drops, key=lambda row: (row["source"], row["part"], row["row"])):
        key = (row["source"], row["part"], row["row"])
        if key != last or row["rank"] == 0:
            stories.append([])
        stories[-1].append(row)
        last = key
    return stories


def _values(measured: list[dict[str, Any]], source: str, address: tuple[int, int] | None) -> dict[str, float]:
    """What was measured on a document. With a repeated id the rows of its address count, if there are any."""
    rows = [row for row in measured if row["source"] == source]
    here = [row for row in rows if (row["part"], row["row"]) == address]
    values: dict[str, float] = {}
    for row in [*rows, *here] if here else rows:
        values |= {name: value for name, value in row.items() if name not in RESERVED and value is not None}
    return values


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
