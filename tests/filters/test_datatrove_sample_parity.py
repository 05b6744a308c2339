"""Decisions and first reasons of datatrove 0.10 on the frozen sample of 1,000 documents of jobs/sample."""

import functools
import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "benchmarks"))

from datatrove_decisions import FILTERS, SAMPLE_ANSWERS, digest, load, sample_documents  # noqa: E402
from decisions import REASONS, measure, stages, text_digest  # noqa: E402

DIFFERS = HERE.parent / "parity" / "datatrove_sample_differs.json"
"""By filter and document: [our first reason, datatrove's, the cause]."""


@functools.cache
def sample() -> pa.Table:
    documents = sample_documents()
    assert load(SAMPLE_ANSWERS)["sha256"] == digest(documents)
    names, texts = zip(*documents, strict=True)
    return pa.table({"id": pa.array(names, pa.large_string()), "text": pa.array(texts, pa.large_string())})


def test_the_sample_has_a_thousand_documents_of_which_each_filter_keeps_some_and_drops_some() -> None:
    answers = load(SAMPLE_ANSWERS)
    assert len(sample()) == answers["documents"] == 1000
    for name in FILTERS:
        assert 300 <= answers[name].count(None) <= 700
        assert not any((reason or "").startswith("raises") for reason in answers[name])


@pytest.mark.parametrize("name", FILTERS)
def test_at_least_999_of_1000_documents_get_datatroves_decision_and_reason_and_the_rest_is_listed(name: str) -> None:
    answers = load(SAMPLE_ANSWERS)
    ours = measure(sample(), stages("datatrove")[name])
    theirs = [REASONS[reason] if reason else None for reason in answers[name]]
    rows = zip(sample()["id"].to_pylist(), ours.reasons, theirs, strict=True)
    differs = {document: [mine, other] for document, mine, other in rows if mine != other}
    listed = json.loads(DIFFERS.read_text(encoding="utf-8")).get(name, {})
    assert differs == {document: reasons[:2] for document, reasons in listed.items()}
    assert all(cause for _, _, cause in listed.values())
    assert len(differs) <= 1


@pytest.mark.parametrize("name", [name for name in FILTERS if name.startswith("c4")])
def test_what_c4_leaves_of_a_document_is_datatroves_text(name: str) -> None:
    ours = measure(sample(), stages("datatrove")[name])
    theirs = load(SAMPLE_ANSWERS)[f"{name}_text"]
    kept = [row for row, text in enumerate(theirs) if text is not None and ours.reasons[row] is None]
    assert len(kept) > 300
    assert [text_digest(ours.texts[row]) for row in kept] == [theirs[row] for row in kept]
