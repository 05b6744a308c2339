"""Nearness of an answer to its source by the vectors of a model."""

import numpy as np
import pytest
from made_answers import answers, broken, measured
from pydantic import ValidationError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from filters.source_similarity import SourceSimilarity
from stages.core.embedding_models import EXAMPLE


def similarity(text: str | None, source: str | None) -> float:
    found = measured(SourceSimilarity(model=EXAMPLE), answers(text, source))
    assert found.get("similarity") == found.get("similarity_above")
    return float(found.get("similarity", 0.0))


def test_similarity_is_the_cosine_of_the_model_s_vectors():
    words = Tokenizer.from_file(f"{EXAMPLE}/tokenizer.json").get_vocab()
    vectors = load_file(f"{EXAMPLE}/model.safetensors")["embeddings"].astype(np.float64)
    river, north = (vectors[words[word]] for word in ("river", "north"))
    expected = river @ north / np.linalg.norm(river) / np.linalg.norm(north)
    assert similarity("river", "north") == pytest.approx(expected, abs=3e-4)


def test_the_same_text_has_one_and_a_text_without_a_known_word_none():
    assert similarity("the river rises", "the river rises") == 1.0
    assert similarity("zzzz", "the river rises") == 0.0
    assert similarity("", "") == 0.0


def test_an_answer_at_a_limit_is_kept_and_one_beyond_is_not():
    value = similarity("the river rises", "the river in the north")
    table = answers("the river rises", "the river in the north")
    for rule, beyond in (("min_similarity", value + 1e-9), ("max_similarity", value - 1e-9)):
        limits = {"min_similarity": None, "max_similarity": None}
        assert broken(SourceSimilarity(model=EXAMPLE, **limits | {rule: value}), table) == []
        assert broken(SourceSimilarity(model=EXAMPLE, **limits | {rule: beyond}), table) == [rule]


def test_a_document_without_a_parent_is_never_judged():
    assert measured(SourceSimilarity(model=EXAMPLE), answers("river")) == {"similarity": 1.0, "similarity_above": -1.0}
    assert broken(SourceSimilarity(model=EXAMPLE, min_similarity=1.0, max_similarity=-1.0), answers("river")) == []


def test_what_cannot_be_a_model_is_refused():
    with pytest.raises(ValidationError, match="model: /nowhere is no folder"):
        SourceSimilarity(model="/nowhere")
    with pytest.raises(ValidationError, match=r"min_similarity is 1\.5"):
        SourceSimilarity(model=EXAMPLE, min_similarity=1.5)
