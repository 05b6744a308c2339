"""A mixture meets every budget within one document, and says which constraint binds where it cannot."""

import random
from typing import Any

import pyarrow as pa
import pytest
from in_memory import InMemory, documents
from pydantic import ValidationError

from schemas.errors import StageError
from stages.core.mixture import portions
from stages.mix import Mix, parse_count

ALL = {"default": 1.0}


def corpus(seed: int = 1, **sizes: int) -> pa.Table:
    rng = random.Random(seed)
    rows, tokens = [], []
    for source, count in sizes.items():
        rows += [(source, f"{at:04d}", "x") for at in range(count)]
        tokens += [rng.randrange(1, 60) for _ in range(count)]
    return documents(*rows, token_count=tokens, score=[rng.random() for _ in rows])


def mixed(stage: Mix, *parts: pa.Table) -> tuple[dict[tuple[str, str], int], dict[str, Any]]:
    """Copies of each document, and the facts."""
    memory = InMemory(stage, parts)
    facts = stage.solve(memory, memory)
    copies = {}
    for part, table in enumerate(parts):
        gone = set(memory.written[part]["row"].to_pylist()) if part in memory.written else set()
        often = {row["row"]: row["copies"] for row in memory.copies[part].to_pylist()} if part in memory.copies else {}
        names = zip(memory.sketched[part]["row"].to_pylist(), table["source"].to_pylist(), table["id"].to_pylist(), strict=True)
        copies |= {(source, id): 0 if row in gone else often.get(row, 1) for row, source, id in names}
        assert not gone & set(often)
    return copies, facts


def tokens_of(table: pa.Table, copies: dict[tuple[str, str], int], source: str) -> int:
    return sum(row["token_count"] * copies[row["source"], row["id"]] for row in table.to_pylist() if row["source"] == source)


@pytest.mark.parametrize("total", [100, 1500, 3001])
@pytest.mark.parametrize("rank", [None, "score"])
def test_every_budget_is_met_within_one_document(total: int, rank: str | None) -> None:
    table = corpus(web=200, wiki=20)
    shares = {"web": 0.7, "wiki": 0.3}
    stage = Mix(tokens=total, shares=shares, max_epochs={"wiki": 4}, rank=rank, seed=5)
    copies, facts = mixed(stage, table)
    for source, share in shares.items():
        taken = tokens_of(table, copies, source)
        assert share * total - 60 < taken <= share * total + 0.5
        assert facts["groups"][source]["taken_tokens"] == taken
        assert facts["groups"][source]["rows"] == sum(count for key, count in copies.items() if key[0] == source)
    assert facts["tokens"] == sum(tokens_of(table, copies, source) for source in shares)
    cut = [table.slice(0, 7), table.slice(7, 0), table.slice(7, 150), table.slice(157)]
    assert mixed(stage, *cut) == (copies, facts)


def test_a_group_that_is_seen_more_than_once_has_every_document_as_often_or_once_more() -> None:
    table = corpus(wiki=30)
    size = sum(table["token_count"].to_pylist())
    copies, facts = mixed(Mix(tokens=int(2.3 * size), max_epochs=4, seed=1), table)
    assert set(copies.values()) == {2, 3}
    assert facts["groups"]["wiki"]["epochs"] == pytest.approx(2.3, abs=0.01)
    assert facts["groups"]["wiki"]["taken_documents"] == 30


def test_the_best_documents_are_taken_by_rank() -> None:
    table = corpus(web=50)
    copies, _ = mixed(Mix(tokens=300, rank="score", seed=1), table)
    scores = {(row["source"], row["id"]): row["score"] for row in table.to_pylist()}
    worst = min(scores[key] for key, count in copies.items() if count)
    assert worst > max(scores[key] for key, count in copies.items() if not count)


def test_a_group_without_a_share_is_left_out_and_all_fits_by_default() -> None:
    table = corpus(web=10, junk=5)
    copies, _ = mixed(Mix(shares={"web": 1.0}), table)
    assert {key[0] for key, count in copies.items() if count} == {"web"}
    copies, facts = mixed(Mix(), table)
    assert set(copies.values()) == {1}
    assert facts["tokens"] == sum(table["token_count"].to_pylist())


