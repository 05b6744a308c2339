import pytest

from pipeline.results_format import duration, limit_brief, limit_text, number, one_line, plain, share, short, size


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number(1234567), "1,234,567"),
        (number(0.30000000000000004), "0.3"),
        (number(100000.0), "100,000"),
        (number(None), "–"),
        (size(999), "999 bytes"),
        (size(1000), "1.0 kB"),
        (size(999_500), "1.0 MB"),
        (size(15_400_000), "15.4 MB"),
        (short(0), "0"),
        (short(12_345_678), "12.3M"),
        (short(12_345_678_901), "12.3B"),
        (share(1, 3), "33.3 %"),
        (share(1, 100_000), "<0.1 %"),
        (share(99_999, 100_000), ">99.9 %"),
        (share(0, 5), "0.0 %"),
        (share(5, 5), "100.0 %"),
        (share(1, 0), "–"),
        (duration(42.5), "42.5 s"),
        (duration(200), "3 min 20 s"),
        (duration(18_180), "5 h 03 min"),
        (limit_text({"by": "language", "values": {"th": 30, "en": 50}, "default": None}), "en 50 · th 30 · others no limit"),
        (limit_text({"by": "kind", "values": {"code": 3}, "default": 4}), "code 3 · others 4 (by kind)"),
        (limit_text(0.3), "0.3"),
        (limit_text(None), "–"),
        (
            limit_brief({"values": {f"l{n}": n for n in range(6)}, "default": 9}),
            "l0 0 · l1 1 · l2 2 · l3 3 · l4 4 · l5 5 · others 9",
        ),
        (limit_brief({"values": {f"l{n}": n for n in range(7)}, "default": 9}), "0 to 9 by language"),
        (limit_brief({"values": {f"l{n}": n for n in range(7)}, "default": None}), "0 to 6 by language, others no limit"),
    ],
)
def test_numbers_are_shown_as_people_read_them(shown, expected):
    assert shown == expected


def test_plain_leaves_nothing_that_a_terminal_obeys():
    assert plain("\x1b[31mred\x07\x9b0m\u202eexe\x00") == "␛[31mred␇\\u009b0m\\u202eexe␀"
    assert plain("a\r\nb\tc\u2028d\x85") == "a␍\nb\tc\\u2028d\\u0085"
    assert plain("नमस्ते क्\u200dष 👩\u200d🚀 مرحبا 你好\u00a0ok") == "नमस्ते क्\u200dष 👩\u200d🚀 مرحبا 你好\u00a0ok"
    assert plain("\ud800") == "\\ud800"
    assert plain("abcdef", 4) == "abc…"
    assert plain("abcd", 4) == "abcd"


def test_one_line_marks_line_ends():
    assert one_line("a  b\n\n c\r\nd") == "a b ⏎ c ⏎ d"
    assert one_line("word " * 1000, 20) == "word word word word…"
