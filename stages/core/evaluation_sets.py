"""Evaluation sets: files of questions and answers that must not be in a training set."""

import csv
import functools
import gzip
import io
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import InputError


class EvaluationSet(BaseModel):
    """Where the items of a set stand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="what the set is called in columns and ledger", min_length=1)
    path: str = Field(description="Parquet, JSON lines (.jsonl, also .gz or .zst) or CSV with a head line")
    question: str = Field(description="field with the question; where it is a list, all of it")
    answer: str | None = Field(None, description="field with the answer, if there is one")


class Item(NamedTuple):
    """One question of a set; `number` counts from 0 in the file."""

    name: str
    number: int
    question: str
    answer: str

    @property
    def label(self) -> str:
        """The item in columns and ledger."""
        return f"{self.name}:{self.number}"


def read_items(one: EvaluationSet) -> list[Item]:
    """All items. Raises `InputError` if a field is missing, or nothing is there."""
    stat = os.stat(one.path)
    return list(_read_items(one, stat.st_mtime_ns, stat.st_size))


@functools.lru_cache(64)
def _read_items(one: EvaluationSet, modified: int, size: int) -> tuple[Item, ...]:
    items: list[Item] = []
    for number, row in enumerate(rows_of(one.path)):
        for field in (one.question, one.answer):
            if field is not None and field not in row:
                raise InputError(
                    f"{one.path}: item {number} of {one.name} has no field {field!r}; it has {', '.join(sorted(map(str, row)))}"
                )
        answer = "" if one.answer is None else _as_text(row[one.answer])
        items.append(Item(one.name, number, _as_text(row[one.question]), answer))
    if not any(item.question.strip() for item in items):
        raise InputError(f"{one.path}: {one.name} has {len(items)} items and no question in them: nothing would be found")
    return tuple(items)


def check_sets(sets: Iterable[EvaluationSet]) -> None:
    """Raise `ValueError` if two sets have the same name, or a file that is there has no items."""
    names = [one.name for one in sets]
    if len(set(names)) < len(names):
        raise ValueError("two evaluation sets have the same name")
    for one in sets:
        if os.path.isfile(one.path):
            try:
                read_items(one)
            except InputError as error:
                raise ValueError(str(error)) from error


def read_texts(path: str) -> list[str]:
    """Lines of a text file that are not empty."""
    try:
        return [line for line in _content(path).decode().split("\n") if line.strip()]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}") from error


def rows_of(path: str) -> Iterable[Mapping[str, Any]]:
    """Rows of a file of Parquet, JSON lines or CSV. Raises `InputError` where it is none."""
    stem = path.removesuffix(".gz").removesuffix(".zst")
    if stem.endswith(".parquet"):
        import pyarrow.parquet as pq

        yield from pq.read_table(path).to_pylist()
        return
    data = _content(path)
    if stem.endswith(".csv"):
        yield from csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
        return
    if not stem.endswith((".jsonl", ".ndjson", ".json")):
        raise InputError(f"{path}: expected a file that ends with .parquet, .jsonl, .jsonl.gz, .jsonl.zst or .csv")
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InputError(f"{path}, line {number}: no JSON ({error})") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: expected an object, got {type(row).__name__}")
        yield row


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        import pyarrow as pa

        return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())
    return data


def _as_text(value: Any) -> str:
    """Strings as they are, what lists and objects hold one below the other."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n".join(map(_as_text, value.values()))
    if isinstance(value, list | tuple):
        return "\n".join(map(_as_text, value))
    return "" if value is None else str(value)
