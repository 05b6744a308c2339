"""Lines and paragraphs that stand in the corpus twice go; the first one stays; what is left is the text without them."""

import random
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from stages.core import exchange, repeated_pieces
from stages.core.repeated_pieces import RepeatedPieces
from stages.line_dedup import LineDedup
from stages.paragraph_dedup import ParagraphDedup

LONG = "a line that is long enough to be compared with others"
OTHER = "another line that is long enough to be compared, too"


def curated(stage: RepeatedPieces, texts: list[str], parts: int = 1) -> tuple[list[str | None], dict[str, Any]]:
    """The texts that are left, None for one that is dropped; and the facts."""
    table = documents(*[("s", f"{at}", text) for at, text in enumerate(texts)])
    step = -(-len(texts) // parts) if texts else 1
    memory = InMemory(stage, [table.slice(at, step) for at in range(0, max(1, len(texts)), step)])
    facts = stage.solve(memory, memory)
    return memory.cut_texts(), facts


def test_the_second_of_two_equal_lines_goes() -> None:
    left, facts = curated(LineDedup(), [f"one\n{LONG}\ntwo", f"three\n{LONG}\nfour"])
    assert left == [f"one\n{LONG}\ntwo", "three\nfour"]
    assert {key: facts[key] for key in ("documents", "compared", "repeated", "cut")} == {
        "documents": 2,
        "compared": 2,
        "repeated": 1,
        "cut": 1,
    }
    assert facts["most_frequent"] == [{"count": 2, "source": "s", "id": "0", "text": LONG}]


def test_with_keep_none_both_go() -> None:
    left, _ = curated(LineDedup(keep="none"), [f"one\n{LONG}\ntwo", f"three\n{LONG}\nfour"])
    assert left == ["one\ntwo", "three\nfour"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{LONG}\none\ntwo", "one\ntwo"),
        (f"one\ntwo\n{LONG}", "one\ntwo"),
        (f"one\ntwo\n{LONG}\n", "one\ntwo\n"),
        (f"one\n\n{LONG}\n\ntwo", "one\n\ntwo"),
        (f"one\r\n{LONG}\r\ntwo", "one\r\ntwo"),
        (f"  {LONG}\t\n  one", "  one"),
        (f"{LONG}\n{LONG}\none\n{LONG}\n{LONG}", "one"),
        (f"é\n{LONG}\n漢", "é\n漢"),
        (f"{LONG.upper()}\n a  {LONG[2:]}\none", "one"),
    ],
)
def test_what_is_left_has_one_break_where_lines_went(text: str, left: str) -> None:
    assert curated(LineDedup(), [LONG, text])[0] == [LONG, left]


@pytest.mark.parametrize("text", [LONG, f"{LONG}\n\n{LONG}\n", f"\n {LONG} \n"])
def test_a_text_of_which_nothing_is_left_is_dropped(text: str) -> None:
    assert curated(LineDedup(), [f"one\n{LONG}", text])[0] == [f"one\n{LONG}", None]


def test_an_empty_text_is_left_alone() -> None:
    assert curated(LineDedup(), ["", "\n", LONG, " "])[0] == ["", "\n", LONG, " "]


def test_shorter_lines_are_not_compared() -> None:
    line = "é" * 10
    assert curated(LineDedup(min_chars=10), [line, f"x\n{line}"])[0] == [line, "x"]
    assert curated(LineDedup(min_chars=11), [line, f"x\n{line}"])[0] == [line, f"x\n{line}"]


def test_lines_below_the_count_stay() -> None:
    texts = [f"{at}\n{LONG}" for at in range(3)]
    assert curated(LineDedup(min_count=3), texts)[0] == [texts[0], "1", "2"]
    assert curated(LineDedup(min_count=4), texts)[0] == texts


def test_case_and_white_space_count_where_bytes_are_compared() -> None:
    texts = [LONG, f"one\n{LONG.upper()}", f"two\n{LONG.replace(' ', '  ')}", f"three\n{LONG}"]
    assert curated(LineDedup(normalize="none"), texts)[0] == [*texts[:3], "three"]
    assert curated(LineDedup(), texts)[0] == [LONG, "one", "two", "three"]


def test_a_paragraph_is_a_run_of_lines() -> None:
    paragraph = f"{LONG}\n{OTHER}"
    left, facts = curated(ParagraphDedup(), [paragraph, f"one\n\n{paragraph}\n\ntwo", f"{LONG}\n\n{OTHER}"])
    assert left == [paragraph, "one\n\ntwo", f"{LONG}\n\n{OTHER}"]
    assert facts["most_frequent"][0]["text"] == paragraph[:100]


def slowly(texts: list[str], keep: str, min_count: int) -> list[str | None]:
    """Lines of one word, none empty."""
    counts = Counter(line for text in texts for line in text.split("\n"))
    seen: set[str] = set()
    found: list[str | None] = []
    for text in texts:
        left = []
        for line in text.split("\n"):
            first = line not in seen and keep == "first"
            seen.add(line)
            if counts[line] < min_count or first:
                left.append(line)
        found.append("\n".join(left) if left else None)
    return found


@pytest.mark.parametrize("keep", ["first", "none"])
@pytest.mark.parametrize("min_count", [2, 3])
def test_random_texts_are_cut_as_a_dictionary_does_it_in_any_parts(
    keep: Any, min_count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(min_count)
    stage = LineDedup(keep=keep, min_count=min_count, min_chars=1)
    for _ in range(20):
        texts = ["\n".join(rng.choices("abcdefghijklmnopé", k=rng.randrange(1, 6))) for _ in range(rng.randrange(1, 12))]
        for parts in (1, 2, 5):
            monkeypatch.setattr(repeated_pieces, "PARTS", parts)
            monkeypatch.setattr(exchange, "RANGE_ENTRIES", 5 * parts)
            assert curated(stage, texts, parts)[0] == slowly(texts, keep, min_count)


def test_there_may_be_no_document() -> None:
    assert curated(LineDedup(), [])[1]["compared"] == 0


def test_the_sketch_has_sixteen_bytes_for_a_line_that_is_compared() -> None:
    memory = InMemory(LineDedup(), [documents(("s", "1", f"{LONG}\nshort\n{OTHER}"), ("s", "2", "short"))])
    lengths = [len(ids.as_py()) for ids in memory.sketched[0]["ids"]]
    assert lengths == [32, 0]
    assert memory.sketched[0].schema.field("ids").type == pa.large_binary()
