import pickle
import random
import re
import unicodedata

import pyarrow as pa
import pytest
from pydantic import ValidationError

from stages.normalize_text import NormalizeText


def normalized(text: str, **keys: object) -> str:
    table = pa.table({"id": ["a"], "text": pa.array([text], pa.large_string())})
    result: str = NormalizeText(**keys).apply(table).table["text"][0].as_py()  # type: ignore[arg-type]
    return result


def edits(text: str | None, **keys: object) -> dict[str, int]:
    """How many of each kind."""
    table = pa.table({"id": ["a", "b"], "text": pa.array(["a clean text", text], pa.large_string())})
    told = NormalizeText(**keys).apply(table)  # type: ignore[arg-type]
    assert told.row.tolist() == [1] * len(told.row)
    assert set(told.offset.tolist()) <= {-1}
    return dict(zip(told.type, told.length.tolist(), strict=True))


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
    after = NormalizeText().apply(table).table
    assert after["text"].chunk(0).buffers()[2].address == table["text"].chunk(0).buffers()[2].address


def test_only_text_is_touched_and_rows_keep_their_order() -> None:
    column = pa.chunked_array([["b\r", "x"], [], ["e\u0301", None]], pa.string())
    table = pa.table({"id": ["1", "2", "3", "4"], "text": column, "extra": [1, 2, 3, 4]})
    after = NormalizeText().apply(table).table
    assert after.column_names == ["id", "text", "extra"]
    assert after["text"].to_pylist() == ["b\n", "x", "é", ""]
    assert after.schema.field("text").type == pa.large_string()
    assert table["text"][0].as_py() == "b\r"


def test_an_empty_batch_stays_empty() -> None:
    table = pa.table({"text": pa.array([], pa.string())})
    assert NormalizeText().apply(table).table["text"].type == pa.large_string()
    assert NormalizeText().apply(table).table.num_rows == 0


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
    after = NormalizeText(fix_mojibake=True, form="none").apply(table).table
    assert after["text"].to_pylist() == ["first", expected, "last"]
    assert NormalizeText(form="none").apply(table).table["text"][1].as_py() == text.replace("\x80", "").replace("\x81", "")


def test_repair_needs_an_extra_and_nothing_else_does() -> None:
    assert NormalizeText(fix_mojibake=True).requirements() == (("ftfy", "web"),)
    assert NormalizeText().requirements() == ()


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [
        ("plain\n\ttext ünd 漢字\n", {}, {}),
        ("", {}, {}),
        (None, {}, {}),
        ("a\r\nb\rc\u2028d\ne\r\r\n", {}, {"line_end": 5}),
        ("\ufeffa\x00b\u200b", {}, {"invisible": 3}),
        ("a \t\nb\u00a0\r\n", {}, {"line_end": 1, "space": 3}),
        ("a  b", {"collapse_spaces": True}, {"space": 1}),
        ("\n\n\n\n \n", {}, {"space": 1, "blank_line": 3}),
        ("a\n\n\n\n", {"max_blank_lines": None}, {}),
        ("e\u0301 \u212b", {}, {"unicode_form": 1}),
        ("e\u0301 \u212b", {"form": "none"}, {}),
        ("ﬁ\u00a0x\u2003", {"form": "NFKC"}, {"unicode_form": 1, "space": 1}),
        ("x\u2003y \u00a8\u3000z", {"form": "NFKC", "collapse_spaces": True}, {"unicode_form": 1, "space": 1}),
        ("schÃ¶n\r\n", {"fix_mojibake": True}, {"mojibake": 1, "line_end": 1}),
        ("e\r\n\u0301  \r\n\r\n\r\n\r\n\x07", {}, {"line_end": 5, "invisible": 1, "space": 2, "blank_line": 1}),
    ],
)
def test_edits_are_counted_by_kind(text: str | None, keys: dict[str, object], expected: dict[str, int]) -> None:
    assert edits(text, **keys) == expected


def test_counts_are_of_their_own_document_in_a_slice_of_chunks() -> None:
    texts = pa.chunked_array([["x\r", "a"], ["b  \n", "e\u0301", "c\r\n\x00", "d"]], pa.string())
    told = NormalizeText().apply(pa.table({"text": texts}).slice(1))
    assert list(zip(told.row.tolist(), told.type, told.length.tolist(), strict=True)) == [
        (1, "space", 2),
        (2, "unicode_form", 1),
        (3, "line_end", 1),
        (3, "invisible", 1),
    ]


