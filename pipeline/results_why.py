"""How a story is put together from ledger and data, by reading what can hold the id and no more."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import results_ledger
from pipeline.results_format import number, one_line, plain
from pipeline.results_story import Broken, Edit, Relative, Story, Survivor, UnknownDocument, measures_of, relation_of
from schemas.rule import NEAREST_KEPT

if TYPE_CHECKING:
    from pipeline.results import Run

Rows = list[dict[str, Any]]
RESERVED = {"source", "id", "part", "row", "row_in_file"}


def stories(run: "Run", id: str, source: str | None) -> list[Story]:
    """One story for each document with this id, in order of source. Raises `UnknownDocument` if there is none."""

    def rows(kind: str) -> Rows:
        return [row for _, row in results_ledger.rows_of(results_ledger.files(run.ledger / kind), id, source)]

    measured, edits = rows("measures"), rows("edits")
    found = [_story_of_drop(run, some, measured, edits) for some in _fallen(rows("drops"))]
    found += [_story_of_failure(run, row, measured, edits) for row in rows("quarantined")]
    found += [_story_of_kept(run, some, measured, edits) for some in _kept(run, id, source)]
    lineage = rows("lineage")
    told = {story.source for story in found}
    found += [_story_of_parent(id, name) for name in _parents(lineage) if name not in told]
    told = {story.source for story in found}
    found += [
        Story(id, name, "unknown", run.note or "It was measured, and neither kept nor dropped: the ledger is not complete.")
        for name in dict.fromkeys(row["source"] for row in measured)
        if name not in told
    ]
    if not found:
        raise UnknownDocument(_no_such(run, id, source))
    return sorted((_with_relatives(story, lineage) for story in found), key=lambda story: story.source)


def _parents(lineage: Rows) -> list[str]:
    """Sources in which a document with the id was made into others."""
    return list(dict.fromkeys(row["source"] for row in lineage if row["relation"] == "made_into"))


def _story_of_parent(id: str, source: str) -> Story:
    return Story(id, source, "made into others", "It is not in the training set itself; what was made of it may be.")


def _with_relatives(story: Story, lineage: Rows) -> Story:
    """The story with the documents that its own was made from and into, in the same source."""
    mine = [row for row in lineage if row["source"] == story.source]
    into = [_relative(row) for row in mine if row["relation"] == "made_into"]
    made_from = next((_relative(row) for row in mine if row["relation"] == "made_from"), None)
    return replace(story, made_from=made_from, made_into=into)


def _relative(row: dict[str, Any]) -> Relative:
    return Relative(row["other_id"], row["step"], json.loads(row["how"]) if row["how"] else {})


def _kept(run: "Run", id: str, source: str | None) -> list[list[tuple[Path, dict[str, Any]]]]:
    found: dict[Any, list[tuple[Path, dict[str, Any]]]] = {}
    for path, row in results_ledger.rows_of(run.shards, id, source):
        # copies of one document share its text; a repeated id does not
        found.setdefault((row.get("source"), row.get("text")), []).append((path, row))
    return list(found.values())


def _story_of_kept(run: "Run", copies: list[tuple[Path, dict[str, Any]]], measured: Rows, edits: Rows) -> Story:
    path, row = copies[0]
    source = row.get("source") or ""
    shard = path.relative_to(run.path).as_posix()
    times = f", and {len(copies) - 1} more" if len(copies) > 1 else ""
    return Story(
        row["id"],
        source,
        "kept",
        f"It is in {shard}, row {number(row['row_in_file'])}{times}.",
        shard=shard,
        row=row["row_in_file"],
        copies=len(copies),
        measures=measures_of(run.steps, _values(measured, source, None), [], row),
        edits=_edits(edits, source, None),
        excerpt=_excerpt(row),
        path=[(step["step"], "passed") for step in run.steps],
    )


def _story_of_drop(run: "Run", rows: Rows, measured: Rows, edits: Rows) -> Story:
    first = rows[0]
    broken = [Broken(r["step"], r["rule"], r["measure"], r["value"], r["op"], r["limit"]) for r in rows]
    values = _values(measured, first["source"], (first["part"], first["row"]))
    survivor = _survivor(run, first) if first.get("survivor_id") is not None else None
    reason = f"Dropped by {broken[0]}."
    if survivor is not None:
        alike = "" if survivor.similarity is None else f", similarity {number(round(survivor.similarity, 4))}"
        if first["rule"] == NEAREST_KEPT:
            reason = f"Dropped by {broken[0]}; nearest to it stays {survivor.id} of {survivor.source}{alike}."
        else:
            reason = f"Dropped by {first['step']}.{first['rule']}: it duplicates {survivor.id} of {survivor.source}{alike}."
    path = _way(run, first["step"], "dropped", {name.rpartition(".")[0] for name in values})
    return Story(
        first["id"],
        first["source"],
        "dropped",
        plain(reason),
        broken=broken,
        measures=measures_of(run.steps, values, broken, {}),
        edits=_edits(edits, first["source"], (first["part"], first["row"])),
        survivor=survivor,
        path=path,
    )


def _story_of_failure(run: "Run", row: dict[str, Any], measured: Rows, edits: Rows) -> Story:
    values = _values(measured, row["source"], (row["part"], row["row"]))
    return Story(
        row["id"],
        row["source"],
        "quarantined",
        plain(f"Failed in {row['step']}: {row['error']}: {row['message']} ({row['place']})."),
        measures=measures_of(run.steps, values, [], {}),
        edits=_edits(edits, row["source"], (row["part"], row["row"])),
        excerpt=row.get("excerpt"),
        path=_way(run, row["step"], "quarantined", set()),
    )


def _way(run: "Run", at: str, fate: str, measured: set[str]) -> list[tuple[str, str]]:
    names = [step["step"] for step in run.steps]
    stop = names.index(at) if at in names else len(names)
    later = ["measured" if name in measured else "not reached" for name in names[stop + 1 :]]
    return list(zip(names, [*(["passed"] * stop), fate, *later], strict=False))


def _survivor(run: "Run", row: dict[str, Any]) -> Survivor:
    id, source, relation = row["survivor_id"], row["survivor_source"], relation_of(row["rule"])
    for copies in _kept(run, id, source):
        path, kept = copies[0]
        fate = f"kept in {path.relative_to(run.path).as_posix()}, row {number(kept['row_in_file'])}"
        return Survivor(source, id, row["similarity"], fate, _excerpt(kept), relation)
    later = results_ledger.rows_of(results_ledger.files(run.ledger / "drops"), id, source)
    reasons = [f"{found['step']}.{found['rule']}" for _, found in later if found["rank"] == 0]
    fate = f"itself dropped by {reasons[0]}" if reasons else "not among what was kept"
    return Survivor(source, id, row["similarity"], fate, None, relation)


def _no_such(run: "Run", id: str, source: str | None) -> str:
    sources = sorted(run.manifest.get("sources") or {})
    shown = ", ".join(plain(name) for name in sources) or "not known yet"
    where = f" in source {plain(source)!r}" if source is not None else ""
    told = f"No document of this run has the id {one_line(id, 80)!r}{where}. Its sources are: {shown}."
    samples = [one_line(row, 60) for row in _sample_ids(run)]
    if samples:
        hashed = all(len(text) >= 12 and all(char in "0123456789abcdef" for char in text) for text in samples)
        like = "hashes, as Sluice makes them where a source has no ids" if hashed else "ids of the source"
        told += f" Ids here look like {', '.join(repr(text) for text in samples)} ({like})."
    return told if run.note is None else f"{told} {run.note}"


def _sample_ids(run: "Run") -> Iterator[str]:
    import pyarrow.parquet as pq

    for path in (*run.shards, *results_ledger.files(run.ledger / "drops")):
        for batch in pq.ParquetFile(path).iter_batches(3, columns=["id"]):
            yield from batch.column(0).to_pylist()
            return


def _excerpt(row: dict[str, Any]) -> str | None:
    text = row.get("text")
    return text[:400] if isinstance(text, str) else None


def _fallen(drops: Rows) -> list[Rows]:
    """Rows of the ledger by document, each in order of rank. A rank of 0 begins another document at the same address."""
    stories: list[Rows] = []
    last = None
    # the sort is stable, so rows of one address keep the order of the file
    for row in sorted(drops, key=lambda row: (row["source"], row["part"], row["row"])):
        key = (row["source"], row["part"], row["row"])
        if key != last or row["rank"] == 0:
            stories.append([])
        stories[-1].append(row)
        last = key
    return stories


def _edits(told: Rows, source: str, address: tuple[int, int] | None) -> list[Edit]:
    """What steps told of their edits of a document, in the order of its text; without an address, of all with its id."""
    rows = [row for row in told if row["source"] == source and address in (None, (row["part"], row["row"]))]
    return [Edit(row["step"], row["type"], row["offset"], row["length"]) for row in rows]


def _values(measured: Rows, source: str, address: tuple[int, int] | None) -> dict[str, float]:
    """What was measured on a document. With a repeated id the rows of its address count, if there are any."""
    rows = [row for row in measured if row["source"] == source]
    here = [row for row in rows if (row["part"], row["row"]) == address]
    values: dict[str, float] = {}
    for row in [*rows, *here] if here else rows:
        values |= {name: value for name, value in row.items() if name not in RESERVED and value is not None}
    return values
