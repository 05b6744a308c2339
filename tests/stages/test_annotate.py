"""Ratings of a model are read, asked for again, and never guessed."""

import pytest
from asked import asked, texts

from stages.annotate import Annotate
from stages.core.requests import Request


def test_a_rating_is_a_column_with_its_reason() -> None:
    rows, requests = asked(Annotate(script={}), texts("one", "two"), lambda request: '{"reason": "clear", "score": 4}')
    assert rows == [{"annotation": 4, "annotation_reason": "clear"}] * 2
    assert requests[0].schema is not None
    assert requests[0].schema["properties"]["score"] == {"maximum": 5, "minimum": 0, "title": "Score", "type": "integer"}
    assert requests[0].messages[-1][1].endswith("Text:\none")


@pytest.mark.parametrize("bad", ['{"reason": "", "score": 6}', '{"score": "5.0 (Excellent)"}', "4", '{"score": 4.5}', "five"])
def test_what_is_no_rating_is_asked_for_again_and_then_null(bad: str) -> None:
    def once(request: Request) -> str:
        return bad if len(request.messages) == 2 else '{"reason": "x", "score": 2}'

    rows, requests = asked(Annotate(script={}), texts("one"), once)
    assert rows == [{"annotation": 2, "annotation_reason": "x"}]
    assert len(requests) == 2
    assert "cannot be used" in requests[1].messages[-1][1]
    (row,), requests = asked(Annotate(script={}, retries=1), texts("one"), lambda request: bad)
    assert row["annotation"] is None
    assert row["annotation_reason"]
    assert len(requests) == 2


def test_an_unanswered_request_is_null_with_its_reason() -> None:
    rows, _ = asked(Annotate(script={}), texts("one"), lambda request: None)
    assert rows == [{"annotation": None, "annotation_reason": "busy"}]


def test_a_sample_is_chosen_by_hash_and_others_are_not_asked_about() -> None:
    documents = texts(*(f"text {number}" for number in range(400)))
    stage = Annotate(script={}, sample=0.25, column="label", highest=3, seed=7)
    rows, requests = asked(stage, documents, lambda request: '{"score": 3}')
    assert 70 < len(requests) < 130
    assert sum(row["label"] == 3 for row in rows) == len(requests)
    assert all(row["label_reason"] is None for row in rows if row["label"] is None)
    assert asked(stage, documents.slice(100), lambda request: '{"score": 3}')[0] == rows[100:]
    assert asked(stage.model_copy(update={"seed": 8}), documents, lambda request: '{"score": 3}')[0] != rows


def test_of_a_long_document_the_beginning_is_shown_to_the_end_of_a_paragraph() -> None:
    _, requests = asked(
        Annotate(script={}, max_text_tokens=5), texts("one two.\n\nthree four.\n\nfive"), lambda request: '{"score": 1}'
    )
    assert requests[0].messages[-1][1].endswith("Text:\none two.")
    rows, requests = asked(Annotate(script={}), texts("  "), lambda request: '{"score": 1}')
    assert (rows[0]["annotation"], requests) == (None, [])
