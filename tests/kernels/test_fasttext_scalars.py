"""The score of one label is the library's, whatever the model's shape allows to be left out."""

import random
import sys
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from stages.kernels.fasttext_model import read_model
from stages.kernels.fasttext_project import project, project_on
from stages.kernels.fasttext_scalars import LabelScorer
from stages.kernels.text import text_of

sys.path.insert(0, str(Path(__file__).parent))
from definitions.fasttext import SlowModel
from fasttext_cases import KINDS, texts
from fasttext_files import write_model


def by_library(path: Path, batch: list[str], label: str) -> list[float]:
    """Labels whose probability is below 1e-5 are left out by the library; 0 for them."""
    labels, scores = fasttext.load_model(str(path)).predict([text.replace("\n", " ") for text in batch], k=-1)
    return [dict(zip(*pair, strict=True)).get(f"__label__{label}", 0.0) for pair in zip(labels, scores, strict=True)]


@pytest.mark.parametrize("labels", [2, 3, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_the_library_s(kind: str, labels: int, tmp_path: Path) -> None:
    keys: dict[str, Any] = {**KINDS[kind], "labels": labels}
    path = write_model(tmp_path / "model.bin", **keys)
    model, batch = read_model(path), texts(7, 200)
    for label in range(labels):
        found = LabelScorer(model, label)(text_of(pa.array(batch)))
        # the library's float32 sums of 300 equal n-grams with such large numbers are wrong by 2e-5
        assert found == pytest.approx(by_library(path, batch, f"l{label}"), abs=4e-5)


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ({"labels": 2}, 1),
        ({"labels": 2, "loss": 1}, 1),
        ({"labels": 2, "loss": 4}, 1),
        ({"labels": 7, "loss": 4}, 1),
        ({"labels": 7, "loss": 2}, 1),
        ({"labels": 3}, None),
        ({"labels": 3, "loss": 1}, None),
    ],
)
def test_one_number_is_enough_for_two_labels_and_where_each_has_its_own_sigmoid(
    keys: dict[str, int], numbers: int | None, tmp_path: Path
) -> None:
    projected = project_on(read_model(write_model(tmp_path / "model.bin", **keys)), 0)
    assert (None if projected is None else projected.vectors.shape[1]) == numbers


@pytest.mark.parametrize(("keys", "numbers"), [({"labels": 5}, 5), ({"labels": 6, "loss": 1}, 5), ({"labels": 6}, 6)])
def test_vectors_are_no_longer_than_the_outputs(keys: dict[str, int], numbers: int, tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path / "model.bin", **keys))
    assert model.dim == 6
    assert project(model).dim == project(model).vectors.shape[1] == numbers


@pytest.mark.parametrize("chars", [(0, 0), (2, 3)])
def test_a_document_s_score_does_not_depend_on_its_batch(chars: tuple[int, int], tmp_path: Path) -> None:
    score = LabelScorer(read_model(write_model(tmp_path / "model.bin", labels=2, chars=chars, word_ngrams=3)), 1)
    column = pa.array(texts(3, 120), pa.large_string())
    whole = score(text_of(column))
    for start, size in [(0, 1), (17, 60), (119, 1), (120, 0), *((at, 1) for at in range(0, 120, 7))]:
        assert score(text_of(column.slice(start, size))).tolist() == whole[start : start + size].tolist()


def test_words_that_share_a_place_in_a_table_are_told_apart(tmp_path: Path) -> None:
    choice = random.Random(5)
    known = sorted({"".join(choice.choices("abcdeéж", k=choice.randint(1, 18))) for _ in range(3000)})
    score = LabelScorer(read_model(write_model(tmp_path / "model.bin", labels=2, chars=(2, 3), words=["</s>", *known])), 0)
    words = [*known, *("".join(choice.choices("abcdeéж", k=choice.randint(1, 18))) for _ in range(40_000))]
    together = score(text_of(pa.array(words + words)))
    assert together[: len(words)].tolist() == together[len(words) :].tolist()
    tried = [*range(200), *range(len(known), len(known) + 200)]
    assert [score(text_of(pa.array([words[at]])))[0] for at in tried] == together[tried].tolist()


def test_sums_of_a_long_text_do_not_drift_as_the_library_s_do(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.bin", labels=2, chars=(0, 0), word_ngrams=2)
    text = " ".join(random.Random(2).choices(["the", "und", "это", "ist", "中", "a", "b", "other"], k=200_000))
    found = LabelScorer(read_model(path), 1)(text_of(pa.array([text])))
    assert found[0] == pytest.approx(SlowModel(path).scores(text.encode())[1] + 1e-5, abs=1e-6)
    assert abs(found[0] - by_library(path, [text], "l1")[0]) > 1e-4  # vectors a hundred times those of a trained model


def test_nothing_but_the_end_of_line_is_scored_where_nothing_is_known(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.bin", labels=2, chars=(0, 0))
    found = LabelScorer(read_model(path), 0)(text_of(pa.array(["", None, " \n\0", "zzz", "</s> the"])))
    assert len(set(found.tolist())) == 1
    assert found[0] == pytest.approx(by_library(path, [""], "l0")[0], abs=1e-6)
    without = write_model(tmp_path / "without.bin", labels=2, chars=(0, 0), words=["the"])
    assert LabelScorer(read_model(without), 0)(text_of(pa.array(["", "zzz"]))).tolist() == [0.0, 0.0]


def test_products_are_added_in_order() -> None:
    from stages.kernels.fasttext_project import multiply

    vectors = np.random.default_rng(1).normal(size=(50, 33)).astype(np.float32)
    outputs = np.random.default_rng(2).normal(size=(3, 33))
    products = np.zeros((50, 3), np.float32)
    multiply(vectors, outputs, products)
    slowly = [[sum(float(a) * b for a, b in zip(row, out, strict=True)) for out in outputs] for row in vectors]
    assert products.tolist() == np.array(slowly).astype(np.float32).tolist()
