"""Prompts are files, checked before anything runs."""

from pathlib import Path

import pytest

from schemas.errors import InputError, RecipeError
from stages.core.choices import Choice
from stages.core.prompts import Prompt, preset_names, render
from stages.core.requests import ModelName, Request, Sampling


def prompt(folder: Path, content: str) -> Prompt:
    path = folder / "mine.jinja"
    path.write_text(content)
    return Prompt.read(str(path))


def test_a_file_without_blocks_is_one_message(tmp_path: Path) -> None:
    made = prompt(tmp_path, "{# version: 3 #}\nSum up in {{ count }} words:\n{{ text }}\n")
    assert made.messages({"count": 5, "text": "{{ x }}"}) == (("user", "Sum up in 5 words:\n{{ x }}"),)
    assert (made.name, made.version, made.variables()) == ("mine", "3", {"count", "text"})
    assert len(made.hash) == 16
    assert made.hash != prompt(tmp_path, "Sum up {{ text }}").hash


def test_blocks_are_messages_in_the_order_of_a_conversation(tmp_path: Path) -> None:
    content = "{% block user %}Say {{ text }}{% endblock %}{% block system %}Be {{ how }}.{% endblock %}"
    made = prompt(tmp_path, content)
    assert made.messages({"text": "it", "how": "short"}) == (("system", "Be short."), ("user", "Say it"))
    assert made.variables() == {"text", "how"}


def test_a_missing_value_is_an_error_and_no_empty_place(tmp_path: Path) -> None:
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="'text' is undefined"):
        prompt(tmp_path, "{{ text }}").messages({})


def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path: Path) -> None:
    from jinja2.exceptions import SecurityError

    with pytest.raises(SecurityError):
        prompt(tmp_path, "{{ text.__class__.__mro__ }}").messages({"text": "x"})


def test_errors_name_the_file_and_the_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"mine\.jinja, line 2: "):
        prompt(tmp_path, "x\n{{ text")
    with pytest.raises(RecipeError, match=r"prompt 'wikipdia'.*prompts that come with Sluice: .*wikipedia"):
        Prompt.read("wikipdia")
    with pytest.raises(RecipeError, match="cannot be read"):
        Prompt.read("no/such.jinja")


def test_every_prompt_that_comes_with_the_package_has_a_version_and_is_about_the_text() -> None:
    names = preset_names()
    assert {"easy", "medium", "hard", "qa", "wikipedia", "diverse_qa", "distill", "extract_knowledge", "knowledge_list"} <= set(
        names
    )
    for name in names:
        made = Prompt.read(name)
        assert made.version, name
        filled = made.messages(dict.fromkeys(made.variables(), "GIVEN"))
        assert filled[-1][0] == "user", name
        assert "GIVEN" in filled[-1][1] or "GIVEN" in filled[0][1], name


def test_an_empty_turn_of_the_user_is_one_that_the_model_writes() -> None:
    messages = Prompt.read("magpie").messages({"text": "You know rivers."})
    assert messages == (("system", "You know rivers."), ("user", ""))
    assert Request(ModelName("m", ""), messages, Sampling()).continues
    assert not Request(ModelName("m", ""), (("user", "x"),), Sampling()).continues


def test_lines_of_a_file_are_chosen_by_hash(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("one\n\ntwo\nthree\n")
    (tmp_path / "p.jsonl").write_text('{"a": "x"}\n{"a": "y"}\n')
    plain = Choice(path=str(tmp_path / "p.txt"))
    assert {plain.choose("id", number) for number in range(50)} == {"one", "two", "three"}
    assert plain.choose("id", 1) == plain.choose("id", 1)
    several = Choice(path=str(tmp_path / "p.jsonl"), column="a", number=5)
    assert {tuple(several.choose(number)) for number in range(20)} == {("x", "y"), ("y", "x")}
    with pytest.raises(InputError, match=r"p\.jsonl, line 1: expected JSON with the key 'b'"):
        Choice(path=str(tmp_path / "p.jsonl"), column="b").choose("x")
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(InputError, match="has no values"):
        Choice(path=str(tmp_path / "none.txt")).choose("x")


def test_a_template_of_a_recipe_is_filled() -> None:
    assert render("Q: {{ answer.q }}\n", {"answer": {"q": "why"}}) == "Q: why"
