"""Line and sentence rules on Chinese, Japanese, Thai, Hindi, Arabic and other text, on both sides of their limits."""

from typing import Any

import pyarrow as pa
import pytest

from filters.c4_quality import C4Quality
from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from filters.gopher_repetition import GopherRepetition
from filters.line_repetition import LineRepetition
from filters.text_length import TextLength
from filters.word_count import WordCount
from pipeline.judge import judge
from stages.core.docs import Docs
from stages.core.stage import Filter, Map

ZH = "今天天气很好我们去公园散步"
JA = "今日は天気がいいので公園へ行く"
TH = "วันนี้อากาศดีเราไปเดินเล่น"
HI = "आज मौसम बहुत अच्छा है"
AR = "الطقس جميل جدا اليوم"


def table_of(text: str, language: str = "zh") -> pa.Table:
    return pa.table({"text": pa.array([text], pa.large_string()), "language": pa.array([language], pa.string())})


def broken(stage: Filter, text: str, language: str = "zh") -> list[str]:
    table = table_of(text, language)
    return [item.rule.name for item in judge("step", stage.rules(), stage.measure(Docs(table)), table)]


def measured(stage: Filter, text: str) -> dict[str, Any]:
    return {name: values[0].item() for name, values in stage.measure(Docs(table_of(text))).items()}


MARKS = [
    (ZH, "。"), (ZH, "！"), (ZH, "？"), (ZH, "．"), (JA, "。"), (JA, "｡"), (JA, "？"), (HI, "।"), (HI, "॥"), (HI, "?"),
    (AR, "؟"), (AR, "."), ("یہ اچھا ہے", "۔"), ("ዛሬ ጥሩ ቀን ነው", "።"), ("ဒီနေ့ ကောင်းတယ်", "။"),
    ("ថ្ងៃនេះល្អ", "។"), ("Այսօր լավ է", "։"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "mark"), MARKS)
def test_lines_end_in_the_marks_of_their_script(line: str, mark: str) -> None:
    def lines(ended: int) -> str:
        return "\n".join(f"{line}{number}{mark if number < ended else ''}" for number in range(25))

    assert "min_terminal_punctuation_fraction" not in broken(FinewebQuality(), lines(3))  # 3 / 25 = 0.12
    assert "min_terminal_punctuation_fraction" in broken(FinewebQuality(), lines(2))


def test_thai_has_no_end_marks_and_fineweb2_asks_for_none() -> None:
    stage = FinewebQuality(min_terminal_punctuation_fraction="fineweb2")
    assert measured(stage, TH)["terminal_punctuation_fraction"] == 0
    assert broken(stage, "\n".join(f"{TH}{TH}{number}" for number in range(3)), "th") == []
    chinese = "\n".join(f"{ZH}{ZH}{ZH}{number}" for number in range(3))
    assert broken(stage, chinese, "zh") == ["min_terminal_punctuation_fraction"]


@pytest.mark.parametrize("mark", ["」", "”", "）", "、", "，", "：", "；", "ๆ", "،"])
def test_quotes_brackets_and_commas_are_no_end_marks(mark: str) -> None:
    assert measured(FinewebQuality(), f"{ZH}{mark}")["terminal_punctuation_fraction"] == 0


def test_short_lines_are_measured_in_code_points() -> None:
    assert measured(FinewebQuality(), "天" * 30 + "\n" + "ก" * 31)["short_line_fraction"] == 0.5


def test_a_line_of_ideographic_spaces_is_blank() -> None:
    assert measured(FinewebQuality(), f"{ZH}。\n\u3000\u3000\n{ZH}。")["lines"] == 2


SENTENCES = [
    ("zh", "今天很好。我们走！你来吗？他说：“好的。”然后走了。", "今天很好。我们走！你来吗？他说：“好的。”"),
    ("ja", "今日はいい。行こう！来る？「はい。」帰った｡", "今日はいい。行こう！来る？帰った｡"),
    ("hi", "मौसम अच्छा है। हम चले। तुम आओगे? वह बोला। सब गए।", "मौसम अच्छा है। हम चले। तुम आओगे? सब गए।"),
    ("ar", "الطقس جميل. سنذهب! هل تأتي؟ قال نعم. ذهبنا.", "الطقس جميل. سنذهب! هل تأتي؟ ذهبنا."),
    ("th", "\n".join([TH] * 5), "\n".join([TH] * 4)),
    ("am", "ጥሩ ነው። ሄድን። መጣ። አለ። ሄደ።", "ጥሩ ነው። ሄድን። መጣ። ሄደ።"),
]


@pytest.mark.parametrize(("language", "five", "four"), SENTENCES)
def test_five_sentences_are_kept_and_four_are_dropped(language: str, five: str, four: str) -> None:
    lines, document = C4Quality(terminal_punctuation=False, min_words_per_line=None).nodes()
    assert isinstance(lines, Map)
    assert isinstance(document, Filter)
    for text, dropped in ((five, []), (four, ["min_sentences"])):
        table = lines.apply(table_of(text, language))
        assert table["text"][0].as_py() == text
        judged = judge("step", document.rules(), document.measure(Docs(table)), table)
        assert [item.rule.name for item in judged] == dropped


def test_full_width_digits_and_stops_end_sentences_like_others() -> None:
    lines, _ = C4Quality(terminal_punctuation=False, min_words_per_line=None).nodes()
    assert isinstance(lines, Map)
    assert lines.apply(table_of("価格は１２３円です．税は１０％です．"))["_c4_sentences"][0].as_py() == 2


