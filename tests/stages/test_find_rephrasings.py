"""A window that means what an item asks is found, with both excerpts; how far a text reaches into windows is exact."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from stages.core.embedding_models import EXAMPLE
from stages.core.windows import windows
from stages.find_rephrasings import FindRephrasings

QUESTION = "the river rises in the hills north of town"


@pytest.fixture
def items(tmp_path: Path) -> str:
    path = tmp_path / "items.jsonl"
    rows = [{"q": "people built mills"}, {"q": QUESTION}, {"q": ""}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def found(items: str, *texts: str | None, **keys: Any) -> list[dict[str, Any]]:
    stage = FindRephrasings(model=EXAMPLE, sets=[{"name": "set", "path": items, "question": "q"}], **keys)
    answer = stage.load()(pa.table({"text": pa.array(texts, pa.large_string())}))
    assert answer.schema == pa.schema(list(stage.columns_written().items()))
    rows: list[dict[str, Any]] = answer.to_pylist()
    return rows


def test_the_same_words_in_another_order_are_the_nearest_item(items: str) -> None:
    other = "town of north hills the in rises river the"
    (row,) = found(items, f"zzz {other} zzz")
    assert row["rephrasing_similarity"] == pytest.approx(1, abs=1e-4)
    assert row["rephrasing_of"] == "set:1"
    assert row["rephrasing_text"] == f"zzz {other} zzz"
    assert row["rephrasing_item"] == QUESTION


def test_below_the_limit_there_is_a_number_alone_and_without_words_none(items: str) -> None:
    near, empty, null = found(items, "people built mills when the water is low", "  \n", None, min_similarity=0.9999)
    assert 0 < near.pop("rephrasing_similarity") < 0.9999
    assert set(near.values()) == {None}
    assert empty == null == {**near, "rephrasing_similarity": -1.0}


def test_the_window_that_comes_nearest_is_shown(items: str) -> None:
    (row,) = found(
        items, f"{'when the water is low ' * 4}{QUESTION} {'is still to be seen ' * 4}", window_words=9, stride_words=1
    )
    assert row["rephrasing_text"] == QUESTION
    assert row["rephrasing_similarity"] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t", []),
        ("one", ["one"]),
        (" one  two ", ["one  two"]),
        ("a b c d", ["a b c d"]),
        ("a b c d e", ["a b c d", "c d e"]),
        ("a b c d e f g", ["a b c d", "c d e f", "e f g"]),
    ],
)
def test_windows_cover_all_words(text: str, expected: list[str]) -> None:
    assert [text[start:stop] for start, stop in windows(text, 4, 2)] == expected


def test_what_would_leave_words_out_or_has_no_items_is_refused(items: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="stride_words 50 is above window_words 20"):
        found(items, "x", window_words=20)
    (tmp_path / "empty.jsonl").write_text('{"q": " "}\n')
    with pytest.raises(ValidationError, match="no question in them"):
        found(str(tmp_path / "empty.jsonl"), "x")
