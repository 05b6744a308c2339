"""Repeated spans are those that a table of all runs of tokens finds; what is cut is valid text, and one copy stays."""

import random
import unicodedata
from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from stages.core import exchange, repeated_runs
from stages.kernels.text import text_of
from stages.kernels.tokens import run_hashes, tokens_of, winnowed
from stages.kernels.unicode import UNSPACED, classes
from stages.substring_dedup import SubstringDedup

SPAN = "it was the best of times, it was the worst of times"  # 13 tokens


def curated(stage: SubstringDedup, texts: list[str], parts: int = 1) -> tuple[list[str | None], dict[str, Any], InMemory]:
    table = documents(*[("s", f"{at}", text) for at, text in enumerate(texts)])
    step = -(-len(texts) // parts) if texts else 1
    memory = InMemory(stage, [table.slice(at, step) for at in range(0, max(1, len(texts)), step)])
    facts = stage.solve(memory, memory)
    return memory.cut_texts(), facts, memory


def tokens_slowly(text: str) -> list[tuple[int, int]]:
    """Start and stop in characters."""
    found: list[tuple[int, int]] = []
    begin, alone = None, False
    for at, char in enumerate(text + " "):
        category = unicodedata.category(char)
        unspaced = bool(classes()[ord(char)] & UNSPACED)
        mark = category[0] == "M" or (category == "Cf" and char not in "\u200b\ufeff")
        joins = mark or (category[0] in "LN" and not unspaced and not alone)
        if begin is not None and not joins:
            found.append((begin, at))
            begin = None
        if begin is None and not char.isspace():
            begin, alone = at, not (category[0] in "LN" or mark) or unspaced
    return found


def slowly(texts: list[str], size: int, keep: str) -> list[str | None]:
    """By a table of every run of `size` tokens."""
    tokens = [tokens_slowly(text) for text in texts]
    runs: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for number, (text, spans) in enumerate(zip(texts, tokens, strict=True)):
        words = [text[a:b] for a, b in spans]
        for at in range(len(words) - size + 1):
            runs[tuple(words[at : at + size])].append((number, at))
    gone, stays = set(), set()
    for places in runs.values():
        for order, (number, at) in enumerate(places if len(places) > 1 else []):
            kind = stays if keep == "first" and order == 0 else gone
            kind.update((number, token) for token in range(at, at + size))
    left: list[str | None] = []
    for number, (text, spans) in enumerate(zip(texts, tokens, strict=True)):
        kept = [token for token in range(len(spans)) if (number, token) not in gone - stays]
        if spans and not kept:
            left.append(None)
        elif len(kept) == len(spans):
            left.append(text)
        else:
            # a token, and what is behind it up to the next; what follows a token that stays goes only with all behind it
            out = text[: spans[0][0]]
            for token in kept:
                follows = [other for other in kept if other > token]
                out += text[slice(*spans[token])]
                if follows:
                    out += text[spans[token][1] : spans[token + 1][0]]
            left.append(out + text[spans[-1][1] :])
    return left


def test_the_second_copy_of_a_span_goes() -> None:
    texts = [f"One. {SPAN} Two.", f"Three! {SPAN} Four.", f"{SPAN}, five", f"six\n{SPAN}\n", SPAN]
    left, facts, _ = curated(SubstringDedup(min_tokens=10), texts)
    assert left == [texts[0], "Three! Four.", ", five", "six\n", None]
    assert {key: facts[key] for key in ("documents", "repeated_runs", "documents_with_repeats", "spans", "tokens")} == {
        "documents": 5,
        "repeated_runs": 4,
        "documents_with_repeats": 4,
        "spans": 4,
        "tokens": 52,
    }
    assert facts["longest"][0] == {"tokens": 13, "source": "s", "id": "1", "text": SPAN + " "}


def test_a_span_that_is_shorter_stays() -> None:
    texts = [f"a {SPAN} b", f"c {SPAN} d"]
    assert curated(SubstringDedup(min_tokens=14), texts)[0] == texts
    assert curated(SubstringDedup(min_tokens=13), texts)[0] == [texts[0], "c d"]


def test_with_keep_none_no_copy_stays() -> None:
    assert curated(SubstringDedup(min_tokens=10, keep="none"), [f"a {SPAN} b", f"c {SPAN} d"])[0] == ["a b", "c d"]


def test_of_a_text_that_repeats_itself_one_run_stays() -> None:
    left, _, _ = curated(SubstringDedup(min_tokens=8), ["la " * 50 + "end"])
    assert left == ["la " * 8 + "end"]


def test_white_space_does_not_count_but_case_does() -> None:
    texts = [SPAN, "a " + SPAN.replace(" ", "\n\n") + " b", "c " + SPAN.title()]
    assert curated(SubstringDedup(min_tokens=10), texts)[0] == [SPAN, "a b", texts[2]]


def test_letters_of_scripts_without_spaces_are_tokens() -> None:
    texts = ["天地玄黄宇宙洪荒日月盈昃", "甲乙天地玄黄宇宙洪荒丙丁"]
    assert curated(SubstringDedup(min_tokens=8), texts)[0] == [texts[0], "甲乙丙丁"]
    assert curated(SubstringDedup(min_tokens=9), texts)[0] == texts


def test_documents_may_be_dropped_by_the_share_that_would_go() -> None:
    texts = [SPAN, f"{SPAN} {'one two three ' * 3}four five", f"{SPAN} six"]
    left, _, memory = curated(SubstringDedup(min_tokens=10, action="drop", max_share=0.55), texts)
    assert left == [SPAN, texts[1], None]
    (verdict,) = memory.written[0].to_pylist()
    assert verdict["value"] == 13 / 14
    assert (verdict["rule"], verdict["measure"], verdict["op"], verdict["limit"]) == (
        "max_share",
        "repeated_share",
        "at_most",
        0.55,
    )
    at_the_limit, _, _ = curated(SubstringDedup(min_tokens=10, action="drop", max_share=13 / 14), texts)
    assert at_the_limit == texts


ALPHABET = ["a", "b", "c", "é", "漢", "1", ".", " ", " ", "\n", "ไ", "ท", "\u0301", "\u00ad", "👍"]


@pytest.mark.parametrize("keep", ["first", "none"])
@pytest.mark.parametrize("seed", range(40))
def test_random_texts_are_cut_as_a_table_of_all_runs_says_in_any_parts(
    seed: int, keep: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    size = rng.choice([8, 9, 12])
    stock = ["".join(rng.choices(ALPHABET, k=rng.randrange(5, 40))) for _ in range(6)]
    texts = [" ".join(rng.choices(stock, k=rng.randrange(0, 5))) for _ in range(rng.randrange(1, 9))]
    expected = slowly(texts, size, keep)
    for parts in (1, 3):
        monkeypatch.setattr(repeated_runs, "PARTS", parts)
        monkeypatch.setattr(exchange, "RANGE_ENTRIES", 7 * parts)
        assert curated(SubstringDedup(min_tokens=size, keep=keep), texts, parts)[0] == expected


def test_tokens_equal_their_definition() -> None:
    rng = random.Random(4)
    for _ in range(300):
        text = "".join(rng.choices([*ALPHABET, "xyz", "_", "-", "\u200b", "ー"], k=rng.randrange(30)))
        tokens = tokens_of(text_of(pa.array(["before", text])))
        spans = [text[a:b].encode() for a, b in tokens_slowly(text)]
        data = b"before" + text.encode()
        found = [data[a:b] for a, b in zip(tokens.start[1:], tokens.stop[1:], strict=True)]
        assert found == spans


def test_of_every_window_the_last_smallest_is_chosen() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        window = int(rng.integers(1, 7))
        lengths = rng.integers(0, 20, 3)
        bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        hashes = rng.integers(0, 6, bounds[-1]).astype(np.uint64)
        expected = []
        for a, b in pairwise(bounds):
            places = {min(range(at, at + window), key=lambda p: (hashes[p], -p)) for at in range(a, b - window + 1)}
            expected.append(sorted(places))
        chosen, offsets = winnowed(hashes, bounds, window)
        assert [chosen[a:b].tolist() for a, b in pairwise(offsets)] == expected


def test_equal_runs_have_equal_hashes_and_others_do_not() -> None:
    tokens = tokens_of(text_of(pa.array(["x a b c", "", "a b c d", "a b"])))
    for second in (False, True):
        hashes, bounds = run_hashes(tokens, 3, second)
        assert bounds.tolist() == [0, 2, 2, 4, 4]
        assert hashes[1] == hashes[2]
        assert len(set(hashes.tolist())) == 3
    assert run_hashes(tokens, 3)[0][1] != run_hashes(tokens, 3, True)[0][1]


def test_there_may_be_no_document_and_no_token() -> None:
    assert curated(SubstringDedup(), [])[1]["spans"] == 0
    assert curated(SubstringDedup(), ["", " \n", "..."])[0] == ["", " \n", "..."]
