"""Input from every corner through whole runs: nothing is lost, nothing stops the run, and errors name file and row."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from small_runs import counts, curate, documents, jsonl, parquet, quarantined

from schemas.errors import FailureBudgetExceeded, InputError

STRINGS = {
    "empty": "",
    "blank": " \t\n\r\n\x0b\x0c\u0085\u2028\u2029\u00a0\u3000",
    "nul": "\0before\0after\0",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "right to left": "\u202eabc \u2067عربي עברית\u2069 \u200f\u200e",
    "zalgo": "Z\u0351\u036b\u0343" + "a\u0300\u0301\u0302\u0303\u0304" * 200,
    "joined emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏿 🇺🇳 1️⃣",
    "line separators": "a\u2028b\u2029c\u0085d\re\r\nf",
    "byte order marks": "\ufeff\ufeffa\ufeff\ufffe",
    "four bytes": "𝒳𠜎𐍈\U0010ffff",
    "private use": "\ue000\uf8ff\U000f0000",
    "noncharacters": "\ufdd0\uffff\U0001fffe\U0010fffe",
    "combining alone": "\u0301\u20dd\u0e33\u0e48",
    "scripts without spaces": "这是一个测试これはテストですนี่คือการทดสอบ",
    "turkish and sharp": "İstanbul ıssız ẞß ﬁ ŉ ǰ",
    "injection": "'; DROP TABLE documents; -- {{7*7}} ${x} <script>alert(1)</script> %s %n {0}",
    "json in text": '{"text": "\\ud800", "id": null}',
    "one long word": "x" * 100_000,
    "replacement": "\ufffd" * 10,
}
STAGES: list[Any] = [
    "normalize_text",
    {"word_count": {"min_words": 1, "max_words": 100_000}},
    "gopher_repetition",
    "c4_quality",
    "fineweb_quality",
    "line_repetition",
    "exact_dedup",
    "minhash_dedup",
]


def fates(result: Any) -> dict[str, str]:
    """id -> out, dropped or quarantined. Every id has one."""
    import pyarrow.parquet as pq

    found = [(row["id"], "out") for row in documents(result)]
    drops = pq.read_table(result.path / "ledger/drops").to_pylist()
    found += [(row["id"], "dropped") for row in drops if row["rank"] == 0]
    found += [(row["id"], "quarantined") for row in quarantined(result)]
    assert len(dict(found)) == len(found)
    return dict(found)


def test_naughty_strings_come_out_as_they_went_in(tmp_path: Path) -> None:
    """In all three formats, as text, id, url and in extra."""
    rows = [{"id": name, "text": text, "url": text, "more": text} for name, text in STRINGS.items()]
    jsonl(tmp_path / "in" / "a.jsonl", rows)
    parquet(tmp_path / "in" / "b.parquet", {name: [row[name] for row in rows] for name in rows[0]})
    for name, text in STRINGS.items():
        (tmp_path / "in" / f"{name}.txt").write_bytes(text.encode())
    result = curate(tmp_path / "out", str(tmp_path / "in"))
    assert counts(result)["out"] == 3 * len(STRINGS)
    for row in documents(result):
        if row["id"] in STRINGS:
            text = STRINGS[row["id"]]
            assert (row["text"], row["url"], json.loads(row["extra"])) == (text, text, {"more": text})
    texts = [row["text"] for row in documents(result) if row["id"] not in STRINGS]
    assert sorted(texts) == sorted(text.removeprefix("\ufeff") for text in STRINGS.values())


def _naughty_folder(folder: Path) -> int:
    """Good and bad documents in every format; the number of documents."""
    rows: list[Any] = [{"id": f"s:{name}", "text": text} for name, text in STRINGS.items()]
    rows += [{"id": name} for name in STRINGS]
    rows += [{"id": f"n:{number}", "text": value} for number, value in enumerate([None, 5, ["a"], {"a": 1}, True])]
    rows += [{"id": STRINGS["nul"], "text": "an id of controls"}, {"id": "", "text": "no id"}, [], None, 1.5]
    jsonl(folder / "a.jsonl", rows)
    (folder / "b.jsonl").write_bytes(
        b'{"id": "h1", "text": "\\ud800"}\n{"id": "h2", "text": "\xff"}\n{"id": "h3", "text": "a\0"}\n'
    )
    texts = pa.array([b"good", b"\xed\xa0\x80", None, b"", b"\0", b"\xf4\x90\x80\x80"]).view(pa.string())
    parquet(folder / "c.parquet", {"id": [f"p{row}" for row in range(6)], "text": texts})
    parquet(folder / "none.parquet", {"id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
    (folder / "bad.txt").write_bytes(b"abc\xc3")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "empty.jsonl").write_bytes(b"")
    lines = "".join(f'{{"id": "g{number}", "text": "{random.Random(number).random()}"}}\n' for number in range(100)).encode()
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(lines)[:-12])
    (folder / "cut.txt.zst").write_bytes(zstandard.compress(lines)[:-12])
    return len(rows) + 3 + 6 + 2 + 101 + 1


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_every_naughty_document_is_in_the_output_or_in_the_ledger(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    if engine == "ray":
        request.getfixturevalue("ray_cluster")
    total = _naughty_folder(tmp_path / "in")
    stages = STAGES if engine == "local" else STAGES[:2]
    result = curate(tmp_path / "out", str(tmp_path / "in"), stages, engine=engine, workers=2)
    found = counts(result)
    assert 0 <= total - found["in"] <= 20  # lines in the last block of the cut gzip file cannot be known
    fate = fates(result)
    assert len(fate) == found["in"]
    assert {f"s:{name}" for name in STRINGS} <= set(fate)
    assert {name for name, what in fate.items() if what == "quarantined"} >= {"p1", "p2", "p5", "n:0", "n:4", *STRINGS}
    for row in quarantined(result):
        assert row["place"].startswith(str(tmp_path / "in")), row
        assert row["step"] == "read"
        assert row["error"] in ("NoText", "WrongType", "NotAnObject", "InvalidJson", "InvalidUtf8", "Damaged")
    places = {row["id"]: row["place"].removeprefix(f"{tmp_path}/in/") for row in quarantined(result)}
    assert places["p5"] == "c.parquet: row 5"
    assert places["n:1"] == f"a.jsonl:{2 * len(STRINGS) + 2}"


def test_one_document_of_50_mb_passes_all_filters(tmp_path: Path) -> None:
    words = [f"word{number}" for number in random.Random(3).choices(range(10**6), k=20_000)]
    text = "\n".join(" ".join(words[start : start + 20]) + f" {start}." for start in range(0, 20_000, 20)) * 260
    jsonl(tmp_path / "in" / "a.jsonl", [{"id": "small", "text": "a small one"}, {"id": "big", "text": text}])
    assert len(text) > 48_000_000
    result = curate(tmp_path / "out", str(tmp_path / "in"), [{"word_count": {"max_words": None}}, "exact_dedup"])
    assert fates(result)["big"] == "out"
    assert counts(result)["in"] == 2


def test_a_document_above_the_limit_is_quarantined(tmp_path: Path) -> None:
    parquet(tmp_path / "in" / "a.parquet", {"id": ["x", "y"], "text": ["a" * 100, "b" * 101]})
    (tmp_path / "in" / "z.txt").write_text("c" * 101)
    result = curate(tmp_path / "out", str(tmp_path / "in"), resources={"max_document_bytes": 100})
    assert {row["error"] for row in quarantined(result)} == {"TooLong"}
    assert counts(result) == {"in": 3, "out": 1, "dropped": 0, "quarantined": 2}


def test_twenty_thousand_tiny_files_are_one_document_each(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(20_000):
        (folder / f"{number:05d}.txt").write_text(f"tiny text {number}")
    result = curate(tmp_path / "out", str(folder))
    assert counts(result)["out"] == 20_000
    assert len({row["id"] for row in documents(result)}) == 20_000


def test_a_folder_named_like_a_file_is_read_as_a_folder(tmp_path: Path) -> None:
    jsonl(tmp_path / "in" / "x.parquet" / "a.jsonl", [{"id": "1", "text": "a"}])
    assert counts(curate(tmp_path / "out", str(tmp_path / "in")))["out"] == 1
    (tmp_path / "only" / "x.parquet").mkdir(parents=True)
    with pytest.raises(InputError, match="no file to read"):
        curate(tmp_path / "out", str(tmp_path / "only"))


def test_too_many_failures_end_the_run_and_say_where_the_errors_are(tmp_path: Path) -> None:
    rows = [{"id": str(number), "text": None if number < 30 else "a"} for number in range(1000)]
    path = jsonl(tmp_path / "a.jsonl", rows)
    with pytest.raises(
        FailureBudgetExceeded, match=r"30 of 1000 documents failed, more than failures\.max_fraction 0\.01 allows"
    ):
        curate(tmp_path / "out", str(path), failures={})
