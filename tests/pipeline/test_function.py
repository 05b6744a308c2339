from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.function import Function
from schemas.errors import RecipeError, StageError

RULES = """
import pyarrow as pa
from schemas.columns import Drop

def upper(document):
    return {**document, "text": document["text"].upper()}
def long_only(document, min_length=3):
    return document if len(document["text"]) >= min_length else Drop("too short", len(document["text"]), min_length)
def none(document):
    return None
def words(document):
    return [{**document, "text": word} for word in document["text"].split()]
def score(document):
    return {**document, "score": len(document["text"])}
def renames(document):
    return {**document, "id": "mine", "source": "mine"}
def fails(document):
    if document["text"] == "bb":
        raise ValueError("no bb here")
    return document
def number(document):
    return 5
def no_text(document):
    return {"id": document["id"]}
def odd(document):
    return {**document, "score": "many" if len(document["text"]) == 2 else 1}
def surrogate(document):
    return {**document, "text": "\\ud800" if document["text"] == "bb" else document["text"]}
def nothing():
    return None
def on_table(table: pa.Table) -> pa.Table:
    return table.append_column("n", pa.array([1] * len(table), pa.int64()))
def on_text_annotation(table: "pa.Table") -> "pa.Table":
    return table
def loses(table: pa.Table) -> pa.Table:
    return table.slice(1)
def wrong(table: pa.Table) -> int:
    return 5
"""


@pytest.fixture(autouse=True)
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "function_rules.py").write_text(RULES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "function_rules", raising=False)


def batch(*texts: str) -> pa.Table:
    ids = [f"d{number}" for number in range(len(texts))]
    types = {"id": pa.string(), "source": pa.string(), "text": pa.large_string()}
    columns = {"id": ids, "source": ["web"] * len(texts), "text": list(texts)}
    return pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})


def processed(name: str, *texts: str, **options: Any) -> Any:
    return Function(function=f"function_rules:{name}", **options).open()(batch(*texts))


def test_a_function_rewrites_documents() -> None:
    found = processed("upper", "a", "bb")
    assert found.table["text"].to_pylist() == ["A", "BB"]
    assert (found.parents, found.dropped, found.failed) == ([0, 1], [], [])
    assert found.table.schema == batch("a").schema


def test_none_and_drop_drop_with_their_reasons_and_arguments_are_passed_on() -> None:
    found = processed("long_only", "a", "bbb", "cc", arguments={"min_length": 2})
    assert (found.table["text"].to_pylist(), found.parents) == (["bbb", "cc"], [1, 2])
    assert [(row, drop.reason, drop.value, drop.limit) for row, drop in found.dropped] == [(0, "too short", 1, 2)]
    assert [(row, drop.reason) for row, drop in processed("none", "a").dropped] == [(0, "returned None")]


def test_children_carry_their_parents_id_and_an_empty_list_drops() -> None:
    found = processed("words", "a b", "", "c")
    assert found.table["id"].to_pylist() == ["d0/0", "d0/1", "d2/0"]
    assert found.parents == [0, 0, 2]
    assert [(row, drop.reason) for row, drop in found.dropped] == [(1, "returned no children")]


def test_id_and_source_cannot_be_changed() -> None:
    found = processed("renames", "a")
    assert (found.table["id"].to_pylist(), found.table["source"].to_pylist()) == (["d0"], ["web"])


def test_a_new_column_must_be_declared_and_has_the_declared_type() -> None:
    found = processed("score", "a", "bb", writes={"score": "float64"})
    assert found.table.schema.field("score").type == pa.float64()
    assert found.table["score"].to_pylist() == [1.0, 2.0]
    undeclared = processed("score", "a")
    assert "the key 'score' that nobody declared: add it to `writes`" in str(undeclared.failed[0][1])
    assert processed("none", "a", writes={"score": "int64"}).table.schema.field("score").type == pa.int64()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fails", "no bb here"),
        ("number", "returned int, expected dict, None, list[dict] or Drop"),
        ("no_text", "`text` is NoneType, expected str"),
    ],
)
def test_a_document_on_which_the_function_fails_is_set_aside_with_error_and_trace(name: str, told: str) -> None:
    found = processed(name, "bb")
    ((row, error, trace),) = found.failed
    assert (row, found.parents, found.table.num_rows) == (0, [], 0)
    assert told in str(error)
    assert "Traceback" in trace
    assert processed("fails", "a", "bb", "c").table["text"].to_pylist() == ["a", "c"]


def test_a_value_of_another_type_than_declared_fails_its_document_alone() -> None:
    found = processed("odd", "a", "bb", "c", "dd", writes={"score": "int64"})
    assert [(row, type(error).__name__) for row, error, _ in found.failed] == [(1, "ArrowInvalid"), (3, "ArrowInvalid")]
    assert (found.table["text"].to_pylist(), found.parents) == (["a", "c"], [0, 2])


def test_a_text_that_is_no_valid_unicode_fails_its_document_alone() -> None:
    found = processed("surrogate", "a", "bb", "c")
    assert [(row, type(error).__name__) for row, error, _ in found.failed] == [(1, "UnicodeEncodeError")]
    assert found.table["text"].to_pylist() == ["a", "c"]


@pytest.mark.parametrize("name", ["on_table", "on_text_annotation"])
def test_a_function_annotated_with_a_table_gets_the_table(name: str) -> None:
    assert Function(function=f"function_rules:{name}").takes_table()
    found = processed(name, "a", "bb", writes={"n": "int64"})
    assert (found.table.num_rows, found.parents) == (2, [0, 1])


def test_a_table_function_keeps_its_rows() -> None:
    with pytest.raises(StageError, match="got 2 rows and gave 1 rows: a table function keeps its rows"):
        processed("loses", "a", "bb")
    with pytest.raises(StageError, match="got 1 rows and gave int"):
        processed("wrong", "a")


def test_a_function_without_argument_is_an_error_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match="takes no argument"):
        Function(function="function_rules:nothing").takes_table()


def test_the_functions_file_is_part_of_what_decides(tmp_path: Path) -> None:
    assert Function(function="function_rules:upper").files() == (str(tmp_path / "function_rules.py"),)