def test_every_character_that_goes_or_ends_a_line_is_counted_as_such() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    told = NormalizeText(form="none").apply(pa.table({"text": pa.array([f"a{each}b" for each in characters])}))
    after = [text[1:-1] for text in told.table["text"].to_pylist()]
    expected = [
        (row, "line_end" if new else "invisible", 1)
        for row, (old, new) in enumerate(zip(characters, after, strict=True))
        if old != new
    ]
    assert {new for _, new in zip(characters, after, strict=True) if len(new) != 1} == {""}
    assert list(zip(told.row.tolist(), told.type, told.length.tolist(), strict=True)) == expected
    assert len(expected) > 80


def test_line_ends_of_two_documents_are_no_pair() -> None:
    told = NormalizeText(max_blank_lines=0).apply(pa.table({"text": ["a\r", "\n\nb \n", "\r\n"]}))
    assert list(zip(told.row.tolist(), told.type, told.length.tolist(), strict=True)) == [
        (0, "line_end", 1),
        (1, "space", 1),
        (1, "blank_line", 2),
        (2, "line_end", 1),
        (2, "blank_line", 1),
    ]


def test_random_texts_are_counted_as_the_definition_says() -> None:
    pieces = [
        " ",
        "\t",
        "\u3000",
        "\n",
        "\r",
        "\r\n",
        "\u2028",
        "\x0c",
        "\u200b",
        "\x00",
        "\u2019",
        "é",
        "漢",
        "word",
        "\ufeff",
        "\xa0",
    ]
    choose = random.Random(5)
    texts = ["".join(choose.choices(pieces, k=choose.randrange(12))) for _ in range(3000)]
    told = NormalizeText(form="none", max_blank_lines=1).apply(pa.table({"text": texts}))
    found = {(row, name): length for row, name, length in zip(told.row.tolist(), told.type, told.length.tolist(), strict=True)}
    for row, text in enumerate(texts):
        ends = re.findall("\r\n|[\r\u2028\x0c]", text)
        visible = re.sub("[\u200b\x00\ufeff]", "", re.sub("\r\n|[\r\u2028\x0c]", "\n", text))
        stripped = re.sub("[ \t\u3000\xa0]+(?=\n|$)", "", visible)
        expected = {
            "line_end": len(ends),
            "invisible": len(re.findall("[\u200b\x00\ufeff]", text)),
            "space": len(visible) - len(stripped),
            "blank_line": len(stripped) - len(told.table["text"][row].as_py()),
        }
        assert {name: found.get((row, name), 0) for name in expected} == expected, repr(text)


PROSE = "A sentence that is part of the text stands here, longer than any button."


@pytest.mark.parametrize(
    ("around", "left", "expected"),
    [
        (f"{PROSE}\nThis site USES COOKIES to serve you.\n{PROSE}", f"{PROSE}\n{PROSE}", {"boilerplate_line": 1}),
        (f"Home\nAbout\n\n{PROSE}", PROSE, {"boilerplate_line": 2}),
        (f"{PROSE}\nShare\nTweet\n3 likes\n12\nSIGN UP HERE", PROSE, {"boilerplate_line": 5}),
        (f"See our offers. Read more...\n{PROSE}", f"See our offers.\n{PROSE}", {"button": 1}),
        (f"{PROSE}\n\n\nMenu\n\n{PROSE}", f"{PROSE}\n\n\n{PROSE}", {"blank_line": 1, "boilerplate_line": 1}),
        (f"{PROSE}\n  indented twice\n", f"{PROSE}\n  indented twice\n", {}),
        (f"{PROSE}\nPrivacy policy", f"{PROSE}\n", {"boilerplate_line": 1}),
        ("Terms of use", "", {"boilerplate_line": 1}),
        ("日本語の文章です。\nもう一つ。", "日本語の文章です。\nもう一つ。", {}),
        ("日本語の文章です。\n12\nもう一つ。", "日本語の文章です。\nもう一つ。", {"boilerplate_line": 1}),
    ],
)
def test_boilerplate_goes_if_asked_for(around: str, left: str, expected: dict[str, int]) -> None:
    assert normalized(around, boilerplate=True) == left
    assert edits(around, boilerplate=True) == expected
    assert normalized(around) == around
    assert normalized(left, boilerplate=True) == left


def test_boilerplate_does_not_depend_on_neighbours() -> None:
    texts = [f"{PROSE}\nHome", "日本\nHome", None, f"{PROSE}\n", f"use cookies\n{PROSE}\r\n"]
    told = NormalizeText(boilerplate=True).apply(pa.table({"text": pa.array(texts, pa.string())}))
    assert told.table["text"].to_pylist() == [PROSE, "日本\nHome", "", f"{PROSE}\n", f"{PROSE}\n"]
    assert [(row, name) for row, name in zip(told.row.tolist(), told.type, strict=True)] == [
        (0, "boilerplate_line"),
        (4, "line_end"),
        (4, "boilerplate_line"),
    ]
