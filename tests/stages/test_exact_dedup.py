"""Of equal texts one stays, chosen the same way however the documents are cut into parts."""

import random

import pyarrow as pa
import pytest
from in_memory import InMemory, documents, solve

import stages.exact_dedup
from stages.exact_dedup import ExactDedup

ROWS = [("web", "3", "same"), ("web", "1", "same"), ("books", "9", "same"), ("web", "2", "other"), ("web", "4", "")]


def test_the_first_by_source_and_id_stays() -> None:
    dropped, facts = solve(ExactDedup(), documents(*ROWS))
    assert dropped == {("web", "3"): ("books", "9", 1.0), ("web", "1"): ("books", "9", 1.0)}
    assert facts == {
        "documents": 5,
        "dropped": 2,
        "groups": 1,
        "largest_components": [{"size": 3, "survivor_source": "books", "survivor_id": "9"}],
        "source_pairs": [{"source": "web", "survivor_source": "books", "documents": 2}],
        "sketch_bytes_per_document": 16,
    }


def test_ids_are_compared_as_strings_by_code_points() -> None:
    dropped, _ = solve(ExactDedup(), documents(("s", "9", "t"), ("s", "10", "t"), ("s", "é", "t"), ("s", "Z", "t")))
    assert {survivor for survivor in dropped.values()} == {("s", "10", 1.0)}


def test_a_repeated_id_is_settled_by_the_address() -> None:
    table = documents(("s", "1", "t"), ("s", "1", "t"))
    dropped, facts = solve(ExactDedup(), table.slice(0, 1), table.slice(1))
    assert dropped == {("s", "1"): ("s", "1", 1.0)}
    assert facts["dropped"] == 1


def test_the_highest_score_stays() -> None:
    table = documents(*ROWS[:3], quality=[0.5, 0.9, 0.5])
    dropped, facts = solve(ExactDedup(keep="quality"), table)
    assert dropped == {("web", "3"): ("web", "1", 1.0), ("books", "9"): ("web", "1", 1.0)}
    assert facts["sketch_bytes_per_document"] == 24
    assert ExactDedup(keep="quality").columns_read() == ("text", "quality")


def test_a_tie_of_scores_is_settled_by_source_and_id() -> None:
    dropped, _ = solve(ExactDedup(keep="quality"), documents(*ROWS[:3], quality=[7, 7, 6]))
    assert dropped == {("web", "3"): ("web", "1", 1.0), ("books", "9"): ("web", "1", 1.0)}


def test_a_score_that_is_not_a_number_comes_last() -> None:
    dropped, _ = solve(ExactDedup(keep="quality"), documents(*ROWS[:3], quality=[float("nan"), float("nan"), -1.0]))
    assert set(dropped.values()) == {("books", "9", 1.0)}
    dropped, _ = solve(ExactDedup(keep="quality"), documents(*ROWS[:3], quality=[-1.0, float("nan"), float("nan")]))
    assert set(dropped.values()) == {("web", "3", 1.0)}


def test_case_and_white_space_count_unless_normalized() -> None:
    table = documents(("s", "1", "A  text"), ("s", "2", " a\u00a0TEXT\r\n"), ("s", "3", "a text."))
    assert solve(ExactDedup(), table)[0] == {}
    assert solve(ExactDedup(normalize="whitespace_case"), table)[0] == {("s", "2"): ("s", "1", 1.0)}
    assert solve(ExactDedup(normalize="whitespace_case", keep="longest"), table)[0] == {("s", "1"): ("s", "2", 1.0)}


@pytest.mark.parametrize("stage", [ExactDedup(), ExactDedup(keep="longest", normalize="whitespace_case")])
@pytest.mark.parametrize("table", [documents(), documents(("s", "1", "alone"))])
def test_nothing_and_one_document_are_kept(stage: ExactDedup, table: pa.Table) -> None:
    dropped, facts = solve(stage, table)
    assert dropped == {}
    assert (facts["documents"], facts["dropped"]) == (table.num_rows, 0)


def test_there_may_be_no_part() -> None:
    assert solve(ExactDedup())[1]["documents"] == 0


def test_a_part_without_live_documents_is_passed_over() -> None:
    dropped, _ = solve(ExactDedup(), documents(ROWS[0]), documents(), documents(ROWS[1]))
    assert dropped == {("web", "3"): ("web", "1", 1.0)}