LINES = [
    ("zh", "他很好。", "好。"),
    ("zh", "他很好！", "他很好"),
    ("ja", "「いいよ」", "「いい」"),
    ("hi", "सब लोग गए।", "सब गए।"),
    ("hi", "सब लोग गए।", "सब लोग गए"),
    ("ar", "هل أنت بخير؟", "أنت بخير؟"),
]


@pytest.mark.parametrize(("language", "kept", "removed"), LINES)
def test_a_line_of_three_words_with_an_end_mark_of_its_script_is_kept(language: str, kept: str, removed: str) -> None:
    lines, _ = C4Quality().nodes()
    assert isinstance(lines, Map)
    assert lines.apply(table_of(f"{kept}\n{removed}", language))["text"][0].as_py() == kept


def test_lines_of_other_languages_may_pass() -> None:
    for policy, left in (("judge", ""), ("pass", f"{TH} {TH}")):
        lines, _ = C4Quality(other_languages=policy).nodes()  # type: ignore[arg-type]
        assert isinstance(lines, Map)
        assert lines.apply(table_of(f"{TH} {TH}", "th"))["text"][0].as_py() == left


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("天" * 50 + "。", "天" * 49 + "。，！"),
        ("天" * 48 + "１２ 34", "天" * 48 + "１２，"),
        ("กา" * 25, "กา" * 24 + "ก"),
        ("かな" * 24 + "カナー", "かな" * 24 + "「ー」"),
    ],
)
def test_each_letter_of_a_script_without_spaces_is_a_word(inside: str, outside: str) -> None:
    for stage in (WordCount(), GopherQuality()):
        assert "min_words" not in broken(stage, inside)
        assert "min_words" in broken(stage, outside)


def test_full_width_digits_are_words_without_a_letter() -> None:
    kept, dropped = "天 " * 8 + "１２ ３４", "天 " * 7 + "１２ ３４"
    assert "min_alpha_word_fraction" not in broken(GopherQuality(), kept)
    assert "min_alpha_word_fraction" in broken(GopherQuality(), dropped)


@pytest.mark.parametrize(
    ("ellipsis", "counts"), [("……", True), ("…", True), ("...", True), ("。。。", False), ("・・・", False)]
)
def test_chinese_ellipses_at_the_end_of_lines(ellipsis: str, counts: bool) -> None:
    def lines(ended: int) -> str:
        return "\n".join(ZH + (ellipsis if number < ended else "。") for number in range(10))

    assert "max_ellipsis_line_fraction" not in broken(GopherQuality(), lines(3))
    assert ("max_ellipsis_line_fraction" in broken(GopherQuality(), lines(4))) is counts


@pytest.mark.parametrize(
    ("bullet", "counts"), [("•", True), ("\u3000•", True), ("-", True), ("・", False), ("－", False), ("●", False)]
)
def test_bullets_are_those_of_the_published_set(bullet: str, counts: bool) -> None:
    def lines(bullets: int) -> str:
        return "\n".join((bullet if number < bullets else "") + ZH for number in range(10))

    assert "max_bullet_line_fraction" not in broken(GopherQuality(), lines(9))
    assert ("max_bullet_line_fraction" in broken(GopherQuality(), lines(10))) is counts


FINEWEB2 = GopherQuality(
    min_words=None, min_mean_word_length="fineweb2", max_mean_word_length="fineweb2", min_alpha_word_fraction="fineweb2",
    stop_words="fineweb2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("language", "inside", "outside"),
    [
        ("zh", "我的家在山", "我的的家山"),
        ("ja", "山のなかに", "山ののなか"),
        ("th", "ในบ้านที่ดี", "ในบ้านดี"),
        ("hi", "घर के में", "घर के के"),
        ("ar", "البيت في من", "البيت في في"),
        ("lo", "ໃນບ້ານແລະ", "ໃນບ້ານ"),
        ("my", "အိမ်များမှာ", "အိမ်များ"),
    ],
)
def test_two_stop_words_of_the_language_are_asked_for(language: str, inside: str, outside: str) -> None:
    assert broken(FINEWEB2, inside, language) == []
    assert broken(FINEWEB2, outside, language) == ["min_stop_words"]


def test_english_rules_drop_good_chinese_that_fineweb2_s_keep() -> None:
    text = (
        "我们昨天去了城外的山上，在那里看见许多人。他们也是来看花的，因为春天到了，山上的花都开了。"
        "我和朋友走了很久，最后在河边坐下来休息，一直到晚上才回家。"
    )
    assert broken(GopherQuality(), text) == ["min_mean_word_length", "min_stop_words"]
    assert broken(FINEWEB2, text) == []


@pytest.mark.parametrize("stage", [LineRepetition(), GopherRepetition()])
@pytest.mark.parametrize("line", [ZH, JA, TH, HI, AR])
def test_repeated_lines_are_found_in_any_script(stage: Filter, line: str) -> None:
    def lines(copies: int) -> str:
        other = "".join(
            f"{chr(0x4E00 + number)}{chr(0x5000 + number)}{chr(0x6000 + number)}\n" for number in range(10 - copies)
        )
        return other + "\n".join([line] * copies)

    name = "max_repeat_fraction" if isinstance(stage, LineRepetition) else "max_duplicate_line_fraction"
    assert name not in broken(stage, lines(4))  # 3 repeats of 10 lines
    assert name in broken(stage, lines(5))


def test_length_is_in_code_points() -> None:
    assert broken(TextLength(min_chars=3), "天气好") == []
    assert broken(TextLength(min_chars=3), "天气") == ["min_chars"]
