"""Conversations that are made have their messages beside their text."""

import json

from asked import asked, texts

from stages.core.requests import Request
from stages.rephrase import Rephrase
from stages.respond import Respond
from stages.write_instruction import WriteInstruction


def test_a_response_follows_its_request() -> None:
    stage = Respond(script={}, samples=2, system="Be short.")
    (row,), requests = asked(stage, texts("Why?\n"), lambda request: f"Since {request.sample}.")
    assert [answer["text"] for answer in row["_answers"]] == ["Be short.\n\nWhy?\n\nSince 0.", "Be short.\n\nWhy?\n\nSince 1."]
    assert json.loads(row["_answers"][1]["messages"]) == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Since 1."},
    ]
    assert [request.messages for request in requests] == [(("system", "Be short."), ("user", "Why?"))] * 2
    assert requests[0].key != requests[1].key


def test_the_last_answer_of_a_conversation_is_written_anew() -> None:
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "No idea."}]
    documents = texts("Why?\n\nNo idea.", "Plain", messages=[json.dumps(turns), None])
    (first, second), _ = asked(Respond(script={}, write="rewrite"), documents, lambda request: "So.")
    assert json.loads(first["_answers"][0]["messages"]) == [turns[0], {"role": "assistant", "content": "So."}]
    assert first["_answers"][0]["text"] == "Why?\n\nSo."
    assert json.loads(second["_answers"][0]["messages"])[0] == {"role": "user", "content": "Plain"}


def test_a_text_becomes_the_answer_to_the_request_that_was_made_for_it() -> None:
    (row,), _ = asked(WriteInstruction(script={}), texts(" Rivers rise in hills. "), lambda request: "Where do rivers rise?")
    assert json.loads(row["_answers"][0]["messages"]) == [
        {"role": "user", "content": "Where do rivers rise?"},
        {"role": "assistant", "content": "Rivers rise in hills."},
    ]
    assert row["_answers"][0]["text"] == "Where do rivers rise?\n\nRivers rise in hills."


def test_a_refusal_is_asked_for_again_unless_it_is_an_answer() -> None:
    refusal = "I'm sorry, but I can't help with that."

    def once(request: Request) -> str:
        return refusal if len(request.messages) == 2 else "Rivers rise."

    (row,), requests = asked(Rephrase(script={}), texts("Rivers rise in hills."), once)
    assert (row["_answers"][0]["status"], len(requests)) == ("ok", 2)
    assert "it refuses what was asked" in requests[1].messages[-1][1]
    (row,), requests = asked(Rephrase(script={}, retries=1), texts("Rivers rise in hills."), lambda request: refusal)
    assert (row["_answers"][0]["status"], row["_answers"][0]["text"]) == ("refused", refusal)
    (row,), requests = asked(Rephrase(script={}), texts(f"{refusal} So she said, and left."), lambda request: refusal)
    assert (row["_answers"][0]["status"], len(requests)) == ("ok", 1)
    (row,), requests = asked(Respond(script={}), texts("Pick a lock."), lambda request: refusal)
    assert (row["_answers"][0]["status"], len(requests)) == ("ok", 1)
