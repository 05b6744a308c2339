"""Filters that were tuned on English say so, count what they judge beyond it, and let it pass where they are told to."""

from typing import Any

import pyarrow as pa
import pytest

from filters.c4_quality import C4Document, C4Quality
from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import STOP_WORDS, GopherQuality
from filters.gopher_repetition import GopherRepetition
from filters.text_length import TextLength
from filters.word_count import WordCount
from pipeline.judge import judge
from pipeline.recipe import make_stage
from schemas.rule import Percentile, Table
from stages.core.docs import Docs
from stages.core.stage import Filter


def table_of(rows: list[tuple[str, str | None]]) -> pa.Table:
    texts, languages = zip(*rows, strict=True)
    return pa.table({"text": pa.array(texts, pa.large_string()), "language": pa.array(languages, pa.string())})


def broken(stage: Filter, rows: list[tuple[str, str | None]]) -> list[list[str]]:
    table = table_of(rows)
    names: list[list[str]] = [[] for _ in rows]
    for item in judge("step", stage.rules(), stage.measure(Docs(table)), table):
        for row in item.rows:
            names[row].append(item.rule.name)
    return names


STOP: dict[str, Any] = {
    "min_words": None, "max_words": None, "min_mean_word_length": None, "max_mean_word_length": None,
    "min_alpha_word_fraction": None,
}  # fmt: skip


def test_stop_words_by_language() -> None:
    stage = GopherQuality(**STOP, stop_words={"deu": ("der", "und"), "zh": ("的", "是")})
    assert stage.columns_read() == ("text", "language")
    rows = [("der und", "de"), ("der der", "de"), ("我的是", "zho_Hans"), ("我的", "zh"), ("der", "en"), ("", None)]
    assert broken(stage, rows) == [[], ["min_stop_words"], [], ["min_stop_words"], [], []]


def test_the_entry_default_is_for_all_other_languages() -> None:
    stage = GopherQuality(**STOP, stop_words={"de": ("der", "und"), "default": ("a", "b")})
    assert broken(stage, [("a b", "en"), ("der und", "en"), ("a", None)]) == [[], ["min_stop_words"], ["min_stop_words"]]


def test_fineweb2_s_stop_words() -> None:
    stage = GopherQuality(**STOP, stop_words="fineweb2")
    rows = [
        ("der Hund und", "de"), ("der Hund", "de"),
        ("ในบ้านและ", "th"), ("ใน", "th"),
        ("the end of", "en"), ("the end", "en"),
        ("the end", "la"), ("nothing", "tlh"),
    ]  # fmt: skip
    dropped = ["min_stop_words"]
    assert broken(stage, rows) == [[], dropped, [], dropped, [], dropped, dropped, []]


def test_fineweb2_s_limits_with_the_own_default_for_other_languages() -> None:
    stage = GopherQuality(**STOP | {"max_mean_word_length": "fineweb2"}, min_stop_words=None)
    words = [("a" * 15, "de"), ("a" * 16, "de"), ("a" * 10, "en"), ("a" * 11, "en"), ("a" * 11, "und")]
    long = ["max_mean_word_length"]
    assert broken(stage, words) == [[], long, [], long, long]


@pytest.mark.parametrize(
    ("stage", "languages"),
    [
        (GopherQuality(), {"en"}),
        (GopherRepetition(), {"en"}),
        (FinewebQuality(), {"en"}),
        (C4Document(), {"en"}),
        (TextLength(), None),
        (FinewebQuality(**dict.fromkeys(FinewebQuality.tuned)), None),
        (GopherQuality(**STOP, stop_words=("der",)), None),
        (GopherQuality(**STOP, stop_words=STOP_WORDS), {"en"}),
        (GopherQuality(**STOP, stop_words={"de": ("der",)}), None),
        (GopherQuality(**STOP, stop_words={"de": ("der",), "default": ("x",)}), None),
        (WordCount(min_words=Table(values={"tha": 30}, default=40), max_words=None), {"th"}),
        (WordCount(min_words=Percentile(percentile=5, by="language"), max_words=None), None),
        (WordCount(min_words=30, max_words=9), None),
    ],
)  # fmt: skip
def test_a_filter_tells_the_languages_for_which_its_limits_were_chosen(stage: Filter, languages: set[str] | None) -> None:
    assert stage.validated_for() == languages


def test_words_are_counted_alike_in_all_languages_but_those_without_spaces() -> None:
    known = WordCount().validated_for()
    assert known is not None
    assert {"en", "de", "ar", "ko"} <= known
    assert not known & {"zh", "ja", "th", "und"}
    both = WordCount(min_words=Table(values={"zh": 80}, default=50), max_words=None).validated_for()
    assert both == known | {"zh"}


def test_other_languages_may_pass() -> None:
    rows: list[tuple[str, str | None]] = [("too short", language) for language in ("en", "de", "eng_Latn", "und", None)]
    judged = ["min_words", "min_stop_words"]
    assert broken(GopherQuality(), rows) == [judged] * 5
    assert broken(GopherQuality(other_languages="pass"), rows) == [judged, [], judged, [], []]


def test_with_limits_by_language_those_languages_are_judged() -> None:
    limits = Table(values={"th": 30}, default=50)
    stage = WordCount(min_words=limits, max_words=None, other_languages="pass")
    rows = [("คน" * 14, "th"), ("คน" * 15, "th"), ("one", "en"), ("一", "zh")]
    assert broken(stage, rows) == [["min_words"], [], ["min_words"], []]


def test_a_limit_by_another_column_does_not_go_with_pass() -> None:
    stage = WordCount(min_words=Table(by="source", values={}, default=1), other_languages="pass")
    with pytest.raises(ValueError, match="min_words depends on the column 'source'"):
        stage.rules()


def test_c4_leaves_the_lines_of_other_languages_alone_where_they_pass() -> None:
    rows = [("no end here", "en"), ("今天天气很好。", "zh"), ("kein Punkt [1]", "de"), ("x", None)]
    lines, document = make_stage("c4_quality", {"other_languages": "pass"}).nodes()
    table = lines.apply(table_of(rows))  # type: ignore[attr-defined]
    assert table["text"].to_pylist() == ["", "今天天气很好。", "kein Punkt [1]", "x"]
    assert table["_c4_lines_removed"].to_pylist() == [1, 0, 0, 0]
    assert table["_c4_sentences"].to_pylist() == [0, 1, 1, 1]
    assert isinstance(document, C4Document)
    judged = judge("step", document.rules(), document.measure(Docs(table)), table)
    assert [item.rows.tolist() for item in judged] == [[0]]
    assert C4Quality().columns_read() == ("text",)
