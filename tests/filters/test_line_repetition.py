import pyarrow as pa
import pytest

from filters.line_repetition import LineRepetition
from pipeline.judge import judge
from stages.core.docs import Docs


def docs_of(texts: list[str | None]) -> Docs:
    return Docs(pa.table({"text": pa.array(texts, pa.large_string())}))


def measured(text: str | None) -> tuple[float, float]:
    measures = LineRepetition().measure(docs_of([text]))
    return float(measures["repeat_fraction"][0]), float(measures["repeat_char_fraction"][0])


def broken(stage: LineRepetition, text: str) -> list[str]:
    docs = docs_of([text])
    return [found.rule.name for found in judge("step", stage.rules(), stage.measure(docs), docs.table)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab\ncd\nab", (1 / 3, 2 / 6)),
        ("é\n漢字\né\né", (2 / 4, 2 / 5)),
        ("ab\r\n\r\nab\nc", (1 / 3, 2 / 5)),
        ("\n\n\n", (0.0, 0.0)),
        ("", (0.0, 0.0)),
        (None, (0.0, 0.0)),
    ],
)
def test_shares_are_of_filled_lines_and_of_their_code_points(text, expected):
    assert measured(text) == expected


def test_a_document_at_the_limit_of_repeats_is_kept():
    stage = LineRepetition(max_repeat_char_fraction=None)
    assert broken(stage, "a\na\na\na\nb\nc\nd\ne\nf\ng") == []
    assert broken(stage, "a\na\na\na\nb\nc\nd\ne\nf") == ["max_repeat_fraction"]


def test_a_document_at_the_limit_of_repeated_characters_is_kept():
    stage = LineRepetition()
    assert broken(stage, "aa\naa\nbbb\nccc") == []
    assert broken(stage, "aa\naa\nbbb\ncc") == ["max_repeat_char_fraction"]
