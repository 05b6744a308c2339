"""What an installed package needs beside its modules is named in pyproject.toml."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

HOME = Path(__file__).parents[1]


def test_every_file_beside_the_modules_is_part_of_the_package() -> None:
    told = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages, data = told["packages"], told["package-data"]
    left_out = ("jobs/models/", "jobs/sample/")  # made and used in the repository alone
    missing = []
    for package in ("schemas", "stages", "filters", "pipeline", "jobs"):
        for path in (HOME / package).rglob("*"):
            name = path.relative_to(HOME).as_posix()
            if path.is_dir() or "__pycache__" in name or name.startswith(left_out):
                continue
            if path.suffix == ".py":
                found = path.parent.relative_to(HOME).as_posix().replace("/", ".") in packages
            else:
                owners = [one for one in data if name.startswith(one.replace(".", "/") + "/")]
                found = any(
                    fnmatch(name.removeprefix(owner.replace(".", "/") + "/"), pattern)
                    for owner in owners
                    for pattern in data[owner]
                )
            missing += [] if found else [name]
    assert missing == []
