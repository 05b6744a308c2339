"""Near-duplicates go, each for a document that stays; the answer depends on the documents alone."""

import random
from collections.abc import Sequence
from typing import Any, ClassVar

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents, solve
from pydantic import ValidationError

from schemas.errors import StageError
from stages.core import exchange, near_duplicates
from stages.core.docs import Docs
from stages.minhash_dedup import MinhashDedup, choose_shape, match_probability

WORDS = [
    f"{a}{b}{c}" for a in ("ka", "lo", "mi", "nu") for b in ("ra", "se", "ti", "vo") for c in ("ne", "pa", "qo", "xu", "z")
]


def text(seed: int, length: int = 200) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=length))


def edited(base: str, every: int, seed: int = 0) -> str:
    """Each `every`-th word is another one; which ones depends on the seed."""
    words = base.split()
    rng = random.Random(seed)
    return " ".join(
        rng.choice(WORDS) + "q" if at % every == (every // 2 + 8 * seed) % every else word for at, word in enumerate(words)
    )


def jaccard(left: str, right: str) -> float:
    a, b = ({tuple(w[at : at + 5]) for at in range(len(w) - 4)} for w in (left.split(), right.split()))
    return len(a & b) / len(a | b)


def test_a_near_duplicate_is_dropped_and_a_stranger_is_kept() -> None:
    near = edited(text(1), 100)
    assert jaccard(text(1), near) > 0.85
    dropped, facts = solve(MinhashDedup(), documents(("s", "1", text(1)), ("s", "2", near), ("s", "3", text(2))))
    assert list(dropped) == [("s", "2")]
    source, id, similarity = dropped[("s", "2")]
    assert (source, id) == ("s", "1")
    assert similarity == jaccard(text(1), near)
    assert facts["largest_components"] == [{"size": 2, "survivor_source": "s", "survivor_id": "1"}]
    assert facts["source_pairs"] == [{"source": "s", "survivor_source": "s", "documents": 1}]
    counts = {key: facts[key] for key in ("documents", "without_signature", "dropped", "kept_by_verification", "components")}
    assert counts == {"documents": 3, "without_signature": 0, "dropped": 1, "kept_by_verification": 0, "components": 1}


def test_the_facts_hold_the_s_curve() -> None:
    facts = solve(MinhashDedup(bands=14, rows=8), documents())[1]
    assert facts["threshold"] == pytest.approx(0.719, abs=5e-4)
    assert facts["match_probability"]["0.80"] == pytest.approx(0.924, abs=5e-4)
    assert (facts["match_probability"]["0.50"], facts["match_probability"]["1.00"]) == (pytest.approx(0.0533, abs=5e-5), 1.0)
    assert facts["sketch_bytes_per_document"] == 14 * (8 * 4 + 8) + 12


@pytest.mark.parametrize(
    ("keys", "shape"),
    [({}, (20, 7)), ({"mode": "datatrove"}, (14, 8)), ({"bands": 9, "rows": 13}, (9, 13)), ({"rows": 5}, (12, 5))],
)
def test_bands_and_rows_are_chosen_by_threshold_and_recall(keys: dict[str, Any], shape: tuple[int, int]) -> None:
    stage = MinhashDedup(**keys)
    assert stage.shape == shape
    facts = solve(stage, documents())[1]
    assert (facts["bands"], facts["rows"]) == shape
    assert facts["expected_recall"] == match_probability(facts["threshold"], *shape)


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("recall", [0.5, 0.9, 0.99, 0.999])
def test_a_chosen_shape_finds_what_it_must_with_the_fewest_values(threshold: float, recall: float) -> None:
    bands, rows = choose_shape(threshold, recall)
    assert match_probability(threshold, bands, rows) >= recall
    if threshold >= 0.7:  # below, 1024 values are too few for some recalls
        assert match_probability(threshold / 2, bands, rows) <= 0.05
    assert match_probability(threshold, bands - 1, rows) < recall


def test_case_punctuation_and_numbers_make_no_other_text() -> None:
    dropped, _ = solve(
        MinhashDedup(threshold=1.0, words="folded"),
        documents(("s", "1", "On day 24, five men came home!"), ("s", "2", "on\nday 7 FIVE men -- came (home)")),
    )
    assert dropped == {("s", "2"): ("s", "1", 1.0)}


def test_case_and_punctuation_make_no_other_text_but_numbers_do() -> None:
    texts = ["On day 24, five men came home!", "on\nday 24 FIVE men -- came (home)", "On day 7, five men came home!"]
    dropped, _ = solve(MinhashDedup(threshold=1.0), documents(*[("s", str(at), one) for at, one in enumerate(texts)]))
    assert dropped == {("s", "1"): ("s", "0", 1.0)}


@pytest.mark.parametrize(
    "stage",
    [MinhashDedup(), MinhashDedup(verify="none"), MinhashDedup(mode="datatrove"), MinhashDedup(mode="datasketch")],
)
def test_texts_shorter_than_a_shingle_are_kept(stage: MinhashDedup) -> None:
    rows = [("s", "1", ""), ("s", "2", ""), ("s", "3", "one two three four"), ("s", "4", "one two three four")]
    dropped, facts = solve(
        stage, documents(*rows, ("s", "5", "one two three four five"), ("s", "6", "one two three four five"))
    )
    assert dropped == {("s", "6"): ("s", "5", 1.0)}
    assert facts["without_signature"] == 4


def test_a_text_without_signature_has_null_signature_and_bands() -> None:
    sketch = MinhashDedup(bands=2, rows=1).sketch(Docs(documents(("s", "1", "too short"), ("s", "2", "now it is long enough"))))
    assert sketch["signature"].is_valid().to_pylist() == [False, True]
    assert sketch["band_000"].is_valid().to_pylist() == [False, True]
    assert sketch["n_shingles"].to_pylist() == [0, 1]
    assert sketch["text_bytes"].to_pylist() == [9, 21]


@pytest.mark.parametrize("verify", ["none", "signature", "exact"])
def test_all_may_be_equal(verify: str) -> None:
    dropped, facts = solve(MinhashDedup(verify=verify), documents(*[("s", f"{i}", text(1)) for i in range(9)]))
    assert dropped == {("s", f"{i}"): ("s", "0", 1.0) for i in range(1, 9)}
    assert facts["components"] == 1


def test_nothing_may_be_alike() -> None:
    dropped, facts = solve(MinhashDedup(), documents(*[("s", f"{i}", text(i)) for i in range(20)]))
    assert (dropped, facts["components"], facts["largest_components"]) == ({}, 0, [])


@pytest.mark.parametrize("table", [documents(), documents(("s", "1", "alone but long enough to have shingles"))])
def test_nothing_and_one_document_are_kept(table: pa.Table) -> None:
    dropped, facts = solve(MinhashDedup(), table)
    assert (dropped, facts["documents"]) == ({}, table.num_rows)


def test_there_may_be_no_part_and_an_empty_one() -> None:
    assert solve(MinhashDedup())[1]["documents"] == 0
    dropped, _ = solve(MinhashDedup(), documents(("s", "1", text(1))), documents(), documents(("s", "2", text(1))))
    assert dropped == {("s", "2"): ("s", "1", 1.0)}


def test_at_a_minimum_of_one_only_equal_signatures_go() -> None:
    rows = [("s", "1", text(1)), ("s", "2", edited(text(1), 100)), ("s", "3", text(1).upper())]
    assert solve(MinhashDedup(threshold=1.0), documents(*rows))[0] == {("s", "3"): ("s", "1", 1.0)}
    assert len(solve(MinhashDedup(), documents(*rows))[0]) == 2


def test_the_minimum_includes_its_end() -> None:
    table = documents(("s", "1", text(1)), ("s", "2", edited(text(1), 100)))
    similarity = solve(MinhashDedup(), table)[0][("s", "2")][2]
    assert len(solve(MinhashDedup(threshold=similarity), table)[0]) == 1
    above = solve(MinhashDedup(threshold=similarity + 0.001), table)
    assert (above[0], above[1]["kept_by_verification"]) == ({}, 1)


CHAIN = [text(7)]
for step in range(8):  # a link has a Jaccard similarity of 0.9 and is found with a probability of 0.9997
    CHAIN.append(edited(CHAIN[-1], 100, step))
CHAINED = documents(*[("s", f"{at}", one) for at, one in enumerate(CHAIN)])


def test_every_dropped_document_is_similar_to_its_survivor_and_that_is_what_is_told() -> None:
    dropped, facts = solve(MinhashDedup(), CHAINED)
    texts = {f"{at}": one for at, one in enumerate(CHAIN)}
    assert dropped
    for (_, id), (_, survivor, similarity) in dropped.items():
        assert similarity == jaccard(texts[id], texts[survivor]) >= 0.8
        assert ("s", survivor) not in dropped
    stayed = [id for id in texts if ("s", id) not in dropped]
    assert all(jaccard(texts[a], texts[b]) < 0.8 for a in stayed for b in stayed if a != b)
    assert facts["kept_by_verification"] == len(stayed) - 1


@pytest.mark.parametrize("verify", ["signature", "exact"])
def test_with_chains_one_stays_of_all_that_are_joined(verify: str) -> None:
    dropped, facts = solve(MinhashDedup(verify=verify, chains=True), CHAINED)
    assert {survivor[:2] for survivor in dropped.values()} == {("s", "0")}
    assert (len(dropped), facts["kept_by_verification"]) == (8, 0)
    assert min(similarity for *_, similarity in dropped.values()) < 0.6


def test_a_cluster_is_named_after_the_document_that_stays() -> None:
    stage = MinhashDedup()
    memory = InMemory(stage, [documents(("s", "2", text(1)), ("t", "1", text(1)), ("s", "1", text(1)))])
    stage.solve(memory, memory)
    assert memory.written[0]["cluster"].to_pylist() == ["s:1", "s:1"]


def crowd(source: str, documents_: int, copies: int) -> list[tuple[str, str, str]]:
    return [(source, f"{at:03}", text(0 if at < copies else at)) for at in range(documents_)]


def test_an_alarm_tells_of_a_source_that_is_wiped_out() -> None:
    rows = documents(*crowd("a", 100, 92), *crowd("b", 99, 99), *[("c", f"{at}", text(1000 + at)) for at in range(100)])
    facts = solve(MinhashDedup(), rows)[1]
    (alarm,) = facts["alarms"]  # b has fewer than 100 documents
    assert "the source 'a' loses 91 of 100 documents" in alarm
    assert facts["sources"]["b"] == {"documents": 99, "dropped": 99}
    assert solve(MinhashDedup(alarm_source_fraction=0.91), rows)[1]["alarms"] == []


def test_an_alarm_tells_of_a_large_cluster_and_may_stop_the_run() -> None:
    rows = documents(*crowd("a", 40, 30))
    (alarm,) = solve(MinhashDedup(alarm_cluster=30), rows)[1]["alarms"]
    assert "30 documents are a cluster, of which a:000 stays" in alarm
    assert solve(MinhashDedup(alarm_cluster=31), rows)[1]["alarms"] == []
    assert solve(MinhashDedup(alarm_cluster=30, alarm="off"), rows)[1]["alarms"] == []
    stage = MinhashDedup(alarm_cluster=30, alarm="stop")
    memory = InMemory(stage, [rows])
    with pytest.raises(StageError, match=r"30 documents are a cluster.*Nothing was dropped"):
        stage.solve(memory, memory)


def test_a_chain_is_dropped_whole_only_without_verification() -> None:
    assert jaccard(CHAIN[0], CHAIN[-1]) < 0.5
    dropped, facts = solve(MinhashDedup(verify="none"), CHAINED)
    assert {survivor[:2] for survivor in dropped.values()} == {("s", "0")}
    assert len(dropped) == facts["dropped"] == 8
    dropped, facts = solve(MinhashDedup(), CHAINED)
    assert ("s", "8") not in dropped or dropped[("s", "8")][1] != "0"
    assert facts["dropped"] + facts["kept_by_verification"] == 8
    assert facts["kept_by_verification"] > 0
    assert all(similarity >= facts["threshold"] for _, _, similarity in dropped.values())
    assert not {(source, id) for source, id, _ in dropped.values()} & set(dropped)


def test_the_longest_stays() -> None:
    longer = text(1) + " and a few words more"
    dropped, _ = solve(MinhashDedup(keep="longest"), documents(("s", "1", text(1)), ("s", "2", longer), ("s", "3", text(1))))
    assert {key: survivor[:2] for key, survivor in dropped.items()} == {("s", "1"): ("s", "2"), ("s", "3"): ("s", "2")}


def test_the_highest_score_stays() -> None:
    stage = MinhashDedup(keep="stars")
    dropped, facts = solve(stage, documents(*[("s", f"{i}", text(1)) for i in range(4)], stars=[1, 3, 3, 2]))
    assert set(dropped.values()) == {("s", "1", 1.0)}
    assert stage.columns_read() == ("text", "stars")
    assert facts["sketch_bytes_per_document"] == 20 * (7 * 4 + 8) + 12 + 8


def test_a_missing_score_is_an_error_that_names_the_column() -> None:
    with pytest.raises(ValueError, match="'stars' has 1 nulls"):
        solve(MinhashDedup(keep="stars"), documents(("s", "1", text(1)), ("s", "2", text(1)), stars=[1, None]))


@pytest.mark.parametrize(
    "stage",
    [
        MinhashDedup(),
        MinhashDedup(chains=True),
        MinhashDedup(verify="signature"),
        MinhashDedup(verify="signature", chains=True),
        MinhashDedup(verify="none", keep="longest"),
        MinhashDedup(shingle_unit="char", shingle_size=20, bands=20, rows=5),
        MinhashDedup(bits=64),
        MinhashDedup(mode="datatrove", bits=32),
        MinhashDedup(mode="datatrove"),
        MinhashDedup(mode="datasketch", scheme="affine64"),
    ],
)
def test_the_answer_does_not_depend_on_parts(stage: MinhashDedup, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    rows = []
    for base in range(8):
        one = text(base, 120)
        for copy in range(6):
            rows.append((rng.choice("ab"), f"{base}-{copy}", one))
            one = edited(one, rng.choice([30, 60, 120]), rng.randrange(100))
    rows += [("a", f"short {i}", "too short") for i in range(3)]
    expected, facts = solve(stage, documents(*rows))
    assert facts["components"] >= 8
    assert facts["dropped"] > 8
    for parts in (1, 3, 7):
        rng.shuffle(rows)
        monkeypatch.setattr(near_duplicates, "HELD_VALUES", 1500 * parts)
        monkeypatch.setattr(exchange, "BLOCK_DOCUMENTS", 12 * parts)
        monkeypatch.setattr(exchange, "RANGE_ENTRIES", 300 * parts)
        monkeypatch.setattr(near_duplicates, "JOINED_EDGES", 4 * parts)
        cut = [documents(*rows[part::parts]) for part in range(parts)]
        assert solve(stage, *cut, documents()) == (expected, facts)


def test_a_signature_does_not_depend_on_the_batch() -> None:
    table = documents(*[("s", f"{i}", text(i, 7 * i)) for i in range(12)])
    whole = MinhashDedup().sketch(Docs(table))
    pieces = [MinhashDedup().sketch(Docs(table.slice(at, 5))) for at in range(0, 12, 5)]
    assert pa.concat_tables(pieces).equals(whole)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"hash": "sha1"}, "needs mode: datatrove; the hash of mode: sluice is fixed"),
        ({"hash": "xxhash", "mode": "datasketch"}, "needs mode: datatrove; the hash of mode: datasketch is fixed"),
        ({"scheme": "legacy"}, "needs mode: datasketch"),
        ({"mode": "datasketch", "bits": 64}, "scheme: affine32 has 32 bits, not 64"),
        ({"mode": "datasketch", "scheme": "affine64", "bits": 32}, "scheme: affine64 has 64 bits, not 32"),
        ({"mode": "datatrove", "shingle_unit": "char"}, "needs mode: sluice or datasketch"),
        ({"verify": "none", "threshold": 0.8, "bands": 14, "rows": 8}, "needs verify: signature"),
        ({"verify": "none", "chains": True}, "chains needs verify"),
        ({"verify": "exact", "mode": "datatrove"}, "needs mode: sluice"),
        ({"words": "plain", "mode": "datasketch"}, "needs mode: sluice"),
        ({"keep": "root"}, "needs verify: none"),
        ({"recall": 0.9, "bands": 14, "rows": 8}, "recall chooses bands and rows"),
        ({"bands": 0}, "greater than or equal to 1"),
        ({"threshold": 1.1}, "less than or equal to 1"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MinhashDedup(**keys)


def test_only_parity_asks_for_spacy() -> None:
    assert MinhashDedup().requirements() == ()
    assert MinhashDedup(mode="datatrove").requirements() == (("spacy", "parity"),)


@pytest.mark.parametrize(
    ("keys", "width"),
    [
        ({}, 4),
        ({"bits": 64}, 8),
        ({"mode": "datatrove"}, 8),
        ({"mode": "datatrove", "bits": 32}, 4),
        ({"mode": "datasketch"}, 4),
        ({"mode": "datasketch", "scheme": "legacy"}, 4),
        ({"mode": "datasketch", "scheme": "affine64"}, 8),
    ],
)
def test_a_value_is_as_wide_as_its_mode_says(keys: dict[str, Any], width: int) -> None:
    stage = MinhashDedup(bands=3, rows=5, **keys)
    assert stage.sketch_schema().field("signature").type.byte_width == 15 * width
    dropped, _ = solve(stage, documents(("s", "1", text(1)), ("s", "2", text(1)), ("s", "3", text(2))))
    assert dropped == {("s", "2"): ("s", "1", 1.0)}


def test_datasketch_mode_stores_the_numbers_of_datasketch() -> None:
    words = "It is a LONGER text, of nine words.".lower().split()
    expected = datasketch.MinHash(14, seed=3)
    expected.update_batch([" ".join(words[at : at + 5]).encode() for at in range(len(words) - 4)])
    stage = MinhashDedup(bands=2, rows=7, seed=3, mode="datasketch")
    sketch = stage.sketch(Docs(documents(("s", "1", "It is a LONGER\n\ntext, of nine words."))))
    assert sketch["signature"][0].as_py() == expected.hashvalues.astype("<u4").tobytes()


def test_signatures_and_texts_are_read_only_of_members_of_components() -> None:
    table = documents(*[("s", f"{i}", text(i)) for i in range(4)], ("s", "4", text(1)))
    memory = Watching(MinhashDedup(), [table.slice(0, 1), table.slice(1)])
    MinhashDedup().solve(memory, memory)
    assert memory.read_rows == {1: [1, 10]}  # rows of the second part: 1, 4, 7 and 10


class Watching(InMemory):
    read_rows: ClassVar[dict[int, list[int]]] = {}

    def documents(self, part: int, rows: np.ndarray, columns: Sequence[str]) -> pa.Table:
        self.read_rows[part] = rows.tolist()
        return super().documents(part, rows, columns)


@pytest.mark.parametrize(
    ("weights", "found"),
    [([2, 2, 2, 7, 2], [(0, 1), (2, 2), (3, 3), (4, 4)]), ([7, 4], [(0, 0), (1, 1)]), ([1, 1, 1], [(0, 2)]), ([], [])],
)
def test_components_are_held_whole_and_up_to_a_weight(weights: list[int], found: list[tuple[int, int]]) -> None:
    assert exchange.batches(np.array(weights, np.int64), 4) == found
