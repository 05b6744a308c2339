"""Limits by a column: which number applies to a document."""

import pytest
from pydantic import ValidationError

from schemas.rule import Percentile, Table


@pytest.mark.parametrize(
    ("language", "limit"),
    [("en", 50), ("eng", 50), ("eng_Latn", 50), ("th", 30), ("tha_Thai", 30), ("de", 40), ("und", 40), (None, 40)],
)
def test_a_language_has_its_limit_under_any_of_its_names(language: str | None, limit: int) -> None:
    assert Table(values={"eng_Latn": 50, "th": 30}, default=40).limit_for(language) == limit


def test_a_name_that_stands_in_the_table_goes_before_another_of_the_language() -> None:
    table = Table(values={"srp_Latn": 1, "srp_Cyrl": 2}, default=None)
    assert [table.limit_for(name) for name in ("srp_Latn", "srp_Cyrl", "sr", "hr")] == [1, 2, 1, None]
    assert Table(values={"srp_Latn": 1, "sr": 3}, default=None).limit_for("srp_Cyrl") == 3


def test_null_is_no_limit_in_a_table() -> None:
    assert Table(values={"zh": None}, default=3).limit_for("zh") is None


def test_other_columns_are_taken_literally() -> None:
    assert Table(by="source", values={"en": 1}, default=2).limit_for("eng") == 2


def test_a_percentile_lies_from_0_to_100_and_may_be_taken_by_a_column() -> None:
    assert Percentile(percentile=5, by="language").by == "language"
    with pytest.raises(ValidationError, match="less than or equal to 100"):
        Percentile(percentile=101)
