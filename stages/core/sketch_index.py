"""An index of the sketches of earlier crawls: a folder of Parquet files from which duplicates are found without any text.

    index.json                              format, parameters, crawls in order, state
    crawls/000000-name/000000000000.parquet row, source, id, url, sketch, and `shingles` (8 bytes each) where sets are compared
    removed-000004.parquet                  crawl, part and row of documents that were taken down, by the state it made
    dropped-000004.parquet                  documents that a copy stands for, by the state it belongs to

A crawl's files appear by one rename, and a state by the rename of `index.json`: what no state names does not count.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import InputError
from stages.core.stage import Drops, Saved, Sketches

FORMAT = 2
REMOVED = pa.schema([("crawl", pa.int32()), ("part", pa.int64()), ("row", pa.int32())])


class SketchIndex:
    """An index as it stands. Raises `InputError` if the folder is none."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "index.json"
        if not path.is_file():
            raise InputError(f"{folder} is no index: there is no index.json in it")
        self.about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if self.about.get("format") != FORMAT:
            raise InputError(f"{path} has format {self.about.get('format')}, expected {FORMAT}")

    @classmethod
    def create(
        cls, folder: str | Path, step: str, parameters: dict[str, Any], compared: str, stage: dict[str, Any]
    ) -> "SketchIndex":
        """A new index without crawls.

        step        name of the stage whose sketches it keeps
        parameters  what its sketches are made with
        compared    what documents are compared by: set, signature, band or hash
        stage       parameters of the stage that decides on all documents of the index
        """
        path = Path(folder)
        if path.exists() and any(path.iterdir()):
            raise InputError(f"{folder} is not empty: an index is built in a folder of its own")
        path.mkdir(parents=True, exist_ok=True)
        about = {
            "format": FORMAT,
            "step": step,
            "parameters": parameters,
            "compared": compared,
            "stage": stage,
            "crawls": [],
            "state": 0,
        }
        _write_json(path / "index.json", about)
        return cls(path)

    @property
    def state(self) -> int:
        """Grows with every change."""
        return int(self.about["state"])

    @property
    def crawls(self) -> list[str]:
        """Names, in the order in which they were added."""
        return [crawl["name"] for crawl in self.about["crawls"]]

    def check(self, step: str, parameters: dict[str, Any], compared: str) -> None:
        """Raise `InputError` if sketches of another stage or other parameters are to be compared with those of the index."""
        if step != self.about["step"]:
            raise InputError(f"{self.folder} holds sketches of {self.about['step']}, not of {step}")
        mine = self.about["parameters"]
        other = sorted(key for key in {*mine, *parameters} if mine.get(key) != parameters.get(key))
        if other:
            told = ", ".join(f"{key} {mine.get(key)!r} (here {parameters.get(key)!r})" for key in other)
            raise InputError(f"{self.folder} holds sketches made with {told}: they cannot be compared")
        if compared == "set" and self.about["compared"] != "set":
            raise InputError(f"{self.folder} was built without shingles, which verify: exact compares; build it again with it")

    @cached_property
    def files(self) -> list[tuple[int, int, Path]]:
        """Crawl, part and file, in order."""
        return [
            (number, int(path.stem), path)
            for number, crawl in enumerate(self.about["crawls"])
            for path in sorted((self.folder / "crawls" / crawl["folder"]).glob("*.parquet"))
        ]

    @cached_property
    def removed(self) -> pa.Table:
        """Documents that were taken down."""
        return self._table("removed", REMOVED)

    def dropped(self, schema: pa.Schema) -> pa.Table:
        """What `decide` last wrote."""
        return self._table("dropped", schema)

    def live(self, crawl: int, part: int, rows: np.ndarray) -> np.ndarray:
        """Which rows of a part were not taken down (bool)."""
        columns = [self.removed[name].to_numpy() for name in REMOVED.names]
        gone = columns[2][(columns[0] == crawl) & (columns[1] == part)]
        return ~np.isin(rows, gone)

    def add(self, name: str, tables: Iterable[tuple[int, pa.Table]]) -> "SketchIndex":
        """The index with one more crawl: its parts by number."""
        if name in self.crawls:
            raise InputError(f"{self.folder} has a crawl {name!r} already")
        if not re.fullmatch(r"[\w.-]+", name):
            raise InputError(f"a crawl's name is made of letters, digits, '_', '-' and '.', not {name!r}")
        final = self.folder / "crawls" / f"{len(self.crawls):06d}-{name}"
        shutil.rmtree(final, ignore_errors=True)  # of an addition that was ended before it counted
        staged = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
        staged.mkdir(parents=True)
        documents = 0
        try:
            for part, table in tables:
                pq.write_table(table, staged / f"{part:012d}.parquet", compression="zstd", use_dictionary=["source"])
                documents += table.num_rows
            os.rename(staged, final)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        crawls = [*self.about["crawls"], {"name": name, "folder": final.name, "documents": documents}]
        return self._next({"crawls": crawls}, {"removed": self.removed})

    def remove(self, found: pa.Table) -> "SketchIndex":
        """The index without these documents, too."""
        return self._next({}, {"removed": pa.concat_tables([self.removed, found.cast(REMOVED)])})

    def decided(self, dropped: pa.Table) -> None:
        """Keep what was decided for this state."""
        _write_table(self.folder / f"dropped-{self.state:06d}.parquet", dropped)

    def _next(self, changes: dict[str, Any], tables: dict[str, pa.Table]) -> "SketchIndex":
        state = self.state + 1
        for name, table in tables.items():
            _write_table(self.folder / f"{name}-{state:06d}.parquet", table)
        _write_json(self.folder / "index.json", {**self.about, **changes, "state": state})
        return SketchIndex(self.folder)

    def _table(self, name: str, schema: pa.Schema) -> pa.Table:
        path = self.folder / f"{name}-{self.state:06d}.parquet"
        return pq.read_table(path) if path.is_file() else schema.empty_table()


