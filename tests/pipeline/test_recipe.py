import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import recipe, registry
from pipeline.function import Function
from pipeline.specimens import example
from schemas.errors import RecipeError

BASE: dict[str, Any] = {"name": "tiny", "input": "docs.jsonl"}


def written(folder: Path, text: str) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text)
    return path


def message(what: Any, *overrides: str) -> str:
    with pytest.raises(RecipeError) as found:
        recipe.load(what, overrides)
    return str(found.value)


def test_a_recipe_from_a_file_and_from_a_mapping_are_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, "name: tiny\ninput: docs.jsonl\nstages:\n  - word_count: {min_words: 3}\n  - text_length\n")
    loaded = recipe.load(path)
    made = recipe.load({**BASE, "stages": [{"word_count": {"min_words": 3}}, "text_length"]})
    assert [step.stage for step in loaded.steps] == [step.stage for step in made.steps]
    assert (loaded.keys, loaded.file, made.file) == (made.keys, str(path), None)
    assert [step.label for step in loaded.steps] == ["word_count", "text_length"]
    assert loaded.steps[1].place == f"{path}:5:5"


def test_a_stage_that_occurs_twice_gets_labels_of_its_own() -> None:
    loaded = recipe.load({**BASE, "stages": ["word_count", "text_length", {"word_count": None}]})
    assert [step.label for step in loaded.steps] == ["word_count", "text_length", "word_count_2"]


def test_the_recipe_with_all_defaults_gives_the_same_recipe_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "again_rules.py").write_text("def cut(document, length=3):\n    return document\n")
    monkeypatch.chdir(tmp_path)
    stages: list[Any] = [{name: dict(getattr(registry.find(name), "example", {}))} for name in registry.names()]
    stages.append({"again_rules:cut": {"length": 5, "writes": {"score": "float64"}}})
    first = recipe.load({**BASE, "stages": stages})
    second = recipe.load(json.loads(json.dumps(first.as_json())))
    assert [step.stage for step in second.steps] == [step.stage for step in first.steps]
    assert second.keys == first.keys


@pytest.mark.parametrize("name", registry.names())
def test_every_stage_can_be_made_by_its_name(name: str) -> None:
    stage = recipe.make_stage(name, getattr(registry.find(name), "example", {}))
    assert stage == example(registry.find(name))
    assert stage.name() == name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: tiny\nstages:\n  - word_cuont\n", ":3:5: there is no stage 'word_cuont'; did you mean 'word_count'?"),
        ("name: tiny\nstages:\n  - word_count: {min_wrds: 3}\n", ":3:18: word_count: there is no key 'min_wrds'; did you mean"),
        ("name: tiny\nstages:\n  - text_length\n  - word_count:\n      min_words: many\n", ":5:7: word_count: min_words"),
        ("name: tiny\nstages:\n  - sample\n", ":3:5: sample: the key 'fraction' is missing"),
        ("name: tiny\nstages:\n  - sample: {fraction: 1.5}\n", "fraction is 1.5, expected from 0.0 to 1.0 (share)"),
        ("name: tiny\noutpt: {}\n", ":2:1: there is no key 'outpt'; did you mean 'output'?"),
        ("name: tiny\noutput:\n  ordr: source\n", ":3:3: there is no key 'ordr'; did you mean 'order'?"),
        ("name: tiny\noutput: {order: random}\n", ":2:10: output.order"),
        ("stages: []\n", "the key 'name' is missing"),
        ("name: a b\n", ":1:1: name"),
        ("name: tiny\nstages:\n  - {a: 1, b: 2}\n", ":3:5: expected a stage's name, or one name with its parameters"),
        ("name: tiny\nstages:\n  - word_count: 5\n", ":3:5: the parameters of 'word_count' are 5, expected keys and values"),
        ("name: [tiny\n", "not valid YAML"),
        ("just words\n", "expected keys such as `name`, `input` and `stages`, found str"),
        ("name: tiny\nstages:\n  - nobody.rules:cut\n", ":3:5: nobody.rules:cut: no module 'nobody.rules'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_nearest_name(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    found = message(path)
    assert found.startswith(str(path))
    assert told in found


def test_all_mistakes_of_a_stage_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "name: tiny\nstages:\n  - word_count:\n      min_wrds: 3\n      max_words: few\n")
    assert [line.split(":")[1] for line in message(path).splitlines()] == ["5", "4"] or len(message(path).splitlines()) == 2


