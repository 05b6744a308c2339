"""With `order: curriculum` the training set is in the order of a score, in shards that come out alike, on any engine."""

import hashlib
import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_runs import curate, documents, jsonl

from pipeline.curriculum import CurriculumOrder, _share
from pipeline.trial import MemorySketches, MemoryVerdicts
from schemas.errors import RecipeError
from stages.kernels.hashing import order_keys

COLUMNS = {"columns": {"score": {"column": "score", "type": "float64"}}}


@pytest.fixture
def source(tmp_path: Path) -> dict[str, Any]:
    rng = random.Random(4)
    rows: list[dict[str, Any]] = []
    for at in range(400):
        score = rng.choice([None, 0.0, 0.5, rng.random(), 100 * rng.random()])
        rows.append({"id": f"{at}", "text": f"word {at} " * rng.randrange(1, 30), "score": score})
    return {"path": str(jsonl(tmp_path / "in.jsonl", rows)), "source": "s", **COLUMNS}


def data(result: Any) -> str:
    return "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((result.path / "data").iterdir()))


def small(folder: Path, source: dict[str, Any], *stages: Any, descending: bool = False, **keys: Any) -> Any:
    output = {"order": "curriculum", "by": "score", "descending": descending, "shard_bytes": "8KB", "row_group_bytes": "3KB"}
    return curate(folder, source, list(stages), output=output, **{"resources": {"part_bytes": "10KB"}, **keys})


@pytest.mark.parametrize("descending", [False, True])
def test_scores_ascend_or_descend_and_missing_ones_are_last(tmp_path: Path, source: dict[str, Any], descending: bool) -> None:
    result = small(tmp_path / "out", source, "exact_dedup", descending=descending)
    rows = documents(result)
    assert len(rows) == 400
    assert "_order_key" not in rows[0]
    scores = [row["score"] for row in rows]
    known = [score for score in scores if score is not None]
    assert scores == sorted(known, reverse=descending) + [None] * (400 - len(known))
    same = [row["id"] for row in rows if row["score"] == 0.5]
    assert same != sorted(same, key=int)  # shuffled among themselves
    shards = sorted((result.path / "data").iterdir())
    sizes = [pq.read_metadata(path).num_rows for path in shards]
    assert len(sizes) > 3
    assert max(sizes) < 2.5 * min(sizes)


def test_engines_parts_and_workers_give_the_same_bytes(tmp_path: Path, source: dict[str, Any], ray_cluster: None) -> None:
    expected = data(small(tmp_path / "a" / "out", source))
    assert data(small(tmp_path / "b" / "out", source, engine="local", workers=3)) == expected
    assert data(small(tmp_path / "c" / "out", source, engine="ray", workers=2)) == expected
    rows = [row["id"] for row in documents(small(tmp_path / "d" / "out", source, resources={"part_bytes": "2KB"}))]
    assert rows == [row["id"] for row in documents(small(tmp_path / "e" / "out", source))]


def test_a_mixture_can_be_put_in_order(tmp_path: Path, source: dict[str, Any]) -> None:
    rows = documents(
        small(tmp_path / "out", source, "count_tokens", {"mix": {"max_epochs": 2, "tokens": None, "shares": {"s": 1.0}}})
    )
    assert len(rows) == 800
    known = [row["score"] for row in rows if row["score"] is not None]
    assert known == sorted(known)


def test_a_key_is_the_place_among_all_documents() -> None:
    scores = [3.0, 1.0, 1.0, None, 2.0, 1.0]
    table = pa.table(
        {"id": [str(at) for at in range(6)], "source": ["s"] * 6, "score": pa.array(scores, pa.float64()), "row": range(6)}
    )
    table = table.set_column(2, "score", table["score"].fill_null(np.nan))
    stage = CurriculumOrder(by="score")
    for edges in ([0, 6], [0, 2, 2, 6]):
        parts = [table.slice(a, b - a) for a, b in itertools.pairwise(edges)]
        verdicts = MemoryVerdicts([6] * len(parts), stage.columns_written())
        stage.solve(MemorySketches(parts, parts), verdicts)
        keys = [
            key
            for part in range(len(parts))
            if part in verdicts.values
            for key in verdicts.values[part]["_order_key"].to_pylist()
        ]
        hashes = order_keys(0, "order", table["source"], table["id"]).tolist()
        order = sorted(range(6), key=lambda at: keys[at])
        assert order == [*sorted([1, 2, 5], key=lambda at: hashes[at]), 4, 0, 3]
        step = (2**64 - 1) // 6
        assert 3 * step <= keys[4] < 4 * step


def test_a_share_grows_with_the_hash_and_stays_below_the_whole() -> None:
    rng = np.random.default_rng(1)
    for whole in (1, 1000, 2**40 + 12345, 2**64 - 1):
        hashes = np.sort(
            np.concatenate([rng.integers(0, 2**64, 500, np.uint64), np.array([0, 2**32 - 1, 2**32, 2**64 - 1], np.uint64)])
        )
        shares = [int(one) for one in _share(np.full(len(hashes), whole, np.uint64), hashes)]
        assert shares == sorted(shares)
        assert shares[-1] < whole or whole == 1
        exact = [whole * int(one) // 2**64 for one in hashes]
        assert max(abs(a - b) for a, b in zip(shares, exact, strict=True)) <= 2


def test_an_order_without_its_column_is_refused(tmp_path: Path, source: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="order: curriculum and by: COLUMN go together"):
        curate(tmp_path / "a", source, output={"order": "curriculum"})
    with pytest.raises(RecipeError, match="go together"):
        curate(tmp_path / "b", source, output={"by": "score"})
    with pytest.raises(RecipeError, match=r"output\.by: curriculum reads the column 'nowhere', which nothing before it writes"):
        curate(tmp_path / "c", source, output={"order": "curriculum", "by": "nowhere"})
