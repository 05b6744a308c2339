"""Battles are read from all formats alike, and what is wrong with a file is said with column or row."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import InputError
from stages.core.battles import LOST, TIED, WON, battles_of, style_difference
from stages.core.read_battles import read_battles

ROWS = [
    {"model_a": "x", "model_b": "y", "winner": "model_a", "len_a": 10, "len_b": 30, "text": "one,\ntwo"},
    {"model_a": "y", "model_b": "x", "winner": "model_a", "len_a": 20, "len_b": 20, "text": "three"},
    {"model_a": "x", "model_b": "y", "winner": "tie", "len_a": 0, "len_b": 0, "text": "NA"},
    {"model_a": "y", "model_b": "NA", "winner": "tie (bothbad)", "len_a": 1, "len_b": 3, "text": ""},
]


def written(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / name
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ".csv" in name:
        quoted = "".join(",".join('"' + str(value) + '"' for value in row.values()) + "\n" for row in rows)
        body = ",".join(rows[0]) + "\n" + quoted
        path.write_bytes(gzip.compress(body.encode()) if name.endswith(".gz") else body.encode())
    elif name.endswith(".zst"):
        with pa.CompressedOutputStream(str(path), "zstd") as out:
            out.write(lines.encode())
    else:
        path.write_bytes(gzip.compress(lines.encode()) if name.endswith(".gz") else lines.encode())
    return path


@pytest.mark.parametrize("name", ["b.parquet", "b.jsonl", "b.jsonl.gz", "b.jsonl.zst", "b.csv", "b.csv.gz"])
def test_every_format_gives_the_same_battles(tmp_path: Path, name: str) -> None:
    table = read_battles(written(tmp_path, name, ROWS), [("len_a", "len_b")])
    assert table.column_names == ["model_a", "model_b", "winner", "len_a", "len_b"]
    assert table["len_b"].to_pylist() == [30, 20, 0, 3]
    found = battles_of(table)
    assert found.models == ("NA", "x", "y")
    assert list(zip(found.first.tolist(), found.second.tolist(), found.counts.tolist(), strict=True)) == [
        (0, 2, [0, 0, 1]),
        (1, 2, [1, 1, 1]),
    ]


def test_a_matrix_has_both_sides() -> None:
    found = battles_of(pa.Table.from_pylist(ROWS[:3]))
    assert found.matrix(WON).tolist() == [[0, 1], [1, 0]]
    assert found.matrix(LOST).tolist() == [[0, 1], [1, 0]]
    assert found.matrix(TIED).tolist() == [[0, 1], [1, 0]]
    one_sided = battles_of(pa.Table.from_pylist(ROWS[:1]))
    assert one_sided.matrix(WON).tolist() == [[0, 1], [0, 0]]
    assert one_sided.matrix(LOST).tolist() == [[0, 0], [1, 0]]


def test_a_model_against_itself_is_left_out() -> None:
    itself = {"model_a": "x", "model_b": "x", "winner": "tie"}
    found = battles_of(pa.Table.from_pylist([{**ROWS[0]}, {**ROWS[1]}, {**ROWS[0], **itself}]))
    assert (found.total, found.left_out) == (2, 1)


def test_a_style_difference_is_a_share_of_the_sum() -> None:
    assert style_difference(np.array([10.0, 20, 0]), np.array([30.0, 20, 0])).tolist() == [-0.5, 0, 0]


def test_covariates_are_of_the_first_model_minus_the_second_and_in_typical_differences() -> None:
    rows = [
        {"model_a": "x", "model_b": "y", "winner": "model_a", "a": 3, "b": 1},
        {"model_a": "y", "model_b": "x", "winner": "model_a", "a": 3, "b": 1},
    ]
    found = battles_of(pa.Table.from_pylist(rows), [("a", "b")])
    assert found.covariates.tolist() == [[1.0], [-1.0]]
    assert found.counts.tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("name", ["b.parquet", "b.jsonl", "b.csv"])
def test_a_missing_column_is_named_with_those_there(tmp_path: Path, name: str) -> None:
    rows = [{"model_a": "x", "model_b": "y", "outcome": "tie"}]
    with pytest.raises(InputError, match=f"{name} has no column winner, len_a; it has model_a, model_b, outcome"):
        read_battles(written(tmp_path, name, rows), [("len_a", "model_b")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"winner": "A"}, "row 3: winner is 'A', expected one of 'model_a', 'model_b', 'tie'"),
        ({"winner": None}, "row 3: winner is None, expected one of"),
        ({"model_b": None}, "row 3: model_b is missing"),
        ({"len_a": -1}, "row 3: the covariate len_a is -1, expected a length or count"),
        ({"len_b": None}, "row 3: the covariate len_b is None, expected a length or count"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(change: dict[str, Any], message: str) -> None:
    rows = [*ROWS[:2], {**ROWS[2], **change}, ROWS[3]]
    with pytest.raises(InputError, match=message):
        battles_of(pa.Table.from_pylist(rows), [("len_a", "len_b")])


def test_a_covariate_of_words_or_without_differences_is_refused() -> None:
    table = pa.Table.from_pylist(ROWS)
    with pytest.raises(InputError, match="the covariate text is of type string, expected numbers"):
        battles_of(table, [("text", "text")])
    with pytest.raises(InputError, match="len_a:len_a is the same for both models in every battle"):
        battles_of(table, [("len_a", "len_a")])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.txt", b"", "expected a file that ends with"),
        ("b.jsonl", b'{"model_a": \n', "b.jsonl cannot be read: JSON parse error"),
        ("b.parquet", b"no", "b.parquet cannot be read"),
        ("b.csv", b"", "b.csv cannot be read: Empty CSV file"),
        ("b.jsonl.gz", b"no", "b.jsonl.gz cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_battles(tmp_path / name)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.csv", "a.jsonl"):
        with pytest.raises(InputError, match=f"{name}: there is no such file"):
            read_battles(tmp_path / name)


def test_one_model_or_none_is_told() -> None:
    with pytest.raises(InputError, match="1 battles and 1 models: expected at least two"):
        battles_of(pa.Table.from_pylist([{"model_a": "x", "model_b": "x", "winner": "tie"}]))
    with pytest.raises(InputError, match="0 battles and 0 models"):
        battles_of(pa.Table.from_pylist(ROWS).slice(0, 0))
