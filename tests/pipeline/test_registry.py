import sys
from pathlib import Path

import pytest

from pipeline import registry
from schemas.errors import RecipeError
from stages.core.stage import Stage


def test_every_stage_is_the_class_of_its_file() -> None:
    found = registry.names()
    assert list(found) == sorted(found)
    assert found["word_count"].name == "word_count.py"
    for name in found:
        kind = registry.find(name)
        assert issubclass(kind, Stage)
        assert kind.name() == name


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="there is no stage 'minhash_deddup'; did you mean 'minhash_dedup'"):
        registry.find("minhash_deddup")


def test_one_name_in_both_folders_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "double.py").touch()
    packages = {folder: type(sys)(folder) for folder in ("one", "two")}
    for folder, package in packages.items():
        package.__path__ = [str(tmp_path / folder)]
    monkeypatch.setattr(registry, "_FOLDERS", packages)
    with pytest.raises(RecipeError, match="'double' stands in"):
        registry.names()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "userlab").mkdir()
    (tmp_path / "userlab" / "rules.py").write_text("NUMBER = 5\ndef cut(document):\n    return document\n")
    (tmp_path / "userlab" / "broken.py").write_text("1 / 0\n")
    (tmp_path / "userlab" / "needy.py").write_text("import no_such_package_here\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_a_users_object_is_found_in_the_working_folder_which_is_searched_last(project: Path) -> None:
    assert registry.find_user_object("userlab.rules:cut").__name__ == "cut"
    assert sys.path[-1] == str(project)
    registry.add_to_path(project)
    assert sys.path.count(str(project)) == 1


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nobody.rules:cut", "no module 'nobody.rules' in"),
        ("userlab.rules:cot", "module 'userlab.rules' has no 'cot'; did you mean 'cut'?"),
        ("userlab.rules:NUMBER", "expected a function or a Stage class, found int"),
        ("userlab.broken:cut", "importing it failed: ZeroDivisionError: division by zero"),
        ("userlab.needy:cut", "importing it failed: No module named 'no_such_package_here'"),
    ],
)
def test_a_users_object_that_cannot_be_had_is_told(project: Path, path: str, told: str) -> None:
    with pytest.raises(RecipeError) as found:
        registry.find_user_object(path)
    assert str(found.value).startswith(f"{path}: ")
    assert told in str(found.value)


def test_nearest_gives_close_names_else_a_short_list_else_nothing() -> None:
    assert registry.nearest("wrd", ["word", "line"]) == "; did you mean 'word'?"
    assert registry.nearest("zzz", ["word", "line"]) == "; known: line, word"
    assert registry.nearest("zzz", [f"name{number}" for number in range(31)]) == ""
    assert registry.nearest("zzz", []) == ""


def test_a_package_of_our_name_from_elsewhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.check_ownership()
    foreign = type(sys)("filters")
    foreign.__path__ = [str(tmp_path / "filters")]
    monkeypatch.setitem(sys.modules, "filters", foreign)
    with pytest.raises(RecipeError, match=r"the package 'filters' is imported from .*, not from"):
        registry.check_ownership()
