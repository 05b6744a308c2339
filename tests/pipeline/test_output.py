"""The files of data/: their order, sizes and schema, and who can read them."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from small_runs import counts, curate, documents, jsonl

from schemas.columns import TOKEN_COUNT
from schemas.errors import RecipeError

CORE = ["id", "source", "text", "url", "date", "token_count", "extra"]


def corpus(folder: Path, count: int = 400, size: int = 100) -> str:
    """`count` documents of about `size` bytes in four files."""
    for file in range(4):
        rows = ({"id": f"{number:04d}", "text": f"{number:04d} " + "x" * size} for number in range(file, count, 4))
        jsonl(folder / f"{file}.jsonl", rows)
    return str(folder)


def shards(result: Any) -> list[pq.FileMetaData]:
    return [pq.read_metadata(path) for path in sorted(result.path.glob("data/*"))]


def test_the_seeded_order_depends_on_seed_and_id_only(tmp_path: Path) -> None:
    """DET-3."""
    path = corpus(tmp_path / "in")
    orders = {}
    for name, keys in {"a": {"seed": 1}, "b": {"seed": 1, "resources": {"part_bytes": 5000}}, "c": {"seed": 2}}.items():
        orders[name] = [row["id"] for row in documents(curate(tmp_path / name, path, **keys))]
    assert orders["a"] == orders["b"] != orders["c"]
    assert sorted(orders["a"]) == sorted(orders["c"]) != orders["a"]


def test_the_sources_order_is_kept_if_asked_for(tmp_path: Path) -> None:
    path = corpus(tmp_path / "in")
    expected = [f"{number:04d}" for file in range(4) for number in range(file, 400, 4)]
    for part_bytes in (3000, 10**6):
        result = curate(
            tmp_path / str(part_bytes),
            path,
            output={"order": "source", "shard_bytes": 9000},
            resources={"part_bytes": part_bytes},
            workers=2,
        )
        assert [row["id"] for row in documents(result)] == expected


@pytest.mark.parametrize("order", ["seeded", "source"])
@pytest.mark.parametrize("shard_bytes", [2000, 10_000, 25_000, 10**6])
def test_shards_are_near_their_target_and_the_last_has_at_least_half(tmp_path: Path, order: str, shard_bytes: int) -> None:
    """SCH-4."""
    output = {"order": order, "shard_bytes": shard_bytes}
    result = curate(tmp_path / "out", corpus(tmp_path / "in"), output=output, resources={"part_bytes": 10_000})
    sizes = [shard["text_bytes"] for shard in result.manifest["shards"]]
    total = sum(sizes)
    assert total == 400 * 105
    assert len(sizes) == pytest.approx(total / shard_bytes, rel=0.35, abs=1)
    assert all(0 < size < 2 * shard_bytes for size in sizes)
    if len(sizes) > 1:
        assert sizes[-1] >= shard_bytes / 2
    names = [shard["path"] for shard in result.manifest["shards"]]
    assert names == [f"data/part-{number:05d}-of-{len(sizes):05d}.parquet" for number in range(len(sizes))]


@pytest.mark.parametrize("order", ["seeded", "source"])
def test_shards_of_skewed_documents_are_never_empty(tmp_path: Path, order: str) -> None:
    """SCH-4: most of the text is in a few documents, two of them at the end."""
    sizes = [10] * 300 + [60_000] + [10] * 300 + [30_000, 50_000]
    path = jsonl(tmp_path / "a.jsonl", ({"id": str(number), "text": "x" * size} for number, size in enumerate(sizes)))
    result = curate(tmp_path / "out", str(path), output={"order": order, "shard_bytes": 20_000})
    assert counts(result)["out"] == 603
    assert all(metadata.num_rows > 0 for metadata in shards(result))
    assert result.manifest["shards"][-1]["text_bytes"] >= 10_000


@pytest.mark.parametrize("order", ["seeded", "source"])
def test_shard_rows_limit_the_documents_of_a_file(tmp_path: Path, order: str) -> None:
    result = curate(tmp_path / "out", corpus(tmp_path / "in"), output={"order": order, "shard_rows": 50})
    rows = [metadata.num_rows for metadata in shards(result)]
    assert len(rows) == pytest.approx(8, abs=1)
    assert all(25 <= number <= 100 for number in rows)


@pytest.mark.parametrize("order", ["seeded", "source"])
def test_row_groups_hold_about_their_bytes(tmp_path: Path, order: str) -> None:
    output = {"order": order, "row_group_bytes": 5000}
    (metadata,) = shards(curate(tmp_path / "out", corpus(tmp_path / "in"), output=output))
    rows = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert sum(rows) == 400
    assert max(rows) * 105 < 2 * 5000
    assert sum(rows) / len(rows) * 105 > 5000 / 3


def test_a_key_that_most_documents_lack_changes_no_schema(tmp_path: Path) -> None:
    """SCH-1: a column of nothing but nulls has its declared type in every file."""
    rows = [{"id": f"{number:03d}", "text": "x" * 100} for number in range(200)]
    rows[7]["title"] = "one"
    path = jsonl(tmp_path / "a.jsonl", rows)
    entry = {"path": str(path), "columns": {"title": "title", "stars": {"column": "stars", "type": "int64"}}}
    result = curate(tmp_path / "out", entry, output={"shard_bytes": 3000})
    schemas = [pq.read_schema(file) for file in sorted(result.path.glob("data/*"))]
    assert len(schemas) > 3
    assert all(schema.equals(schemas[0]) for schema in schemas)
    names = ["id", "source", "text", "url", "date", "title", "stars", "token_count", "extra"]
    assert schemas[0].names == names
    types = [str(kind) for kind in schemas[0].types]
    assert types == ["string", "string", "large_string", "string", "string", "string", "int64", "int64", "string"]
    assert [field.name for field in schemas[0] if not field.nullable] == ["id", "source", "text", "token_count"]


def test_no_survivors_give_one_empty_file_with_the_schema_and_a_warning(tmp_path: Path) -> None:
    """SCH-3."""
    result = curate(tmp_path / "out", corpus(tmp_path / "in"), [{"word_count": {"min_words": 1000}}])
    (metadata,) = shards(result)
    assert metadata.num_rows == 0
    (path,) = result.path.glob("data/*")
    assert path.name == "part-00000-of-00001.parquet"
    assert pq.read_schema(path).names == CORE
    assert any("No document was kept: 400 came in" in warning for warning in result.manifest["warnings"])


def test_no_documents_at_all_are_a_valid_run(tmp_path: Path) -> None:
    result = curate(tmp_path / "out", str(jsonl(tmp_path / "a.jsonl", [])), ["exact_dedup", "minhash_dedup"])
    assert counts(result) == {"in": 0, "out": 0, "dropped": 0, "quarantined": 0}
    assert result.manifest["warnings"] == ["No documents came in: the inputs are empty."]
    assert documents(result) == []


def test_pages_are_indexed_and_compressed(tmp_path: Path) -> None:
    """SCH-4."""
    (metadata,) = shards(curate(tmp_path / "out", corpus(tmp_path / "in")))
    column = metadata.row_group(0).column(0)
    assert column.has_offset_index
    assert column.has_column_index
    assert column.compression == "ZSTD"


def test_others_read_the_files_without_a_hint(tmp_path: Path) -> None:
    """SCH-5: polars, DuckDB and datasets."""
    import datasets
    import duckdb
    import polars as pl

    result = curate(tmp_path / "out", corpus(tmp_path / "in"), output={"shard_bytes": 5000})
    pattern = f"{result.path}/data/*.parquet"
    expected = [(row["id"], row["text"], row["token_count"]) for row in documents(result)]
    assert len(list(result.path.glob("data/*"))) > 3
    assert pl.scan_parquet(pattern).select("id", "text", "token_count").collect().rows() == expected
    with duckdb.connect() as connection:
        assert connection.sql(f"SELECT id, text, token_count FROM '{pattern}'").fetchall() == expected
    loaded = datasets.load_dataset("parquet", data_files=pattern, cache_dir=str(tmp_path / "cache"), split="train")
    assert [(row["id"], row["text"], row["token_count"]) for row in loaded] == expected
    assert loaded.column_names == CORE


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A tokenizer.json that splits at white space."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    made = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = WhitespaceSplit()
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_tokens_are_estimated_or_counted_by_a_tokenizer(tmp_path: Path, tokenizer: Path) -> None:
    texts = {"a": "one two  three", "b": "", "c": "漢字"}
    path = str(jsonl(tmp_path / "a.jsonl", ({"id": name, "text": text} for name, text in texts.items())))
    result = curate(tmp_path / "one", path)
    assert {row["id"]: row["token_count"] for row in documents(result)} == {"a": 4, "b": 0, "c": 2}
    assert result.manifest["token_counter"] == {"name": "estimate: UTF-8 bytes / 4.0", "exact": False}
    result = curate(tmp_path / "two", path, tokenizer=str(tokenizer))
    assert {row["id"]: row["token_count"] for row in documents(result)} == {"a": 3, "b": 0, "c": 1}
    assert result.manifest["token_counter"]["exact"]
    assert result.manifest["counts"]["out"]["tokens"] == 4
    (file,) = result.path.glob("data/*")
    assert pq.read_schema(file).field("token_count").equals(TOKEN_COUNT.remove_metadata())


def test_a_missing_tokenizer_is_an_error_that_names_the_nearest(tmp_path: Path, tokenizer: Path) -> None:
    path = str(jsonl(tmp_path / "a.jsonl", [{"text": "a"}]))
    with pytest.raises(RecipeError, match=r"no such file .*tokeniser\.json'; did you mean 'tokenizer\.json'"):
        curate(tmp_path / "out", path, tokenizer=str(tokenizer.with_name("tokeniser.json")))
    assert not (tmp_path / "out").exists()


def test_extra_holds_valid_json_or_nothing(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"id": "1", "text": "a", "n": 1.5, "q": '"\\\u2028'}, {"id": "2", "text": "b"}])
    found = {row["id"]: row["extra"] for row in documents(curate(tmp_path / "out", str(path)))}
    assert json.loads(found["1"]) == {"n": 1.5, "q": '"\\\u2028'}
    assert found["2"] is None
