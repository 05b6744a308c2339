import pyarrow as pa
import pytest

from filters.word_count import WordCount
from pipeline.judge import judge
from stages.core.docs import Docs


def table_of(texts: list[str | None]) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.large_string())})


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("", "sluice", 0),
        (None, "sluice", 0),
        ("One, two - three... ©", "sluice", 4),
        ("漢字です。", "sluice", 4),
        ("don't", "sluice", 2),
        ("漢字です。", "datatrove", 1),
        ("don't stop.", "datatrove", 3),
    ],
)
def test_punctuation_marks_are_not_words(text: str | None, mode: str, words: int) -> None:
    assert WordCount(mode=mode).measure(Docs(table_of(["before it", text])))["words"].tolist() == [2, words]


def test_documents_at_the_limits_are_kept() -> None:
    stage, table = WordCount(min_words=2, max_words=3), table_of(["a", "a b", "a b c", "a b c d"])
    broken = judge("step", stage.rules(), stage.measure(Docs(table)), table)
    assert [(one.rule.name, one.rows.tolist(), one.values.tolist()) for one in broken] == [
        ("min_words", [0], [1.0]),
        ("max_words", [3], [4.0]),
    ]


def test_gophers_limits_are_the_default() -> None:
    assert (WordCount().min_words, WordCount().max_words) == (50, 100_000)


def test_an_empty_batch_has_no_measures() -> None:
    assert WordCount().measure(Docs(table_of([])))["words"].tolist() == []
