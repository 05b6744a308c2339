import json
from pathlib import Path

import pyarrow as pa
import pytest

from filters.c4_quality import C4Document, C4Lines, C4Quality
from pipeline.judge import judge
from stages.core.docs import Docs

VECTORS = Path(__file__).parents[1] / "parity" / "datatrove_filters.jsonl"
REASONS = {"lorem_ipsum": "lorem_ipsum", "curly_bracket": "curly_bracket", "too_few_sentences": "min_sentences"}
FIVE = "One is here. Two is here. Three is here. Four is here. Five is here."


def table_of(texts: list[str | None]) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.large_string())})


def run(stage: C4Quality, texts: list[str | None]) -> list[tuple[str | None, str]]:
    """The first broken rule and the text of each document after both nodes."""
    lines, document = stage.nodes()
    assert isinstance(lines, C4Lines)
    assert isinstance(document, C4Document)
    table = lines.apply(table_of(texts))
    first: dict[int, str] = {}
    for broken in judge("step", document.rules(), document.measure(Docs(table)), table):
        for row in broken.rows.tolist():
            first.setdefault(row, broken.rule.name)
    return [(first.get(row), text) for row, text in enumerate(table.column("text").to_pylist())]


@pytest.mark.parametrize(("key", "terminal_punctuation"), [("c4", True), ("c4_no_terminal_punct", False)])
def test_every_vector_gets_the_decision_the_reason_and_the_text_of_datatrove(key, terminal_punctuation):
    rows = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").split("\n") if line]
    texts = [row["text"] if "text" in row else row["text_repeat"][0] * row["text_repeat"][1] for row in rows]
    found = run(C4Quality(mode="datatrove", terminal_punctuation=terminal_punctuation), texts)
    assert len(rows) == 62
    for row, text, (reason, after) in zip(rows, texts, found, strict=True):
        expected = row["expect"][key]
        assert reason == REASONS.get(expected["reason"]), row["id"]
        if expected["keep"]:
            assert after == expected.get("text_after", text), row["id"]


@pytest.mark.parametrize("mode", ["sluice", "datatrove"])
def test_five_sentences_are_kept_and_four_dropped(mode):
    four = FIVE.removesuffix(" Five is here.")
    assert run(C4Quality(mode=mode), [FIVE, four]) == [(None, FIVE), ("min_sentences", four)]


def test_a_document_with_lorem_ipsum_or_a_bracket_keeps_its_text_and_is_dropped():
    texts = [f" {FIVE}\nLorem ipsum is here.", f" {FIVE}\nfoo {{ bar."]
    assert run(C4Quality(), texts) == [("lorem_ipsum", texts[0]), ("curly_bracket", texts[1])]


def test_rules_that_are_off_neither_drop_nor_remove():
    text = f"{FIVE}\nLorem ipsum {{ is here.\njavascript is here.\nour privacy policy.\na b c[1].\nno end here"
    off = {"lorem_ipsum": False, "curly_bracket": False, "javascript": False, "policy": False, "citations": False}
    assert run(C4Quality(**off, terminal_punctuation=False), [text]) == [(None, text)]
    assert run(C4Quality(min_sentences=None), ["Too short."]) == [(None, "")]


def test_a_limit_of_null_lets_every_line_pass():
    text = f"{FIVE}\nTwo words.\n" + "x" * 1001 + " a b."
    assert run(C4Quality(min_words_per_line=None, max_word_length=None), [text]) == [(None, text)]


def test_other_columns_and_rows_stay_where_they_are():
    table = pa.table({"id": ["a", "b"], "text": pa.array([FIVE, None], pa.large_string()), "url": ["x", "y"]})
    after = C4Lines().apply(table)
    assert after.column_names[:3] == ["id", "text", "url"]
    assert after.select(["id", "url"]).equals(table.select(["id", "url"]))
    assert after.column("text").to_pylist() == [FIVE, ""]
    assert {name: after.schema.field(name).type for name in C4Lines().columns_written()} == C4Lines().columns_written()
    assert after.column("_c4_sentences").to_pylist() == [5, 0]


def test_it_counts_lines_and_those_it_removed():
    after = C4Lines().apply(table_of([f"{FIVE}\nno end\n\n{FIVE}"]))
    assert (after.column("_c4_lines").to_pylist(), after.column("_c4_lines_removed").to_pylist()) == ([4], [2])


def test_only_datatrove_mode_needs_spacy():
    assert C4Quality().requirements() == ()
    assert C4Quality(mode="datatrove").requirements() == (("spacy", "parity"),)
    assert C4Quality(mode="datatrove").nodes()[0].requirements() == (("spacy", "parity"),)


def test_the_entry_hands_every_key_to_its_nodes():
    entry = C4Quality(mode="datatrove", min_words_per_line=5, min_sentences=3, policy=False, curly_bracket=False)
    lines, document = entry.nodes()
    assert lines == C4Lines(mode="datatrove", min_words_per_line=5, policy=False, curly_bracket=False)
    assert document == C4Document(min_sentences=3, curly_bracket=False)
