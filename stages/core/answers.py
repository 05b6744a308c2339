"""Answers of models, kept by the key of their request in a folder of Parquet files that runs and people share."""

import fcntl
import io
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.requests import Reply, Request

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("revision", pa.string(), nullable=False),
        pa.field("messages", pa.string(), nullable=False),
        pa.field("sampling", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("prompt_tokens", pa.int64()),
        pa.field("completion_tokens", pa.int64()),
    ]
)
"""One row for each answer, sorted by key. `messages` and `sampling` are JSON: what was asked, and how it was drawn."""

FILE_ANSWERS, FILE_BYTES = 50_000, 64_000_000
"""answers, and bytes of them, after which a file is closed and another begun"""
GROUP_ROWS = 512


class AnswerStore:
    """Answers in a folder. Only answers are kept, never failures. Memory: 40 bytes for each answer of the folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._lock = threading.Lock()
        self._index = _Index.of([])
        self._listed = -1

    def recover(self) -> int:
        """Make files of the logs that killed processes left; those of processes that live are left alone. Answers found."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return sum(_finish(path) for path in sorted(self.folder.glob("*.log")))

    def known(self, keys: Sequence[str]) -> dict[str, Reply]:
        """The answers that are there, by key."""
        with self._lock:
            self._refresh()
            index = self._index
        return index.read(keys)

    def writer(self) -> "AnswerWriter":
        """Where new answers go; they are found by `known` once it is closed, or by `recover` after a kill."""
        return AnswerWriter(self.folder)

    def _refresh(self) -> None:
        changed = self.folder.stat().st_mtime_ns if self.folder.is_dir() else 0
        if changed != self._listed:
            self._index = _Index.of(sorted(self.folder.glob("*.parquet")), self._index)
            self._listed = changed


@lru_cache(maxsize=8)
def store_at(folder: str) -> AnswerStore:
    """The store of a folder, one for all threads of a process: its index is read once."""
    return AnswerStore(folder)


@dataclass(frozen=True)
class _Index:
    """Where each key stands: file and row, sorted by key."""

    files: tuple[Path, ...]
    keys: np.ndarray
    file: np.ndarray
    row: np.ndarray

    @classmethod
    def of(cls, files: Sequence[Path], before: "_Index | None" = None) -> "_Index":
        """Of these files; keys of files that an earlier index has are not read again. A key counts where it stands first."""
        if before is None:
            before = cls((), np.zeros(0, "S32"), np.zeros(0, np.int32), np.zeros(0, np.int32))
        if not files:
            return cls((), before.keys[:0], before.file[:0], before.row[:0])
        number = {path: at for at, path in enumerate(files)}
        moved = np.array([number.get(path, -1) for path in before.files], np.int32)
        file = moved[before.file] if len(moved) else before.file
        keys, numbers, rows = [before.keys[file >= 0]], [file[file >= 0]], [before.row[file >= 0]]
        for path in set(files).difference(before.files):
            column = pq.read_table(path, columns=["key"], use_threads=False)["key"]
            keys.append(np.array(column.to_pylist(), "S32"))
            numbers.append(np.full(len(column), number[path], np.int32))
            rows.append(np.arange(len(column), dtype=np.int32))
        key, at, row = np.concatenate(keys), np.concatenate(numbers), np.concatenate(rows)
        order = np.lexsort((row, at, key))
        return cls(tuple(files), key[order], at[order], row[order])

    def places(self, keys: Sequence[str]) -> np.ndarray:
        """Position of each key, -1 where it is not there."""
        wanted = np.array(keys, "S32")
        at = np.searchsorted(self.keys, wanted)
        found = at < len(self.keys)
        found[found] = self.keys[at[found]] == wanted[found]
        return np.where(found, at, -1)

    def read(self, keys: Sequence[str]) -> dict[str, Reply]:
        """Answers of the keys that are there, file by file, and of each file the row groups that have some."""
        places = self.places(keys)
        places = np.unique(places[places >= 0])
        found: dict[str, Reply] = {}
        for number in np.unique(self.file[places]):
            rows = np.sort(self.row[places[self.file[places] == number]])
            for table in _rows_of(self.files[number], rows):
                # as Python's values, one for each answer of a model
                for row in table.to_pylist():
                    found[row["key"]] = Reply(
                        row["text"], "", row["finish_reason"], row["prompt_tokens"], row["completion_tokens"]
                    )
        return found


def _rows_of(path: Path, rows: np.ndarray) -> Iterator[pa.Table]:
    columns = ["key", "text", "finish_reason", "prompt_tokens", "completion_tokens"]
    with pq.ParquetFile(path, pre_buffer=False) as file:
        start = 0
        for group in range(file.metadata.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            low, high = np.searchsorted(rows, (start, stop))
            if low < high:
                table = file.read_row_group(group, columns, use_threads=False)
                yield table.take(pa.array(rows[low:high] - start))
            start = stop


class AnswerWriter:
    """Appends each answer to a log as it comes, in one write, so that a kill costs none. A closed log becomes Parquet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._log: io.FileIO | None = None
        self._answers = self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def add(self, request: Request, reply: Reply) -> None:
        """Keep an answer; it is with the operating system when this returns."""
        if reply.text is None:
            raise ValueError("only answers are kept, never failures")
        line = orjson.dumps(_as_row(request, reply), option=orjson.OPT_APPEND_NEWLINE)
        with self._lock:
            if self._log is None:
                self._log = _locked_log(self._folder)
            self._log.write(line)
            self._answers += 1
            self._bytes += len(line)
            if self._answers >= FILE_ANSWERS or self._bytes >= FILE_BYTES:
                self._close()

    def close(self) -> None:
        """Make a file of the log."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._log is None:
            return
        path = Path(str(self._log.name)).with_suffix(".log")
        _write(path, _read_log(path))
        self._log.close()
        self._log, self._answers, self._bytes = None, 0, 0


def _locked_log(folder: Path) -> io.FileIO:
    """A new log. It has its name only once it is locked, or another process would take it for one that was left."""
    path = folder / f"{secrets.token_hex(8)}.opening"
    log = io.FileIO(path, "ab")
    fcntl.flock(log, fcntl.LOCK_EX)
    os.rename(path, path.with_suffix(".log"))
    return log


def _as_row(request: Request, reply: Reply) -> dict[str, Any]:
    return {
        "key": request.key,
        "model": request.model.name,
        "revision": request.model.revision,
        "messages": orjson.dumps(request.chat()).decode(),
        "sampling": orjson.dumps(request.sampling.model_dump(mode="json")).decode(),
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
    }


def _finish(log: Path) -> int:
    """A killed process's log becomes a file; one that is locked belongs to a process that lives."""
    try:
        stream = io.FileIO(log)
    except FileNotFoundError:  # another process was first
        return 0
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        if not log.exists():
            return 0
        rows = list(_read_log(log))
        _write(log, rows)
        return len(rows)


def _read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The answers of a log; a last line that a kill cut is none."""
    with open(path, "rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                yield orjson.loads(line)


def _write(log: Path, rows: Iterable[dict[str, Any]]) -> None:
    """The answers as a Parquet file beside the log, which goes."""
    found = {row["key"]: row for row in rows}
    if found:
        table = pa.Table.from_pylist([found[key] for key in sorted(found)], SCHEMA)
        path = log.with_suffix(".parquet")
        staged = path.with_name(f".{path.name}")
        pq.write_table(table, staged, compression="zstd", row_group_size=GROUP_ROWS)
        os.rename(staged, path)
    log.unlink()
