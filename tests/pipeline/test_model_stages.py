"""What a model answers is stored unit by unit, and is a column of the documents that follow."""

import hashlib
import random
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from small_runs import counts, curate, documents, jsonl
from survival import ended_after_tables

from pipeline import verdicts
from schemas.errors import RecipeError
from stages.core import model
from stages.core.embedding_models import EXAMPLE

SENTENCE = "the river rises in hills to north of town and people who live along it have built mills there"
WORDS = SENTENCE.split()
EMBED = {"embed_text": {"model": EXAMPLE}}
DEDUP = {"semantic_dedup": {"threshold": 0.97}}


@pytest.fixture
def source(tmp_path: Path) -> dict[str, str]:
    rng = random.Random(5)
    rows = []
    for number in range(120):
        words = rng.choices(WORDS, k=6)
        rows.append({"id": f"{number}", "text": " ".join(words)})
        if number % 3 == 0:
            rng.shuffle(words)  # another text with the same mean
            rows.append({"id": f"{number}-again", "text": " ".join(words)})
    return {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "source": "s"}


def data(result: Any) -> str:
    return "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((result.path / "data").iterdir()))


def test_documents_with_the_same_embedding_are_dropped_and_explained(tmp_path: Path, source: dict[str, str]) -> None:
    result = curate(tmp_path / "out", source, [EMBED, DEDUP])
    kept = documents(result)
    assert counts(result)["in"] == 160
    assert counts(result)["dropped"] >= 40
    assert "_embedding" not in kept[0]
    drops = pq.read_table(result.path / "ledger" / "drops").to_pylist()
    told = {row["id"]: row for row in drops if row["step"] == "semantic_dedup"}
    assert told["0-again"]["survivor_id"] in {row["id"] for row in kept}
    assert told["0-again"]["similarity"] >= 0.97
    steps = {step["step"]: step for step in result.manifest["steps"]}
    assert steps["embed_text"]["facts"]["kind"] == "model2vec"
    assert steps["embed_text"]["facts"]["dimensions"] == 16
    assert steps["embed_text"]["in"] == steps["embed_text"]["out"]
    assert any("example_embedding" in path for path in result.manifest["models"])


def test_an_embedding_is_a_column_of_the_training_set_if_its_name_says_so(tmp_path: Path, source: dict[str, str]) -> None:
    steps = [
        {"embed_text": {"model": EXAMPLE, "column": "embedding", "precision": "float32"}},
        {"word_count": {"min_words": 2}},
    ]
    result = curate(tmp_path / "out", source, steps)
    table = pl.scan_parquet(result.path / "data").collect()
    assert table["embedding"].dtype == pl.Array(pl.Float32, 16)
    length = sum(value * value for value in table["embedding"][0])
    assert length == pytest.approx(1, abs=1e-5)


def test_engines_workers_and_parts_give_the_same_bytes(tmp_path: Path, source: dict[str, str], ray_cluster: None) -> None:
    expected = data(curate(tmp_path / "a" / "out", source, [EMBED, DEDUP]))
    for number, (engine, workers) in enumerate((("local", 3), ("ray", 1), ("ray", 3))):
        other = curate(tmp_path / str(number) / "out", source, [EMBED, DEDUP], engine=engine, workers=workers)
        assert data(other) == expected
    for number, resources in enumerate(({"part_bytes": "1KB"}, {"batch_bytes": "500B"})):
        other = curate(tmp_path / f"r{number}" / "out", source, [EMBED, DEDUP], resources=resources)
        assert data(other) == expected


def test_an_answer_that_stands_is_not_asked_for_again(
    tmp_path: Path, source: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "UNIT_BYTES", 400)
    expected = data(curate(tmp_path / "whole" / "out", source, [EMBED, DEDUP]))
    with ended_after_tables(5, monkeypatch) as before:
        curate(tmp_path / "killed" / "out", source, [EMBED, DEDUP])
    save, saved = verdicts._save, list[str]()
    monkeypatch.setattr(verdicts, "_save", lambda function, item: (save(function, item), saved.append(item[0].path.name)))
    result = curate(tmp_path / "killed" / "out", source, [EMBED, DEDUP])
    assert data(result) == expected
    answers = [name for name in before + saved if name.startswith("answers")]
    assert len(answers) == len(set(answers)) > 6
    # another threshold asks for none
    saved.clear()
    curate(tmp_path / "killed" / "other", source, [EMBED, {"semantic_dedup": {"threshold": 0.9}}])
    assert saved
    assert not [name for name in saved if name.startswith("answers")]


def test_a_deduplication_without_embeddings_names_the_stage_that_writes_them(tmp_path: Path, source: dict[str, str]) -> None:
    with pytest.raises(RecipeError, match="reads the column '_embedding', which nothing before it writes"):
        curate(tmp_path / "out", source, [DEDUP])


def test_a_missing_package_is_told_before_a_run(
    tmp_path: Path, source: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "model2vec" else find(name, *rest))
    with pytest.raises(Exception, match=r"pip install 'sluice\[embed\]'"):
        curate(tmp_path / "out", source, [EMBED])


def test_a_suspect_that_no_judge_answers_for_is_dropped_by_its_verdict(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"q": "mills along the river"}\n')
    rows = [{"id": "near", "text": "the river along mills"}, {"id": "far", "text": "people of the town"}]
    source = {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "source": "s"}
    sets = [{"name": "set", "path": str(tmp_path / "items.jsonl"), "question": "q"}]
    nobody = {"base_url": "http://127.0.0.1:9/v1", "model": "none", "attempts": 1}
    steps = [
        {"find_rephrasings": {"model": EXAMPLE, "sets": sets, "min_similarity": 0.95}},
        {"judge_rephrasings": {"endpoint": nobody}},
        {"listed_value": {"column": "rephrasing_verdict", "deny": ["same", "unanswered"]}},
    ]
    result = curate(tmp_path / "out", source, steps)
    (kept,) = documents(result)
    assert (kept["id"], kept["rephrasing_verdict"]) == ("far", None)
    (drop,) = pq.read_table(result.path / "ledger" / "drops").to_pylist()
    assert (drop["id"], drop["step"], drop["rule"]) == ("near", "listed_value", "deny")