def test_what_cannot_be_met_names_the_group_and_what_is_possible() -> None:
    with pytest.raises(StageError) as error:
        portions({"web": 1000, "wiki": 100}, 2000, {"web": 0.5, "wiki": 0.5}, 1, 0, {"default": 1, "wiki": 4})
    assert str(error.value) == (
        "mix: 0.5 of 2,000 tokens are 1,000 of 'wiki', which has 100, and 4 epochs of them are 400."
        " With these shares at most 800 tokens are possible; or allow 'wiki' 10 epochs"
    )
    most = portions({"web": 1000, "wiki": 100}, None, {"web": 0.5, "wiki": 0.5}, 1, 0, {"default": 1, "wiki": 4})
    assert {name: portion.budget for name, portion in most.items()} == {"web": 400, "wiki": 400}
    with pytest.raises(StageError, match=r"there are no tokens of 'books', which should be 0.5 of all; groups are web"):
        portions({"web": 10}, None, {"web": 0.5, "books": 0.5}, 1, 0, ALL)


def test_a_temperature_evens_out_and_a_least_share_is_kept() -> None:
    sizes = {"en": 10_000, "de": 100, "is": 1}
    even = portions(sizes, 100, None, 2.0, 0, {"default": 100})
    assert [round(portion.share, 4) for portion in even.values()] == [round(root / 111, 4) for root in (10, 100, 1)]
    raised = portions(sizes, 100, None, 1.0, 0.05, {"default": 100})
    assert raised["is"].share == raised["de"].share == 0.05
    assert raised["en"].share == pytest.approx(0.9)
    # raising the least pushes the next one below, which is raised, too
    again = portions({"a": 100, "b": 30, "c": 1}, 10, None, 1.0, 0.24, {"default": 100})
    assert [round(portion.share, 2) for portion in again.values()] == [0.52, 0.24, 0.24]
    with pytest.raises(StageError, match=r"min_share 0\.5 of 3 groups is more than all"):
        portions(sizes, 100, None, 1.0, 0.5, ALL)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"shares": {"a": 0.5}}, "shares sum to 0.5, expected 1"),
        ({"shares": {"a": 1.0}, "temperature": 2.0}, "two ways to say the same"),
        ({"shares": {"a": 2.0, "b": -1.0}}, "numbers from 0 up"),
        ({"max_epochs": {"a": 0}}, "max_epochs of a is 0"),
        ({"tokens": "many"}, "tokens"),
    ],
)
def test_a_request_without_sense_is_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Mix(**keys)


def test_counts_have_units() -> None:
    assert [parse_count(text) for text in ("2B", "300 M", "1.5k", "7", "1T")] == [2 * 10**9, 3 * 10**8, 1500, 7, 10**12]


def test_of_nothing_a_mixture_is_nothing() -> None:
    table = corpus(web=1)
    copies, facts = mixed(Mix(tokens=1000, shares={"web": 0.5, "wiki": 0.5}), table.slice(0, 0))
    assert (copies, facts["tokens"], facts["groups"]) == ({}, 0, {})
    copies, facts = mixed(Mix(tokens=1000), documents(("s", "a", ""), token_count=[0]))
    assert copies == {("s", "a"): 0}


def test_documents_without_tokens_change_no_budget() -> None:
    table = documents(("s", "a", ""), ("s", "b", "x"), ("t", "c", ""), token_count=[0, 10, 0])
    copies, facts = mixed(Mix(tokens=20, max_epochs=2), table)
    assert copies[("s", "b")] == 2
    assert copies[("t", "c")] == 0
    assert facts["tokens"] == 20


def test_shares_before_the_mixture_stand_beside_those_asked_for_and_the_rank_where_a_group_is_cut() -> None:
    table = corpus(web=60, wiki=20)
    stage = Mix(tokens=600, shares={"web": 0.5, "wiki": 0.5}, max_epochs={"wiki": 3}, rank="score", seed=5)
    copies, facts = mixed(stage, table)
    sizes = {
        name: tokens_of(table, {(row["source"], row["id"]): 1 for row in table.to_pylist()}, name) for name in ("web", "wiki")
    }
    scores = {(row["source"], row["id"]): row["score"] for row in table.to_pylist()}
    for name, group in facts["groups"].items():
        assert group["share_before"] == sizes[name] / sum(sizes.values())
        assert group["share_wanted"] == 0.5
    assert facts["groups"]["web"]["lowest_rank"] == min(scores[key] for key, n in copies.items() if n and key[0] == "web")
    assert facts["by"] == "source"
    whole = Mix(tokens=None, shares={"wiki": 1.0}, max_epochs=1, rank="score", seed=5)
    assert mixed(whole, table)[1]["groups"]["wiki"]["lowest_rank"] is None
    assert "lowest_rank" not in mixed(Mix(tokens=100, seed=5), table)[1]["groups"]["web"]
