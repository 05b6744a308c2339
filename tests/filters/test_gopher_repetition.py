import json
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.gopher_repetition import GopherRepetition
from pipeline.judge import judge
from stages.core.docs import Docs

VECTORS = Path(__file__).parents[1] / "parity" / "datatrove_filters.jsonl"
REASONS = {
    "dup_para_frac": "max_duplicate_paragraph_fraction",
    "dup_para_char_frac": "max_duplicate_paragraph_char_fraction",
    "dup_line_frac": "max_duplicate_line_fraction",
    "dup_line_char_frac": "max_duplicate_line_char_fraction",
    **{f"top_{n}_gram": f"max_top_{n}_gram_fraction" for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": f"max_duplicate_{n}_gram_fraction" for n in range(5, 11)},
}
OFF = dict.fromkeys(REASONS.values())


def docs_of(texts: list[str | None]) -> Docs:
    return Docs(pa.table({"text": pa.array(texts, pa.large_string())}))


def reasons(stage: GopherRepetition, texts: list[str | None]) -> list[str | None]:
    """The first broken rule of each document."""
    docs = docs_of(texts)
    first: dict[int, str] = {}
    for broken in judge("step", stage.rules(), stage.measure(docs), docs.table):
        for row in broken.rows.tolist():
            first.setdefault(row, broken.rule.name)
    return [first.get(row) for row in range(len(texts))]


def test_every_vector_gets_the_decision_and_the_reason_of_datatrove():
    rows = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").split("\n") if line]
    texts = [row["text"] if "text" in row else row["text_repeat"][0] * row["text_repeat"][1] for row in rows]
    expected = {row["id"]: REASONS.get(row["expect"]["gopher_repetition"].get("reason")) for row in rows}
    found = reasons(GopherRepetition(mode="datatrove"), texts)
    assert len(rows) == 62
    assert dict(zip(expected, found, strict=True)) == expected


def test_empty_null_and_blank_texts_measure_0_and_are_kept():
    measures = GopherRepetition().measure(docs_of(["", None, " "]))
    assert [values.tolist() for values in measures.values()] == [[0.0] * 3] * 13
    assert reasons(GopherRepetition(), ["", None, " "]) == [None] * 3


def test_an_empty_batch_has_all_measures():
    stage = GopherRepetition()
    assert {name: len(values) for name, values in stage.measure(docs_of([])).items()} == dict.fromkeys(stage.measures(), 0)


PARAGRAPHS = "ab\n\nab\n\ncd\n\nef"  # 1 of 4 paragraphs and 2 of 14 characters are copies; its lines are the same
SIXTEEN = "a b c d e f a b c d e f g"  # 25 code points


@pytest.mark.parametrize(
    ("limit", "text", "value"),
    [
        ("max_duplicate_paragraph_fraction", PARAGRAPHS, 1 / 4),
        ("max_duplicate_paragraph_char_fraction", PARAGRAPHS, 2 / 14),
        ("max_duplicate_line_fraction", "é\né\nb\nc\nd", 1 / 5),
        ("max_duplicate_line_char_fraction", "é\né\nb\nc\nd", 1 / 9),
        ("max_top_2_gram_fraction", "a b c a b d ef", 6 / 14),
        ("max_top_3_gram_fraction", "a b c a b c ef gh", 10 / 17),
        ("max_top_4_gram_fraction", "a b c d a b c d ef gh", 14 / 21),
        ("max_duplicate_5_gram_fraction", SIXTEEN, 5 / 25),
        ("max_duplicate_6_gram_fraction", SIXTEEN, 6 / 25),
        ("max_duplicate_7_gram_fraction", "a b c d e f g " * 2, 7 / 28),
        ("max_duplicate_8_gram_fraction", "a b c d e f g h " * 2, 8 / 32),
        ("max_duplicate_9_gram_fraction", "a b c d e f g h i " * 2, 9 / 36),
        ("max_duplicate_10_gram_fraction", "a b c d e f g h i j " * 2, 10 / 40),
    ],
)
def test_a_document_at_the_limit_is_kept_and_just_above_is_dropped(limit, text, value):
    measure = limit.removeprefix("max_")
    assert float(GopherRepetition().measure(docs_of([text]))[measure][0]) == value
    assert reasons(GopherRepetition(**{**OFF, limit: value}), [text]) == [None]
    assert reasons(GopherRepetition(**{**OFF, limit: value - 1e-9}), [text]) == [limit]


def test_words_of_scripts_without_spaces_are_seen():
    text = "我们今天去公园" * 12
    assert GopherRepetition().measure(docs_of([text]))["duplicate_10_gram_fraction"].tolist() == [70 / 84]


def test_only_datatrove_mode_needs_spacy():
    assert GopherRepetition().requirements() == ()
    assert GopherRepetition(mode="datatrove").requirements() == (("spacy", "parity"),)


def test_a_limit_above_1_is_refused():
    with pytest.raises(ValidationError, match="max_top_2_gram_fraction is 20"):
        GopherRepetition(max_top_2_gram_fraction=20)
