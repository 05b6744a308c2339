"""Indexes of sketches: built from runs, added to, taken from, and decided on anew after each change."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from pipeline.planning import plan as make_plan
from pipeline.recipe import make_stage
from pipeline.retrying import arguments_of
from pipeline.segment import Segment
from pipeline.verdicts import PartSketches, SavedTable, _save
from schemas.errors import InputError
from stages.core.indexed import Indexed
from stages.core.sketch_index import JoinedSketches, SketchIndex
from stages.kernels.text import text_of
from stages.minhash_dedup import MinhashDedup
from stages.parse_url import parent_domains, parse_host

PLACE = ("crawl", "part", "row")
DROPPED = pa.schema(
    [
        ("crawl", pa.int32()),
        ("part", pa.int64()),
        ("row", pa.int32()),
        ("source", pa.string()),
        ("id", pa.string()),
        ("survivor_source", pa.string()),
        ("survivor_id", pa.string()),
        ("similarity", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Change:
    """What a change of an index did to documents that were in it before, as tables with `DROPPED`.

    superseded  dropped now, as a better copy has come
    restored    kept now, as what they had been dropped for has gone
    removed     documents that were taken down
    """

    index: SketchIndex
    superseded: pa.Table
    restored: pa.Table
    removed: int = 0

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        columns = ["source", "id", "survivor_source", "survivor_id"]
        lists = {"superseded": self.superseded, "restored": self.restored}
        told = {name: table.select(columns).to_pylist() for name, table in lists.items()}
        return {**stat(self.index), "taken_down": self.removed, **told}


def build(folder: str | Path, run: str | Path, name: str | None = None, step: str | None = None) -> Change:
    """A new index of the documents that came to a step of a finished run; by default `minhash_dedup`, else `exact_dedup`."""
    segment, number = _step_of(run, step)
    stage = _indexed(segment, number)
    if getattr(stage, "keep", None) == "root":
        raise InputError("an index needs another `keep` than root, which goes by the order of one input")
    decides = stage.model_dump(mode="json", exclude={"index"})
    index = SketchIndex.create(folder, stage.name(), stage.sketch_parameters(), stage.compared(), decides)
    try:
        return _added(index, segment, number, name or Path(run).resolve().name)
    except BaseException:
        if not SketchIndex(folder).crawls:
            shutil.rmtree(folder)
        raise


def add(folder: str | Path, run: str | Path, name: str | None = None) -> Change:
    """The index with the documents of one more run, which is the latest crawl."""
    index = SketchIndex(folder)
    segment, number = _step_of(run, index.about["step"])
    index.check(index.about["step"], _indexed(segment, number).sketch_parameters(), index.about["compared"])
    return _added(index, segment, number, name or Path(run).resolve().name)


def remove(folder: str | Path, ids: Sequence[str] = (), urls: Sequence[str] = (), domains: Sequence[str] = ()) -> Change:
    """The index without these documents, as if they had never been there.

    ids      `id`, or `source:id`
    urls     as the documents have them
    domains  hosts, and all below them
    """
    index = SketchIndex(folder)
    named, listed, hosts = set(ids), set(urls), {domain.lower().strip(".") for domain in domains}
    found = []
    for crawl, part, path in index.files:
        table = _read(path, ["row", "source", "id", "url"])
        keys = zip(*(table[name].to_pylist() for name in ("source", "id", "url")), strict=True)
        hit = np.array([_is_meant(source, id, url, named, listed, hosts) for source, id, url in keys], np.bool_)
        rows = table["row"].to_numpy()
        rows = rows[hit & index.live(crawl, part, rows)]
        found.append(pa.table({"crawl": np.full(len(rows), crawl, np.int32), "part": np.full(len(rows), part), "row": rows}))
    gone = pa.concat_tables(found)
    if not gone.num_rows:
        raise InputError(f"{folder} has no document with these ids, urls or domains: nothing was taken down")
    return _decide(index, index.remove(gone), gone.num_rows)


def stat(index: SketchIndex) -> dict[str, Any]:
    """JSON-ready: crawls with their documents, how many are live and kept, bytes, parameters."""
    dropped, removed = index.dropped(DROPPED)["crawl"].to_numpy(), index.removed["crawl"].to_numpy()
    crawls = []
    for number, crawl in enumerate(index.about["crawls"]):
        taken, gone = int((removed == number).sum()), int((dropped == number).sum())
        files = [path for at, _, path in index.files if at == number]
        crawls.append(
            {
                "name": crawl["name"],
                "documents": crawl["documents"],
                "taken_down": taken,
                "dropped": gone,
                "kept": crawl["documents"] - taken - gone,
                "bytes": sum(path.stat().st_size for path in files),
            }
        )
    documents = sum(crawl["documents"] for crawl in crawls)
    size = sum(crawl["bytes"] for crawl in crawls)
    return {
        "path": str(index.folder),
        "state": index.state,
        "documents": documents,
        "bytes": size,
        "bytes_per_document": round(size / documents, 1) if documents else 0,
        "step": index.about["step"],
        "compared": index.about["compared"],
        "stage": index.about["stage"],
        "crawls": crawls,
    }


def _step_of(run: str | Path, step: str | None) -> tuple[Segment, int]:
    """The segment of a finished run, and the number in it of the Global with this label or of this stage."""
    path = Path(run) / "manifest.json"
    if not path.is_file():
        raise InputError(f"{run} is no run's folder: there is no manifest.json in it")
    known = orjson.loads(path.read_bytes())
    if known.get("state") != "complete":
        raise InputError(f"{run} is not finished: an index is made of finished runs")
    planned = make_plan(known["recipe"], output=run, **arguments_of(known))
    places = [
        (segment, number)
        for segment in planned.segments
        for number, node in enumerate(segment.globals)
        if isinstance(node.stage, Indexed)
    ]
    wanted = [step] if step else ["minhash_dedup", "exact_dedup"]
    for name in wanted:
        for segment, number in places:
            if name in (segment.globals[number].label, segment.globals[number].stage.name()):
                if not PartSketches(segment, number).parts():
                    raise InputError(f"{segment.folder} is gone, or the input has changed since {run}: run it again")
                return segment, number
    raise InputError(f"{run} has no step {' or '.join(wanted)}, whose sketches an index is made of")


def _indexed(segment: Segment, number: int) -> Indexed:
    stage = segment.globals[number].stage
    assert isinstance(stage, Indexed)
    return stage


def _added(index: SketchIndex, segment: Segment, number: int, name: str) -> Change:
    return _decide(index, index.add(name, _tables(index, segment, number)))


def _tables(index: SketchIndex, segment: Segment, number: int) -> Iterator[tuple[int, pa.Table]]:
    sketches, stage = PartSketches(segment, number), _indexed(segment, number)
    has_url = "url" in segment.schema.names
    for part in sketches.parts():
        table = sketches.read(part, ["row", "source", "id", *stage.sketch_schema().names])
        compares_sets = index.about["compared"] == "set"
        columns = [*(["url"] if has_url else []), *(["text"] if compares_sets else [])]
        told = sketches.documents(part, table["row"].to_numpy(), columns) if columns else None
        url = told["url"].cast(pa.string()) if told is not None and has_url else pa.nulls(table.num_rows, pa.string())
        table = table.append_column("url", url)
        if compares_sets:
            assert told is not None
            assert isinstance(stage, MinhashDedup)
            table = table.append_column("shingles", stage.sets_of(text_of(told["text"])))
        yield part, table


class _Alone(JoinedSketches):
    """An index without a run, solved in this process."""

    def __init__(self, index: SketchIndex, folder: Path) -> None:
        super().__init__(index, None)
        self._folder = folder

    def round(
        self, name: str, function: Callable[[Any], pa.Table], items: Sequence[Any], model_bytes: int = 0
    ) -> list[SavedTable]:
        saved = [SavedTable(self._folder / f"{name}-{number:06d}.arrow") for number in range(len(items))]
        for table, item in zip(saved, items, strict=True):
            _save(function, (table, item))
        return saved


class _Kept:
    """`Drops` that are kept by part."""

    def __init__(self) -> None:
        self.tables: dict[int, pa.Table] = {}

    def write(self, part: int, verdicts: pa.Table) -> None:
        self.tables[part] = verdicts


def _decide(before: SketchIndex, index: SketchIndex, removed: int = 0) -> Change:
    """Decide on all documents of the index as it is now; what has changed for those that were there before."""
    stage = make_stage(index.about["step"], index.about["stage"])
    assert isinstance(stage, Indexed)
    verdicts = _Kept()
    with tempfile.TemporaryDirectory(prefix=".rounds-", dir=index.folder) as folder:
        sketches = _Alone(index, Path(folder))
        stage.decide(sketches, verdicts)
        tables = [_named(sketches, part, table) for part, table in sorted(verdicts.tables.items())]
    dropped = pa.concat_tables([DROPPED.empty_table(), *tables])
    earlier = before.dropped(DROPPED)
    index.decided(dropped)
    known = dropped.filter(pa.array(dropped["crawl"].to_numpy() < len(before.crawls)))
    restored = _without(_without(earlier, index.removed), dropped)
    return Change(index, _without(known, earlier), restored, removed)


def _named(sketches: _Alone, part: int, verdicts: pa.Table) -> pa.Table:
    crawl, number, _ = sketches.index.files[part]
    who = sketches.read(part, ["row", "source", "id"])
    at = np.searchsorted(who["row"].to_numpy(), verdicts["row"].to_numpy())
    columns = {
        "crawl": np.full(len(at), crawl, np.int32),
        "part": np.full(len(at), number),
        "row": verdicts["row"],
        "source": who["source"].take(pa.array(at)).cast(pa.string()),
        "id": who["id"].take(pa.array(at)).cast(pa.string()),
        **{name: verdicts[name] for name in ("survivor_source", "survivor_id", "similarity")},
    }
    return pa.table(columns, schema=DROPPED)


def _without(table: pa.Table, other: pa.Table) -> pa.Table:
    """Rows of one whose place is not in the other, by place."""
    import polars as pl

    left, right = pl.from_arrow(table), pl.from_arrow(other.select(PLACE))
    assert isinstance(left, pl.DataFrame)
    assert isinstance(right, pl.DataFrame)
    return left.join(right, on=PLACE, how="anti").sort(PLACE).to_arrow().cast(table.schema)


def _is_meant(source: str, id: str, url: str | None, named: set[str], listed: set[str], hosts: set[str]) -> bool:
    if id in named or f"{source}:{id}" in named or url in listed:
        return True
    if not hosts or not url:
        return False
    host = parse_host(url)
    return host is not None and not hosts.isdisjoint(parent_domains(host))


def _read(path: Path, columns: list[str]) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(path, columns=columns, use_threads=False)
