import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from schemas.columns import TOKEN_COUNT
from schemas.errors import InputError
from stages.count_tokens import CountTokens


def counted(texts: list[str | None], **keys: object) -> list[int]:
    after = CountTokens(**keys).open()(pa.table({"text": pa.array(texts, pa.large_string())}))  # type: ignore[arg-type]
    assert after.schema.field("token_count").equals(TOKEN_COUNT)
    counts: list[int] = after["token_count"].to_pylist()
    return counts


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A tokenizer whose tokens are words, and which would add two special tokens, pad and cut."""
    tokenizer = Tokenizer(WordLevel({"?": 0, "a": 1, "[S]": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[S] $A [S]", special_tokens=[("[S]", 2)])
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=9)
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_the_estimate_is_bytes_by_four_rounded_up() -> None:
    assert counted(["", None, "a", "abcd", "abcde", "中文", "🙂"]) == [0, 0, 1, 1, 2, 2, 1]


def test_bytes_per_token_is_a_key() -> None:
    assert counted(["abcdefg"], bytes_per_token=3.5) == [2]
    assert counted(["abcdefgh"], bytes_per_token=3.5) == [3]
    with pytest.raises(ValidationError):
        CountTokens(bytes_per_token=0)


def test_a_tokenizer_counts_whole_texts_without_special_tokens(words: Path) -> None:
    assert counted(["a a b", "", None, "a " * 1000], tokenizer=str(words)) == [3, 0, 0, 1000]


def test_large_batches_are_counted_in_slices(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.count_tokens._CHUNK_BYTES", 4)
    assert counted(["a", "a a a a", "", "a a", "a", None], tokenizer=str(words)) == [1, 4, 0, 2, 1, 0]


def test_the_counter_is_named(words: Path) -> None:
    assert CountTokens().counter() == "estimate: UTF-8 bytes / 4.0"
    digest = hashlib.sha256(words.read_bytes()).hexdigest()
    assert CountTokens(tokenizer=str(words)).counter() == f"tokenizer.json sha256:{digest}"


def test_the_tokenizer_s_file_and_package_are_declared(words: Path) -> None:
    assert CountTokens().files() == ()
    assert CountTokens().requirements() == ()
    assert CountTokens(tokenizer=str(words)).files() == (str(words),)
    assert CountTokens(tokenizer=str(words)).requirements() == (("tokenizers", "tokenizers"),)


def test_a_missing_or_damaged_tokenizer_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        CountTokens(tokenizer=str(tmp_path / "gone.json")).open()
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(InputError, match=r"t\.json is no tokenizer\.json"):
        CountTokens(tokenizer=str(tmp_path / "t.json")).open()


def test_an_older_count_is_replaced_in_place() -> None:
    table = pa.table({"token_count": [9], "text": ["abcd"]})
    after = CountTokens().apply(table)
    assert after.column_names == ["token_count", "text"]
    assert after["token_count"].to_pylist() == [1]
