"""Crawls added one after another give what one run over all gives; a take-down, what a run without them gives."""

import random
from pathlib import Path
from typing import Any

import pytest
from small_runs import curate, documents, jsonl

from pipeline import indexing
from schemas.errors import InputError, StageError
from stages.core.sketch_index import SketchIndex

WORDS = [f"{a}{b}{c}" for a in ("ka", "lo", "mi") for b in ("ra", "se", "ti", "vo") for c in ("n", "p", "x", "z")]
CRAWLS = 10


def corpus(seed: int = 7) -> list[list[dict[str, Any]]]:
    """Crawls of texts that drift from one crawl to the next, so that some are copies, some near-copies, some chains."""
    rng = random.Random(seed)
    texts = [rng.choices(WORDS, k=120) for _ in range(12)]
    crawls = []
    for crawl in range(CRAWLS):
        rows = []
        for at, words in enumerate(texts):
            if rng.random() < 0.8:
                url = f"https://{'blog.' if at % 2 else ''}site{at % 4}.example/{crawl}"
                rows.append({"id": f"c{crawl}-{at}", "text": " ".join(words), "url": url})
            if rng.random() < 0.5:
                words[rng.randrange(len(words))] = f"q{rng.randrange(99)}"
        crawls.append(rows)
    return crawls


def run(folder: Path, name: str, rows: list[dict[str, Any]], step: str = "minhash_dedup", **keys: Any) -> Any:
    source = {"path": str(jsonl(folder / f"{name}.jsonl", rows)), "source": "s"}
    return curate(folder / name, source, [{step: keys}])


def ids(result: Any) -> set[str]:
    return {row["id"] for row in documents(result)}


def kept(index: SketchIndex, crawls: list[list[dict[str, Any]]]) -> set[str]:
    gone = set(index.dropped(indexing.DROPPED)["id"].to_pylist())
    return {row["id"] for rows in crawls for row in rows} - gone


@pytest.mark.parametrize("keys", [{}, {"chains": True}, {"verify": "signature"}, {"verify": "none"}])
def test_crawls_one_after_another_are_one_run_over_all(tmp_path: Path, keys: dict[str, Any]) -> None:
    crawls = corpus()
    whole = ids(run(tmp_path, "whole", [row for rows in crawls for row in rows], **keys))
    place, union = tmp_path / "index", set[str]()
    for number, rows in enumerate(crawls):
        against = {"index": str(place)} if number else {}
        result = run(tmp_path, f"crawl{number}", rows, **keys, **against)
        union |= ids(result)
        change = (indexing.add if number else indexing.build)(place, result.path)
        union -= set(change.superseded["id"].to_pylist())
        if not keys.get("chains") and keys.get("verify") != "none":
            assert change.superseded.num_rows == 0  # earlier crawls stay
    assert len(whole) < sum(map(len, crawls))
    assert kept(SketchIndex(place), crawls) == whole
    assert union == whole


def test_equal_documents_of_earlier_crawls_are_found_from_their_hashes(tmp_path: Path) -> None:
    crawls = corpus(5)
    whole = ids(run(tmp_path, "whole", [row for rows in crawls for row in rows], "exact_dedup"))
    place, union = tmp_path / "index", set[str]()
    for number, rows in enumerate(crawls):
        result = run(tmp_path, f"crawl{number}", rows, "exact_dedup", **({"index": str(place)} if number else {}))
        union |= ids(result)
        (indexing.add if number else indexing.build)(place, result.path)
    assert union == kept(SketchIndex(place), crawls) == whole
    assert len(whole) < sum(map(len, crawls))
    told = indexing.stat(SketchIndex(place))
    assert (told["step"], told["compared"]) == ("exact_dedup", "hash")
    assert told["bytes_per_document"] < 400  # names and Parquet's own; no text, no shingles
    with pytest.raises((InputError, StageError), match="holds sketches of exact_dedup, not of minhash_dedup"):
        run(tmp_path, "other", crawls[0], index=str(place))
    indexing.remove(place, ids=["c0-1"])
    left = [row for rows in crawls for row in rows if row["id"] != "c0-1"]
    assert kept(SketchIndex(place), [left]) == ids(run(tmp_path, "never", left, "exact_dedup"))


def test_the_latest_of_equal_pages_supersedes_that_of_an_earlier_crawl(tmp_path: Path) -> None:
    page = {"text": "the same", "url": "https://a.example/"}
    keys = {"keep": "latest", "columns": ["url"], "supersede": True}
    first = run(tmp_path, "first", [{**page, "id": "old", "date": "2024-01-01"}], "exact_dedup", **keys)
    indexing.build(tmp_path / "index", first.path)
    rows = [{**page, "id": "new", "date": "2024-02-01", "text": "changed"}]
    second = run(tmp_path, "second", rows, "exact_dedup", **keys, index=str(tmp_path / "index"))
    assert ids(second) == {"new"}
    (told,) = indexing.add(tmp_path / "index", second.path).superseded.to_pylist()
    assert (told["id"], told["survivor_id"]) == ("old", "new")


