"""Perplexity is CCNet's measure of KenLM's scores, by language."""

import random
import re
import unicodedata
from pathlib import Path
from typing import Any

import kenlm
import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline.kneser_ney import estimate, write_arpa
from pipeline.ngram_counts import count
from pipeline.specimens import TEXTS
from schemas.errors import InputError
from stages.core.lm_text import _SIGNS, normalized, token_lines, words
from stages.score_perplexity import EXAMPLE, ScorePerplexity

RIVER = "The river rises in the hills."


def scored(stage: ScorePerplexity, *texts: str | None, languages: list[str | None] | None = None) -> list[float | None]:
    columns: dict[str, Any] = {"text": pa.array(texts, pa.large_string())}
    if languages is not None:
        columns["language"] = pa.array(languages, pa.string())
    table = stage.apply(pa.table(columns))
    assert table.schema.field(stage.column).type == pa.float64()
    found: list[float | None] = table[stage.column].to_pylist()
    return found


def model(path: Path, *lines: str) -> str:
    write_arpa(estimate(count([line.split() for line in lines], 2, 1, path), path), path / "other.arpa")
    return str(path / "other.arpa")


def test_the_perplexity_is_that_of_all_tokens_and_ends_of_lines() -> None:
    read = kenlm.Model(EXAMPLE)
    lines = ["the river rises in the hills .", "and the people"]
    expected = 10 ** (-sum(read.score(line) for line in lines) / (7 + 1 + 3 + 1))
    text = "  The RIVER rises in the hills.\n\n \nAnd the Péople "
    assert scored(ScorePerplexity(model=EXAMPLE), text) == [pytest.approx(expected, rel=1e-12)]
    # one line is what KenLM itself calls perplexity
    (alone,) = scored(ScorePerplexity(model=EXAMPLE), RIVER)
    assert alone == pytest.approx(read.perplexity("the river rises in the hills ."), rel=1e-12)


def test_text_like_the_model_s_has_a_lower_perplexity_and_no_tokens_have_none() -> None:
    near, far, *none = scored(ScorePerplexity(model=EXAMPLE), RIVER, "click buy cheap deals", "", None, " \n\t")
    assert near is not None
    assert far is not None
    assert near < far / 2
    assert none == [None, None, None]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  Café ÉCOLE n° 12 ", "cafe ecole n° 00"),
        ("“Quoted” — «so»… it’s", '"quoted"  -  "so"... it\'s'),
        ("（全角）：１２３％", "(全角):000%"),
        ("tab\there\x00\x85", "tabhere"),
        ("٣ १ ४", "0 0 0"),
        ("ASCII only 1999\x07", "ascii only 0000"),
        ("각", "\u1100\u1161\u11a8"),
        ("", ""),
    ],
)
def test_lines_are_normalised_as_ccnet_does(line: str, expected: str) -> None:
    assert normalized(line) == expected


def test_any_line_is_normalised_step_by_step() -> None:
    marks = {mark: sign for sign, marks in _SIGNS.items() for mark in marks}

    def slowly(line: str) -> str:
        line = unicodedata.normalize("NFD", line.strip().lower())
        line = "".join(char for char in line if unicodedata.category(char) != "Mn")
        line = "".join(marks.get(char, char) for char in re.sub(r"\d", "0", line))
        return "".join(char for char in line if not (ord(char) < 32 or 127 <= ord(char) < 160))

    chance = random.Random(4)
    for line in [*TEXTS, *(made(chance) for _ in range(500))]:
        assert normalized(line) == slowly(line)


def made(chance: random.Random) -> str:
    ranges = ((0, 0x250), (0x300, 0x370), (0x600, 0xE80), (0x2000, 0x3100), (0xAC00, 0xAD00), (0xFF00, 0xFFEF))
    return "".join(chr(chance.randrange(*chance.choice(ranges))) for _ in range(30))


