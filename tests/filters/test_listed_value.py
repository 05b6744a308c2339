"""A value is on a list or is not."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.listed_value import ListedValue
from schemas.errors import InputError
from stages.core.docs import Docs

VALUES = ["MIT", " mit ", "GPL-3.0", "Ünlizenz", "", "  ", None]


def measured(values: Any, kind: Any = None, **keys: Any) -> dict[str, list[int]]:
    docs = Docs(pa.table({"license": pa.array(values, kind or pa.string())}))
    return {name: column.tolist() for name, column in ListedValue(column="license", **keys).measure(docs).items()}


def rules(**keys: Any) -> list[str]:
    return [rule.name for rule in ListedValue(column="license", **keys).rules() if rule.limit is not None]


def test_what_is_not_on_the_list_is_not_allowed() -> None:
    found = measured(VALUES, allow=("mit", "üNLIZENZ"))
    assert found["not_allowed"] == [0, 0, 1, 0, 0, 0, 0]
    assert found["denied"] == [0] * 7
    assert found["missing"] == [0, 0, 0, 0, 1, 1, 1]


def test_what_is_on_the_list_is_denied() -> None:
    found = measured(VALUES, deny=("GPL-3.0", "unknown"))
    assert found["denied"] == [0, 0, 1, 0, 0, 0, 0]
    assert found["not_allowed"] == [0] * 7


def test_lists_are_files_with_a_value_a_line(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# licences\n\nMIT\n  https://example.org/a#b  \n", encoding="utf-8")
    found = measured(["mit", "https://example.org/a#b", "https://example.org/a", "# licences"], allow_files=(str(path),))
    assert found["not_allowed"] == [0, 0, 1, 1]
    assert ListedValue(column="id", deny_files=(str(path),)).files() == (str(path),)


def test_ids_may_be_whole_numbers() -> None:
    assert measured([7, 77, None], pa.int64(), deny=("7",))["denied"] == [1, 0, 0]


def test_rules_are_those_of_the_lists_that_are_there() -> None:
    assert rules(allow=("a",)) == ["allow"]
    assert rules(deny=("a",), missing="drop") == ["deny", "missing"]


def test_an_allow_list_without_values_allows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.write_text("# none yet\n", encoding="utf-8")
    assert measured(["MIT"], allow_files=(str(path),))["not_allowed"] == [1]


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no list, expected at least one"):
        ListedValue(column="license")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        measured(["MIT"], allow_files=(str(tmp_path / "none.txt"),))
    (tmp_path / "latin").write_bytes(b"abc\xff")
    with pytest.raises(InputError, match="not UTF-8 at byte 3"):
        measured(["MIT"], deny_files=(str(tmp_path / "latin"),))
    with pytest.raises(ValueError, match="is double, expected strings or whole numbers"):
        measured([1.5], pa.float64(), deny=("a",))
