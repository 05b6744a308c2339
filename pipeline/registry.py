"""Stages by name. The name is the path: `word_count` is `filters/word_count.py`, class `WordCount`; no list is kept."""

import difflib
import importlib
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import filters
import stages
from schemas.errors import RecipeError
from stages.core.stage import Stage

_FOLDERS = {"stages": stages, "filters": filters}


def names() -> dict[str, Path]:
    """Every stage by name, with its file, sorted. Raises if one name stands in both folders."""
    found: dict[str, Path] = {}
    for folder, package in _FOLDERS.items():
        for path in sorted(Path(package.__path__[0]).glob("*.py")):
            if path.stem.startswith("_"):
                continue
            if path.stem in found:
                raise RecipeError(f"stage {path.stem!r} stands in stages/ and in {folder}/; a name belongs to one file")
            found[path.stem] = path
    return dict(sorted(found.items()))


def find(name: str) -> type[Stage]:
    """The class of a stage of ours. Raises `RecipeError` with the nearest name."""
    path = names().get(name)
    if path is None:
        raise RecipeError(f"there is no stage {name!r}{nearest(name, names())}")
    module = importlib.import_module(f"{path.parent.name}.{name}")
    class_name = "".join(word.capitalize() for word in name.split("_"))
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, Stage)):
        raise RecipeError(f"{path} must hold a Stage named {class_name}")
    return found


def find_user_object(path: str) -> Any:
    """What `package.module:Name` names: a Stage class or a function. The working folder is searched last."""
    module_name, _, attribute = path.partition(":")
    add_to_path(Path.cwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise RecipeError(f"{path}: no module {module_name!r} in {Path.cwd()} or among the installed packages") from error
        raise RecipeError(f"{path}: importing it failed: {error}") from error
    except Exception as error:
        raise RecipeError(f"{path}: importing it failed: {type(error).__name__}: {error}") from error
    found = getattr(module, attribute, None)
    if found is None:
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise RecipeError(f"{path}: module {module_name!r} has no {attribute!r}{nearest(attribute, public)}")
    if inspect.isfunction(found) or (isinstance(found, type) and issubclass(found, Stage)):
        return found
    raise RecipeError(f"{path}: expected a function or a Stage class, found {type(found).__name__}")


def add_to_path(folder: Path) -> None:
    """Let modules in `folder` be imported, after everything that is installed: a user's `filters` must not hide ours."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def nearest(name: str, options: Iterable[str]) -> str:
    """`; did you mean ...?` with the closest options, or the whole list if it is short, or nothing."""
    known = sorted(options)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(repr(match) for match in close)}?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= 30 else ""


def check_ownership() -> None:
    """Fail early if a package of one of our generic names was imported from another distribution."""
    home = Path(__file__).resolve().parent.parent
    for package in ("schemas", "stages", "filters", "pipeline", "jobs"):
        module = importlib.import_module(package)
        at = Path(next(iter(module.__path__))).resolve()
        if at.parent != home:
            raise RecipeError(
                f"the package {package!r} is imported from {at}, not from {home}: another distribution or a folder on"
                " PYTHONPATH has the same name. Run from another folder, or install Sluice in an environment of its own."
            )
