"""Requests that are like one before them go; what is compared finds every pair."""

import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from stages.core.rouge import Pool, longest_common, rouge_l, words_of
from stages.novel_instructions import NovelInstructions


def slow_common(first: list[str], second: list[str]) -> int:
    """The textbook's table."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def test_the_longest_common_subsequence_is_the_textbooks() -> None:
    rng = random.Random(1)
    for _ in range(500):
        first, second = (rng.choices("abcde", k=rng.randrange(0, 90)) for _ in range(2))
        assert longest_common(first, second) == slow_common(first, second)
    assert rouge_l(["a", "b", "c", "d"], ["a", "c"]) == pytest.approx(2 * 2 / 6)
    assert rouge_l([], ["a"]) == 0
    assert words_of("Écris: 3 vers! 日本") == ["écris", "3", "vers", "日本"]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9, 1.0])
def test_the_closest_of_a_pool_is_that_of_all_pairs(threshold: float) -> None:
    rng = random.Random(2)
    texts = [rng.choices("abcdefghijkl", k=rng.randrange(0, 12)) for _ in range(150)]
    texts += [text[: rng.randrange(len(text) + 1)] + text[2:] for text in texts[:50]]
    pool, before = Pool(threshold, Counter(word for text in texts for word in text)), list[list[str]]()
    found = 0
    for text in texts:
        scores = [rouge_l(text, other) for other in before]
        best = max(scores, default=0.0)
        expected = (scores.index(best), best) if before and best >= threshold else None
        assert pool.closest(text) == expected
        found += expected is not None
        pool.add(text)
        before.append(text)
    assert found > 5


def dropped(stage: NovelInstructions, *parts: pa.Table) -> dict[str, tuple[str, float]]:
    """Id of each dropped document: for whom, and how alike they are."""
    memory = InMemory(stage, parts)
    stage.solve(memory, memory)
    found = {}
    for part, table in memory.written.items():
        ids = dict(zip(memory.sketched[part]["row"].to_pylist(), memory.sketched[part]["id"].to_pylist(), strict=True))
        for row in table.to_pylist():
            assert (row["rule"], row["measure"], row["limit"]) == ("max_similarity", "rouge_l", stage.max_similarity)
            found[ids[row["row"]]] = (row["survivor_id"], row["value"])
    return found


ROWS = [
    ("s", "a", "Name a river in Asia."),
    ("s", "b", "Name a long river in Asia"),
    ("s", "c", "Bake bread!"),
    ("s", "d", "name a river in asia"),
]


def test_what_is_alike_goes_whatever_the_parts_are() -> None:
    whole = dropped(NovelInstructions(), documents(*ROWS))
    (kept,) = {"a", "b", "d"} - set(whole)
    assert {found[0] for found in whole.values()} == {kept}
    assert {round(found[1], 3) for found in whole.values()} <= {1.0, 0.909}
    assert dropped(NovelInstructions(), documents(*ROWS[2:]), documents(*ROWS[:2])) == whole
    # at the threshold a text is too much alike, above it not
    limit = 2 * 5 / 11
    assert len(dropped(NovelInstructions(max_similarity=limit), documents(*ROWS))) == 2
    assert len(dropped(NovelInstructions(max_similarity=limit + 0.01), documents(*ROWS))) == 1


def test_requests_of_the_pool_come_first(tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_text('{"i": "Count to ten."}\n{"i": "Bake a bread"}\n')
    stage = NovelInstructions(pool={"path": str(tmp_path / "seeds.jsonl"), "column": "i"})
    found = dropped(stage, documents(*ROWS))
    assert found["c"] == ("2", pytest.approx(0.8))
    assert stage.files() == (str(tmp_path / "seeds.jsonl"),)
