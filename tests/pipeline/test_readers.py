"""What readers make of rows and lines: documents with our columns, or faults with their place."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_runs import jsonl, parquet, read_all

from schemas.recipe import Input


def rows_of(path: Path, **entry: Any) -> list[dict[str, Any]]:
    table, faults, _ = read_all(Input(path=str(path), source="s", **entry))
    assert not faults
    return table.to_pylist()


def faults_of(path: Path, **entry: Any) -> list[tuple[str, str, str]]:
    """(place below the folder, error, message) of each fault."""
    _, faults, _ = read_all(Input(path=str(path), source="s", **entry))
    return [(fault.place.removeprefix(f"{path.parent}/"), fault.error, fault.message) for fault in faults]


TEXTS = ["a", "é漢🙂", "", "x\0y"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.array(TEXTS).dictionary_encode(),
        pa.array([text.encode() for text in TEXTS]),
        pa.array([text.encode() for text in TEXTS], pa.large_binary()),
        pa.array([text.encode() for text in TEXTS], pa.binary_view()),
        pa.array([text.encode() for text in TEXTS]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type).split("<")[0],
)
def test_parquet_text_may_have_any_type_of_strings(tmp_path: Path, column: pa.Array) -> None:
    assert [row["text"] for row in rows_of(parquet(tmp_path / "a.parquet", {"text": column}))] == TEXTS


def test_null_texts_of_parquet_are_faults(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"id": ["x", "y", "z"], "text": ["a", None, "c"]})
    table, (fault,), _ = read_all(Input(path=str(path)))
    assert table.column("id").to_pylist() == ["x", "z"]
    assert (fault.id, fault.row, fault.error, fault.place) == ("y", 1, "NoText", f"{path}: row 1")
    path = parquet(tmp_path / "b.parquet", {"text": pa.nulls(2)})
    assert [error for _, error, _ in faults_of(path)] == ["NoText", "NoText"]


def test_a_parquet_row_is_named_by_its_number_in_the_file(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"text": ["a"] * 30 + [None] + ["b"]}, row_group_size=7)
    _, (fault,), units = read_all(Input(path=str(path)), part_bytes=20)
    assert len(units) > 3
    assert fault.place == f"{path}: row 30"


@pytest.mark.parametrize("kind", ["string", "binary", "id", "url", "other"])
def test_parquet_rows_that_are_not_utf8_are_faults(tmp_path: Path, kind: str) -> None:
    bad = pa.array([b"good", b"b\xffd"])
    columns = {"id": pa.array(["1", "2"]), "text": pa.array(["a", "b"])}
    columns["text" if kind in ("string", "binary") else kind] = bad if kind == "binary" else bad.view(pa.string())
    path = parquet(tmp_path / "a.parquet", columns)
    table, (fault,), _ = read_all(Input(path=str(path)))
    assert table.num_rows == 1
    assert (fault.row, fault.error) == (1, "InvalidUtf8")
    told = {"string": "byte 1 of the text is 0xff", "binary": "byte 1 of the text is 0xff", "other": "column 'other'"}
    assert told.get(kind, f"byte 1 of '{kind}' is 0xff") in fault.message


def test_ids_of_any_simple_type_become_strings_and_missing_ones_are_made(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"id": pa.array([7, None], pa.int32()), "text": ["a", "b"]})
    first, second = [row["id"] for row in rows_of(path)]
    assert first == "7"
    assert second.endswith("-1")
    path = jsonl(tmp_path / "b.jsonl", [{"id": 7, "text": "a"}, {"id": None, "text": "b"}, {"id": [1], "text": "c"}])
    first, second, third = [row["id"] for row in rows_of(path)]
    assert (first, third) == ("7", "[1]")
    assert second.endswith(f"-{len(json.dumps({'id': 7, 'text': 'a'})) + 1}")


def test_made_ids_differ_between_files_and_not_between_places_of_the_folder(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        for name in ("a", "b"):
            jsonl(tmp_path / folder / f"{name}.jsonl", [{"text": "x"}, {"text": "x"}])
    one, two = (sorted(row["id"] for row in rows_of(tmp_path / folder)) for folder in ("one", "two"))
    assert one == two
    assert len(set(one)) == 4


def test_a_damaged_row_group_costs_its_rows_only(tmp_path: Path) -> None:
    texts = [f"{number:05d}" * 50 for number in range(40)]
    path = parquet(tmp_path / "a.parquet", {"text": texts}, row_group_size=10, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    at = content.find(b"\x28\xb5\x2f\xfd", content.find(b"\x28\xb5\x2f\xfd") + 4)  # the second page's zstd frame
    content[at : at + 4] = b"\0\0\0\0"
    path.write_bytes(content)
    table, faults, _ = read_all(Input(path=str(path)))
    assert table.column("text").to_pylist() == texts[:10] + texts[20:]
    assert [fault.place for fault in faults] == [f"{path}: row {row}" for row in range(10, 20)]
    assert {fault.error for fault in faults} == {"Damaged"}


def test_other_columns_go_into_extra_as_json(tmp_path: Path) -> None:
    """SCH-2: also a key that first appears in the last of many documents."""
    path = jsonl(tmp_path / "a.jsonl", [*({"text": "a"} for _ in range(3000)), {"text": "b", "late": [1, None, {"k": "é"}]}])
    table, _, _ = read_all(Input(path=str(path)), part_bytes=5000, batch_bytes=1000)
    assert table.column("extra").null_count == 3000
    assert json.loads(table.column("extra")[-1].as_py()) == {"late": [1, None, {"k": "é"}]}
    columns = {"text": ["a"], "n": [None], "s": [{"a": [1]}], "b": [b"\xff"], "nested": [{"b": b"\xff"}], "source": ["theirs"]}
    (row,) = rows_of(parquet(tmp_path / "a.parquet", columns))
    expected = {"n": None, "s": {"a": [1]}, "b": "/w==", "nested": {"b": "/w=="}, "source": "theirs"}
    assert json.loads(row["extra"]) == expected
    assert row["source"] == "s"


def test_other_columns_may_be_dropped_or_be_an_error(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"id": "1", "text": "a"}, {"id": "2", "text": "b", "n": 1}])
    assert [row["extra"] for row in rows_of(path, other_columns="drop")] == [None, None]
    message = "the key 'n' is not mapped, and other_columns is error"
    assert faults_of(path, other_columns="error") == [("a.jsonl:2", "UnknownColumn", message)]
    assert len(rows_of(path, other_columns="error", columns={"n": "n"})) == 2
    columns = parquet(tmp_path / "b.parquet", {"text": ["a"], "n": [1]})
    assert [row["extra"] for row in rows_of(columns, other_columns="drop")] == [None]


MAPPING = {
    "text": "content",
    "title": "t",
    "score": {"column": "q", "type": "float64"},
    "stars": {"column": "s", "type": "int64"},
    "ok": {"column": "o", "type": "bool"},
}


def test_columns_are_mapped_with_their_types(tmp_path: Path) -> None:
    values = {"content": "a", "t": "T", "q": 2, "s": 3, "o": True, "text": "theirs"}
    columns = {name: [value] for name, value in values.items()}
    for path in (jsonl(tmp_path / "a.jsonl", [values]), parquet(tmp_path / "a.parquet", columns)):
        (row,) = rows_of(path, columns=MAPPING)
        assert (row["text"], row["title"], row["score"], row["stars"], row["ok"]) == ("a", "T", 2.0, 3, True)
        assert json.loads(row["extra"]) == {"text": "theirs"}


def test_json_values_of_another_type_than_mapped_are_null(tmp_path: Path) -> None:
    odd = [{"q": "1.5", "s": True, "o": 1}, {"q": True, "s": 2.5, "o": "yes"}, {"q": [], "s": 2**63, "o": None}, {}]
    path = jsonl(tmp_path / "a.jsonl", [{"content": "a", **row} for row in odd])
    assert [(row["score"], row["stars"], row["ok"]) for row in rows_of(path, columns=MAPPING)] == [(None, None, None)] * 4
    big = parquet(tmp_path / "a.parquet", {"text": ["a", "b"], "n": pa.array([2**63, 5], pa.uint64())})
    assert [row["n"] for row in rows_of(big, columns={"n": {"column": "n", "type": "int64"}})] == [None, 5]


def test_json_lines_that_are_no_documents_are_faults_with_file_and_line(tmp_path: Path) -> None:
    """SCH-6."""
    lines = [
        '{"text": "good"}', "", '{"t": 1, "u": 2}', '{"text": null}', '{"text": 5}', "[1]", '"a"', '{"text": "cut', "null",
        '{"text": "\\ud800"}', '{"text": "\\ud83d\\ude42"}', '{"text": "a"} {"text": "b"}',
    ]  # fmt: skip
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    found = faults_of(path)
    assert [place for place, _, _ in found] == [f"a.jsonl:{line}" for line in (3, 4, 5, 6, 7, 8, 9, 10, 12)]
    assert [(error, message) for _, error, message in found[:5]] == [
        ("NoText", "there is no key 'text'; keys: t, u"),
        ("NoText", "the text is null"),
        ("WrongType", "'text' is int, expected string"),
        ("NotAnObject", "expected a JSON object, found list"),
        ("NotAnObject", "expected a JSON object, found str"),
    ]
    assert {error for _, error, _ in found[5:]} == {"InvalidJson", "NotAnObject"}
    table, _, _ = read_all(Input(path=str(path)))
    assert table.column("text").to_pylist() == ["good", "🙂"]


@pytest.mark.parametrize("part_bytes", [1, 10, 100, 10**6])
def test_a_line_has_the_same_number_in_every_cut(tmp_path: Path, part_bytes: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(["{}", '{"text": "a"}', "", "x", '{"text": "b"}', "{}"]))
    table, faults, _ = read_all(Input(path=str(path)), part_bytes)
    assert [fault.place for fault in faults] == [f"{path}:{line}" for line in (1, 4, 6)]
    assert table.column("text").to_pylist() == ["a", "b"]


def test_a_line_longer_than_the_limit_is_a_fault_and_no_more(tmp_path: Path) -> None:
    from pipeline.batches import document_schema
    from pipeline.readers import Reader
    from pipeline.sources import list_files
    from pipeline.units import cut

    path = jsonl(tmp_path / "a.jsonl", [{"text": "a"}, {"text": "b" * 9_000_000}, {"text": "c" * 4_500_000}, {"text": "d"}])
    entry = Input(path=str(path))
    files, _ = list_files([entry])
    for limit, kept in ((5_000_000, [1, 4_500_000, 1]), (1_000_000, [1, 1]), (10_000_000, [1, 9_000_000, 4_500_000, 1])):
        reader = Reader(tuple(files), (entry,), document_schema({}), 1 << 20, limit)
        batches = [batch for unit in cut(files, 1 << 30) for batch in reader.read(unit)]
        assert [len(text) for batch in batches for text in batch.table.column("text").to_pylist()] == kept
        faults = [fault for batch in batches for fault in batch.faults]
        assert {fault.error for fault in faults} <= {"LineTooLong"}
        assert len(faults) == 4 - len(kept)


def test_a_text_file_is_one_document_or_one_for_each_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\n  \ntwo \xff\nthree")
    (place, error, message) = faults_of(path)[0]
    assert (place, error, message) == ("a.txt", "InvalidUtf8", "byte 14 of the text is 0xff, not UTF-8")
    table, (fault,), _ = read_all(Input(path=str(path), text_documents="line"))
    assert table.column("text").to_pylist() == ["one", "three"]
    assert fault.place == f"{path}:4"
    path.write_bytes("\ufeffwhole\r\nfile\n".encode())
    assert [row["text"] for row in rows_of(path)] == ["whole\r\nfile\n"]
