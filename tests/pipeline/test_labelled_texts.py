import fasttext
import pytest

from pipeline.fasttext_trainer import can_train
from pipeline.labelled_texts import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one two", "one two"),
        (" one\r\n\ttwo\0three\v\f ", "one two three"),
        ("a __label__hq b __label__", "a b"),
        ("before </s> behind", "before"),
        ("</s>", ""),
        ("x</s> __labe", "x</s> __labe"),
        ("caf\u00e9\u00a0\u3000中", "caf\u00e9\u00a0\u3000中"),
        ("", ""),
    ],
)
def test_a_text_is_the_line_that_is_scored(text: str, line: str) -> None:
    assert one_line(text) == line.encode()


def test_the_library_that_is_installed_can_train() -> None:
    assert can_train()
    assert hasattr(fasttext, "train_supervised")
