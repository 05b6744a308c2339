"""Every answer is proved by words of the text."""

import json

from asked import asked, texts

from stages.core.requests import Request
from stages.write_questions import WriteQuestions

TEXT = 'The mill was built in 1871. Its owner said: "It pays."\nIt burnt down.'


def pair(quote: str) -> dict[str, str]:
    return {"question": f"What of {quote[:8]}?", "answer": "That.", "quote": quote}


def test_pairs_with_words_of_the_text_become_a_document() -> None:
    answer = json.dumps({"pairs": [pair("the mill  was built in 1871"), pair("“It pays.” It burnt")]})
    (row,), requests = asked(WriteQuestions(script={}, pairs=2), texts(TEXT), lambda request: answer)
    (made,) = row["_answers"]
    assert made["status"] == "ok"
    assert made["text"] == "Question: What of the mill?\nAnswer: That.\n\nQuestion: What of “It pays?\nAnswer: That."
    assert "Write 2 questions" in requests[0].messages[1][1]
    assert len(requests) == 1


def test_a_quote_that_is_not_there_is_told_and_at_last_left_out() -> None:
    both = json.dumps({"pairs": [pair("The mill was built in 1871"), pair("It was sold in 1900")]})
    (row,), requests = asked(WriteQuestions(script={}), texts(TEXT), lambda request: both)
    assert "the quote of pair 2 is not in the text" in requests[1].messages[-1][1]
    assert len(requests) == 2
    assert row["_answers"][0]["text"] == "Question: What of The mill?\nAnswer: That."

    def mended(request: Request) -> str:
        return both if len(request.messages) == 2 else json.dumps({"pairs": [pair("It burnt down.")]})

    (row,), _ = asked(WriteQuestions(script={}), texts(TEXT), mended)
    assert row["_answers"][0]["text"].startswith("Question: What of It burnt?")


def test_a_document_without_a_proved_pair_is_at_fault_with_the_raw_answer() -> None:
    made_up = json.dumps({"pairs": [pair("It was sold in 1900")]})
    (row,), requests = asked(WriteQuestions(script={}), texts(TEXT), lambda request: made_up)
    (answer,) = row["_answers"]
    assert (answer["status"], answer["text"], len(requests)) == ("parse_error", made_up, 3)