def test_words_are_runs_of_letters_and_single_marks() -> None:
    assert words("it's 3.5 <s> snake_case --") == ["it", "'", "s", "3", ".", "5", "<", "s", ">", "snake_case", "-", "-"]
    assert token_lines("A b\n\nC", words) == [["a", "b"], ["c"]]
    assert token_lines("A\0b", words, normalize=False) == [["A", "b"]]


def test_a_model_by_language_is_found_under_any_of_its_names(tmp_path: Path) -> None:
    german = model(tmp_path, "der fluss entspringt", "der berg")
    stage = ScorePerplexity(models={"en": EXAMPLE, "deu_Latn": german})
    assert stage.columns_read() == ("text", "language")
    text = "der fluss"
    found = scored(stage, text, text, text, text, text, languages=["en", "de", "deu", "fr", None])
    assert found[:1] == scored(ScorePerplexity(model=EXAMPLE), text)
    assert found[1:3] == scored(ScorePerplexity(model=german), text) * 2
    assert found[3:] == [None, None]
    assert found[0] != found[1]


def test_text_as_it_is_for_models_of_such_text(tmp_path: Path) -> None:
    cased = model(tmp_path, "Der Fluss 1", "Der Berg 1")
    as_it_is, lowered = (scored(ScorePerplexity(model=cased, normalize=flag), "Der Fluss 1")[0] for flag in (False, True))
    assert as_it_is is not None
    assert lowered is not None
    assert as_it_is < lowered


def test_pieces_of_a_sentencepiece_model_are_the_tokens(tmp_path: Path) -> None:
    import sentencepiece

    lines = ["the river rises in the hills", "people of the town have built mills along the river"] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(tmp_path / "sp"), vocab_size=40, hard_vocab_limit=False, minloglevel=2
    )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "sp.model"))
    pieces = [processor.encode(line, out_type=str) for line in lines]
    folder = tmp_path / "model"
    folder.mkdir()
    write_arpa(estimate(count(pieces, 3, 1, tmp_path), tmp_path), folder / "model.arpa")
    tokens = processor.encode("the mills rise", out_type=str)
    assert len(tokens) > 3
    expected = 10 ** (-kenlm.Model(str(folder / "model.arpa")).score(" ".join(tokens)) / (len(tokens) + 1))
    stage = ScorePerplexity(model=str(folder / "model.arpa"), sentencepiece=str(tmp_path / "sp.model"))
    assert scored(stage, "The mills rise") == [pytest.approx(expected, rel=1e-12)]
    assert ("sentencepiece", "sentencepiece") in stage.requirements()
    # a folder brings its own
    (tmp_path / "sp.model").rename(folder / "sentencepiece.model")
    alone = ScorePerplexity(model=str(folder))
    assert scored(alone, "The mills rise") == [pytest.approx(expected, rel=1e-12)]
    assert alone.files() == (str(folder / "model.arpa"), str(folder / "sentencepiece.model"))
    (folder / "sentencepiece.model").write_bytes(b"no model")
    with pytest.raises(InputError, match="cannot be read as a model of sentencepiece"):
        alone.open()


def test_files_that_are_no_models_are_said(tmp_path: Path) -> None:
    (tmp_path / "broken.arpa").write_text("\\data\\\nngram 1=oops\n")
    with pytest.raises(InputError, match=r"score_perplexity: .*broken\.arpa cannot be read as a KenLM model"):
        ScorePerplexity(model=str(tmp_path / "broken.arpa")).open()
    with pytest.raises(InputError, match=r"gone\.arpa cannot be read: No such file"):
        ScorePerplexity(model=str(tmp_path / "gone.arpa")).open()


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, "expected either `model`, for all documents, or `models`"),
        ({"model": "a", "models": {"en": "b"}}, "expected either `model`"),
        ({"models": {}}, "models names no language"),
        ({"models": {"en": "a"}, "sentencepiece": "b"}, "with `models` write `sentencepieces`"),
        ({"models": {"en": "a"}, "sentencepieces": {"de": "b"}}, "sentencepieces has 'de', for which `models` has no model"),
        ({"model": "a", "column": "text"}, "column is 'text', expected a name"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ScorePerplexity(**keys)
