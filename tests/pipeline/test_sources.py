"""Which files an input stands for, which are left out and why, and what is refused before anything runs."""

import gzip
import os
from pathlib import Path

import pyarrow as pa
import pytest
from small_runs import jsonl, parquet, read_all

from pipeline.sources import list_files
from schemas.errors import InputError
from schemas.recipe import Input

ROW = [{"text": "a"}]


def names(*entries: Input) -> list[str]:
    return [file.relative for file in list_files(entries)[0]]


def left_out(*entries: Input) -> list[tuple[str, str]]:
    return [(os.path.basename(item.path), item.reason) for item in list_files(entries)[1]]


def test_a_folder_gives_its_files_in_order_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.NDJSON", "sub/c.jsonl", ".hidden.jsonl", "_SUCCESS", ".git/d.jsonl", "_temporary/e.jsonl"):
        jsonl(tmp_path / name, ROW)
    (tmp_path / "page.odt").write_text("x")
    (tmp_path / "noending").write_text("x")
    (tmp_path / "t.md.GZ").write_bytes(gzip.compress(b"x"))
    entry = Input(path=str(tmp_path))
    assert names(entry) == ["a.NDJSON", "b.jsonl", "sub/c.jsonl", "t.md.GZ"]
    assert [file.compression for file in list_files([entry])[0]] == [None, None, None, "gzip"]
    assert left_out(entry) == [
        (".git", "hidden folder"),
        ("_temporary", "hidden folder"),
        (".hidden.jsonl", "hidden file"),
        ("_SUCCESS", "hidden file"),
        ("noending", "no ending: not a known ending; `format:` reads it all the same"),
        ("page.odt", ".odt: not a known ending; `format:` reads it all the same"),
    ]


def test_a_hidden_file_that_is_named_is_read(tmp_path: Path) -> None:
    assert names(Input(path=str(jsonl(tmp_path / ".mine.jsonl", ROW)))) == [".mine.jsonl"]


def test_a_format_reads_files_of_any_ending_that_are_named_or_have_no_known_one(tmp_path: Path) -> None:
    (tmp_path / "page.odt").write_text("x")
    jsonl(tmp_path / "a.jsonl", ROW)
    assert names(Input(path=str(tmp_path), format="text")) == ["page.odt"]
    assert left_out(Input(path=str(tmp_path), format="text"))[0][1].startswith(".jsonl: the input's format is text")
    assert names(Input(path=str(tmp_path / "a.jsonl"), format="text")) == ["a.jsonl"]


def test_a_glob_gives_files_and_folders_of_parts(tmp_path: Path) -> None:
    parquet(tmp_path / "one.parquet", {"text": ["a"]})
    parquet(tmp_path / "spark.parquet" / "part-0.parquet", {"text": ["b"]})
    jsonl(tmp_path / "spark.parquet" / "_SUCCESS", ROW)
    assert names(Input(path=str(tmp_path / "*.parquet"))) == ["one.parquet", "spark.parquet/part-0.parquet"]
    assert names(Input(path=str(tmp_path / "**"))) == ["one.parquet", "spark.parquet/part-0.parquet"]
    assert names(Input(path=str(tmp_path / "spark.parquet"))) == ["part-0.parquet"]


def test_the_source_is_named_after_the_file_or_folder(tmp_path: Path) -> None:
    jsonl(tmp_path / "web" / "a.v1.jsonl", ROW)
    for path, name in (("web", "web"), ("web/a.v1.jsonl", "a"), ("web/*.jsonl", "web")):
        assert [file.source for file in list_files([Input(path=str(tmp_path / path))])[0]] == [name]


@pytest.mark.parametrize("name", ["wbe", "web/a.jsnl"])
def test_a_missing_path_is_an_error_that_names_the_nearest(tmp_path: Path, name: str) -> None:
    """IO-4."""
    jsonl(tmp_path / "web" / "a.jsonl", ROW)
    near = {"wbe": "'web'", "web/a.jsnl": "'a.jsonl'"}[name]
    with pytest.raises(InputError, match=f"{name}: no such file or folder; did you mean {near}"):
        names(Input(path=str(tmp_path / name)))


def test_a_missing_folder_and_a_glob_without_match_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file or folder \(the folder .*gone does not exist\)"):
        names(Input(path=str(tmp_path / "gone" / "a.jsonl")))
    with pytest.raises(InputError, match=r"\*\.jsonl: no file matches"):
        names(Input(path=str(tmp_path / "*.jsonl")))


def test_a_folder_with_nothing_to_read_is_an_error_that_says_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(
        InputError, match=r"no file to read; known endings: \.parquet, \.jsonl(.|\n)*a\.csv: \.csv: not a known"
    ):
        names(Input(path=str(tmp_path)))


