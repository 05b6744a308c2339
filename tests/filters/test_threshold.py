import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.threshold import Threshold
from pipeline.judge import judge
from schemas.rule import Percentile, Table
from stages.core.docs import Docs


def broken(stage: Threshold, values: pa.Array, **columns: list[str]) -> list[tuple[str, list[int]]]:
    table = pa.table({"score": values, **columns})
    measures = stage.measure(Docs(table))
    assert set(measures) == set(stage.measures())
    assert all(not np.isnan(numbers).any() for numbers in measures.values())
    return [(one.rule.name, one.rows.tolist()) for one in judge("s", stage.rules(), measures, table)]


def test_values_at_the_limits_are_kept() -> None:
    stage = Threshold(column="score", min_value=2, max_value=5)
    assert broken(stage, pa.array([1, 2, 3, 5, 6])) == [("min_value", [0]), ("max_value", [4])]


def test_floats_and_booleans_are_numbers() -> None:
    assert broken(Threshold(column="score", min_value=0.5), pa.array([0.5, 0.49], pa.float32())) == [("min_value", [1])]
    assert broken(Threshold(column="score", min_value=1), pa.array([True, False])) == [("min_value", [1])]


def test_a_missing_value_is_an_error_by_default() -> None:
    stage = Threshold(column="score", min_value=1)
    for values in (pa.array([1, None]), pa.array([1.0, float("nan")])):
        with pytest.raises(ValueError, match="'score' has no value in 1 documents; set `missing: keep`"):
            broken(stage, values)


def test_missing_values_may_be_kept() -> None:
    stage = Threshold(column="score", min_value=2, max_value=5, missing="keep")
    assert broken(stage, pa.array([None, 1, 6, float("nan")], pa.float64())) == [("min_value", [1]), ("max_value", [2])]


def test_missing_values_may_be_dropped_for_that_reason_alone() -> None:
    stage = Threshold(column="score", min_value=2, max_value=5, missing="drop")
    assert broken(stage, pa.array([None, 1, 6])) == [("missing", [0]), ("min_value", [1]), ("max_value", [2])]


def test_a_table_of_limits_reads_its_column_too() -> None:
    stage = Threshold(column="score", min_value=Table(by="language", values={"en": 50, "th": 30}, default=None))
    assert stage.columns_read() == ("score", "language")
    assert broken(stage, pa.array([49, 49, 29, 0]), language=["en", "th", "th", "fr"]) == [("min_value", [0, 2])]


def test_a_percentile_is_left_to_be_found() -> None:
    stage = Threshold(column="score", max_value=Percentile(percentile=90))
    assert [rule.name for rule in stage.percentile_rules()] == ["max_value"]
    assert stage.columns_read() == ("score",)


def test_words_are_no_numbers() -> None:
    with pytest.raises(ValueError, match="column 'score' is string, expected numbers"):
        broken(Threshold(column="score", min_value=1), pa.array(["1"]))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "no limit"),
        ({"min_value": 3, "max_value": 2}, "min_value 3 is above max_value 2"),
        ({"min_value": Percentile(percentile=5), "missing": "keep"}, "a percentile needs every value"),
    ],
)
def test_limits_that_make_no_sense_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Threshold(column="score", **keys)  # type: ignore[arg-type]


def test_an_empty_batch_breaks_nothing() -> None:
    assert broken(Threshold(column="score", min_value=1, max_value=1), pa.array([], pa.int64())) == []
