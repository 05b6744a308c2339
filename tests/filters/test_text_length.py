import pyarrow as pa

from filters.text_length import TextLength
from pipeline.judge import judge
from stages.core.docs import Docs


def table_of(texts: list[str | None]) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.large_string())})


def test_length_is_in_code_points_and_a_null_is_empty() -> None:
    table = table_of(["x", "", None, "abc", "é漢🙂", "e\u0301", "\r\n\x00 "]).slice(1)
    assert TextLength().measure(Docs(table))["chars"].tolist() == [0, 0, 3, 3, 2, 4]


def test_documents_at_the_limits_are_kept() -> None:
    stage, table = TextLength(min_chars=2, max_chars=3), table_of(["é", "éé", "ééé", "éééé"])
    broken = judge("step", stage.rules(), stage.measure(Docs(table)), table)
    assert [(one.rule.name, one.rows.tolist()) for one in broken] == [("min_chars", [0]), ("max_chars", [3])]


def test_measures_are_64_bit_integers() -> None:
    assert TextLength().measure(Docs(table_of([])))["chars"].dtype == "int64"