def test_a_file_of_two_inputs_is_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "web" / "a.jsonl", ROW)
    with pytest.raises(InputError, match="belongs to two inputs"):
        names(Input(path=str(tmp_path / "web")), Input(path=str(path)))
    (tmp_path / "link").symlink_to(tmp_path / "web")
    with pytest.raises(InputError, match="belongs to two inputs"):
        names(Input(path=str(tmp_path / "web")), Input(path=str(tmp_path / "link")))


def test_a_file_that_one_input_reaches_twice_is_read_once(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "web" / "a.jsonl", ROW)
    (tmp_path / "web" / "b.jsonl").symlink_to(path)
    (tmp_path / "web" / "loop").symlink_to(tmp_path / "web")
    entry = Input(path=(str(tmp_path / "web"), f"{tmp_path}/web/../web/a.jsonl"))
    assert names(entry) == ["a.jsonl"]
    reasons = left_out(entry)
    assert ("b.jsonl", f"the same file as {path}") in reasons
    assert ("loop", "a link to a folder that is read already") in reasons


def test_files_of_one_name_in_two_folders_have_different_ids(tmp_path: Path) -> None:
    paths = [str(jsonl(tmp_path / folder / "x.jsonl", ROW)) for folder in ("a", "b")]
    table, _, _ = read_all(Input(path=tuple(paths), source="s"))
    assert len(set(table.column("id").to_pylist())) == 2


def test_what_is_no_regular_file_is_left_out(tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl", ROW)
    os.mkfifo(tmp_path / "pipe.jsonl")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")).write_text("x")
    entry = Input(path=str(tmp_path))
    assert names(entry) == ["a.jsonl"]
    assert left_out(entry) == [("pipe.jsonl", "not a regular file"), ("\ufffd.txt", "its name is not UTF-8; rename it")]


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """A link to nothing stands for it here: root, who runs tests in containers, may read everything."""
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"a\.jsonl: cannot be read: No such file"):
        names(Input(path=str(tmp_path)))


def test_parquet_without_a_text_column_is_refused_with_its_columns_and_the_nearest(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"texts": ["a"], "n": [1]})
    with pytest.raises(
        InputError, match=r"a\.parquet: there is no column 'text'; did you mean 'texts'\?; its columns are texts, n"
    ):
        names(Input(path=str(path)))
    with pytest.raises(InputError, match=r"there is no column 'txts' for 'text'; did you mean 'texts'"):
        names(Input(path=str(path), columns={"text": "txts"}))
    assert names(Input(path=str(path), columns={"text": "texts"})) == ["a.parquet"]


@pytest.mark.parametrize(
    ("columns", "mapping", "message"),
    [
        ({"text": [1]}, {}, "the text column 'text' is int64, expected string"),
        ({"text": [["a"]]}, {}, "the text column 'text' is list"),
        ({"text": ["a"], "id": [[1]]}, {}, "column 'id' for 'id' is list.*expected string"),
        (
            {"text": ["a"], "q": ["b"]},
            {"q": {"column": "q", "type": "float64"}},
            "column 'q' for 'q' is string, expected float64",
        ),
        ({"text": ["a"], "q": [1.5]}, {"q": {"column": "q", "type": "int64"}}, "column 'q' for 'q' is double, expected int64"),
        ({"text": ["a"], "q": [1]}, {"q": {"column": "q", "type": "bool"}}, "column 'q' for 'q' is int64, expected bool"),
    ],
)
def test_a_column_of_a_wrong_type_is_refused(tmp_path: Path, columns: dict, mapping: dict, message: str) -> None:
    path = parquet(tmp_path / "a.parquet", columns)
    with pytest.raises(InputError, match=message):
        names(Input(path=str(path), columns=mapping))


def test_two_text_columns_are_refused(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="there are 2 columns 'text'"):
        names(Input(path=str(tmp_path / "a.parquet")))


def test_columns_that_nothing_maps_are_refused_if_they_are_an_error(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"id": ["1"], "text": ["a"], "n": [1], "m": [2]})
    with pytest.raises(InputError, match=r"a\.parquet: other_columns is error, and nothing maps 'n', 'm'"):
        names(Input(path=str(path), other_columns="error"))
    assert names(Input(path=str(path), other_columns="error", columns={"n": "n", "m": "m"})) == ["a.parquet"]


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_an_empty_or_cut_off_parquet_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = parquet(tmp_path / "a.parquet", {"text": ["a" * 100] * 100})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=rf"a\.parquet: not a Parquet file that can be read \({keep} bytes\)"):
        names(Input(path=str(path)))
