"""A score learnt from the labels of some documents is given to all, and how far it agrees is told."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from in_memory import InMemory, documents

from schemas.errors import StageError
from stages.core.heads import read_head
from stages.learn_score import LearnScore

SIZE = 8


def made(count: int = 300, labelled: float = 0.5) -> tuple[pa.Table, list[float]]:
    """Documents with vectors, and what each is worth: a line through the vectors, of which some are told with noise."""
    rng = random.Random(3)
    vectors = [[rng.gauss(0, 1) for _ in range(SIZE)] for _ in range(count)]
    lengths = [sum(value * value for value in vector) ** 0.5 for vector in vectors]
    worth = [2.5 + 3 * vector[0] / length - 2 * vector[1] / length for vector, length in zip(vectors, lengths, strict=True)]
    labels = [value + rng.gauss(0, 0.2) if rng.random() < labelled else None for value in worth]
    table = documents(*(("s", f"d{number}", "text") for number in range(count)), label=labels)
    flat = pa.array([value for vector in vectors for value in vector], pa.float32())
    return table.append_column("_embedding", pa.FixedSizeListArray.from_arrays(flat, SIZE)), worth


def solved(stage: LearnScore, *parts: pa.Table) -> tuple[dict[str, float], dict[str, Any]]:
    memory = InMemory(stage, parts)
    facts = stage.solve(memory, memory)
    found = {}
    for part, table in memory.values.items():
        ids = dict(zip(memory.sketched[part]["row"].to_pylist(), memory.sketched[part]["id"].to_pylist(), strict=True))
        found |= {ids[row["row"]]: row["learned_score"] for row in table.to_pylist()}
    return found, facts


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_all_documents_have_a_score_near_what_they_are_worth(kind: str) -> None:
    table, worth = made()
    found, facts = solved(LearnScore(label="label", kind=kind, thresholds=(2.0, 4.0)), table)
    scores = [found[f"d{number}"] for number in range(len(worth))]
    assert np.corrcoef(scores, worth)[0, 1] > (0.99 if kind == "linear" else 0.6)  # 120 documents are few for two layers
    labelled = table["label"].drop_null()
    assert facts["learnt_from"] + facts["held_back"] == len(labelled)
    assert 0.1 < facts["held_back"] / len(labelled) < 0.3
    value, low, high = facts["agreement"]["spearman"]
    assert (0.8 if kind == "linear" else 0.2) < low <= value <= high <= 1
    two, four = facts["at_cuts"]
    assert (two["cut"], four["cut"]) == (2.0, 4.0)
    assert two["share_of_all"] == pytest.approx(np.mean(np.array(scores) >= 2), abs=1e-4)
    assert two["f1"][0] > 0.6


def test_parts_do_not_change_the_score() -> None:
    table, _ = made(200)
    whole = solved(LearnScore(label="label"), table)[0]
    assert solved(LearnScore(label="label"), table.slice(150), table.slice(0, 60), table.slice(60, 90))[0] == whole
    assert solved(LearnScore(label="label", seed=5), table)[0] != whole


def test_the_head_is_kept_for_other_recipes(tmp_path: Path) -> None:
    table, _ = made(100)
    stage = LearnScore(label="label", save=str(tmp_path / "head"))
    found, _ = solved(stage, table)
    vectors = np.array(table["_embedding"].to_pylist(), np.float32)
    scores = read_head(tmp_path / "head").scores(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    assert list(found.values()) == pytest.approx(scores.tolist(), abs=1e-5)
    assert "save" not in stage.deciding_parameters()


def test_too_few_labels_are_an_error() -> None:
    table, _ = made(100, labelled=0.1)
    with pytest.raises(StageError, match=r"documents have a label in 'label', \d+ of them held back: expected 20 or more"):
        solved(LearnScore(label="label"), table)
    assert solved(LearnScore(label="label"), table.slice(0, 0)) == ({}, {"documents": 0})
