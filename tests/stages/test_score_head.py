"""A head scores what the embedding model gives, or what a column already has."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from schemas.errors import InputError, StageError
from stages.core.embedding_models import EXAMPLE as MODEL
from stages.core.heads import Head, read_head, write_head
from stages.embed_text import EmbedText
from stages.score_head import EXAMPLE, ScoreHead

TEXTS = ["The river rises in the hills", "click here to buy now", "", None, "zzzz"]


def answered(stage: ScoreHead, table: pa.Table) -> pa.Table:
    found = stage.load()(table)
    assert found.schema.equals(pa.schema(list(stage.columns_written().items())))
    return found


def texts(*values: str | None) -> pa.Table:
    return pa.table({"text": pa.array(values, pa.large_string())})


def head_of(folder: Path, head: Head) -> str:
    folder.mkdir()
    write_head(head, folder)
    return str(folder)


@pytest.fixture
def three(tmp_path: Path) -> str:
    random = np.random.Generator(np.random.Philox(1))
    layers = ((random.normal(size=(3, 16)), random.normal(size=3)),)
    curves = read_head(Path(EXAMPLE)).calibration * 3
    return head_of(tmp_path / "three", Head("linear", "classes", ("a", "b", "c"), layers, curves, _embedding()))


def _embedding() -> dict[str, Any]:
    return read_head(Path(EXAMPLE)).embedding


def test_a_score_is_the_head_s_probability_of_the_second_label() -> None:
    embedded = EmbedText(model=MODEL, precision="float32").load()(texts(*TEXTS))
    vectors = np.array(embedded["_embedding"].to_pylist(), np.float32)
    (weights, biases), *_ = read_head(Path(EXAMPLE)).layers
    outputs = vectors.astype(np.float64) @ weights.T + biases
    (curve,) = read_head(Path(EXAMPLE)).calibration
    expected = 1 / (1 + np.exp(-(curve.slope * (outputs[:, 1] - outputs[:, 0]) + curve.offset)))
    found = answered(ScoreHead(head=EXAMPLE, model=MODEL), texts(*TEXTS))["head_score"].to_pylist()
    assert found == pytest.approx(expected.tolist(), abs=1e-6)
    assert found[0] > 0.8 > 0.4 > found[1]
    assert found[2] == found[3] == found[4]
    (other,) = answered(ScoreHead(head=EXAMPLE, model=MODEL, label="negative", column="bad"), texts(TEXTS[0]))[
        "bad"
    ].to_pylist()
    assert other == pytest.approx(1 - found[0])


def test_the_column_of_an_earlier_step_is_read_instead_of_the_model() -> None:
    documents = texts(*TEXTS)
    computed = answered(ScoreHead(head=EXAMPLE, model=MODEL), documents)["head_score"].to_pylist()
    for precision, near in (("float32", 1e-7), ("float16", 2e-3)):
        column = EmbedText(model=MODEL, precision=precision).load()(documents)["_embedding"]  # type: ignore[arg-type]
        stage = ScoreHead(head=EXAMPLE, embedding="_embedding")
        assert stage.columns_read() == ("text", "_embedding")
        assert stage.requirements() == ()
        found = answered(stage, documents.append_column("_embedding", column))["head_score"].to_pylist()
        assert found == pytest.approx(computed, abs=near)
    short = pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))
    with pytest.raises(StageError, match="expected a vector of 16 numbers for each document"):
        ScoreHead(head=EXAMPLE, embedding="v").load()(texts("a").append_column("v", short))


def test_the_most_likely_label_has_a_column(three: str) -> None:
    found = answered(ScoreHead(head=three, model=MODEL, label_column="kind"), texts(*TEXTS))
    each = [
        answered(ScoreHead(head=three, model=MODEL, label=label), texts(*TEXTS))["head_score"].to_pylist() for label in "abc"
    ]
    assert np.sum(each, axis=0) == pytest.approx(np.ones(5))
    best = np.argmax(each, axis=0)
    assert found["kind"].to_pylist() == ["abc"[at] for at in best]
    assert found["head_score"].to_pylist() == [each[at][row] for row, at in enumerate(best)]


def test_a_regression_s_score_is_written_as_it_is(tmp_path: Path) -> None:
    layers = ((np.full((1, 16), 9.0), np.array([2.0])),)
    head = head_of(tmp_path / "reg", Head("linear", "regression", (), layers, (), _embedding()))
    found = answered(ScoreHead(head=head, model=MODEL), texts("", "river"))["head_score"].to_pylist()
    assert found[0] == 2.0
    vector = np.array(EmbedText(model=MODEL, precision="float32").load()(texts("river"))["_embedding"].to_pylist()[0])
    assert found[1] == pytest.approx(2 + 9 * vector.sum(), abs=1e-5)
    with pytest.raises(ValidationError, match="the head gives a score, no classes"):
        ScoreHead(head=head, model=MODEL, label="a")


def test_another_model_than_the_trained_one_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(MODEL, other)
    answered(ScoreHead(head=EXAMPLE, model=str(other)), texts("river"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "changed": True}))
    with pytest.raises(InputError, match=r"is not the model that .* was trained on"):
        ScoreHead(head=EXAMPLE, model=str(other)).load()


def test_texts_are_prefixed_and_cut_as_in_training(tmp_path: Path) -> None:
    head = read_head(Path(EXAMPLE))

    def scored(name: str, text: str, **told: Any) -> Any:
        made = Head(head.kind, head.target, head.labels, head.layers, head.calibration, {**head.embedding, **told})
        return answered(ScoreHead(head=head_of(tmp_path / name, made), model=MODEL), texts(text))["head_score"].to_pylist()

    assert scored("a", "river", prefix="the hills ") == scored("b", "the hills river") != scored("c", "river")
    assert scored("d", "of to river the the", max_tokens=2) == scored("e", "of to") != scored("f", "of to river the the")


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, "expected either `model`"),
        ({"model": MODEL, "embedding": "v"}, "expected either `model`"),
        ({"head": "/nowhere", "model": MODEL}, "head: /nowhere is no folder of a head"),
        ({"model": "/nowhere"}, "/nowhere is no folder"),
        ({"model": MODEL, "label": "good"}, "the head has no 'good'; its labels are 'negative', 'positive'"),
        ({"model": MODEL, "label": "positive", "label_column": "x"}, "expected one of them"),
        ({"model": MODEL, "column": "text"}, "there is a column 'text' already"),
        ({"embedding": "v", "column": "v"}, "there is a column 'v' already"),
        ({"model": MODEL, "label_column": "head_score"}, "column and label_column are both 'head_score'"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ScoreHead(**{"head": EXAMPLE, **keys})


def test_a_head_of_several_labels_must_be_told_which(three: str) -> None:
    with pytest.raises(ValidationError, match="the head knows 3 labels"):
        ScoreHead(head=three, model=MODEL)
