"""`sluice train perplexity` makes the same model from the same documents, and a recipe scores and buckets with it."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app

SENTENCE = "the river rises in hills to north of town and people who live along it have built mills there"
WORDS = SENTENCE.split()


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    chance = random.Random(1)
    lines = [" ".join(chance.choices(WORDS, k=12)) for _ in range(600)]
    texts = [f"{lines[at]}.\n{lines[at + 1]}" for at in range(0, 600, 2)]
    pq.write_table(pa.table({"text": [*texts, "", None]}), "clean.parquet")
    return tmp_path


def trained(*arguments: str, output: str = "model") -> Any:
    result = sluice("train", "perplexity", "--input", "clean.parquet", "-o", output, "--json", "--order", "3", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_model_and_its_card_are_written(clean: Path) -> None:
    card = trained("--held-back", "0.2", "--prune-from", "3")
    assert sorted(path.name for path in clean.iterdir()) == ["clean.parquet", "model"]
    assert sorted(path.name for path in (clean / "model").iterdir()) == ["card.json", "card.md", "model.arpa"]
    assert json.loads((clean / "model" / "card.json").read_text()) == card
    read = card["input"]
    assert read["trained"] + read["held_back"] + read["without_tokens"] == read["documents"]
    assert read["documents"] + read["faults"] == 302
    assert 30 <= read["held_back"] <= 90
    assert card["counts"]["sentences"] == 2 * read["trained"]
    assert card["counts"]["tokens"] == 25 * read["trained"]
    assert card["orders"][2]["pruned"] > 0
    assert card["orders"][0]["ngrams"] == len(set(WORDS)) + 4
    held = card["held_back"]
    # words by chance: as many as there are, but for the mark and the end of the line
    assert 8 < held["perplexity"] < 25
    assert held["quantiles"]["5"] <= held["quantiles"]["33"] <= held["quantiles"]["95"]
    page = (clean / "model" / "card.md").read_text()
    assert card["model"]["sha256"] in page
    assert "| 33 |" in page


def test_a_recipe_scores_and_buckets_with_it(clean: Path) -> None:
    trained()
    rows = [{"id": f"{at}", "text": " ".join(WORDS[at : at + 3] * (at + 1)), "language": "en"} for at in range(9)]
    rows.append({"id": "odd", "text": "click click login zzz", "language": "en"})
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("r.yaml").write_text(
        """
name: buckets
input: {path: in.jsonl, columns: {language: language}}
stages:
  - score_perplexity: {models: {en: model}}
  - bucket_perplexity: {quantiles: [0.3, 0.6]}
  - listed_value: {column: perplexity_bucket, allow: [head, middle]}
"""
    )
    result = sluice("run", "r.yaml", "--engine", "local", "--output", "out", "--quiet")
    assert result.exit_code == 0, result.output
    kept = [row for shard in Path("out/data").glob("*.parquet") for row in pq.read_table(shard).to_pylist()]
    assert len(kept) == 6
    assert "odd" not in {row["id"] for row in kept}
    manifest = json.loads(Path("out/manifest.json").read_text())
    (facts,) = [step["facts"] for step in manifest["steps"] if step["step"] == "bucket_perplexity"]
    limits = facts["groups"]["en"]["limits"]
    assert max(row["perplexity"] for row in kept) == limits["middle"]
    assert {row["perplexity_bucket"] for row in kept if row["perplexity"] <= limits["head"]} == {"head"}
    assert any(path.endswith("model.arpa") for path in manifest["models"])


def test_the_same_documents_give_the_same_bytes_in_any_order(clean: Path) -> None:
    trained()
    texts = [text or "" for text in pq.read_table("clean.parquet")["text"].to_pylist()][::-1]
    for name, part in (("a", texts[:100]), ("b", texts[100:])):
        Path(f"{name}.jsonl").write_text("".join(json.dumps({"body": text}) + "\n" for text in part))
    arguments = ["--input", "a.jsonl", "--input", "b.jsonl", "--text", "body", "-o", "again", "--order", "3"]
    assert sluice("train", "perplexity", *arguments).exit_code == 0
    assert (clean / "again" / "model.arpa").read_bytes() == (clean / "model" / "model.arpa").read_bytes()
    trained("--seed", "2", output="third")
    assert (clean / "third" / "model.arpa").read_bytes() != (clean / "model" / "model.arpa").read_bytes()


def test_pieces_go_into_the_folder(clean: Path) -> None:
    import sentencepiece

    texts = [text for text in pq.read_table("clean.parquet")["text"].to_pylist() if text]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix="sp", vocab_size=40, hard_vocab_limit=False, minloglevel=2
    )
    card = trained("--sentencepiece", "sp.model")
    assert (clean / "model" / "sentencepiece.model").read_bytes() == Path("sp.model").read_bytes()
    assert card["tokens"]["sentencepiece"]["file"] == "sentencepiece.model"
    assert card["counts"]["tokens"] > 25 * card["input"]["trained"]


def test_words_tell_the_same(clean: Path) -> None:
    result = sluice("train", "perplexity", "--input", "clean.parquet", "-o", "model", "--order", "2")
    assert result.exit_code == 0, result.output
    for words in ("held back; ", "n-grams of order 2", "a third of the documents below", "its card: model/card.md"):
        assert words in result.stdout


def test_an_earlier_model_is_written_over_only_by_force(clean: Path) -> None:
    trained()
    before = (clean / "model" / "model.arpa").read_bytes()
    result = sluice("train", "perplexity", "--input", "clean.parquet", "-o", "model", "--order", "2")
    assert "model exists; --force writes over it" in result.output
    assert (clean / "model" / "model.arpa").read_bytes() == before
    assert trained("--force", "--order", "2")["options"]["order"] == 2
    assert (clean / "model" / "model.arpa").read_bytes() != before
    (clean / "mine").mkdir()
    result = sluice("train", "perplexity", "--input", "clean.parquet", "-o", "mine", "--force")
    assert "mine is no folder with a model's card.json" in result.output
    assert (clean / "mine").is_dir()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "gone.jsonl"], "gone.jsonl"),
        (["--input", "clean.parquet", "--order", "1"], "order is 1, expected 2 to 6"),
        (["--input", "clean.parquet", "--order", "7"], "order is 7, expected 2 to 6"),
        (["--input", "clean.parquet", "--prune-from", "6"], "prune from is 6, expected 2 to the order, 5"),
        (["--input", "clean.parquet", "--held-back", "0"], "above 0 and below 1"),
        (["--input", "clean.parquet", "--text", "body"], "body"),
        (["--input", "one.jsonl"], "expected at least one of each"),
        (["--input", "clean.parquet", "--sentencepiece", "one.jsonl"], "cannot be read as a model of sentencepiece"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(clean: Path, arguments: list[str], message: str) -> None:
    Path("one.jsonl").write_text('{"text": "one"}\n')
    result = sluice("train", "perplexity", *arguments, "-o", "model")
    assert result.exit_code != 0
    assert message in result.output
    assert {path.name for path in clean.iterdir()} == {"clean.parquet", "one.jsonl"}
