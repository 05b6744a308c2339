"""The same bytes for the local engine, for Ray, for any number of workers and any batch size."""

import hashlib
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import pipeline

HOME = Path(__file__).parents[2]
RECIPES = sorted((HOME / "jobs" / "recipes").glob("*.yaml"))
VARIANTS = [
    ("local", 2, 50_000),
    ("local", 3, 1_000_000),
    ("ray", 1, 50_000),
    ("ray", 2, 300_000),
    ("ray", 3, 4_000_000),
]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Some of the sample, as Parquet and as plain JSONL, so that both are cut into several parts."""
    folder = tmp_path_factory.mktemp("corpus")
    manuals = pq.read_table(HOME / "jobs" / "sample" / "manuals-00.parquet")
    english = pc.equal(manuals["lang"], "en")
    manuals = pa.concat_tables([manuals.filter(english).slice(0, 200), manuals.filter(pc.invert(english)).slice(0, 50)])
    pq.write_table(manuals, folder / "manuals.parquet", row_group_size=40)
    half = pl.from_arrow(manuals.slice(120, 130))
    assert isinstance(half, pl.DataFrame)
    half.with_columns("again-" + pl.col("id")).select("id", "text", "license").write_ndjson(folder / "again.jsonl")
    return [str(folder / "manuals.parquet"), str(folder / "again.jsonl")]


def hashes(run: pipeline.Run) -> dict[str, str]:
    """SHA-256 of each file of data/."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((run.path / "data").iterdir())}


def ledger(run: pipeline.Run, kind: str) -> pa.Table:
    """All rows of a kind of ledger file, sorted."""
    tables = [pq.read_table(path) for path in sorted((run.path / "ledger" / kind).glob("*.parquet"))]
    table = pa.concat_tables(tables)
    return table.sort_by([(name, "ascending") for name in ("source", "id", "step", "rank") if name in table.column_names])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_all_engines_workers_and_batch_sizes_give_the_same_bytes(
    recipe: Path, corpus: list[str], tmp_path: Path, ray_cluster: None
) -> None:
    settings = ["resources.part_bytes=200KB", "output.shard_bytes=60KB", "output.row_group_bytes=20KB", "failures.min_count=0"]
    place = tmp_path / "0" / "run"
    if recipe.stem == "demo":
        settings.append("mix.tokens=null")  # as many as there are: this is less than the sample
    if recipe.stem == "rephrase":
        settings.append("rephrase.styles=[distill]")
        corpus = corpus[:1]
    if recipe.stem == "web":
        corpus = [str(HOME / "jobs" / "sample" / "pages.warc.gz")]
    first = pipeline.run(recipe, input=corpus, output=place, engine="local", workers=1, set=settings, progress="none")
    assert first.manifest["counts"]["out"]["documents"] > (5 if recipe.stem == "web" else 20)
    assert len(hashes(first)) > 1
    for number, (engine, workers, batch_bytes) in enumerate(VARIANTS, 1):
        run = pipeline.run(
            recipe,
            input=corpus,
            output=tmp_path / str(number) / "run",
            engine=engine,  # type: ignore[arg-type]
            workers=workers,
            set=[*settings, f"resources.batch_bytes={batch_bytes}"],
            progress="none",
        )
        assert run.manifest["segments"][0]["parts"] > 2
        assert hashes(run) == hashes(first), (engine, workers, batch_bytes)
        assert ledger(run, "drops").equals(ledger(first, "drops"))
        assert run.manifest["counts"] == first.manifest["counts"]


def test_another_seed_gives_another_order_of_the_same_documents(corpus: list[str], tmp_path: Path) -> None:
    recipe = {"name": "order", "stages": ["exact_dedup"]}
    runs = [
        pipeline.run(recipe, input=corpus, output=tmp_path / seed, engine="local", set=[f"seed={seed}"], progress="none")
        for seed in ("0", "1")
    ]
    ids = [run.table(["id"]).collect()["id"].to_list() for run in runs]
    assert ids[0] != ids[1]
    assert sorted(ids[0]) == sorted(ids[1])