def test_all_may_be_equal_and_empty() -> None:
    dropped, _ = solve(ExactDedup(), documents(*[("s", f"{i}", "") for i in range(9)]))
    assert dropped == {("s", f"{i}"): ("s", "0", 1.0) for i in range(1, 9)}


def test_twenty_groups_are_named_the_largest_first() -> None:
    rows = [("s", f"{group:02}-{copy}", f"text {group}") for group in range(30) for copy in range(2 + (group == 7))]
    named = solve(ExactDedup(), documents(*rows))[1]["largest_components"]
    assert [group["survivor_id"] for group in named] == ["07-0"] + [f"{group:02}-0" for group in range(20) if group != 7]


@pytest.mark.parametrize("held", [2**22, 16, 5])
@pytest.mark.parametrize("parts", [1, 3, 7])
def test_the_answer_does_not_depend_on_parts_and_slices(parts: int, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(parts)
    rows = [(rng.choice("ab"), f"{i}", f"text {rng.randrange(25)}") for i in range(60)]
    expected = {}
    for row in rows:
        twins = sorted((other[0], other[1]) for other in rows if other[2] == row[2])
        if twins[0] != row[:2]:
            expected[row[:2]] = (*twins[0], 1.0)
    monkeypatch.setattr(stages.exact_dedup, "HELD_DOCUMENTS", held)
    rng.shuffle(rows)
    cut = [documents(*rows[part::parts]) for part in range(parts)]
    dropped, facts = solve(ExactDedup(), *cut)
    assert dropped == expected
    assert facts["groups"] == len(set(expected.values()))
    assert solve(ExactDedup(), documents(*rows))[1] == facts


def test_all_128_bits_decide() -> None:
    memory = InMemory(ExactDedup(), [documents(*[("s", str(at), str(at)) for at in range(5)])])
    halves = [(1, 2), (1, 3), (1, 2), (2, 2), (1, 3)]
    hashes = pa.array([low.to_bytes(8, "little") + high.to_bytes(8, "little") for low, high in halves], pa.binary(16))
    memory.sketched[0] = memory.sketched[0].set_column(0, "text_hash", hashes)
    ExactDedup().solve(memory, memory)
    assert memory.dropped() == {("s", "2"): ("s", "0", 1.0), ("s", "4"): ("s", "1", 1.0)}


PAGES = [("web", "1", "long text"), ("web", "2", "text"), ("web", "3", "text"), ("web", "4", "text"), ("web", "5", "x")]
KEYS = ["a", "a", "b", None, None]


def test_other_columns_may_be_compared_and_a_missing_value_is_like_no_other() -> None:
    table = documents(*PAGES, url_key=KEYS)
    assert solve(ExactDedup(columns=("url_key",)), table)[0] == {("web", "2"): ("web", "1", 1.0)}
    assert ExactDedup(columns=("url_key",)).columns_read() == ("url_key",)


def test_two_columns_are_compared_together() -> None:
    table = documents(*PAGES[:4], url_key=["a", "a", "a", None])
    assert solve(ExactDedup(columns=("url_key", "text")), table)[0] == {("web", "3"): ("web", "2", 1.0)}
    table = documents(("s", "1", "ab"), ("s", "2", "a"), other=["c", "bc"])
    assert solve(ExactDedup(columns=("text", "other")), table)[0] == {}


def test_the_latest_and_the_earliest_stay_by_date() -> None:
    rows = [("web", str(number), "t") for number in range(4)]
    table = documents(*rows, url_key=["a"] * 4, date=["2023-05-01T01:00:00+02:00", "2023-05-01", None, "2023-04-30T23:30Z"])
    dropped, facts = solve(ExactDedup(columns=("url_key",), keep="latest"), table)
    assert set(dropped.values()) == {("web", "1", 1.0)}
    assert facts["sketch_bytes_per_document"] == 24
    assert set(solve(ExactDedup(columns=("url_key",), keep="earliest"), table)[0].values()) == {("web", "0", 1.0)}
    assert ExactDedup(columns=("url_key",), keep="latest").columns_read() == ("url_key", "date")


def test_the_longest_page_of_an_address_stays() -> None:
    table = documents(*reversed(PAGES[:2]), url_key=["a", "a"])
    stage = ExactDedup(columns=("url_key",), keep="longest")
    assert solve(stage, table)[0] == {("web", "2"): ("web", "1", 1.0)}
    assert stage.columns_read() == ("url_key", "text")
