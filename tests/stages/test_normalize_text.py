import pickle
import unicodedata

import pyarrow as pa
import pytest
from pydantic import ValidationError

from stages.normalize_text import NormalizeText


def normalized(text: str, **keys: object) -> str:
    table = pa.table({"id": ["a"], "text": pa.array([text], pa.large_string())})
    result: str = NormalizeText(**keys).apply(table)["text"][0].as_py()  # type: ignore[arg-type]
    return result


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a\r\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\nh"),
        ("n\x00u\x1bl\x7f\x9f", "nul"),
        ("soft\u00adhy\u200bphen\ufeff\u2060\u200e", "softhyphen"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("e\u0301  \nx", "é\nx"),
        ("می\u200cخواهم 👩\u200d👩 ❤\ufe0f", "می\u200cخواهم 👩\u200d👩 ❤\ufe0f"),
        ("ﬁ Ａ\u00a0x", "ﬁ Ａ\u00a0x"),
        ("end  \t\u00a0\n  indent", "end\n  indent"),
        ("a\n\n\nb", "a\n\n\nb"),
        ("a\n\n\n\nb", "a\n\n\nb"),
        ("a\n \n\t\n\n\nb", "a\n\n\nb"),
        ("a  b", "a  b"),
    ],
)
def test_default(before: str, after: str) -> None:
    assert normalized(before) == after


def test_nfkc_folds_and_then_cleans_the_spaces_it_made() -> None:
    assert normalized("ﬁ Ａ\u00a0x", form="NFKC") == "fi A x"
    assert normalized("x \u00a8", form="NFKC", collapse_spaces=True) == "x \u0308"
    assert normalized("x\u00a0\u2003y", form="NFKC", collapse_spaces=True) == "x y"


def test_form_none_leaves_code_points() -> None:
    assert normalized("e\u0301\u200b", form="none") == "e\u0301"


def test_collapsing_spaces_is_an_option() -> None:
    assert normalized("a \t b\u00a0\u00a0c\td", collapse_spaces=True) == "a b c\td"


def test_blank_lines_have_a_limit() -> None:
    assert normalized("a\n\nb", max_blank_lines=0) == "a\nb"
    assert normalized("a\n\n\n\n\nb", max_blank_lines=None) == "a\n\n\n\n\nb"
    assert normalized("\n\n\n\na\n\n\n\n", max_blank_lines=1) == "\na\n\n"


def test_trailing_spaces_may_stay() -> None:
    assert normalized("a  \nb ", strip_trailing_spaces=False) == "a  \nb "


def test_clean_text_is_not_copied() -> None:
    table = pa.table({"text": pa.array(["a\n", "中文", "naïve"], pa.large_string())})
    after = NormalizeText().apply(table)
    assert after["text"].chunk(0).buffers()[2].address == table["text"].chunk(0).buffers()[2].address


def test_only_text_is_touched_and_rows_keep_their_order() -> None:
    column = pa.chunked_array([["b\r", "x"], [], ["e\u0301", None]], pa.string())
    table = pa.table({"id": ["1", "2", "3", "4"], "text": column, "extra": [1, 2, 3, 4]})
    after = NormalizeText().apply(table)
    assert after.column_names == ["id", "text", "extra"]
    assert after["text"].to_pylist() == ["b\n", "x", "é", ""]
    assert after.schema.field("text").type == pa.large_string()
    assert table["text"][0].as_py() == "b\r"


def test_an_empty_batch_stays_empty() -> None:
    table = pa.table({"text": pa.array([], pa.string())})
    assert NormalizeText().apply(table)["text"].type == pa.large_string()
    assert NormalizeText().apply(table).num_rows == 0


def test_twice_is_once() -> None:
    text = " \u200b\r\n\n\ne\u0301\u0323\u200b\u0301 \x0c\u1100\u1161\u11a8 \n\n\n\n\ufeff"
    once = normalized(text)
    assert normalized(once) == once
    assert unicodedata.is_normalized("NFC", once)


def test_an_unknown_form_is_refused_and_a_stage_survives_pickling() -> None:
    with pytest.raises(ValidationError):
        NormalizeText(form="NFD")  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(NormalizeText(form="NFKC"))).form == "NFKC"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schÃ¶n", "schön"),
        ("itâ€™s", "it’s"),
        ("Ñ\x80ÑƒÑ\x81Ñ\x81ÐºÐ¸Ð¹", "русский"),
        ("schön, it’s «Ärger» – Ä“", "schön, it’s «Ärger» – Ä“"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_mojibake_is_repaired_if_asked_for(text: str, expected: str) -> None:
    table = pa.table({"text": pa.chunked_array([["first"], [text, "last"]], pa.large_string())})
    after = NormalizeText(fix_mojibake=True, form="none").apply(table)
    assert after["text"].to_pylist() == ["first", expected, "last"]
    assert NormalizeText(form="none").apply(table)["text"][1].as_py() == text.replace("\x80", "").replace("\x81", "")


def test_repair_needs_an_extra_and_nothing_else_does() -> None:
    assert NormalizeText(fix_mojibake=True).requirements() == (("ftfy", "web"),)
    assert NormalizeText().requirements() == ()
