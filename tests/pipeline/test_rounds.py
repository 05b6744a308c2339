"""Another decision uses the sketches that stand; a solve that was ended in a round goes on behind its last table."""

import hashlib
import random
from pathlib import Path
from typing import Any

import pytest
from small_runs import curate, documents, jsonl

from pipeline import runner, verdicts

WORDS = [f"{a}{b}" for a in ("ka", "lo", "mi", "nu") for b in ("ra", "se", "ti", "vo", "z")]


@pytest.fixture
def source(tmp_path: Path) -> dict[str, str]:
    rng = random.Random(3)
    rows = []
    for base in range(30):
        words = rng.choices(WORDS, k=200)
        rows.append({"id": f"{base}-a", "text": " ".join(words)})
        words[100] += "q"
        rows.append({"id": f"{base}-b", "text": " ".join(words)})
    return {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "source": "s"}


def run(folder: Path, source: dict[str, str], **keys: Any) -> Any:
    resources = {"part_bytes": "20KB"}
    return curate(folder, source, [{"minhash_dedup": keys}], resources=resources)


def test_another_threshold_computes_no_sketch(tmp_path: Path, source: dict[str, str]) -> None:
    first = run(tmp_path / "a", source)
    assert len(documents(first)) == 30
    for changes in ({"threshold": 0.99, "bands": 20, "rows": 7}, {"chains": True}, {"keep": "longest"}, {"verify": "none"}):
        other = run(tmp_path / "-".join(changes), source, **changes)
        (sketched, _) = other.manifest["segments"]
        assert sketched["reused"] == sketched["parts"] > 2
        assert sketched["fingerprint"] == first.manifest["segments"][0]["fingerprint"]
    assert len(documents(run(tmp_path / "strict", source, threshold=0.99, bands=20, rows=7))) == 60


def test_other_bands_do(tmp_path: Path, source: dict[str, str]) -> None:
    first, other = run(tmp_path / "a", source), run(tmp_path / "b", source, bands=10)
    assert other.manifest["segments"][0]["fingerprint"] != first.manifest["segments"][0]["fingerprint"]


def data(result: Any) -> str:
    return "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((result.path / "data").iterdir()))


@pytest.mark.parametrize("in_one_task", [True, False])
@pytest.mark.parametrize("ended", ["keys", "pairs", "components", "members", "decisions"])
def test_a_solve_that_was_ended_in_a_round_goes_on_there(
    tmp_path: Path, source: dict[str, str], ended: str, in_one_task: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = data(run(tmp_path / "whole" / "out", source))
    if not in_one_task:
        monkeypatch.setattr(runner, "ONE_TASK_DOCUMENTS", 0)
    save, saved = verdicts._save, []

    def until(function: Any, item: Any) -> None:
        name = item[0].path.name.partition("-")[0]
        if name == ended:
            raise KeyboardInterrupt
        save(function, item)
        saved.append(name)

    def counted(function: Any, item: Any) -> None:
        save(function, item)
        saved.append(item[0].path.name.partition("-")[0])

    with monkeypatch.context() as patched:
        patched.setattr(verdicts, "_save", until)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed" / "out", source)
    before = list(saved)
    assert ended not in before
    saved.clear()
    monkeypatch.setattr(verdicts, "_save", counted)
    result = run(tmp_path / "killed" / "out", source)
    assert data(result) == expected
    assert not set(saved) & set(before)
    assert {*saved, *before} == {"keys", "pairs", "components", "members", "decisions"}
    assert not list((tmp_path / "killed").rglob("rounds/*"))
