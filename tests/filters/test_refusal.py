"""Words of the chat and marks of its template are found by family; prose about such words is not."""

import pytest
from made_answers import answers, broken, measured

from filters.refusal import Refusal

PROSE = "The river rises in the hills to the north of the town, and the mills along it are gone."

CASES = [
    ("refusals", "I'm sorry, but I can't help with that."),
    ("refusals", "I cannot provide a rephrasing of this text."),
    ("refusals", "Unfortunately, I am not able to process the text."),
    ("refusals", "I must decline to rewrite this."),
    ("refusals", "It would not be appropriate for me to go on."),
    ("refusals", "Please provide the passage that should be rewritten."),
    ("refusals", "It seems you have not included any text."),
    ("self_references", f"{PROSE} As an AI language model, it was a pleasure."),
    ("self_references", f"{PROSE} This is all my training data has."),
    ("openers", f"Sure! {PROSE}"),
    ("openers", f"Here is a rephrased version of the text:\n\n{PROSE}"),
    ("openers", f"**Rewritten passage:**\n{PROSE}"),
    ("openers", f"Assistant: {PROSE}"),
    ("closers", f"{PROSE}\n\nI hope this helps!"),
    ("closers", f"{PROSE} Let me know if the tone should change."),
    ("closers", f"{PROSE}\n\nWould you like me to shorten it?"),
    ("closers", f"{PROSE}\n\nNote: I have kept all names."),
    ("template_tokens", f"{PROSE}<|im_end|>"),
    ("template_tokens", f"[INST] {PROSE}"),
    ("template_tokens", f"{PROSE}</s>"),
    ("template_tokens", f"### Instruction:\n{PROSE}"),
    ("template_tokens", f"{PROSE}\nUSER: more"),
    ("placeholders", "The text is: {text}"),
    ("placeholders", "The text is {{ document }}."),
    ("placeholders", f"{PROSE} [Your Name]"),
]


@pytest.mark.parametrize(("family", "text"), CASES)
def test_each_is_found_by_its_family_alone(family, text):
    assert set(measured(Refusal(), answers(text, PROSE))) == {family}


@pytest.mark.parametrize(("family", "text"), CASES)
def test_an_answer_at_a_limit_is_kept_and_one_beyond_is_not(family, text):
    assert broken(Refusal(), answers(text, PROSE)) == [f"max_{family}"]
    (count,) = measured(Refusal(), answers(text, PROSE)).values()
    assert broken(Refusal(**{f"max_{family}": count}), answers(text, PROSE)) == []
    assert broken(Refusal(**{f"max_{family}": None}), answers(text, PROSE)) == []


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "An AI researcher cannot say yet whether a language model understands.",
        "Sure of himself, he went on. Here the river is wide.",
        "Certainly the oldest of all mills, it stood for years.",
        "She could not help the man, and they cannot write to him.",
        "The note says: this is the original of the letter, and it was kept.",
        "In set notation {x, y} is a pair, and [1] is a citation.",
        "He noted that text and answer had to agree.",
        "# Answers from the river\n\nThe mills are gone.",
        "The court must decide whether she declined the request.",
    ],
)
def test_prose_is_kept(text):
    assert measured(Refusal(), answers(text, PROSE)) == {}


def test_what_the_source_has_too_is_no_leak():
    text = 'A chat model says "As an AI language model" and writes <|im_end|>.'
    assert set(measured(Refusal(), answers(text, PROSE))) == {"self_references", "template_tokens"}
    assert measured(Refusal(), answers(text, f"As an AI language model, it ends with <|im_end|>. {PROSE}")) == {}


def test_only_the_beginning_may_refuse_and_only_the_end_may_say_goodbye():
    long = f"{PROSE} " * 8
    assert measured(Refusal(), answers(f"{long}I'm sorry, but I can't help with that.", PROSE)) == {}
    assert measured(Refusal(), answers(f"{long}I hope this helps! {long}", PROSE)) == {}


@pytest.mark.parametrize("kind", ["real", None])
def test_only_synthetic_documents_are_judged(kind):
    assert measured(Refusal(), answers("I'm sorry, but I can't help with that.", None, kind)) == {}
    assert set(measured(Refusal(), answers("I'm sorry, but I can't help with that.", None))) == {"refusals"}
