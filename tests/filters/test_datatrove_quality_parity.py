"""Decisions and reasons of datatrove 0.10 on the vectors of tests/parity."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from pipeline.judge import judge
from stages.core.docs import Docs
from stages.core.stage import Filter

VECTORS = Path(__file__).parents[1] / "parity" / "datatrove_filters.jsonl"
REASONS = {
    "gopher_quality": {
        "gopher_short_doc": "min_words",
        "gopher_long_doc": "max_words",
        "gopher_below_avg_threshold": "min_mean_word_length",
        "gopher_above_avg_threshold": "max_mean_word_length",
        "gopher_too_many_hashes": "max_hash_fraction",
        "gopher_too_many_ellipsis": "max_ellipsis_fraction",
        "gopher_too_many_bullets": "max_bullet_line_fraction",
        "gopher_too_many_end_ellipsis": "max_ellipsis_line_fraction",
        "gopher_below_alpha_threshold": "min_alpha_word_fraction",
        "gopher_enough_stop_words": "min_stop_words",
    },
    "fineweb": {
        "empty": "min_lines",
        "line_punct_ratio": "min_terminal_punctuation_fraction",
        "short_line_ratio": "max_short_line_fraction",
        "char_dup_ratio": "max_duplicate_char_fraction",
        "list_ratio": "max_newline_fraction",
    },
}


def vectors() -> list[dict]:
    return [json.loads(line) for line in VECTORS.read_text().split("\n") if line]


def reasons(stage: Filter, texts: list[str]) -> list[str | None]:
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    first: list[str | None] = [None] * len(texts)
    for broken in judge("step", stage.rules(), stage.measure(Docs(table)), table):
        for row in broken.rows:
            first[row] = first[row] or broken.rule.name
    return first


@pytest.mark.parametrize(
    ("vector", "stage"),
    [("gopher_quality", GopherQuality(mode="datatrove")), ("fineweb", FinewebQuality(mode="datatrove"))],
    ids=["gopher_quality", "fineweb"],
)
def test_every_document_gets_datatroves_decision_and_reason(vector: str, stage: Filter) -> None:
    rows = vectors()
    texts = [row["text"] if "text" in row else row["text_repeat"][0] * row["text_repeat"][1] for row in rows]
    expected = {row["id"]: REASONS[vector].get(row["expect"][vector]["reason"]) for row in rows}
    assert len(rows) == 62
    assert {row["id"]: row["expect"][vector]["keep"] for row in rows} == {key: rule is None for key, rule in expected.items()}
    assert dict(zip(expected, reasons(stage, texts), strict=True)) == expected
