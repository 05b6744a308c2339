"""Every kernel beside its definition on the same seeded texts, wherever these lie in memory and however batches are cut."""

import functools
import random
from typing import Any

import pytest
from comparison import differences
from comparisons import COMPARISONS
from placements import placed
from random_texts import random_texts, scripts
from slow_comparisons import SLOW_COMPARISONS

from stages.core.docs import Docs

COUNT, BATCH, FEW = 10_400, 400, 1_200


@functools.cache
def batches() -> list[tuple[list[str], dict[str, list[Docs]]]]:
    texts, pick = random_texts(20, COUNT), random.Random(1)
    return [(part, placed(part, pick)) for part in (texts[at : at + BATCH] for at in range(0, COUNT, BATCH))]


def check(comparison: Any, count: int) -> None:
    for texts, places in batches()[: count // BATCH]:
        expected = [comparison.definition(text) for text in texts]
        for place, docs in places.items():
            wrong = differences(comparison, docs, expected)
            assert not wrong, (place, min((texts[row] for row in wrong), key=len), len(wrong))


@pytest.mark.parametrize("name", COMPARISONS)
def test_kernels_answer_ten_thousand_texts_as_their_definitions_do(name: str) -> None:
    check(COMPARISONS[name], COUNT)


@pytest.mark.parametrize("name", SLOW_COMPARISONS)
def test_kernels_answer_fewer_texts_as_slower_definitions_do(name: str) -> None:
    check(SLOW_COMPARISONS[name], FEW)


def test_the_texts_hold_letters_of_every_script() -> None:
    letters = {char for texts, _ in batches() for text in texts for char in text}
    assert len(scripts()) > 150
    assert [script for script, (own, _) in scripts().items() if not letters.intersection(own)] == []