def test_a_file_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    written(tmp_path, "name: tiny\n")
    assert message(tmp_path / "tny.yaml").endswith("tny.yaml: no such recipe; did you mean 'tiny.yaml'?")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    assert "cannot be read as UTF-8" in message(tmp_path / "latin.yaml")


def test_overrides_reach_steps_and_keys() -> None:
    stages = [{"word_count": {"min_words": 3}}, "text_length", "word_count"]
    overrides = ["word_count_2.min_words=7", "output.order=source", "seed=9", "word_count.max_words=null"]
    loaded = recipe.load({**BASE, "stages": stages}, overrides)
    assert [getattr(loaded.steps[at].stage, "min_words") for at in (0, 2)] == [3, 7]  # noqa: B009
    assert getattr(loaded.steps[0].stage, "max_words") is None  # noqa: B009
    assert (loaded.keys.output.order, loaded.keys.seed) == ("source", 9)


def test_a_star_sets_every_stage_that_has_the_key() -> None:
    loaded = recipe.load({**BASE, "stages": ["gopher_quality", "text_length", "fineweb_quality"]}, ["*.mode=datatrove"])
    assert [getattr(step.stage, "mode", None) for step in loaded.steps] == ["datatrove", None, "datatrove"]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("word_count", "expected step.key=value"),
        ("word_cuont.min_words=3", "the recipe has no step 'word_cuont'; did you mean 'word_count'?"),
        ("*.no_such_key=3", "no stage of the recipe has a key 'no_such_key'"),
        ("word_count.min_words=[", "the value is not valid YAML"),
        ("word_count.min_wrds=3", "there is no key 'min_wrds'"),
        ("sed=3", "did you mean 'seed'?"),
    ],
)
def test_a_wrong_override_is_told(override: str, told: str) -> None:
    assert told in message({**BASE, "stages": ["word_count"]}, override)


def test_limits_may_be_numbers_percentiles_or_tables() -> None:
    for limit in (5, 2.5, {"percentile": 10}, {"by": "language", "values": {"en": 50}, "default": None}, None):
        stage = recipe.make_stage("word_count", {"min_words": limit})
        assert type(stage).model_validate(stage.model_dump(mode="json")) == stage
    with pytest.raises(RecipeError, match="min_words"):
        recipe.make_stage("word_count", {"min_words": {"percentile": 101}})
    with pytest.raises(RecipeError, match="expected at least"):
        recipe.make_stage("word_count", {"min_words": {"by": "language", "values": {"en": -1}, "default": None}})


def test_a_function_takes_its_own_arguments_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "argument_rules.py").write_text("def cut(document, length=3):\n    return document\n")
    monkeypatch.chdir(tmp_path)
    name = "argument_rules:cut"
    assert recipe.make_stage(name, {"length": 4}) == Function(function=name, arguments={"length": 4})
    with pytest.raises(RecipeError, match="has no argument 'lenght'; did you mean 'length'"):
        recipe.make_stage(name, {"lenght": 4})
    with pytest.raises(RecipeError, match="writes"):
        recipe.make_stage(name, {"writes": {"score": "number"}})


def test_the_schema_names_every_stage_with_its_parameters() -> None:
    schema = recipe.json_schema()
    entries = schema["properties"]["stages"]["items"]["anyOf"]
    assert {entry["const"] for entry in entries if "const" in entry} == set(registry.names())
    assert "min_words" in schema["$defs"]["stage_word_count"]["properties"]
    references = {
        line.rpartition("/")[2].strip('",') for line in json.dumps(schema, indent=0).splitlines() if "#/$defs/" in line
    }
    assert references <= set(schema["$defs"])
