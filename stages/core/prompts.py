"""Prompts as Jinja templates in files: checked against the columns they use, and named by content."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.errors import RecipeError
from stages.core.requests import Messages

PRESETS = Path(__file__).resolve().parent.parent / "prompts"
ROLES = ("system", "user", "assistant")


def prompt_path(name: str) -> Path:
    """The file of a prompt: a path (it has a slash or ends with .jinja), else one that comes with the package."""
    if "/" in name or name.endswith(".jinja"):
        return Path(name).expanduser()
    return PRESETS / f"{name}.jinja"


def preset_names() -> list[str]:
    """Prompts that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.jinja"))


@dataclass(frozen=True)
class Prompt:
    """A template file, read once.

    A file is one message of the user, or has blocks named system, user and assistant, each a message in this order; a last
    assistant block is how the answer has to begin, and an empty user block is a turn that the model is to write. `{# version:
    2 #}` in the file is told beside the answers.
    """

    path: Path
    content: str

    @classmethod
    def read(cls, name: str) -> "Prompt":
        """Raises `RecipeError` if there is no such file, or it is no template."""
        path = prompt_path(name)
        try:
            made = cls(path, _content(path, path.stat().st_mtime_ns))
        except (OSError, UnicodeDecodeError) as error:
            known = "" if path.parent != PRESETS else f"; prompts that come with Sluice: {', '.join(preset_names())}"
            raise RecipeError(f"prompt {name!r}: {path} cannot be read: {error}{known}") from error
        made.variables()
        return made

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def hash(self) -> str:
        """SHA-256 of the file, 16 digits."""
        return hashlib.sha256(self.content.encode()).hexdigest()[:16]

    @property
    def version(self) -> str:
        """What the file calls its version, or nothing."""
        found = re.search(r"\{#-?\s*version:\s*(\S+?)\s*-?#\}", self.content)
        return found[1] if found else ""

    def variables(self) -> frozenset[str]:
        """Names that are filled in."""
        from jinja2 import TemplateSyntaxError

        try:
            return _variables(self.content)
        except TemplateSyntaxError as error:
            raise RecipeError(f"{self.path}, line {error.lineno}: {error.message}") from error

    def messages(self, values: Mapping[str, Any]) -> Messages:
        """The conversation, filled in. Raises `jinja2.UndefinedError` where a value is missing."""
        template = _compiled(self.content)
        if not template.blocks:
            return (("user", template.render(values).strip()),)
        context = template.new_context(dict(values))
        found = [(role, "".join(template.blocks[role](context)).strip()) for role in ROLES if role in template.blocks]
        # an empty turn of the user at the end is one that the model is to write
        return tuple((role, content) for role, content in found if content or role == "user")


def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


# A file is read and parsed once for each of its states, as stages ask for their prompts with every document.


@lru_cache(maxsize=64)
def _content(path: Path, modified: int) -> str:
    return path.read_text()


@lru_cache(maxsize=64)
def _variables(content: str) -> frozenset[str]:
    from jinja2 import meta

    return frozenset(meta.find_undeclared_variables(_environment().parse(content)))


@lru_cache(maxsize=64)
def _compiled(content: str) -> Any:
    return _environment().from_string(content)


def render(template: str, values: Mapping[str, Any]) -> str:
    """A template in a recipe, filled in."""
    return str(_compiled(template).render(values)).strip()
