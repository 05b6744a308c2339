"""Templates: the files of a filter of one's own, ready to run and to change."""

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from schemas.errors import OutputError, RecipeError

OURS = ("schemas", "stages", "filters", "pipeline", "jobs", "tests")

FILTER = Template('''"""$title: an example that counts exclamation marks, to be changed."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from schemas.rule import Limit, Rule, at_most, share
from stages.core.docs import Docs
from stages.core.stage import Filter, Measures
from stages.kernels.compile import kernel


class $name(Filter):
    """Keep documents with few exclamation marks.

    fraction  exclamation marks / bytes of the text

    An empty text scores 0 and is kept.
    """

    unit = "char"
    max_fraction: Limit | None = share(0.1, "largest share of exclamation marks")

    def measures(self) -> dict[str, pa.DataType]:
        return {"fraction": pa.float64()}

    def measure(self, docs: Docs) -> Measures:
        text = docs.text()
        # an empty text is divided by 1, so that it scores 0
        return {"fraction": _marks(text.offsets, text.data) / np.maximum(np.diff(text.offsets), 1)}

    def rules(self) -> Sequence[Rule]:
        return (at_most("fraction", self.max_fraction, "max_fraction"),)


@kernel
def _marks(offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Exclamation marks of each document: document i is data[offsets[i]:offsets[i + 1]], UTF-8."""
    found = np.zeros(len(offsets) - 1, np.int64)
    for document in range(len(found)):
        for at in range(offsets[document], offsets[document + 1]):
            if data[at] == 33:
                found[document] += 1
    return found
''')

TEST = Template("""import random

import pyarrow as pa
import pytest

from $module import $name
$imports

def fractions(texts: list[str]) -> list[float]:
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    return $name().measure(Docs(table))["fraction"].tolist()


def kept(text: str, max_fraction: float) -> bool:
    table = pa.table({"text": pa.array([text], pa.large_string())})
    step = $name(max_fraction=max_fraction)
    return not judge("$step", step.rules(), step.measure(Docs(table)), table)


@pytest.mark.parametrize(("text", "fraction"), [("hey!", 0.25), ("", 0.0), ("calm", 0.0), ("!!", 1.0), ("é!!", 0.5)])
def test_the_fraction_is_marks_over_bytes(text: str, fraction: float) -> None:
    assert fractions([text]) == [fraction]


def test_a_document_at_the_limit_is_kept_and_one_above_it_is_dropped() -> None:
    assert kept("hey!", 0.25)
    assert not kept("hey!", 0.24)


def test_the_kernel_agrees_with_the_obvious_definition() -> None:
    chance = random.Random(0)
    texts = ["".join(chance.choices("a! é中\\x00", k=chance.randrange(20))) for _ in range(500)]
    assert fractions(texts) == [text.count("!") / max(len(text.encode()), 1) for text in texts]
$contracts""")

CONTRACTS = Template("""

def test_it_keeps_the_contracts_of_every_stage() -> None:
    assert [found for found in contracts.check($name()) if not found.passed] == []
""")


@dataclass(frozen=True)
class Made:
    """The files that were written, how a recipe names the filter, and the command that runs its test."""

    files: tuple[Path, ...]
    recipe_name: str
    test_command: str


def new_filter(name: str, folder: Path) -> Made:
    """Write a filter and its test below `folder`; `name` is `emoji_share` in Sluice's own tree, else `mylab/emoji_share`.

    Raises `RecipeError` if the name cannot be one, `OutputError` if a file is there already.
    """
    *packages, step = name.split("/")
    if not all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", part) for part in [*packages, step]):
        raise RecipeError(f"{name!r} is no name for a filter: expected snake_case, such as emoji_share or mylab/emoji_share")
    class_name = "".join(word.capitalize() for word in step.split("_"))
    imports: tuple[str, ...]
    own_tree = (folder / "pipeline" / "registry.py").is_file() and (folder / "filters" / "__init__.py").is_file()
    if packages and packages[0] in OURS:
        raise RecipeError(f"the package {packages[0]!r} is Sluice's own name; choose another, such as mylab/{step}")
    if own_tree and not packages:
        _refuse_known(step)
        module, test = f"filters.{step}", folder / "tests" / "filters" / f"test_{step}.py"
        imports = ("pipeline.judge import judge", "stages.core.docs import Docs")
    elif packages:
        module, test = ".".join([*packages, step]), folder / "tests" / f"test_{step}.py"
        imports = ("pipeline import contracts", "pipeline.judge import judge", "stages.core.docs import Docs")
    else:
        raise RecipeError(f"outside Sluice's own source a filter needs a package of yours: sluice new filter mylab/{step}")
    before = module < imports[0].partition(" ")[0]
    lines = "\n".join(f"from {line}" for line in imports)
    told = {"name": class_name, "module": module, "step": step, "title": step.replace("_", " ").capitalize()}
    told |= {"imports": lines + "\n", "contracts": "" if own_tree and not packages else CONTRACTS.substitute(told)}
    source = folder.joinpath(*module.split(".")).with_suffix(".py")
    text = TEST.substitute(told)
    if not before:
        text = text.replace(f"from {module} import {class_name}\n{lines}", f"{lines}\nfrom {module} import {class_name}")
    files = {source: FILTER.substitute(told), test: text}
    for path in files:
        if path.exists():
            raise OutputError(f"{path} is there already; nothing was written")
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    recipe_name = f"{module}:{class_name}" if packages else step
    return Made(tuple(files), recipe_name, f"python -m pytest {test.relative_to(folder)}")


def _refuse_known(step: str) -> None:
    from pipeline import registry

    if path := registry.names().get(step):
        raise OutputError(f"there is a stage {step!r} already: {path}")
