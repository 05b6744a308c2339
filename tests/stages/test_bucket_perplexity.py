"""Buckets end at the exact quantiles of each language's perplexities."""

import itertools
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents
from pydantic import ValidationError

from stages.bucket_perplexity import BucketPerplexity


def bucketed(
    values: list[float | None], languages: list[str | None], edges: tuple[int, ...] = (), **keys: Any
) -> tuple[list[str | None], dict[str, Any]]:
    stage = BucketPerplexity(**keys)
    names = [("s", f"{at}", "text") for at in range(len(values))]
    table = documents(*names, perplexity=pa.array(values, pa.float64()), language=pa.array(languages, pa.string()))  # type: ignore[arg-type]
    bounds = [0, *edges, len(values)]
    memory = InMemory(stage, [table.slice(a, b - a) for a, b in itertools.pairwise(bounds)])
    facts = stage.solve(memory, memory)
    found: list[str | None] = []
    for part in memory.parts():
        if part in memory.values:
            assert memory.values[part]["row"].to_pylist() == memory.sketched[part]["row"].to_pylist()
            found += memory.values[part]["perplexity_bucket"].to_pylist()
    return found, facts


def test_a_document_at_a_limit_is_in_the_lower_bucket() -> None:
    found, facts = bucketed([30.0, 10.0, 20.0, 20.5], ["en"] * 4, quantiles=(0.25, 0.5))
    assert found == ["tail", "head", "middle", "tail"]
    assert facts["groups"] == {
        "en": {"documents": {"head": 1, "middle": 1, "tail": 2}, "limits": {"head": 10.0, "middle": 20.0}}
    }


def test_each_language_has_limits_of_its_own_for_any_parts() -> None:
    chance = random.Random(2)
    languages: list[str | None] = [chance.choice(["en", "de", None]) for _ in range(300)]
    values: list[float | None] = [chance.lognormvariate(5, 1) + 1000 * (language == "de") for language in languages]
    values[7] = values[200] = None
    found, facts = bucketed(values, languages)
    for name in ("en", "de", None):
        mine = [value for value, language in zip(values, languages, strict=True) if language == name and value is not None]
        low, high = np.quantile(mine, [0.33, 0.67], method="inverted_cdf")
        assert facts["groups"][name or "null"]["limits"] == {"head": low, "middle": high}
        for value, language, bucket in zip(values, languages, found, strict=True):
            if language == name and value is not None:
                assert bucket == ("head" if value <= low else "middle" if value <= high else "tail")
    assert found[7] is found[200] is None
    assert facts["without_perplexity"] == 2
    assert bucketed(values, languages, (1, 1, 90, 300)) == (found, facts)


def test_one_limit_for_all_and_other_labels() -> None:
    found, facts = bucketed([1.0, 2.0, 3.0, 4.0], ["en", "de", "en", "de"], by=None, quantiles=(0.5,), labels=("good", "bad"))
    assert found == ["good", "good", "bad", "bad"]
    assert facts["groups"] == {"": {"documents": {"good": 2, "bad": 2}, "limits": {"good": 2.0}}}


def test_a_language_without_any_perplexity_has_no_buckets() -> None:
    found, facts = bucketed([None, None, 5.0], ["en", "en", "de"], (2,))
    assert found == [None, None, "head"]
    assert list(facts["groups"]) == ["de"]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"quantiles": [0.67, 0.33]}, "expected ascending shares"),
        ({"quantiles": [0, 0.5]}, "above 0 and below 1"),
        ({"quantiles": [0.5]}, "labels are .* expected 2 different ones"),
        ({"labels": ["a", "a", "b"]}, "expected 3 different ones"),
        ({"bucket_column": "text"}, "there is a column 'text' already"),
        ({"bucket_column": "perplexity"}, "there is a column 'perplexity' already"),
    ],
)
def test_what_makes_no_buckets_is_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        BucketPerplexity(**keys)