def _write_json(path: Path, value: Any) -> None:
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    staged.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    staged.rename(path)


def _write_table(path: Path, table: pa.Table) -> None:
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    pq.write_table(table, staged, compression="zstd")
    staged.rename(path)


class JoinedSketches:
    """`Sketches` of an index, and behind them those of a run, if there is one. Parts are numbered anew."""

    def __init__(self, index: SketchIndex, run: Sketches | None) -> None:
        self.index = index
        self.run = run
        self.before = len(index.files)
        self._run_parts = run.parts() if run is not None else []

    def parts(self) -> list[int]:
        """Part numbers, ascending: the index's, then the run's."""
        return list(range(self.before + len(self._run_parts)))

    def part_of_run(self, part: int) -> int | None:
        """The run's number of a part; None for one of the index."""
        return None if part < self.before else self._run_parts[part - self.before]

    def crawl(self, part: int) -> int:
        """In which crawl a part is; the run is the last one."""
        return self.index.files[part][0] if part < self.before else len(self.index.crawls)

    def rows(self) -> int:
        """Number of live documents."""
        return sum(self.read(part, ["row"]).num_rows for part in self.parts())

    def read(self, part: int, columns: Sequence[str]) -> pa.Table:
        """Columns of one part's sketch, live documents only."""
        at = self.part_of_run(part)
        if at is not None:
            assert self.run is not None
            return self.run.read(at, columns)
        crawl, number, path = self.index.files[part]
        names = list(columns)
        table = pq.read_table(path, columns=names if "row" in names else [*names, "row"], use_threads=False)
        live = self.index.live(crawl, number, table["row"].to_numpy())
        return (table if live.all() else table.filter(pa.array(live))).select(names)

    def documents(self, part: int, rows: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """Columns of a run's documents; of those in the index no text is kept."""
        at = self.part_of_run(part)
        assert at is not None
        assert self.run is not None
        return self.run.documents(at, rows, columns)

    def round(
        self, name: str, function: Callable[[Any], pa.Table], items: Sequence[Any], model_bytes: int = 0
    ) -> Sequence[Saved]:
        """As the run's; an index alone is solved in this process."""
        assert self.run is not None
        return self.run.round(name, function, items, model_bytes)

    def folder(self) -> Path:
        """The run's."""
        assert self.run is not None
        return self.run.folder()

    def progress(self, what: str, units: int) -> Callable[[int], None]:
        """The run's."""
        assert self.run is not None
        return self.run.progress(what, units)

    def cluster(self) -> None:
        """An index asks no model."""


class RunVerdicts:
    """`Drops` on the parts of the run; what falls on parts of the index is kept by part."""

    def __init__(self, sketches: JoinedSketches, verdicts: Drops) -> None:
        self._sketches = sketches
        self._verdicts = verdicts
        self.superseded: list[tuple[int, pa.Table]] = []

    def write(self, part: int, verdicts: pa.Table) -> None:
        """Hand on, or keep."""
        at = self._sketches.part_of_run(part)
        if at is None:
            self.superseded.append((part, verdicts))
        else:
            self._verdicts.write(at, verdicts)
