"""What was translated is translated back and compared."""

import pytest
from asked import asked, texts

from stages.check_translation import CheckTranslation, chrf
from stages.core.requests import Request


def test_only_made_documents_are_translated_back() -> None:
    documents = texts("Der Fluss steigt.", "Echt", "Leer", _parent_text=["The river rises.", None, "Empty"])
    stage = CheckTranslation(script={}, language="English", retries=0)

    def answer(request: Request) -> str | None:
        assert "into English" in request.messages[1][1]
        return "The river rises." if "Fluss" in request.messages[1][1] else None

    rows, requests = asked(stage, documents, answer)
    assert [row["back_translation_similarity"] for row in rows] == [1.0, None, None]
    assert len(requests) == 2


def test_the_similarity_is_chrf() -> None:
    assert chrf("same text", "same  text") == 1.0
    assert chrf("abc", "xyz") == 0.0
    assert chrf("", "x") == 0.0
    # n-grams of 1 and 2: precision 1 and 1, recall 3/4 and 2/3, of 3: 1 and 1/2; no other order is in both
    expected = [5 * recall / (4 + recall) for recall in (3 / 4, 2 / 3, 1 / 2)]
    assert chrf("abc", "abcd") == pytest.approx(sum(expected) / 3)
