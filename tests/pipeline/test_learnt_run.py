"""From a model's ratings of some documents to a score of all, in one recipe, on both engines."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from small_runs import counts, curate, documents, jsonl

from pipeline.results import Run
from stages.core.embedding_models import EXAMPLE
from stages.core.requests import Request

HIGH, LOW = "river rises hills".split(), "mills town people".split()  # noqa: SIM905


def rated(request: Request) -> str:
    """More points for more words of one kind: what the embedding of a text tells, too."""
    text = request.messages[1][1].rpartition("Text:\n")[2].split()
    return json.dumps({"reason": "counted", "score": min(5, sum(word in HIGH for word in text))})


def better(request: Request) -> str:
    """The same judge, for two at a time."""
    first, second = request.messages[1][1].partition("Text A:\n")[2].split("\n\nText B:\n")
    one, other = (sum(word in HIGH for word in text.split()) for text in (first, second))
    return json.dumps({"better": "A" if one > other else "B" if other > one else "tie"})


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    rng = random.Random(9)
    rows = []
    for number in range(300):
        high = rng.randrange(6)
        words = rng.choices(HIGH, k=high) + rng.choices(LOW, k=5 - high)
        rows.append({"id": f"{number}", "text": " ".join(words)})
    return {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "source": "s"}


def facts(result: Run, step: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row["facts"] for row in result.manifest["steps"] if row["step"] == step)
    return found


def data(result: Run) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((result.path / "data").iterdir())]


def test_ratings_of_a_sample_become_a_score_of_all(tmp_path: Path, source: dict[str, str], ray_cluster: None) -> None:
    name = __name__.rpartition(".")[2]
    stages = [
        {"embed_text": {"model": EXAMPLE}},
        {"annotate": {"sample": 0.3, "column": "label", "script": {"function": f"{name}:rated"}}},
        {"learn_score": {"label": "label"}},
        {"threshold": {"column": "learned_score", "min_value": 2.5}},
    ]
    result = curate(tmp_path / "out", source, stages)
    asked = facts(result, "annotate")["asked"]["requests"]
    assert 60 < asked < 130
    learnt = facts(result, "learn_score")
    assert learnt["learnt_from"] + learnt["held_back"] == asked
    assert learnt["agreement"]["spearman"][0] > 0.8
    kept = documents(result)
    assert 80 < counts(result)["out"] < 220
    right = sum(sum(word in HIGH for word in row["text"].split()) >= 3 for row in kept)
    assert right / len(kept) > 0.9
    (story,) = result.why(next(row["id"] for row in kept if row["label"] is None))
    assert story.outcome == "kept"
    for number, (engine, workers) in enumerate((("local", 3), ("ray", 2))):
        other = curate(tmp_path / str(number) / "out", source, stages, engine=engine, workers=workers)
        assert data(other) == data(result)


def test_comparisons_of_a_sample_become_a_score_of_all(tmp_path: Path, source: dict[str, str]) -> None:
    name = __name__.rpartition(".")[2]
    judge = {"function": f"{name}:better"}
    stages = [
        {"embed_text": {"model": EXAMPLE}},
        {"compare_documents": {"documents": 60, "comparisons": 600, "bootstraps": 20, "script": judge}},
        {"learn_score": {"label": "strength", "thresholds": [0.0]}},
        {"top_fraction": {"column": "learned_score", "fraction": 0.25}},
    ]
    result = curate(tmp_path / "out", source, stages)
    compared = facts(result, "compare_documents")
    assert (compared["compared"], compared["comparisons"], compared["agreeing"]) == (60, 600, 1.0)
    assert facts(result, "learn_score")["agreement"]["spearman"][0] > 0.7
    kept = documents(result)
    assert len(kept) == 75
    best = sum(sum(word in HIGH for word in row["text"].split()) for row in kept) / len(kept)
    assert best > 3.5
