import importlib.metadata as metadata
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import doctor
from jobs.cli import app
from jobs.doctor import Finding, Requirement


def installed(folder: Path, name: str, version: str, *files: str) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def fasttext(folder: Path) -> Finding:
    (found,) = doctor.check_fasttext(metadata.distributions(path=[str(folder)]))
    return found


def test_two_owners_of_fasttext_are_a_conflict_that_is_named_with_its_fix(tmp_path: Path) -> None:
    installed(tmp_path, "fasttext", "0.9.3", "fasttext/__init__.py", "fasttext_pybind.cpython-311-x86_64-linux-gnu.so")
    installed(tmp_path, "fasttext-predict", "0.9.2.4", "fasttext/__init__.py", "fasttext/FastText.py")
    found = fasttext(tmp_path)
    assert found.state == "bad"
    assert found.detail.startswith("fasttext 0.9.3, fasttext-predict 0.9.2.4 write the same files")
    assert "Language detection reads its model itself and is not affected" in found.detail
    assert found.fix is not None
    assert "pip uninstall -y fasttext fasttext-predict && pip install --force-reinstall --no-deps" in found.fix


def test_two_owners_of_fasttext_are_no_conflict_where_the_files_of_the_one_that_trains_are_there(tmp_path: Path) -> None:
    installed(tmp_path, "fasttext-predict", "0.9.2.4", "fasttext/__init__.py", "fasttext/FastText.py")
    installed(tmp_path, "fasttext", "0.9.3", "fasttext/__init__.py", "fasttext/FastText.py")
    (tmp_path / "fasttext").mkdir()
    (tmp_path / "fasttext" / "FastText.py").write_text("def train_supervised(input):\n    pass\n")
    assert fasttext(tmp_path).state == "ok"
    assert "fasttext's are there, so training is possible" in fasttext(tmp_path).detail
    (tmp_path / "fasttext" / "FastText.py").write_text("def load_model(path):\n    pass\n")
    assert fasttext(tmp_path).state == "bad"


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("fasttext", "training is possible"),
        ("fasttext-predict", "enough for language detection"),
        ("fasttext-wheel", "the module belongs to fasttext-wheel 1.0"),
    ],
)
def test_one_owner_of_fasttext_is_fine(tmp_path: Path, name: str, detail: str) -> None:
    installed(tmp_path, name, "1.0", "fasttext/__init__.py")
    installed(tmp_path, "fasttextual", "1.0", "fasttextual/__init__.py")
    assert fasttext(tmp_path).state == "ok"
    assert detail in fasttext(tmp_path).detail


def test_no_owner_of_fasttext_is_fine(tmp_path: Path) -> None:
    assert fasttext(tmp_path).state == "ok"
    assert "not installed" in fasttext(tmp_path).detail


@pytest.mark.parametrize(
    ("version", "wanted", "kept"),
    [
        ("2.60.0", ">=2.60,<2.61", True),
        ("2.60", ">=2.60.0,<2.61", True),
        ("2.61.0", ">=2.60,<2.61", False),
        ("2.9.9", ">=2.60", False),
        ("2.60.1rc1", ">=2.60,<2.61", True),
        ("10.0", ">=9.5", True),
        ("1.0", "==1.0", True),
        ("1.1", "<=1.0", False),
        ("1.0", ">1.0", False),
        ("1.0", "", True),
    ],
)
def test_a_version_is_judged_by_numbers_not_by_letters(version: str, wanted: str, kept: bool) -> None:
    assert doctor.in_range(version, wanted) is kept


def test_a_version_outside_the_tested_range_is_bad_and_the_fix_names_the_range() -> None:
    found = doctor._judge_version(Requirement("pydantic", ">=99", None), missing="bad")
    assert (found.state, found.fix) == ("bad", "pip install 'pydantic>=99'")


def test_a_missing_extra_is_a_note_with_its_pip_line() -> None:
    found = doctor._judge_version(Requirement("no-such-package-here", "", "parity"), missing="note")
    assert (found.state, found.fix) == ("note", "pip install 'sluice[parity]'")


def test_requirements_are_those_of_the_project() -> None:
    found = {(requirement.name, requirement.extra): requirement.range for requirement in doctor.requirements()}
    assert found["ray", None] == ">=2.60,<2.61"
    assert found["spacy", "parity"] == ">=3.8,<3.9"
    assert ("sluice", "test") not in found


def test_a_kernel_cache_that_cannot_be_written_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (found,) = doctor.check_kernel_cache()
    assert (found.state, found.fix) == ("bad", "export NUMBA_CACHE_DIR=/some/local/folder")


def test_a_disk_without_room_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {found.state for found in doctor.check_disk(tmp_path / "not" / "there")} == {"ok"}
    monkeypatch.setattr(doctor, "MIN_FREE_DISK", 10**18)
    assert {found.state for found in doctor.check_disk(tmp_path)} == {"bad"}


def test_a_check_that_breaks_is_a_finding_and_the_others_are_still_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ImportError("numpy is broken")

    monkeypatch.setattr(doctor, "check_memory", broken)
    found = {finding.what: finding for finding in doctor.examine(tmp_path)}
    assert found["memory"].detail == "the check failed: ImportError: numpy is broken"
    assert found["CPUs"].state == "ok"


def test_this_installation_is_sound(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", str(tmp_path), "--json"])
    told = json.loads(result.stdout)
    assert [finding for finding in told["findings"] if finding["state"] == "bad"] == []
    assert (result.exit_code, told["ok"]) == (0, True)
    names = {finding["what"] for finding in told["findings"]}
    assert {"Python", "ray", "fasttext", "package names", "language model", "kernel cache", "memory", "CPUs"} <= names
    assert "ok   Python: 3." in CliRunner().invoke(app, ["doctor", str(tmp_path)]).stdout


def test_something_bad_ends_with_exit_code_1_and_its_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MIN_FREE_DISK", 10**18)
    result = CliRunner().invoke(app, ["doctor", str(tmp_path)])
    assert result.exit_code == 1
    assert "fix: choose another --output" in result.stdout