def test_a_run_with_both_deduplications_has_sketches_of_either(tmp_path: Path) -> None:
    source = {"path": str(jsonl(tmp_path / "in.jsonl", corpus()[0])), "source": "s"}
    result = curate(tmp_path / "both", source, ["exact_dedup", "minhash_dedup"])
    assert indexing.build(tmp_path / "a", result.path).index.about["step"] == "minhash_dedup"
    assert indexing.build(tmp_path / "b", result.path, step="exact_dedup").index.about["step"] == "exact_dedup"
    with pytest.raises(InputError, match="has no step line_dedup"):
        indexing.build(tmp_path / "c", result.path, step="line_dedup")


def test_a_better_copy_supersedes_where_keep_decides(tmp_path: Path) -> None:
    longer = {"id": "new", "text": " ".join(WORDS[:40]) + " and more"}
    old = [{"id": "old", "text": " ".join(WORDS[:40])}, {"id": "other", "text": " ".join(WORDS[3:47][::-1])}]
    keys = {"keep": "longest", "supersede": True}
    first = run(tmp_path, "first", old, **keys)
    indexing.build(tmp_path / "index", first.path)
    second = run(tmp_path, "second", [longer], **keys, index=str(tmp_path / "index"))
    assert ids(second) == {"new"}
    (step,) = [step for step in second.manifest["steps"] if step["step"] == "minhash_dedup"]
    assert (step["facts"]["superseded"], step["facts"]["crawls"]) == (1, 1)
    change = indexing.add(tmp_path / "index", second.path)
    (told,) = change.superseded.to_pylist()
    assert (told["id"], told["survivor_id"]) == ("old", "new")
    assert ids(run(tmp_path, "third", [longer], keep="longest", index=str(tmp_path / "index"))) == set()


def test_a_take_down_gives_what_a_run_that_never_saw_the_documents_gives(tmp_path: Path) -> None:
    crawls = corpus(3)
    place = tmp_path / "index"
    for number, rows in enumerate(crawls):
        result = run(tmp_path, f"crawl{number}", rows, **({"index": str(place)} if number else {}))
        (indexing.add if number else indexing.build)(place, result.path)
    change = indexing.remove(place, ids=["c0-1", "s:c1-2"], domains=["site3.example"])
    gone = {"c0-1", "c1-2"} | {row["id"] for rows in crawls for row in rows if "site3.example" in row["url"]}
    left = [[row for row in rows if row["id"] not in gone] for rows in crawls]
    never = ids(run(tmp_path, "never", [row for rows in left for row in rows]))
    assert kept(SketchIndex(place), left) == never
    assert change.removed == len(gone & {row["id"] for rows in crawls for row in rows})
    assert change.restored.num_rows > 0
    assert set(change.restored["id"].to_pylist()) <= never
    with pytest.raises(InputError, match="nothing was taken down"):
        indexing.remove(place, ids=["c0-1"])


def test_an_index_refuses_sketches_of_other_parameters(tmp_path: Path) -> None:
    rows = corpus()[0]
    indexing.build(tmp_path / "index", run(tmp_path, "a", rows, verify="signature").path)
    with pytest.raises(InputError, match=r"seed 1 \(here 2\)"):
        indexing.add(tmp_path / "index", run(tmp_path, "b", rows, seed=2).path)
    with pytest.raises((InputError, StageError), match=r"seed 1 \(here 2\)"):
        run(tmp_path, "c", rows, seed=2, index=str(tmp_path / "index"))
    with pytest.raises((InputError, StageError), match="without shingles"):
        run(tmp_path, "d", rows, index=str(tmp_path / "index"))
    with pytest.raises(InputError, match="is no index"):
        run(tmp_path, "e", rows, index=str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="not empty"):
        indexing.build(tmp_path / "index", tmp_path / "a")
    with pytest.raises(InputError, match="has a crawl 'a' already"):
        indexing.add(tmp_path / "index", tmp_path / "a")
    assert SketchIndex(tmp_path / "index").crawls == ["a"]


def test_stat_tells_what_a_document_takes(tmp_path: Path) -> None:
    change = indexing.build(tmp_path / "index", run(tmp_path, "a", corpus()[0]).path, name="first")
    told = indexing.stat(change.index)
    (crawl,) = told["crawls"]
    assert crawl["documents"] == told["documents"] == len(corpus()[0])
    assert crawl["kept"] + crawl["dropped"] == crawl["documents"]
    assert told["bytes"] == sum(path.stat().st_size for path in (tmp_path / "index/crawls").rglob("*.parquet"))
    assert told["compared"] == "set"
