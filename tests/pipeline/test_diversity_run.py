"""Runs that choose by clusters and distances of embeddings: the same bytes from any files, and every drop is explained."""

import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from small_runs import counts, curate, documents, jsonl

from stages.core.embedding_models import EXAMPLE
from stages.core.requests import Request
from stages.judge_criteria import KEY_CRITERIA

SENTENCE = "the river rises in hills to north of town and people who live along it have built mills there"
WORDS = SENTENCE.split()
EMBED = {"embed_text": {"model": EXAMPLE}}
QUOTA = {"cluster_quota": {"documents": 60, "clusters": 5, "quota": "sqrt", "keep": "nearest"}}
CENTRES = {"k_centre": {"documents": 20}}


def rows() -> list[dict[str, str]]:
    rng = random.Random(5)
    return [{"id": f"{number:03d}", "text": " ".join(rng.choices(WORDS, k=6))} for number in range(150)]


def source(folder: Path, files: int) -> dict[str, str]:
    for number in range(files):
        jsonl(folder / f"{number}.jsonl", rows()[number::files])
    return {"path": str(folder), "source": "s"}


def data(result: Any) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((result.path / "data").iterdir())]


def test_a_drop_by_cluster_or_distance_is_explained_and_the_cluster_is_a_column(tmp_path: Path) -> None:
    result = curate(tmp_path / "out", source(tmp_path / "in", 2), [EMBED, QUOTA, CENTRES])
    kept = documents(result)
    assert counts(result) == {"in": 150, "out": 20, "dropped": 130, "quarantined": 0}
    assert {row["cluster"] for row in kept} <= set(range(5))
    steps = {step["step"]: step for step in result.manifest["steps"]}
    assert steps["cluster_quota"]["facts"]["kept"] == 60
    assert sum(group["quota"] for group in steps["cluster_quota"]["facts"]["groups"].values()) == 60
    drops = pq.read_table(result.path / "ledger" / "drops").to_pylist()
    quota = next(row for row in drops if row["step"] == "cluster_quota")
    told = str(result.why(quota["id"])[0])
    assert "Dropped by cluster_quota.quota" in told
    assert "centroid_cosine" in told
    near = next(row for row in drops if row["step"] == "k_centre")
    told = str(result.why(near["id"])[0])
    assert f"nearest to it stays {near['survivor_id']} of s, similarity" in told
    assert f"nearest is {near['survivor_id']} of s: kept in" in told
    assert "duplicate" not in told
    assert result.duplicates(5).height == 0


@pytest.mark.parametrize("files", [3, 7])
def test_files_and_workers_change_nothing(tmp_path: Path, files: int) -> None:
    one = curate(tmp_path / "one", source(tmp_path / "in1", 1), [EMBED, QUOTA, CENTRES])
    keys = {"resources": {"part_bytes": 2000}, "workers": 2}
    other = curate(tmp_path / "more", source(tmp_path / f"in{files}", files), [EMBED, QUOTA, CENTRES], **keys)
    assert {row["id"] for row in documents(other)} == {row["id"] for row in documents(one)}
    assert data(other) == data(one)


def judged(request: Request) -> str:
    """As many criteria as the prompt has different words, less two; one prompt gets no answer that can be read."""
    prompt = request.messages[1][1].rpartition("Text:\n")[2]
    met = len(set(prompt.split())) - 2
    told = {name: at < met for at, name in enumerate(KEY_CRITERIA)}
    return "no" if prompt == rows()[7]["text"] else json.dumps({"reason": "counted", **told})


def test_a_benchmark_is_selected_by_topics_and_criteria(tmp_path: Path) -> None:
    name = f"{__name__.rpartition('.')[2]}:judged"
    select = {"select_prompts": {"prompts": 12, "topics": 5, "min_criteria": 3, "min_topic_mean": 2.5}}
    stages = [EMBED, {"judge_criteria": {"script": {"function": name}}}, select]
    result = curate(tmp_path / "out", source(tmp_path / "in", 2), stages)
    kept = documents(result)
    assert counts(result)["out"] == len(kept) == 12
    assert all(row["criteria"] >= 3 and row["criteria_met"].count(",") == row["criteria"] - 1 for row in kept)
    sizes = Counter(row["topic"] for row in kept).values()
    assert max(sizes) - min(sizes) <= 1
    steps = {step["step"]: step for step in result.manifest["steps"]}
    assert steps["judge_criteria"]["facts"]["not_read"] == 1
    assert steps["select_prompts"]["facts"]["judged"] == 149
    (story,) = result.why(rows()[7]["id"])
    assert "select_prompts.not_judged" in story.reason
